//! Questions side by side, however many checks ask them: each takes one of a bounded number of
//! places, which are threads and sockets.

use std::ops::ControlFlow;
use std::sync::{Arc, Condvar, Mutex, PoisonError, mpsc};
use std::thread;

use crate::deadline::Deadline;

/// Stack of a thread (bytes): a socket, a packet, and nothing that recurses; TLS for DoH.
const STACK: usize = 256 * 1024;

/// How many questions may be under way.
#[derive(Clone)]
pub struct Places(Arc<(Mutex<usize>, Condvar)>);

/// One of them; free again when it is dropped.
struct Place(Places);

impl Places {
    pub fn new(number: usize) -> Places {
        Places(Arc::new((Mutex::new(number), Condvar::new())))
    }

    /// Does the job for each of the items at the same time, and hands on each result as it comes,
    /// until `heard` breaks it off. None: there was no place before the deadline.
    ///
    /// The jobs have to end at that deadline by themselves.
    pub fn side_by_side<K, T>(
        &self,
        items: Vec<K>,
        deadline: Deadline,
        job: impl Fn(&K) -> T + Send + Sync + 'static,
        mut heard: impl FnMut(K, Option<T>) -> ControlFlow<()>,
    ) where
        K: Send + 'static,
        T: Send + 'static,
    {
        let (job, (sender, receiver)) = (Arc::new(job), mpsc::channel());
        // What has come already is handed on while others wait for their place.
        let mut hand_on = |all: &mut dyn Iterator<Item = (K, Option<T>)>| -> ControlFlow<()> {
            for (item, result) in all {
                heard(item, result)?;
            }
            ControlFlow::Continue(())
        };
        for item in items {
            let Some(place) = self.take(deadline) else {
                let _ = sender.send((item, None));
                continue;
            };
            let (job, reply) = (job.clone(), sender.clone());
            // A thread that cannot be had takes its item with it: who was asked is known to the caller.
            let run = move || {
                let result = job(&item);
                drop(place);
                // Nobody may want to know any more.
                let _ = reply.send((item, Some(result)));
            };
            if let Err(error) = thread::Builder::new().name("question".to_string()).stack_size(STACK).spawn(run) {
                log::warn!("a question cannot be asked: {error}");
            }
            if hand_on(&mut receiver.try_iter()).is_break() {
                return;
            }
        }
        drop(sender);
        let _ = hand_on(&mut receiver.iter());
    }

    fn take(&self, deadline: Deadline) -> Option<Place> {
        let (free, freed) = &*self.0;
        let mut free = free.lock().unwrap_or_else(PoisonError::into_inner);
        while *free == 0 {
            let left = deadline.left()?;
            free = freed.wait_timeout(free, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        *free -= 1;
        Some(Place(self.clone()))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let (free, freed) = &*self.0.0;
        *free.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    fn soon() -> Deadline {
        Deadline::after(Duration::from_secs(20))
    }

    #[test]
    fn all_are_asked_and_never_more_at_once_than_there_are_places() {
        let (places, busy, most) = (Places::new(3), Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (now, top) = (busy.clone(), most.clone());
        let job = move |number: &usize| {
            top.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            thread::sleep(Duration::from_millis(5));
            now.fetch_sub(1, Ordering::SeqCst);
            number * 2
        };
        let mut heard = Vec::new();
        places.side_by_side((0..20).collect(), soon(), job, |number, double| {
            assert_eq!(double, Some(number * 2));
            heard.push(number);
            ControlFlow::Continue(())
        });
        heard.sort();
        assert_eq!(heard, (0..20).collect::<Vec<_>>());
        assert!((2..=3).contains(&most.load(Ordering::SeqCst)), "side by side, and bounded");
    }

    #[test]
    fn who_finds_no_place_in_time_is_told_so() {
        let places = Places::new(1);
        let _taken = places.take(soon()).unwrap();
        let short = Deadline::after(Duration::from_millis(20));
        let mut heard = Vec::new();
        places.side_by_side(
            vec![1],
            short,
            |_| (),
            |number, result| {
                heard.push((number, result));
                ControlFlow::Continue(())
            },
        );
        assert_eq!(heard, [(1, None)]);
    }

    #[test]
    fn whoever_has_heard_enough_waits_for_no_other() {
        let places = Places::new(8);
        let (sender, receiver) = mpsc::channel::<()>();
        let receiver = Mutex::new(receiver);
        let job = move |slow: &bool| {
            if *slow {
                let _ = receiver.lock().unwrap().recv();
            }
        };
        let mut heard = Vec::new();
        places.side_by_side(vec![true, false], soon(), job, |slow, _| {
            heard.push(slow);
            ControlFlow::Break(())
        });
        assert_eq!(heard, [false]);
        drop(sender);
    }
}
