//! What was set and is not gone yet: written down before it is made, crossed out after it is gone.
//!
//! Every change goes through [`Ledger::intend`], under the lock of its zone, and [`Entry::settle`].
//! An entry that is never settled stays written down: forgetting errs on the side of remembering.
//! The embedded DNS server answers from here; the reaper takes from here what is due. With a
//! STATE_DIR all of it is on [`disk`] too, and survives a restart.

mod disk;

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use crate::challenge::{Action, Name, Value};
use crate::fault::Fault;
use crate::gate::scope::{Grant, Permit, Record};
use crate::sys::Refusal;
use disk::{Disk, Kept};

/// Records of one caller up to which the failed removal of a value that nobody has set here is kept in mind
/// too. It may be there from before; a caller that makes values up must not fill the disk while
/// the DNS service is away.
const UNKNOWN_REMOVALS: usize = 100;
/// The first and the longest pause before a failed removal is tried again.
const RETRY: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(3600));

/// The records of one gateway: what is in memory, and on disk where there is one.
#[derive(Default)]
pub struct Ledger {
    disk: OnceLock<Disk>,
    /// Held while a change goes to disk and to memory, so that both say the same; never while
    /// somebody reads.
    changing: Mutex<()>,
    lines: Mutex<BTreeMap<(Name, Value), Line>>,
}

/// A record and what became of it.
#[derive(Clone)]
struct Line {
    record: Record,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// About to be made.
    Intended { since: Instant },
    /// Made, or perhaps made: the service did not say.
    Living { since: Instant },
    /// To be removed: a removal failed `tries` times.
    Due { tries: u32, next: Instant },
}

/// A record that is made, as far as is known, and still wanted. Only the ledger makes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Living(Record);

impl Living {
    pub fn record(&self) -> &Record {
        &self.0
    }

    /// Where the CA looks for it.
    pub fn seen_at(&self) -> Name {
        self.0.seen_at()
    }
}

/// A change that is written down and not yet settled.
#[must_use = "a change that is not settled stays in the ledger"]
pub struct Entry<'a> {
    ledger: &'a Ledger,
    permit: &'a Permit,
    is_new: bool,
}

impl Ledger {
    /// Keeps the ledger in this folder from now on, and goes on with what it holds. Says where.
    ///
    /// What was only intended when the last process ended may have been made, and is kept as such.
    pub fn keep_in(&self, state: &Path) -> Result<String, Refusal> {
        let (disk, kept) = Disk::open(state)?;
        let now = Instant::now();
        let mut lines = self.lines();
        for Kept { record, since, tries } in kept {
            let age = since.elapsed().unwrap_or_else(|_| {
                // By a clock that was wrong it is from a time to come: taken to be from today, and
                // written down so, lest each start give it another life.
                complain(disk.write(&Kept::now(record.clone(), tries)));
                Duration::ZERO
            });
            let since = now.checked_sub(age).unwrap_or(now);
            let state = match tries {
                Some(tries) => State::Due { tries, next: now },
                None => State::Living { since },
            };
            lines.insert((record.owner.clone(), record.value.clone()), Line { record, state });
        }
        let place = format!("{}, {} records", disk.folder().display(), lines.len());
        // The first folder stays; nobody names a second one.
        let _ = self.disk.set(disk);
        Ok(place)
    }

    /// Writes the change down before it is made. To be called under the zone's lock.
    ///
    /// None: there is nothing to do, because what the reaper wanted to take back was set again.
    /// What cannot be written down is not to be made. Only a setup is written down: a removal is
    /// not kept from happening by a full disk.
    pub fn intend<'a>(&'a self, permit: &'a Permit) -> Result<Option<Entry<'a>>, Fault> {
        let (_changing, now) = (self.changing(), Instant::now());
        let known = self.lines().get(&key(permit)).map(|line| line.state);
        if permit.is_recall() && !known.is_some_and(|state| state.is_due(now)) {
            return Ok(None);
        }
        if permit.action() == Action::Setup {
            self.write(&Kept::now(permit.record(), None)).map_err(|error| unwritten(&error))?;
            let intended = || Line { record: permit.record(), state: State::Intended { since: now } };
            self.lines().entry(key(permit)).or_insert_with(intended);
        }
        Ok(Some(Entry { ledger: self, permit, is_new: known.is_none() }))
    }

    /// A removal that could not even be tried is due from now on. Needs no lock: what the reaper
    /// wanted to take back, and what was set again in between, stays.
    pub fn untried(&self, permit: &Permit) {
        match permit.is_recall() {
            true => self.postpone(permit.record()),
            false => self.removal_failed(&self.changing(), permit.record()),
        }
    }

    /// What is due cannot be removed now, and is tried again after a pause that grows.
    pub fn postpone(&self, record: Record) {
        let (changing, key) = (self.changing(), (record.owner.clone(), record.value.clone()));
        let is_due = self.lines().get(&key).is_some_and(|line| matches!(line.state, State::Due { .. }));
        if is_due {
            self.removal_failed(&changing, record);
        }
    }

    fn removal_failed(&self, _changing: &MutexGuard<()>, record: Record) {
        let key = (record.owner.clone(), record.value.clone());
        let before = self.lines().get(&key).cloned();
        if before.is_none() && self.count(&record.caller) >= UNKNOWN_REMOVALS {
            log::warn!("{}: not to be removed later, {} has too many records already", record.owner, record.caller);
            return;
        }
        let state = State::removal_failed(before.as_ref(), Instant::now());
        // Whoever failed to remove it, it stays that of the one who set it.
        let line = Line { record: before.map_or(record, |line| line.record), state };
        complain(self.write(&line.kept()));
        self.lines().insert(key, line);
    }

    fn write(&self, kept: &Kept) -> io::Result<()> {
        self.disk.get().map_or(Ok(()), |disk| disk.write(kept))
    }

    fn forget(&self, permit: &Permit) {
        complain(self.disk.get().map_or(Ok(()), |disk| disk.cross_out(&permit.record())));
        self.lines().remove(&key(permit));
    }

    /// The values that `caller` set at `owner`, canaries apart: those are nobody's challenge.
    pub fn values(&self, owner: &Name, caller: &str) -> Vec<Value> {
        self.at(owner, |line| line.record.caller == caller && line.record.life.is_none())
    }

    /// Those of them that are made, as far as is known, and still wanted.
    pub fn living(&self, owner: &Name, caller: &str) -> Vec<Value> {
        let is_living = |line: &Line| line.record.life.is_none() && matches!(line.state, State::Living { .. });
        self.at(owner, |line| line.record.caller == caller && is_living(line))
    }

    /// Is what the permit is about a canary, to be set or to be removed?
    pub fn is_canary(&self, permit: &Permit) -> bool {
        match permit.action() {
            Action::Setup => permit.record().life.is_some(),
            Action::Teardown => self.lines().get(&key(permit)).is_some_and(|line| line.record.life.is_some()),
        }
    }

    /// One of them.
    pub fn find(&self, grant: &Grant, value: &Value) -> Option<Living> {
        let lines = self.lines();
        let line = lines.get(&(grant.owner().clone(), value.clone()))?;
        let is_his = line.record.caller == grant.caller() && matches!(line.state, State::Living { .. });
        is_his.then(|| Living(line.record.clone()))
    }

    /// Is it living still?
    pub fn has(&self, Living(record): &Living) -> bool {
        let lines = self.lines();
        let line = lines.get(&(record.owner.clone(), record.value.clone()));
        line.is_some_and(|line| line.record == *record && matches!(line.state, State::Living { .. }))
    }

    /// How many records `caller` has, at all names.
    pub fn count(&self, caller: &str) -> usize {
        self.lines().values().filter(|line| line.record.caller == caller).count()
    }

    /// What the embedded DNS server answers at `owner`.
    pub fn visible(&self, owner: &Name) -> Vec<Value> {
        self.at(owner, |line| !matches!(line.state, State::Intended { .. }))
    }

    /// What outlived `ttl` or its own shorter life, and what a failed removal left behind and is to be
    /// tried again now. All of it is due from now on.
    pub fn ripe(&self, ttl: Duration) -> Vec<Record> {
        let (mut lines, now) = (self.lines(), Instant::now());
        for line in lines.values_mut() {
            let life = line.record.life.unwrap_or(ttl).min(ttl);
            if line.state.since().is_some_and(|since| now >= since + life) {
                line.state = State::Due { tries: 0, next: now };
            }
        }
        lines.values().filter(|line| line.state.is_due(now)).map(|line| line.record.clone()).collect()
    }

    /// Of the records of `caller` the newest `keep` stay; the others are due from now on.
    pub fn roll(&self, caller: &str, keep: usize) {
        let (mut lines, now) = (self.lines(), Instant::now());
        let mut theirs: Vec<_> = lines.values_mut().filter(|line| line.record.caller == caller).collect();
        // What is due already is not counted, and what is being made is the newest.
        theirs.retain(|line| !matches!(line.state, State::Due { .. }));
        theirs.sort_by_key(|line| std::cmp::Reverse(line.state.since()));
        theirs.into_iter().skip(keep).for_each(|line| line.state = State::Due { tries: 0, next: now });
    }

    fn at(&self, owner: &Name, wanted: impl Fn(&Line) -> bool) -> Vec<Value> {
        let lines = self.lines();
        let here = lines.values().filter(|line| line.record.owner == *owner && wanted(line));
        here.map(|line| line.record.value.clone()).collect()
    }

    fn changing(&self) -> MutexGuard<'_, ()> {
        self.changing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lines(&self) -> MutexGuard<'_, BTreeMap<(Name, Value), Line>> {
        // Every change of the map is one call, so that a panic elsewhere leaves it whole.
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry<'_> {
    /// Writes down how it went.
    pub fn settle<T>(self, outcome: &Result<T, Fault>) {
        let Entry { ledger, permit, is_new } = self;
        let changing = ledger.changing();
        let before = ledger.lines().get(&key(permit)).cloned();
        let was_intended = is_new && before.as_ref().is_some_and(|line| matches!(line.state, State::Intended { .. }));
        match (permit.action(), outcome) {
            (Action::Teardown, Ok(_)) => ledger.forget(permit),
            (Action::Teardown, Err(_)) => ledger.removal_failed(&changing, permit.record()),
            (Action::Setup, Err(fault)) if fault.nothing_done() && was_intended => ledger.forget(permit),
            // What was there before is there still: as it was, on disk too.
            (Action::Setup, Err(fault)) if fault.nothing_done() => {
                complain(before.map_or(Ok(()), |line| ledger.write(&line.kept())));
            }
            // Perhaps made is as good as made: it has to be removed one day.
            (Action::Setup, _) => {
                let line = Line { record: permit.record(), state: State::Living { since: Instant::now() } };
                // Otherwise the disk says so since it was intended.
                if before.is_some_and(|line| matches!(line.state, State::Due { .. })) {
                    complain(ledger.write(&line.kept()));
                }
                ledger.lines().insert(key(permit), line);
            }
        }
    }
}

impl Line {
    /// As it is on disk.
    fn kept(&self) -> Kept {
        let (since, tries) = match self.state {
            State::Intended { since } | State::Living { since } => (since, None),
            State::Due { tries, .. } => (Instant::now(), Some(tries)),
        };
        let now = Kept::now(self.record.clone(), tries);
        Kept { since: now.since.checked_sub(since.elapsed()).unwrap_or(now.since), ..now }
    }
}

impl State {
    /// None: it is to be removed.
    fn since(self) -> Option<Instant> {
        match self {
            State::Intended { since } | State::Living { since } => Some(since),
            State::Due { .. } => None,
        }
    }

    fn is_due(self, now: Instant) -> bool {
        matches!(self, State::Due { next, .. } if now >= next)
    }

    fn removal_failed(before: Option<&Line>, now: Instant) -> State {
        let tries = match before.map(|line| line.state) {
            Some(State::Due { tries, .. }) => tries + 1,
            _ => 0,
        };
        let pause = RETRY.0.saturating_mul(1 << tries.min(16)).min(RETRY.1);
        State::Due { tries, next: now + pause }
    }
}

/// On disk it stays as it was, and is removed once more after a restart: nothing is lost.
fn complain(written: io::Result<()>) {
    if let Err(error) = written {
        log::error!("the ledger cannot be written ({error}): see to STATE_DIR");
    }
}

fn unwritten(error: &io::Error) -> Fault {
    let is_full = matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded);
    Fault::Unwritten { is_full, text: format!("the record cannot be written down in STATE_DIR ({error})") }
}

fn key(permit: &Permit) -> (Name, Value) {
    (permit.owner().clone(), permit.value().clone())
}

#[cfg(test)]
mod tests;
