//! Derivations run on two threads that stay. Allocators keep what a thread has freed for that
//! thread: if every worker derived for itself, scrypt's 16 MiB would stay a dozen times.

use std::sync::{Arc, Mutex, OnceLock, PoisonError, mpsc};
use std::thread;

/// As many as may derive at once.
const THREADS: usize = 2;

type Job = Box<dyn FnOnce() + Send>;

/// Has one of them do it, and waits.
pub(super) fn run<T: Send + 'static>(derivation: impl FnOnce() -> T + Send + 'static) -> T {
    static JOBS: OnceLock<mpsc::Sender<Job>> = OnceLock::new();
    let (result, derived) = mpsc::channel();
    let job = move || drop(result.send(derivation()));
    JOBS.get_or_init(start).send(Box::new(job)).expect("the threads stay");
    derived.recv().expect("a derivation comes to its end")
}

fn start() -> mpsc::Sender<Job> {
    let (sender, jobs) = mpsc::channel::<Job>();
    let jobs = Arc::new(Mutex::new(jobs));
    for _ in 0..THREADS {
        let jobs = jobs.clone();
        thread::spawn(move || {
            loop {
                let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
                match job {
                    Ok(job) => job(),
                    Err(_) => return,
                }
            }
        });
    }
    sender
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn however_many_ask_the_same_two_threads_derive() {
        let ask = || run(|| thread::current().id());
        let ids: HashSet<_> = thread::scope(|scope| {
            let asking: Vec<_> = (0..20).map(|_| scope.spawn(ask)).collect();
            asking.into_iter().map(|one| one.join().unwrap()).collect()
        });
        assert!(ids.len() <= THREADS, "{ids:?}");
        assert!(!ids.contains(&thread::current().id()));
    }
}
