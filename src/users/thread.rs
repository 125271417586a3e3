//! Derivations run on one thread that stays. Allocators keep what a thread has freed for that thread:
//! if every worker derived for itself, scrypt's 16 MiB would stay a dozen times. It steps back for all
//! other threads: whoever guesses passwords keeps a processor busy, but nobody waiting for it.

use std::sync::{OnceLock, mpsc};
use std::thread;

use crate::sys;

type Job = Box<dyn FnOnce() + Send>;

/// Has the thread do it, and waits.
pub(super) fn run<T: Send + 'static>(derivation: impl FnOnce() -> T + Send + 'static) -> T {
    static JOBS: OnceLock<mpsc::Sender<Job>> = OnceLock::new();
    let (result, derived) = mpsc::channel();
    let job = move || drop(result.send(derivation()));
    JOBS.get_or_init(start).send(Box::new(job)).expect("the thread stays");
    derived.recv().expect("a derivation comes to its end")
}

fn start() -> mpsc::Sender<Job> {
    let (sender, jobs) = mpsc::channel::<Job>();
    let derive = move || {
        sys::step_back();
        jobs.into_iter().for_each(|job| job());
    };
    thread::Builder::new().name("derivation".to_string()).spawn(derive).expect("a thread for passwords");
    sender
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn however_many_ask_the_same_thread_derives() {
        let ask = || run(|| thread::current().id());
        let ids: HashSet<_> = thread::scope(|scope| {
            let asking: Vec<_> = (0..20).map(|_| scope.spawn(ask)).collect();
            asking.into_iter().map(|one| one.join().unwrap()).collect()
        });
        assert_eq!(ids.len(), 1);
        assert!(!ids.contains(&thread::current().id()));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn derivations_step_back_for_all_other_threads() {
        // The niceness is the nineteenth field (proc_pid_stat(5)); the name before it may hold spaces.
        fn nice() -> i32 {
            let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap();
            stat.rsplit(") ").next().unwrap().split(' ').nth(19 - 3).unwrap().parse().unwrap()
        }
        assert_eq!(run(nice), (nice() + 10).min(19));
    }
}
