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
use crate::gate::scope::{Permit, Record};
use crate::sys::Refusal;
use disk::{Disk, Kept};

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
        let state = State::removal_failed(self.lines().get(&key), Instant::now());
        let line = Line { record, state };
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

    /// The values that `caller` set at `owner`.
    pub fn values(&self, owner: &Name, caller: &str) -> Vec<Value> {
        self.at(owner, |line| line.record.caller == caller)
    }

    /// How many records `caller` has, at all names.
    pub fn count(&self, caller: &str) -> usize {
        self.lines().values().filter(|line| line.record.caller == caller).count()
    }

    /// What the embedded DNS server answers at `owner`.
    pub fn visible(&self, owner: &Name) -> Vec<Value> {
        self.at(owner, |line| !matches!(line.state, State::Intended { .. }))
    }

    /// What outlived `ttl`, and what a failed removal left behind and is to be tried again now.
    /// All of it is due from now on.
    pub fn ripe(&self, ttl: Duration) -> Vec<Record> {
        let (mut lines, now) = (self.lines(), Instant::now());
        for line in lines.values_mut() {
            if let State::Intended { since } | State::Living { since } = line.state
                && now >= since + ttl
            {
                line.state = State::Due { tries: 0, next: now };
            }
        }
        lines.values().filter(|line| line.state.is_due(now)).map(|line| line.record.clone()).collect()
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
mod tests {
    use super::*;
    use crate::deadline::Deadline;
    use crate::gate::auth::Caller;
    use crate::gate::scope::{Grant, Scope};
    use crate::scratch::Scratch;

    const TTL: Duration = Duration::from_secs(86400);

    fn value(letter: &str) -> Value {
        Value::parse(&letter.repeat(43)).unwrap()
    }

    fn scope() -> Scope {
        Scope::new(vec![Name::host("example.com").unwrap()])
    }

    fn grant(caller: &str) -> Grant {
        let deadline = Deadline::after(Duration::from_secs(1));
        scope().challenge(&Caller::for_tests(caller), &Name::host("example.com").unwrap(), deadline).unwrap()
    }

    fn change(ledger: &Ledger, permit: &Permit, outcome: Result<(), Fault>) {
        ledger.intend(permit).unwrap().unwrap().settle(&outcome);
    }

    #[test]
    fn a_value_is_seen_once_it_is_made_and_until_it_is_gone() {
        let (ledger, grant) = (Ledger::default(), grant("alice"));
        let permit = grant.setup(value("a"));
        let entry = ledger.intend(&permit).unwrap().unwrap();
        assert_eq!(ledger.visible(grant.owner()), []);
        assert_eq!(ledger.values(grant.owner(), "alice"), [value("a")], "written down before it is made");
        entry.settle(&Ok(()));
        assert_eq!(ledger.visible(grant.owner()), [value("a")]);
        change(&ledger, &grant.teardown(value("a")), Ok(()));
        assert_eq!(ledger.values(grant.owner(), "alice"), []);
    }

    #[test]
    fn what_was_certainly_not_made_is_forgotten_and_what_may_be_is_kept() {
        let (ledger, grant) = (Ledger::default(), grant("alice"));
        change(&ledger, &grant.setup(value("a")), Err(Fault::Refused("no".into())));
        change(&ledger, &grant.setup(value("b")), Err(Fault::Unknown("silence".into())));
        assert_eq!(ledger.values(grant.owner(), "alice"), [value("b")]);
        change(&ledger, &grant.setup(value("b")), Err(Fault::Refused("no".into())));
        assert_eq!(ledger.values(grant.owner(), "alice"), [value("b")], "the earlier one may still be there");
    }

    #[test]
    fn each_caller_has_values_of_its_own() {
        let ledger = Ledger::default();
        change(&ledger, &grant("alice").setup(value("a")), Ok(()));
        change(&ledger, &grant("bob").setup(value("b")), Ok(()));
        assert_eq!(ledger.values(grant("bob").owner(), "bob"), [value("b")]);
        change(&ledger, &grant("bob").setup(value("c")), Ok(()));
        assert_eq!(["alice", "bob", "carol"].map(|caller| ledger.count(caller)), [1, 2, 0]);
    }

    #[test]
    fn a_removal_that_failed_is_due_and_goes_away_with_its_success() {
        let (ledger, grant) = (Ledger::default(), grant("alice"));
        change(&ledger, &grant.teardown(value("a")), Err(Fault::Busy("later".into(), None)));
        assert_eq!(ledger.ripe(TTL), [], "tried again after a pause, not at once");
        assert_eq!(ledger.values(grant.owner(), "alice"), [value("a")]);
        change(&ledger, &grant.teardown(value("a")), Ok(()));
        assert_eq!(ledger.values(grant.owner(), "alice"), []);
    }

    #[test]
    fn the_reaper_takes_what_outlived_its_time_unless_it_was_set_again() {
        let (ledger, grant) = (Ledger::default(), grant("alice"));
        change(&ledger, &grant.setup(value("a")), Ok(()));
        assert_eq!(ledger.ripe(TTL), []);
        std::thread::sleep(Duration::from_millis(2));
        let ripe = ledger.ripe(Duration::from_millis(1));
        assert_eq!(ripe.len(), 1);
        let recall = scope().recall(&ripe[0], Deadline::after(Duration::from_secs(1))).unwrap();
        change(&ledger, &grant.setup(value("a")), Ok(()));
        assert!(ledger.intend(&recall).unwrap().is_none(), "set again in between: it stays");
        ledger.ripe(Duration::from_nanos(1));
        change(&ledger, &recall, Ok(()));
        assert_eq!(ledger.visible(grant.owner()), []);
    }

    #[test]
    fn a_restart_forgets_nothing() {
        let state = Scratch::new();
        let grant = grant("alice");
        let first = Ledger::default();
        first.keep_in(state.path()).unwrap();
        change(&first, &grant.setup(value("a")), Ok(()));
        change(&first, &grant.setup(value("b")), Ok(()));
        change(&first, &grant.teardown(value("b")), Ok(()));
        change(&first, &grant.setup(value("c")), Err(Fault::Refused("no".into())));
        change(&first, &grant.setup(value("d")), Err(Fault::Unknown("silence".into())));
        change(&first, &grant.setup(value("e")), Ok(()));
        change(&first, &grant.teardown(value("e")), Err(Fault::Busy("later".into(), None)));
        let permit = grant.setup(value("f"));
        let _ended_in_the_middle = first.intend(&permit).unwrap();
        drop(first);
        let second = Ledger::default();
        second.keep_in(state.path()).unwrap();
        assert_eq!(second.values(grant.owner(), "alice"), ["a", "d", "e", "f"].map(value));
        assert_eq!(second.visible(grant.owner()), ["a", "d", "e", "f"].map(value));
        let due: Vec<_> = second.ripe(TTL).into_iter().map(|record| record.value).collect();
        assert_eq!(due, [value("e")], "a removal that failed is due at once");
    }

    #[test]
    fn what_cannot_be_written_down_is_not_made_and_a_removal_is() {
        let state = Scratch::new();
        let (ledger, grant) = (Ledger::default(), grant("alice"));
        ledger.keep_in(state.path()).unwrap();
        change(&ledger, &grant.setup(value("a")), Ok(()));
        // A file where the folder was: nothing can be written below it, not even by root.
        std::fs::remove_dir_all(state.join("ledger")).unwrap();
        state.file("ledger", "");
        let permit = grant.setup(value("b"));
        assert!(matches!(ledger.intend(&permit), Err(Fault::Unwritten { is_full: false, .. })));
        assert_eq!(ledger.values(grant.owner(), "alice"), [value("a")]);
        change(&ledger, &grant.teardown(value("a")), Ok(()));
        assert_eq!(ledger.visible(grant.owner()), []);
    }

    #[test]
    fn a_recall_that_could_not_be_tried_is_postponed_unless_the_value_was_set_again() {
        let (ledger, grant) = (Ledger::default(), grant("alice"));
        change(&ledger, &grant.setup(value("a")), Ok(()));
        let ripe = ledger.ripe(Duration::ZERO);
        let recall = scope().recall(&ripe[0], Deadline::after(Duration::from_secs(1))).unwrap();
        ledger.untried(&recall);
        assert_eq!(ledger.ripe(TTL), [], "tried again after a pause");
        assert_eq!(ledger.ripe(Duration::ZERO), [], "the pause is kept");
        change(&ledger, &grant.setup(value("a")), Ok(()));
        ledger.untried(&recall);
        assert_eq!(ledger.ripe(Duration::ZERO).len(), 1, "it lives, and is due when its time is over only");
    }

    #[test]
    fn a_setup_that_was_refused_leaves_what_was_there_as_it_was() {
        let state = Scratch::new();
        let (first, alice) = (Ledger::default(), grant("alice"));
        first.keep_in(state.path()).unwrap();
        change(&first, &alice.setup(value("a")), Ok(()));
        change(&first, &alice.teardown(value("a")), Err(Fault::Busy("later".into(), None)));
        change(&first, &grant("bob").setup(value("a")), Err(Fault::Refused("no".into())));
        drop(first);
        let second = Ledger::default();
        second.keep_in(state.path()).unwrap();
        assert_eq!(second.ripe(TTL).len(), 1, "still due");
        assert_eq!(second.values(alice.owner(), "alice"), [value("a")], "still hers");
    }

    #[test]
    fn a_lifetime_is_counted_from_what_is_written_unless_that_is_yet_to_come() {
        let (state, grant, hour) = (Scratch::new(), grant("alice"), Duration::from_secs(3600));
        let (disk, _) = Disk::open(state.path()).unwrap();
        let now = Kept::now(grant.setup(value("a")).record(), None);
        disk.write(&Kept { since: now.since - 2 * hour, ..now }).unwrap();
        let now = Kept::now(grant.setup(value("b")).record(), None);
        disk.write(&Kept { since: now.since + 100 * hour, ..now }).unwrap();
        drop(disk);
        let ledger = Ledger::default();
        ledger.keep_in(state.path()).unwrap();
        let ripe: Vec<_> = ledger.ripe(hour).into_iter().map(|record| record.value).collect();
        assert_eq!(ripe, [value("a")]);
        drop(ledger);
        let (_, kept) = Disk::open(state.path()).unwrap();
        assert!(kept.iter().all(|kept| kept.since.elapsed().is_ok()), "nothing is from a time to come any more");
    }
}
