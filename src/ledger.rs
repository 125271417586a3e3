//! What was set and is not gone yet: written down before it is made, crossed out after it is gone.
//!
//! Every change goes through [`Ledger::intend`], under the lock of its zone, and [`Entry::settle`].
//! An entry that is never settled stays written down: forgetting errs on the side of remembering.
//! The embedded DNS server answers from here; the reaper takes from here what is due.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::challenge::{Action, Name, Value};
use crate::fault::Fault;
use crate::gate::scope::{Permit, Record};

/// The first and the longest pause before a failed removal is tried again.
const RETRY: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(3600));

/// The records of one gateway, in memory.
#[derive(Default)]
pub struct Ledger {
    lines: Mutex<BTreeMap<(Name, Value), Line>>,
}

/// A record and what became of it.
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
    /// Writes the change down before it is made. To be called under the zone's lock.
    ///
    /// None: there is nothing to do, because what the reaper wanted to take back was set again.
    pub fn intend<'a>(&'a self, permit: &'a Permit) -> Option<Entry<'a>> {
        let (mut lines, now) = (self.lines(), Instant::now());
        let known = lines.get(&key(permit));
        let is_new = known.is_none();
        if permit.is_recall() && !known.is_some_and(|line| line.state.is_due(now)) {
            return None;
        }
        if is_new && permit.action() == Action::Setup {
            lines.insert(key(permit), Line { record: permit.record(), state: State::Intended { since: now } });
        }
        Some(Entry { ledger: self, permit, is_new })
    }

    /// The values that `caller` set at `owner`.
    pub fn values(&self, owner: &Name, caller: &str) -> Vec<Value> {
        self.at(owner, |line| line.record.caller == caller)
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

    fn lines(&self) -> MutexGuard<'_, BTreeMap<(Name, Value), Line>> {
        // Every change of the map is one call, so that a panic elsewhere leaves it whole.
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry<'_> {
    /// Writes down how it went.
    pub fn settle<T>(self, outcome: &Result<T, Fault>) {
        let Entry { ledger, permit, is_new } = self;
        let (mut lines, now) = (ledger.lines(), Instant::now());
        let state = match (permit.action(), outcome) {
            (Action::Teardown, Ok(_)) => None,
            (Action::Teardown, Err(_)) => Some(State::removal_failed(lines.get(&key(permit)), now)),
            (Action::Setup, Err(fault)) if fault.nothing_done() && is_new => None,
            (Action::Setup, Err(fault)) if fault.nothing_done() => return,
            // Perhaps made is as good as made: it has to be removed one day.
            (Action::Setup, _) => Some(State::Living { since: now }),
        };
        match state {
            Some(state) => drop(lines.insert(key(permit), Line { record: permit.record(), state })),
            None => drop(lines.remove(&key(permit))),
        }
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

fn key(permit: &Permit) -> (Name, Value) {
    (permit.owner().clone(), permit.value().clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deadline::Deadline;
    use crate::gate::auth::Caller;
    use crate::gate::scope::{Grant, Scope};

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
        ledger.intend(permit).unwrap().settle(&outcome);
    }

    #[test]
    fn a_value_is_seen_once_it_is_made_and_until_it_is_gone() {
        let (ledger, grant) = (Ledger::default(), grant("alice"));
        let permit = grant.setup(value("a"));
        let entry = ledger.intend(&permit).unwrap();
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
        assert!(ledger.intend(&recall).is_none(), "set again in between: it stays");
        ledger.ripe(Duration::from_nanos(1));
        change(&ledger, &recall, Ok(()));
        assert_eq!(ledger.visible(grant.owner()), []);
    }
}
