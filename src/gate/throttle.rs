//! Guessing passwords does not pay: after a few failures a client has to wait, longer each time.
//!
//! Counted per household and user name, so that nobody locks a user out from elsewhere. The table
//! is bounded; whoever fills it pushes out entries of the household that has the most, its own.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Failures that are free, within [`WINDOW`].
const FREE: u32 = 5;
/// How long a failure counts.
const WINDOW: Duration = Duration::from_secs(60);
/// The wait after the failure that is one too many, and the longest; each further one doubles it.
const WAIT: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(3600));
/// Pairs that are remembered.
const PAIRS: usize = 4096;
/// The longest name that is told apart (bytes): no longer one is in a users file.
const NAME: usize = 64;

/// Who failed how often.
#[derive(Default)]
pub(super) struct Throttle {
    failures: Mutex<HashMap<Pair, Failures>>,
}

type Pair = (IpAddr, String);

#[derive(Clone, Copy)]
struct Failures {
    count: u32,
    last: Instant,
    /// Nothing is tried before.
    until: Instant,
}

impl Failures {
    /// Neither waiting nor counting any more. A long wait is remembered as long again, so that
    /// the next one is longer.
    fn is_over(&self, now: Instant) -> bool {
        let waited = self.until.saturating_duration_since(self.last);
        now >= self.until + waited.max(WINDOW)
    }
}

impl Throttle {
    /// How long this pair still has to wait; None: it may try.
    pub(super) fn wait(&self, household: IpAddr, user: &str, now: Instant) -> Option<Duration> {
        let failures = self.failures();
        let until = failures.get(&pair(household, user))?.until;
        Some(until.saturating_duration_since(now)).filter(|wait| !wait.is_zero())
    }

    /// Counts a failure, before the password is judged: attempts that run at the same time must not
    /// all be the last that is free. [`Throttle::succeeded`] takes it back. The error is how long
    /// the pair still has to wait.
    pub(super) fn charge(&self, household: IpAddr, user: &str, now: Instant) -> Result<(), Duration> {
        let mut failures = self.failures();
        if failures.len() >= PAIRS {
            make_room(&mut failures, now);
        }
        let entry = failures.entry(pair(household, user));
        let known = entry.or_insert(Failures { count: 0, last: now, until: now });
        if now < known.until {
            return Err(known.until - now);
        }
        if known.is_over(now) {
            known.count = 0;
        }
        known.count += 1;
        known.last = now;
        if let Some(more) = known.count.checked_sub(FREE) {
            known.until = now + WAIT.0.saturating_mul(1 << more.min(16)).min(WAIT.1);
        }
        Ok(())
    }

    /// The right password clears what was before it.
    pub(super) fn succeeded(&self, household: IpAddr, user: &str) {
        self.failures().remove(&pair(household, user));
    }

    fn failures(&self) -> MutexGuard<'_, HashMap<Pair, Failures>> {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn pair(household: IpAddr, user: &str) -> Pair {
    let user = user.char_indices().take_while(|(at, _)| *at < NAME).map(|(_, character)| character);
    (household, user.collect())
}

fn make_room(failures: &mut HashMap<Pair, Failures>, now: Instant) {
    failures.retain(|_, known| !known.is_over(now));
    if failures.len() < PAIRS {
        return;
    }
    let mut households: HashMap<IpAddr, usize> = HashMap::new();
    for (household, _) in failures.keys() {
        *households.entry(*household).or_default() += 1;
    }
    let most = households.into_iter().max_by_key(|(_, count)| *count).map(|(household, _)| household);
    let theirs = failures.iter().filter(|((household, _), _)| Some(*household) == most);
    let oldest = theirs.min_by_key(|(_, known)| known.last).map(|(pair, _)| pair.clone());
    if let Some(pair) = oldest {
        failures.remove(&pair);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn household(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    fn fail(throttle: &Throttle, times: u32, now: Instant) {
        (0..times).for_each(|_| throttle.charge(household(1), "alice", now).unwrap());
    }

    #[test]
    fn the_fifth_failure_within_a_minute_makes_the_pair_wait_and_no_other() {
        let (throttle, now) = (Throttle::default(), Instant::now());
        fail(&throttle, FREE - 1, now);
        assert_eq!(throttle.wait(household(1), "alice", now), None);
        fail(&throttle, 1, now);
        assert_eq!(throttle.wait(household(1), "alice", now), Some(WAIT.0));
        assert_eq!(throttle.charge(household(1), "alice", now), Err(WAIT.0), "and is not counted meanwhile");
        assert_eq!(throttle.wait(household(1), "alice", now + WAIT.0), None);
        assert_eq!(throttle.wait(household(2), "alice", now), None);
        assert_eq!(throttle.wait(household(1), "bob", now), None);
    }

    #[test]
    fn the_wait_grows_up_to_its_limit() {
        let (throttle, mut now) = (Throttle::default(), Instant::now());
        fail(&throttle, FREE, now);
        let mut last = WAIT.0;
        for _ in 0..8 {
            now += last;
            fail(&throttle, 1, now);
            let wait = throttle.wait(household(1), "alice", now).unwrap();
            assert_eq!(wait, (last * 2).min(WAIT.1));
            last = wait;
        }
        assert_eq!(last, WAIT.1);
    }

    #[test]
    fn failures_that_are_far_apart_do_not_add_up() {
        let (throttle, mut now) = (Throttle::default(), Instant::now());
        for _ in 0..20 {
            fail(&throttle, 1, now);
            assert_eq!(throttle.wait(household(1), "alice", now), None);
            now += WINDOW;
        }
    }

    #[test]
    fn the_right_password_clears_its_own_pair() {
        let (throttle, now) = (Throttle::default(), Instant::now());
        fail(&throttle, FREE - 1, now);
        throttle.succeeded(household(1), "alice");
        fail(&throttle, FREE - 1, now);
        assert_eq!(throttle.wait(household(1), "alice", now), None);
    }

    #[test]
    fn whoever_fills_the_table_pushes_out_its_own() {
        let (throttle, now) = (Throttle::default(), Instant::now());
        fail(&throttle, FREE, now);
        for number in 0..PAIRS * 2 {
            throttle.charge(household(66), &format!("user{number}"), now).unwrap();
        }
        assert_eq!(throttle.failures().len(), PAIRS);
        assert_eq!(throttle.wait(household(1), "alice", now), Some(WAIT.0));
    }
}
