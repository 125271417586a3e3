//! How much one caller may do: a web server that was broken into must not fill a zone, nor have the
//! account blocked at the DNS service.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::challenge::Action;
use crate::gate::recent::Recent;
use crate::gate::scope::Permit;
use crate::ledger::Ledger;

/// Records that a caller may have at a time. Requests that come together may pass it together;
/// CHANGES bounds by how much.
const RECORDS: usize = 100;
/// Values that a caller may have at one name.
const VALUES: usize = 50;
/// Changes that a caller may make in a minute.
const CHANGES: usize = 60;
/// Beyond [`CHANGES`] a minute has room for the removal of every record that a caller may have: who
/// only cleans up is never kept from it, and who asks for the same removal for ever is.
const CHANGES_TO_REMOVE: usize = CHANGES + RECORDS;
/// Callers whose changes are counted.
const CALLERS: usize = 1024;

/// The changes of the last minute, by caller.
#[derive(Default)]
pub struct Limits(Mutex<HashMap<Counter, Counted>>);

/// Whose changes are counted together: a caller's, and its canaries apart, so that whoever probes
/// never keeps a challenge of its own from being set.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Counter {
    caller: String,
    is_canary: bool,
}

struct Counted {
    changes: Recent,
    last: Instant,
}

/// Which limit a caller has reached.
#[derive(Debug, PartialEq, Eq)]
pub enum Exceeded {
    /// There is room for it after this.
    Changes(Duration),
    Records,
    Values(String),
}

impl Limits {
    /// May these be carried out? They are of one caller, one name and one action. Counts them if so.
    pub fn check(&self, permits: &[Permit], ledger: &Ledger) -> Result<(), Exceeded> {
        self.check_at(permits, ledger, Instant::now())
    }

    /// How many records a caller keeps whose clients remove nothing, and which may want so many values
    /// at a time ([`Permit::rolls`]): one certificate's do not push out another's. It is refused
    /// none, since its oldest ones have had their time.
    pub fn kept(values: usize) -> usize {
        VALUES + values
    }

    fn check_at(&self, permits: &[Permit], ledger: &Ledger, now: Instant) -> Result<(), Exceeded> {
        let Some(first) = permits.first() else { return Ok(()) };
        let caller = first.record().caller;
        let most = match (first.action(), first.rolls()) {
            (Action::Setup, None) => {
                check_records(first, &caller, ledger)?;
                CHANGES
            }
            // See [`Limits::kept`].
            (Action::Setup, Some(values)) => CHANGES + values,
            (Action::Teardown, _) => CHANGES_TO_REMOVE,
        };
        let counter = Counter { caller, is_canary: ledger.is_canary(first) };
        let mut callers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !callers.contains_key(&counter) {
            make_room(&mut callers, now);
        }
        let counted = callers.entry(counter).or_insert_with(|| Counted { changes: Recent::default(), last: now });
        counted.last = now;
        counted.changes.add(permits.len(), most, now).map_err(Exceeded::Changes)
    }
}

/// A value that the caller has already is no new record.
fn check_records(permit: &Permit, caller: &str, ledger: &Ledger) -> Result<(), Exceeded> {
    let here = ledger.values(permit.owner(), caller);
    if here.contains(permit.value()) {
        return Ok(());
    }
    if here.len() >= VALUES {
        return Err(Exceeded::Values(permit.owner().to_string()));
    }
    match ledger.count(caller) < RECORDS {
        true => Ok(()),
        false => Err(Exceeded::Records),
    }
}

/// Forgets whose minute is over, and if that is not enough, who was quiet for longest. That gives a
/// caller a fresh minute; to refuse newcomers instead would let one with many addresses shut out all.
fn make_room(callers: &mut HashMap<Counter, Counted>, now: Instant) {
    if callers.len() < CALLERS {
        return;
    }
    callers.retain(|_, counted| counted.changes.count(now) > 0);
    let quietest = callers.iter().min_by_key(|(_, counted)| counted.last).map(|(caller, _)| caller.clone());
    if let Some(caller) = quietest.filter(|_| callers.len() >= CALLERS) {
        callers.remove(&caller);
    }
}

impl fmt::Display for Exceeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Exceeded::Changes(_) => {
                write!(f, "more than {CHANGES} changes of one caller in a minute: try again after Retry-After")
            }
            Exceeded::Records => write!(
                f,
                "one caller may have {RECORDS} records at a time: remove those that are no longer needed, \
                 or wait until CHALLENGE_TTL has removed them"
            ),
            Exceeded::Values(owner) => write!(
                f,
                "one caller may have {VALUES} values at {owner}: remove those that are no longer needed, \
                 or wait until CHALLENGE_TTL has removed them"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::acmedns::Account;
    use crate::challenge::{Name, Value};
    use crate::deadline::Deadline;
    use crate::fault::Fault;
    use crate::gate::auth::Caller;
    use crate::gate::scope::{Grant, Scope};

    struct Case {
        limits: Limits,
        ledger: Ledger,
        start: Instant,
    }

    impl Case {
        fn new() -> Case {
            Case { limits: Limits::default(), ledger: Ledger::default(), start: Instant::now() }
        }

        /// Asks for it, and has it done if it may be.
        fn change(&self, seconds: u64, permits: &[Permit]) -> Result<(), Exceeded> {
            self.limits.check_at(permits, &self.ledger, self.start + Duration::from_secs(seconds))?;
            for permit in permits {
                self.ledger.intend(permit).unwrap().unwrap().settle(&Ok::<(), Fault>(()));
            }
            Ok(())
        }

        /// A setup in a minute of its own.
        fn setup(&self, minute: u64, name: &str, number: usize) -> Result<(), Exceeded> {
            self.change(60 * minute, &[grant("alice", name).setup(value(number))])
        }
    }

    fn grant(caller: &str, name: &str) -> Grant {
        let domain = Name::host("example.com").unwrap();
        let deadline = Deadline::after(Duration::from_secs(20));
        Scope::new(vec![domain]).challenge(&Caller::for_tests(caller), &Name::host(name).unwrap(), deadline).unwrap()
    }

    fn value(number: usize) -> Value {
        Value::parse(&format!("{number:0>43}")).unwrap()
    }

    #[test]
    fn canaries_and_their_removal_are_counted_apart() {
        let case = Case::new();
        let grant = grant("alice", "example.com");
        for number in 0..CHANGES / 2 {
            case.change(0, &[grant.canary(value(number), Duration::from_secs(60))]).unwrap();
            case.change(0, &[grant.teardown(value(number))]).unwrap();
        }
        let canary = [grant.canary(value(99), Duration::from_secs(60))];
        assert_eq!(case.change(0, &canary), Err(Exceeded::Changes(Duration::from_secs(60))));
        for _ in 0..CHANGES {
            assert_eq!(case.change(0, &[grant.setup(value(0))]), Ok(()), "the challenges have a minute of their own");
        }
    }

    #[test]
    fn a_caller_has_sixty_changes_a_minute_of_its_own() {
        let case = Case::new();
        let again = |caller, seconds| case.change(seconds, &[grant(caller, "example.com").setup(value(0))]);
        for _ in 0..CHANGES {
            assert_eq!(again("alice", 10), Ok(()), "to set a value again is a change and no record");
        }
        assert_eq!(again("alice", 30), Err(Exceeded::Changes(Duration::from_secs(40))));
        assert_eq!(again("bob", 30), Ok(()));
        assert_eq!(again("alice", 70), Ok(()), "what was refused does not count");
    }

    #[test]
    fn whoever_cleans_up_is_not_kept_from_it_and_is_counted() {
        let case = Case::new();
        let teardown = |number| case.change(1, &[grant("alice", "example.com").teardown(value(number))]);
        for number in 0..CHANGES {
            assert_eq!(case.setup(0, "example.com", number % VALUES), Ok(()));
        }
        for number in 0..RECORDS {
            assert_eq!(teardown(number), Ok(()));
        }
        assert!(matches!(teardown(0), Err(Exceeded::Changes(_))), "no more than a caller can have");
        assert!(matches!(case.setup(1, "example.com", 0), Err(Exceeded::Changes(_))), "removals are changes");
    }

    #[test]
    fn a_removal_without_a_value_counts_for_each_and_is_all_or_none() {
        let case = Case::new();
        let grant = grant("alice", "example.com");
        let all: Vec<_> = (0..VALUES).map(|number| grant.teardown(value(number))).collect();
        assert_eq!([0, 1, 2].map(|seconds| case.change(seconds, &all).is_ok()), [true, true, true]);
        assert_eq!(case.change(3, &all), Err(Exceeded::Changes(Duration::from_secs(57))));
        assert_eq!(case.change(3, &[]), Ok(()));
    }

    #[test]
    fn a_caller_has_fifty_values_at_a_name_and_a_hundred_records() {
        let case = Case::new();
        for number in 0..VALUES {
            assert_eq!(case.setup(number as u64, "example.com", number), Ok(()));
        }
        let full = Exceeded::Values("_acme-challenge.example.com".to_string());
        assert_eq!(case.setup(100, "example.com", VALUES), Err(full));
        assert_eq!(case.setup(100, "example.com", 0), Ok(()), "it is there already");
        for number in VALUES..RECORDS {
            assert_eq!(case.setup(number as u64, "www.example.com", number), Ok(()));
        }
        assert_eq!(case.setup(200, "mail.example.com", 0), Err(Exceeded::Records));
        assert_eq!(case.setup(200, "www.example.com", RECORDS - 1), Ok(()), "it is there already");
        assert_eq!(case.change(200, &[grant("bob", "mail.example.com").setup(value(0))]), Ok(()));
        assert_eq!(case.change(201, &[grant("alice", "example.com").teardown(value(0))]), Ok(()));
        assert_eq!(case.setup(202, "mail.example.com", 1), Ok(()));
    }

    #[test]
    fn the_table_is_bounded_and_loses_the_quietest() {
        let case = Case::new();
        let ask = |caller: &str, seconds| case.change(seconds, &[grant(caller, "example.com").setup(value(0))]);
        for number in 0..CALLERS {
            ask(&number.to_string(), number as u64 / 100).unwrap();
        }
        ask("0", 30).unwrap();
        ask("newcomer", 30).unwrap();
        let callers = case.limits.0.lock().unwrap();
        assert_eq!(callers.len(), CALLERS);
        let is_kept = |caller: &str| callers.keys().any(|counter| counter.caller == caller);
        assert!(is_kept("newcomer") && is_kept("0") && is_kept("1023"));
    }

    #[test]
    fn an_account_with_a_hundred_names_can_set_a_value_for_each_at_once() {
        let case = Case::new();
        let names: Vec<_> = (0..100).map(|number| Name::host(&format!("n{number}.example.com")).unwrap()).collect();
        let (account, _) = Account::new(names, None, Vec::new()).unwrap();
        let (domain, deadline) = (Name::host("example.com").unwrap(), Deadline::after(Duration::from_secs(20)));
        let asked = Name::host(account.subdomain.as_str()).unwrap();
        let grant = Scope::new(vec![domain]).place(&Caller::of_account(&account), &asked, deadline).unwrap();
        // And again the next day, and the day after.
        for day in 0..3 {
            for number in 0..100 {
                assert_eq!(case.change(day * 86400, &[grant.setup(value(day as usize * 100 + number))]), Ok(()));
            }
        }
        for number in 0..160 {
            assert_eq!(case.change(4 * 86400, &[grant.setup(value(number))]), Ok(()));
        }
        assert!(matches!(case.change(4 * 86400, &[grant.setup(value(0))]), Err(Exceeded::Changes(_))));
    }
}
