//! The checks of all names: one for each name, however many clients ask and values there are, side
//! by side by a few threads.
//!
//! Only what the ledger has as made is ever looked for ([`Living`]), so that nobody can have us ask
//! the DNS about names of their choice. The table is in memory: after a restart a check begins
//! again when its owner asks.

use std::collections::BTreeMap;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Instant;

use super::check::{Awaited, Check, Pace, Report, State};
use super::ways::{Eyes, Look, Trail};
use crate::challenge::{Name, Value};
use crate::deadline::Deadline;
use crate::gate::scope::Grant;
use crate::ledger::{Ledger, Living};

/// Names that are looked at at the same time. A look is over within seconds, so that a name whose
/// servers are slow holds up none for long.
const WORKERS: usize = 16;
/// Stack of such a thread (bytes).
const STACK: usize = 256 * 1024;
/// Values that are kept in mind; beyond them what was decided longest ago goes first.
const VALUES: usize = 2048;

/// All checks, and what they need.
pub struct Checks {
    eyes: Box<dyn Eyes>,
    pace: Pace,
    ledger: Arc<Ledger>,
    table: Mutex<BTreeMap<Name, Check>>,
    /// There may be something to look at.
    work: Condvar,
    /// Something was seen.
    changed: Condvar,
}

impl Checks {
    pub fn new(eyes: Box<dyn Eyes>, pace: Pace, ledger: Arc<Ledger>) -> Checks {
        Checks { eyes, pace, ledger, table: Mutex::default(), work: Condvar::new(), changed: Condvar::new() }
    }

    /// Looks from now on, in threads that live as long as the process.
    pub fn start(self: &Arc<Checks>) -> io::Result<()> {
        for _ in 0..WORKERS {
            let checks = self.clone();
            thread::Builder::new().name("propagation".to_string()).stack_size(STACK).spawn(move || checks.work())?;
        }
        Ok(())
    }

    /// From now on this record is looked for. False: too many others are.
    pub fn begin(&self, living: Living) -> bool {
        let (name, now) = (living.seen_at(), Instant::now());
        let mut table = self.table();
        if !make_room(&mut table) {
            return false;
        }
        table.entry(name).or_insert_with(Check::new).begin(living, self.eyes.first(), now);
        self.work.notify_one();
        true
    }

    /// What is known of a record; a check that is not there, or over without success, begins again.
    /// None: too many others are looked for.
    pub fn report(&self, living: Living) -> Option<Report> {
        let (name, now, value) = (living.seen_at(), Instant::now(), living.record().value.clone());
        if let Some(check) = self.table().get_mut(&name)
            && let Some(awaited) = check.values.get(&value)
            && awaited.living == living
            // It was removed, and set again before we looked.
            && awaited.report(now).state != State::Gone
        {
            let report = awaited.report(now);
            check.again(&value, now);
            self.work.notify_one();
            return Some(report);
        }
        self.begin(living);
        self.table().get(&name).and_then(|check| check.values.get(&value)).map(|awaited| awaited.report(now))
    }

    /// What is known of a value that the ledger does not have any more, if this caller had set it.
    pub fn gone(&self, grant: &Grant, value: &Value) -> Option<Report> {
        let (table, now) = (self.table(), Instant::now());
        let is_his = |awaited: &&Awaited| {
            let record = awaited.living.record();
            record.owner == *grant.owner() && record.caller == grant.caller()
        };
        let awaited = table.get(&grant.seen_at())?.values.get(value).filter(is_his)?;
        Some(Report { state: State::Gone, ..awaited.report(now) })
    }

    /// Waits until it is decided whether the record is visible, or until the deadline.
    pub fn wait(&self, living: &Living, deadline: Deadline) {
        let (name, value) = (living.seen_at(), &living.record().value);
        let mut table = self.table();
        let is_awaited = |table: &BTreeMap<Name, Check>| {
            let awaited = table.get(&name).and_then(|check| check.values.get(value));
            awaited.is_some_and(|awaited| awaited.decided().is_none())
        };
        while is_awaited(&table)
            && let Some(left) = deadline.left()
        {
            table = self.changed.wait_timeout(table, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn work(&self) {
        let mut table = self.table();
        loop {
            let (now, next) = (Instant::now(), next(&mut table));
            let (name, check) = match next {
                Some((name, due, check)) if due <= now => (name.clone(), check),
                Some((_, due, _)) => {
                    table = self.work.wait_timeout(table, due - now).unwrap_or_else(PoisonError::into_inner).0;
                    continue;
                }
                None => {
                    table = self.work.wait(table).unwrap_or_else(PoisonError::into_inner);
                    continue;
                }
            };
            check.drop_what_is_gone(|living| self.ledger.has(living), now);
            let mut trail = check.trail.take().unwrap_or_default();
            // Somebody else keeps an eye on what is due next.
            self.work.notify_one();
            drop(table);
            let look = self.look(&name, &mut trail);
            table = self.table();
            if let Some(check) = table.get_mut(&name) {
                check.drop_what_is_gone(|living| self.ledger.has(living), Instant::now());
                check.heard(&look, self.pace, now, Instant::now());
                check.trail = Some(trail);
            }
            self.changed.notify_all();
            self.work.notify_one();
        }
    }

    /// A fault of ours costs one look, and no thread.
    fn look(&self, name: &Name, trail: &mut Trail) -> Look {
        catch_unwind(AssertUnwindSafe(|| self.eyes.look(name, trail))).unwrap_or_else(|_| {
            log::error!("{name}: the propagation check failed by a fault of its own");
            Look { reason: Some("the check failed by a fault of the gateway's".to_string()), ..Look::default() }
        })
    }

    fn table(&self) -> MutexGuard<'_, BTreeMap<Name, Check>> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The check that is due first and that nobody is looking at.
fn next(table: &mut BTreeMap<Name, Check>) -> Option<(&Name, Instant, &mut Check)> {
    let waiting = table.iter_mut().filter(|(_, check)| check.trail.is_some());
    let waiting = waiting.filter_map(|(name, check)| Some((name, check.due?, check)));
    waiting.min_by_key(|(_, due, _)| *due)
}

/// Forgets what was decided longest ago, if there is no room for one more.
fn make_room(table: &mut BTreeMap<Name, Check>) -> bool {
    let count: usize = table.values().map(|check| check.values.len()).sum();
    if count < VALUES {
        return true;
    }
    let all =
        table.iter().flat_map(|(name, check)| check.values.iter().map(move |(value, awaited)| (name, value, awaited)));
    let decided = all.filter_map(|(name, value, awaited)| Some((awaited.decided()?, name, value)));
    let Some((name, value)) = decided.min().map(|(_, name, value)| (name.clone(), value.clone())) else { return false };
    if let Some(check) = table.get_mut(&name) {
        check.values.remove(&value);
        // Whoever looks just now finds none to report to.
        if check.values.is_empty() {
            table.remove(&name);
        }
    }
    true
}

#[cfg(test)]
mod tests;
