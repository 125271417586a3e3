//! Threads, the door's or the engine's: some stay, more come when all are at work, and leave when the
//! work is done. So few are awake that their stacks and what their allocator keeps stay small.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use crate::serve::STACK;

/// Threads that stay; to start one takes longer than what most of them are needed for.
const STAY: usize = 16;

/// Threads that do one kind of work. How much of it there is at once, the seats bound.
pub struct Crew<T> {
    state: Mutex<State<T>>,
    called: Condvar,
    /// Of each thread.
    name: &'static str,
    work: Box<dyn Fn(T) + Send + Sync>,
}

struct State<T> {
    waiting: VecDeque<T>,
    idle: usize,
}

impl<T: Send + 'static> Crew<T> {
    pub fn start(name: &'static str, work: impl Fn(T) + Send + Sync + 'static) -> io::Result<Arc<Crew<T>>> {
        let state = Mutex::new(State { waiting: VecDeque::new(), idle: 0 });
        let crew = Arc::new(Crew { state, called: Condvar::new(), name, work: Box::new(work) });
        for _ in 0..STAY {
            crew.engage()?;
        }
        Ok(crew)
    }

    /// Has it done at once, by a new thread if need be.
    pub fn hand(self: &Arc<Crew<T>>, job: T) {
        let mut state = self.state();
        state.waiting.push_back(job);
        let is_short = state.waiting.len() > state.idle;
        drop(state);
        self.called.notify_one();
        if is_short && let Err(error) = self.engage() {
            log::error!("no further thread can be had, what is to be done waits for one that is at work: {error}");
        }
    }

    fn engage(self: &Arc<Crew<T>>) -> io::Result<()> {
        let crew = self.clone();
        let begin = move || {
            while let Some(job) = crew.next() {
                (crew.work)(job);
            }
        };
        thread::Builder::new().name(self.name.to_string()).stack_size(STACK).spawn(begin).map(drop)
    }

    /// Waits for something to do; None: enough others wait.
    fn next(&self) -> Option<T> {
        let mut state = self.state();
        if state.waiting.is_empty() && state.idle >= STAY {
            return None;
        }
        state.idle += 1;
        let waited = self.called.wait_while(state, |state| state.waiting.is_empty());
        let mut state = waited.unwrap_or_else(PoisonError::into_inner);
        state.idle -= 1;
        state.waiting.pop_front()
    }

    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;
    use std::time::{Duration, Instant};

    const PATIENCE: Duration = Duration::from_secs(30);

    #[test]
    fn whatever_is_handed_over_is_begun_at_once_and_only_some_threads_stay() {
        const AT_ONCE: usize = 3 * STAY;
        let (begun, begins) = mpsc::channel();
        let crew = Crew::start("test", move |gate: Arc<Mutex<()>>| {
            begun.send(()).unwrap();
            drop(gate.lock());
        })
        .unwrap();
        for _ in 0..3 {
            let gate = Arc::new(Mutex::new(()));
            let closed = gate.lock().unwrap();
            (0..AT_ONCE).for_each(|_| crew.hand(gate.clone()));
            (0..AT_ONCE).for_each(|_| begins.recv_timeout(PATIENCE).expect("nobody waits for another's thread"));
            drop(closed);
        }
        // Each thread holds the crew, as does this test; those too many end.
        let began = Instant::now();
        while Arc::strong_count(&crew) > STAY + 1 || crew.state().idle < STAY {
            assert!(began.elapsed() < PATIENCE, "more stay");
            thread::yield_now();
        }
    }

    #[test]
    fn a_thread_that_panics_takes_no_other_work_with_it() {
        let (said, heard) = mpsc::channel();
        let crew = Crew::start("test", move |number: usize| said.send(10 / number).unwrap()).unwrap();
        (0..2 * STAY).for_each(|_| crew.hand(0));
        crew.hand(5);
        assert_eq!(heard.recv_timeout(PATIENCE), Ok(2));
    }
}
