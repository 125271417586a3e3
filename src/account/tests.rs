use super::*;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::challenge::Value;
use crate::deadline::Deadline;
use crate::gate::auth::Caller;
use crate::gate::scope::{Grant, Scope};
use crate::provider::{self, PROVIDERS, conformance};

/// A service that answers from a script, and counts how often it was asked.
struct Scripted {
    faults: Mutex<Vec<Fault>>,
    asked: Arc<AtomicUsize>,
    at_work: Mutex<()>,
}

impl Provider for Scripted {
    fn zone(&self, _: &Name, _: Deadline) -> Result<Zone, Fault> {
        Ok(Zone { service: "scripted".to_string(), name: None, key: String::new() })
    }

    fn apply(&self, _: &Zone, changes: &[Permit], _: Deadline) -> Vec<Result<Receipt, Fault>> {
        let _alone = self.at_work.try_lock().expect("two changes of one zone at once");
        thread::sleep(Duration::from_millis(1));
        self.asked.fetch_add(1, Ordering::SeqCst);
        let fault = self.faults.lock().unwrap().pop();
        changes.iter().map(|_| fault.clone().map_or(Ok(Receipt::default()), Err)).collect()
    }
}

fn account(faults: Vec<Fault>) -> (Account, Arc<AtomicUsize>, Grant) {
    let asked = Arc::new(AtomicUsize::new(0));
    let provider = Box::new(Scripted { faults: Mutex::new(faults), asked: asked.clone(), at_work: Mutex::default() });
    let domains = vec![Name::host("example.com").unwrap()];
    let deadline = Deadline::after(Duration::from_secs(20));
    let scope = Scope::new(domains.clone());
    let grant = scope.challenge(&Caller::for_tests("alice"), &domains[0], deadline).unwrap();
    (Account::new(&PROVIDERS[0], domains, provider, Arc::default()), asked, grant)
}

fn value() -> Value {
    Value::parse(&"a".repeat(43)).unwrap()
}

#[test]
fn a_zone_is_changed_by_one_at_a_time() {
    let (account, asked, grant) = account(Vec::new());
    thread::scope(|scope| {
        for letter in "abcdefgh".chars() {
            let permit = grant.setup(Value::parse(&letter.to_string().repeat(43)).unwrap());
            let account = &account;
            scope.spawn(move || assert_eq!(account.carry_out(&[permit]), [Ok(())]));
        }
    });
    assert_eq!(asked.load(Ordering::SeqCst), 8);
}

#[test]
fn a_conflict_is_tried_again() {
    let (account, asked, grant) = account(vec![Fault::Conflict("raced".into()), Fault::Conflict("raced".into())]);
    assert_eq!(account.carry_out(&[grant.setup(value())]), [Ok(())]);
    assert_eq!(asked.load(Ordering::SeqCst), 3);
}

#[test]
fn after_refused_credentials_the_service_is_left_alone() {
    let (account, asked, grant) = account(vec![Fault::Auth("wrong password".into())]);
    for _ in 0..3 {
        let outcomes = account.carry_out(&[grant.setup(value())]);
        assert!(matches!(&outcomes[0], Err(Fault::Auth(text)) if text.starts_with("wrong password")), "{outcomes:?}");
    }
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

#[test]
fn a_removal_that_could_not_even_be_tried_is_not_forgotten() {
    let (account, _, grant) = account(vec![Fault::Auth("wrong password".into())]);
    account.carry_out(&[grant.setup(value())]);
    account.carry_out(&[grant.teardown(value())]);
    assert_eq!(account.ledger.values(grant.owner(), "alice"), [value()]);
}

/// Over every provider of the table, at one name and at several at once.
#[test]
fn of_many_changes_at_once_exactly_what_should_be_there_is_left() {
    conformance::each(|who, fixture| {
        let domains: Vec<_> = fixture.domains.iter().map(|text| Name::host(text).unwrap()).collect();
        let row = provider::find(who).unwrap();
        let account = Account::new(row, domains.clone(), fixture.provider, fixture.ledger);
        let (scope, caller) = (Scope::new(domains.clone()), Caller::for_tests("alice"));
        let grant = |domain| scope.challenge(&caller, domain, Deadline::after(Duration::from_secs(60))).unwrap();
        let value = |number: usize| Value::parse(&format!("{number:043}")).unwrap();
        let insist = |permit: Permit| {
            let full = |fault: &Fault| matches!(fault, Fault::Busy(text, _) if text.contains("already wait"));
            while let Err(fault) = account.carry_out(std::slice::from_ref(&permit)).remove(0) {
                assert!(full(&fault), "{who}: {fault:?}");
                thread::sleep(Duration::from_millis(5));
            }
        };
        thread::scope(|threads| {
            for number in 0..40 {
                let (grant, insist) = (grant(&domains[number % domains.len()]), &insist);
                threads.spawn(move || {
                    insist(grant.setup(value(number)));
                    insist(grant.setup(value(number + 100)));
                    insist(grant.teardown(value(number)));
                });
            }
        });
        for (index, domain) in domains.iter().enumerate() {
            let mut held = fixture.stand.held(&domain.challenge());
            held.sort();
            let expected = (0..40).filter(|number| number % domains.len() == index);
            let expected: Vec<_> = expected.map(|number| value(number + 100).to_string()).collect();
            assert_eq!(held, expected, "{who} at {domain}");
        }
    });
}
