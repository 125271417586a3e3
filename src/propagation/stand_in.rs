//! For tests: records in a ledger, without the way that a request takes.

use std::time::Duration;

use crate::challenge::{Name, Value};
use crate::deadline::Deadline;
use crate::fault::Fault;
use crate::gate::auth::Caller;
use crate::gate::scope::{Grant, Scope};
use crate::ledger::{Ledger, Living};

pub fn grant(caller: &str, domain: &str) -> Grant {
    let scope = Scope::new(vec![Name::host("example.com").unwrap()]);
    let deadline = Deadline::after(Duration::from_secs(60));
    scope.challenge(&Caller::for_tests(caller), &Name::host(domain).unwrap(), deadline).unwrap()
}

pub fn value(letter: &str) -> Value {
    Value::parse(&letter.repeat(43)).unwrap()
}

/// alice's value at example.com, set.
pub fn living(ledger: &Ledger, letter: &str) -> Living {
    living_at(ledger, "example.com", letter)
}

pub fn living_at(ledger: &Ledger, domain: &str, letter: &str) -> Living {
    let grant = grant("alice", domain);
    ledger.intend(&grant.setup(value(letter))).unwrap().unwrap().settle(&Ok::<(), Fault>(()));
    ledger.find(&grant, &value(letter)).unwrap()
}

pub fn remove(ledger: &Ledger, living: &Living) {
    let permit = grant("alice", living.record().domain.as_str()).teardown(living.record().value.clone());
    ledger.intend(&permit).unwrap().unwrap().settle(&Ok::<(), Fault>(()));
}
