//! The wait between a setup and the client's word to the CA, which looks as soon as it is told.

use std::thread;
use std::time::Duration;

use super::dialect::{Change, Wait};
use super::logfile::Logfile;

/// Returns when the CA may look for what `change`, which has been carried out, wants to be waited for.
pub fn settle(change: &Change, delay: Duration, log: &Logfile) {
    if let Some(delay) = needed(&change.wait, delay) {
        let seconds = delay.as_secs();
        log.note(format_args!("waiting {seconds} seconds until the record is seen everywhere (DNS_DELAY)"));
        thread::sleep(delay);
    }
}

fn needed(wait: &Wait, delay: Duration) -> Option<Duration> {
    match wait {
        Wait::Nothing => None,
        Wait::ThisCall | Wait::Living(_) => Some(delay).filter(|delay| !delay.is_zero()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_delay_is_for_what_was_set() {
        let delay = Duration::from_secs(300);
        assert_eq!(needed(&Wait::ThisCall, delay), Some(delay));
        assert_eq!(needed(&Wait::Living(Vec::new()), delay), Some(delay));
        assert_eq!(needed(&Wait::Nothing, delay), None);
        assert_eq!(needed(&Wait::ThisCall, Duration::ZERO), None);
    }
}
