//! One change at a time in a zone: services that read, change and write whole RRsets lose values
//! otherwise. First come, first served, with a bounded line.

use std::collections::{HashMap, VecDeque};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::challenge::Name;
use crate::deadline::Deadline;
use crate::fault::Fault;
use crate::provider::Zone;

/// How many may stand in line for one zone besides the one whose turn it is.
const WAITING: usize = 16;

/// The service's address and the zone's name there. Not the zone's key: two accounts may know one zone
/// under two, and a key may change.
type Place = (String, Option<Name>);

/// The lines before all zones.
#[derive(Default)]
pub(super) struct ZoneLocks {
    lines: Mutex<Lines>,
    moved: Condvar,
}

#[derive(Default)]
struct Lines {
    last: u64,
    /// Who stands before each zone; the first has the lock.
    zones: HashMap<Place, VecDeque<u64>>,
}

/// The zone is ours until this is dropped.
pub(super) struct ZoneLock<'a> {
    locks: &'a ZoneLocks,
    place: Place,
    number: u64,
}

impl ZoneLocks {
    /// Waits for the zone until the deadline.
    pub(super) fn lock(&self, zone: &Zone, deadline: Deadline) -> Result<ZoneLock<'_>, Fault> {
        let mut lines = self.lines();
        lines.last += 1;
        let number = lines.last;
        let place: Place = (zone.service.clone(), zone.name.clone());
        let line = lines.zones.entry(place.clone()).or_default();
        if line.len() > WAITING {
            return Err(busy(&format!("{WAITING} changes already wait for this zone")));
        }
        line.push_back(number);
        // From here on the place in the line is given back on every path.
        let lock = ZoneLock { locks: self, place, number };
        while lines.zones.get(&lock.place).and_then(VecDeque::front) != Some(&number) {
            let Some(left) = deadline.left() else {
                drop(lines);
                return Err(busy("the changes before this one took too long"));
            };
            lines = self.moved.wait_timeout(lines, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        Ok(lock)
    }

    fn lines(&self) -> MutexGuard<'_, Lines> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn busy(text: &str) -> Fault {
    Fault::Busy(text.to_string(), Some(Duration::from_secs(5)))
}

impl Drop for ZoneLock<'_> {
    fn drop(&mut self) {
        let mut lines = self.locks.lines();
        if let Some(line) = lines.zones.get_mut(&self.place) {
            line.retain(|number| *number != self.number);
            if line.is_empty() {
                lines.zones.remove(&self.place);
            }
        }
        drop(lines);
        self.locks.moved.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;

    fn zone(service: &str) -> Zone {
        Zone { service: service.to_string(), name: None, key: String::new() }
    }

    fn soon() -> Deadline {
        Deadline::after(Duration::from_secs(20))
    }

    #[test]
    fn one_at_a_time_in_a_zone() {
        let (locks, inside, most) = (ZoneLocks::default(), AtomicUsize::new(0), AtomicUsize::new(0));
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let zone = zone("a");
                    let _lock = locks.lock(&zone, soon()).unwrap();
                    most.fetch_max(inside.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    thread::sleep(Duration::from_millis(2));
                    inside.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        assert_eq!(most.load(Ordering::SeqCst), 1);
        assert!(locks.lines().zones.is_empty(), "nothing is left behind");
    }

    #[test]
    fn zones_do_not_wait_for_each_other() {
        let (locks, a, b) = (ZoneLocks::default(), zone("a"), zone("b"));
        let _held = locks.lock(&a, soon()).unwrap();
        assert!(locks.lock(&b, Deadline::after(Duration::ZERO)).is_ok());
    }

    #[test]
    fn the_line_is_bounded_and_ends_at_the_deadline() {
        let (locks, zone) = (ZoneLocks::default(), zone("a"));
        let held = locks.lock(&zone, soon()).unwrap();
        let late = Deadline::after(Duration::from_millis(5));
        assert!(matches!(locks.lock(&zone, late), Err(Fault::Busy(..))));
        thread::scope(|scope| {
            let waiting: Vec<_> = (0..WAITING).map(|_| scope.spawn(|| locks.lock(&zone, soon()).is_ok())).collect();
            while locks.lines().zones[&(zone.service.clone(), None)].len() <= WAITING {
                thread::yield_now();
            }
            assert!(matches!(locks.lock(&zone, soon()), Err(Fault::Busy(text, Some(_))) if text.contains("16")));
            drop(held);
            assert!(waiting.into_iter().all(|waiter| waiter.join().unwrap()));
        });
    }
}
