//! How many passwords are being derived: each takes 16 MiB and a core for tens of milliseconds.
//! One thread derives them, one after the other; here is who may stand before it.

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::available_parallelism;
use std::time::Duration;

use crate::deadline::Deadline;

/// Never more at once than this, and never more than there are cores.
const MOST: usize = 2;
/// Households that may wait; each has one place, so that nobody can take them all.
const WAITING: usize = 64;
/// How long one waits.
const PATIENCE: Duration = Duration::from_secs(10);

/// The places at work, and those who wait for one.
pub(super) struct Derivations {
    limit: usize,
    state: Mutex<State>,
    freed: Condvar,
}

#[derive(Default)]
struct State {
    at_work: usize,
    waiting: HashSet<IpAddr>,
}

/// Leave to derive one password; given back when dropped.
pub(super) struct Place<'a>(&'a Derivations);

impl Derivations {
    pub(super) fn new() -> Derivations {
        Derivations::on(available_parallelism().map_or(1, usize::from))
    }

    fn on(cores: usize) -> Derivations {
        Derivations { limit: cores.min(MOST), state: Mutex::default(), freed: Condvar::new() }
    }

    /// Waits for a place. None: this household waits already, too many do, or it took too long.
    pub(super) fn take(&self, household: IpAddr) -> Option<Place<'_>> {
        self.take_until(household, Deadline::after(PATIENCE))
    }

    fn take_until(&self, household: IpAddr, deadline: Deadline) -> Option<Place<'_>> {
        let mut state = self.state();
        if state.at_work >= self.limit {
            if state.waiting.len() >= WAITING || !state.waiting.insert(household) {
                return None;
            }
            while let (true, Some(left)) = (state.at_work >= self.limit, deadline.left()) {
                state = self.freed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
            }
            state.waiting.remove(&household);
            if state.at_work >= self.limit {
                return None;
            }
        }
        state.at_work += 1;
        Some(Place(self))
    }

    /// Takes every place at work.
    #[cfg(test)]
    pub(super) fn occupy(&self) -> Vec<Place<'_>> {
        (0..self.limit).filter_map(|_| self.take(IpAddr::from([0, 0, 0, 0]))).collect()
    }

    /// How many wait.
    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        self.state().waiting.len()
    }

    /// Takes every place, at work and to wait.
    #[cfg(test)]
    pub(super) fn fill(&self) -> Vec<Place<'_>> {
        let places = self.occupy();
        self.state().waiting.extend((0..WAITING as u8).map(|last| IpAddr::from([0, 0, 0, last])));
        places
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.state().at_work -= 1;
        self.0.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    fn household(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    fn soon() -> Deadline {
        Deadline::after(Duration::from_millis(5))
    }

    #[test]
    fn at_most_two_at_once_and_on_one_core_one() {
        for (cores, most) in [(1, 1), (2, 2), (64, 2)] {
            let derivations = Derivations::on(cores);
            let places: Vec<_> = (0..most).map(|_| derivations.take_until(household(1), soon()).unwrap()).collect();
            assert!(derivations.take_until(household(2), soon()).is_none(), "{cores}");
            drop(places);
            assert!(derivations.take_until(household(2), soon()).is_some());
            assert!(derivations.state().waiting.is_empty(), "who gave up does not wait any more");
        }
        assert!((1..=MOST).contains(&Derivations::new().limit));
    }

    #[test]
    fn a_household_has_one_place_to_wait_and_gets_its_turn() {
        let derivations = Derivations { limit: 1, ..Derivations::new() };
        let at_work = derivations.take(household(1)).unwrap();
        thread::scope(|scope| {
            let waiting = scope.spawn(|| derivations.take(household(2)).is_some());
            while derivations.state().waiting.is_empty() {
                thread::yield_now();
            }
            assert!(derivations.take(household(2)).is_none(), "no second place for the same household");
            drop(at_work);
            assert!(waiting.join().unwrap());
        });
    }

    #[test]
    fn the_places_to_wait_are_bounded() {
        let derivations = Derivations { limit: 0, ..Derivations::new() };
        derivations.state().waiting.extend((0..WAITING as u8).map(household));
        assert!(derivations.take(household(200)).is_none());
    }
}
