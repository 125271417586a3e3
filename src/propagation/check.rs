//! The check of one name: the values that are awaited there, what each look means for each of
//! them, and when to look next. No clock and no network of its own.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::judge::{Sight, Verdict, sights, verdict};
use super::ways::{Look, Trail};
use crate::challenge::Value;
use crate::ledger::Living;

/// Between two looks at name servers: a quarter of the time so far, within these.
const PAUSE: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(5));
/// Between two looks through resolvers that do not say how long they keep to their answer.
const DOH_PAUSES: [Duration; 4] =
    [Duration::from_secs(2), Duration::from_secs(4), Duration::from_secs(8), Duration::from_secs(15)];
/// The soonest that a value which remained unconfirmed is looked for again.
const AGAIN: Duration = Duration::from_secs(15);

/// PROPAGATION_TIMEOUT and PROPAGATION_SETTLE.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    pub timeout: Duration,
    pub settle: Duration,
}

/// What is known of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Pending,
    /// Every server that answers shows it, and did so twice.
    Visible,
    /// The time was over before that.
    Unconfirmed,
    /// It is removed, or about to be.
    Gone,
}

/// A server's part, with when it showed the value first, since it was set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    pub sight: Sight,
    pub after: Option<Duration>,
}

/// What whoever set a value is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    pub state: State,
    pub servers: Vec<Seen>,
    pub waited: Duration,
    /// What is wrong beyond what the servers said.
    pub reason: Option<String>,
}

/// One value at the name.
pub struct Awaited {
    pub living: Living,
    since: Instant,
    /// When it was decided.
    decided: Option<Instant>,
    state: State,
    /// When every server showed it for the first time without a break.
    passed: Option<Instant>,
    /// When each server showed it first.
    first: BTreeMap<String, Duration>,
    sights: Vec<Sight>,
    reason: Option<String>,
}

/// All of them.
pub struct Check {
    pub values: BTreeMap<Value, Awaited>,
    /// None while somebody looks.
    pub trail: Option<Trail>,
    /// When to look next; None: there is nothing to look for.
    pub due: Option<Instant>,
    /// Looks through resolvers so far.
    looks: usize,
}

impl Awaited {
    fn new(living: Living, now: Instant) -> Awaited {
        let (first, sights) = (BTreeMap::new(), Vec::new());
        Awaited { living, since: now, decided: None, state: State::Pending, passed: None, first, sights, reason: None }
    }

    pub fn report(&self, now: Instant) -> Report {
        let seen = |sight: &Sight| Seen { after: self.first.get(&sight.server).copied(), sight: sight.clone() };
        Report {
            state: self.state,
            servers: self.sights.iter().map(seen).collect(),
            waited: self.decided.unwrap_or(now).saturating_duration_since(self.since),
            reason: self.reason.clone(),
        }
    }

    /// Since when it has been decided; None: it still is awaited.
    pub fn decided(&self) -> Option<Instant> {
        self.decided
    }

    fn decide(&mut self, state: State, now: Instant) {
        (self.state, self.decided) = (state, Some(now));
    }

    /// What a look means for it that was begun at `began` and ended at `now`.
    fn heard(&mut self, look: &Look, pace: Pace, began: Instant, now: Instant) {
        let value = &self.living.record().value;
        self.sights = sights(value, &look.heard);
        self.reason = look.reason.clone();
        let after = now.saturating_duration_since(self.since);
        for sight in self.sights.iter().filter(|sight| sight.seen) {
            self.first.entry(sight.server.clone()).or_insert(after);
        }
        match verdict(value, &look.heard) {
            Verdict::Shown => match self.passed {
                Some(passed) if began >= passed + pace.settle => self.decide(State::Visible, now),
                Some(_) => {}
                None => self.passed = Some(now),
            },
            Verdict::NotYet | Verdict::Nobody => {
                self.passed = None;
                if look.hopeless || now >= self.since + pace.timeout {
                    self.decide(State::Unconfirmed, now);
                }
            }
        }
    }

    /// When to look for it next.
    fn due(&self, look: &Look, pace: Pace, looks: usize, now: Instant) -> Instant {
        if let Some(passed) = self.passed {
            return passed + pace.settle;
        }
        let so_far = now.saturating_duration_since(self.since);
        let pause = match look.wait {
            Some(wait) => wait.max(DOH_PAUSES[0]),
            None if look.by_doh => DOH_PAUSES[looks.min(DOH_PAUSES.len()) - 1],
            None => (so_far / 4).clamp(PAUSE.0, PAUSE.1),
        };
        // The last look is at the end of its time.
        (now + pause).min((self.since + pace.timeout).max(now))
    }
}

impl Check {
    pub fn new() -> Check {
        Check { values: BTreeMap::new(), trail: Some(Trail::default()), due: None, looks: 0 }
    }

    /// From now on this value is awaited, and looked for after `first`.
    pub fn begin(&mut self, living: Living, first: Duration, now: Instant) {
        self.values.insert(living.record().value.clone(), Awaited::new(living, now));
        let due = now + first;
        self.due = Some(self.due.map_or(due, |other| other.min(due)));
    }

    /// Somebody still asks for a value that remained unconfirmed: it is looked for once more, if the
    /// last look was a while ago.
    pub fn again(&mut self, value: &Value, now: Instant) {
        let Some(awaited) = self.values.get(value) else { return };
        let is_long_ago = awaited.decided.is_some_and(|decided| now >= decided + AGAIN);
        if awaited.state == State::Unconfirmed && is_long_ago {
            self.due.get_or_insert(now);
        }
    }

    /// What was removed is awaited no more.
    pub fn drop_what_is_gone(&mut self, is_living: impl Fn(&Living) -> bool, now: Instant) {
        for awaited in self.values.values_mut() {
            if awaited.state != State::Gone && !is_living(&awaited.living) {
                awaited.decide(State::Gone, now);
            }
        }
    }

    /// Takes in what was seen, and says when to look next. `began`: when the look began; what was
    /// set after that may not have been there yet.
    pub fn heard(&mut self, look: &Look, pace: Pace, began: Instant, now: Instant) {
        self.looks = if look.by_doh { self.looks + 1 } else { 0 };
        let looks = self.looks;
        let mut due: Option<Instant> = None;
        for awaited in self.values.values_mut().filter(|awaited| awaited.is_looked_for()) {
            if awaited.since > began {
                due = Some(now);
                continue;
            }
            awaited.heard(look, pace, began, now);
            if awaited.state == State::Pending || awaited.passed.is_some() && awaited.is_looked_for() {
                let next = awaited.due(look, pace, looks, now);
                due = Some(due.map_or(next, |due| due.min(next)));
            }
        }
        self.due = due;
    }
}

impl Awaited {
    fn is_looked_for(&self) -> bool {
        matches!(self.state, State::Pending | State::Unconfirmed)
    }
}

#[cfg(test)]
mod tests;
