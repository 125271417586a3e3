//! Two hundred clients at once over one account, with every provider: at the end exactly the
//! values are there that should be.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use super::Account;
use crate::challenge::{Name, Value};
use crate::deadline::Deadline;
use crate::fault::Fault;
use crate::gate::auth::Caller;
use crate::gate::scope::{Permit, Scope};
use crate::provider::PROVIDERS;
use crate::provider::conformance::FIXTURES;

const CLIENTS: usize = 200;

/// Has it done, as the hook does: a busy gateway is asked again.
fn insist(account: &Account, permit: impl Fn() -> Permit) -> usize {
    for tries in 0.. {
        match account.carry_out(&[permit()]).remove(0) {
            Ok(()) => return tries,
            Err(Fault::Busy(..)) if tries < 5_000 => thread::sleep(Duration::from_millis(4)),
            Err(fault) => panic!("{}: {fault}", account.row.name),
        }
    }
    unreachable!("the last try panics")
}

#[test]
fn two_hundred_clients_at_once_leave_exactly_what_should_be_there() {
    for (name, fixture) in FIXTURES {
        let fixture = fixture();
        let domains: Vec<_> = fixture.domains.iter().map(|domain| Name::host(domain).unwrap()).collect();
        let row = PROVIDERS.iter().find(|row| row.name == name).unwrap();
        let scope = Scope::new(domains.clone());
        let account = Account::new(row, domains.clone(), fixture.provider, fixture.ledger);
        let refused = AtomicUsize::new(0);
        let value = |client: usize| Value::parse(&format!("{client:043}")).unwrap();
        thread::scope(|threads| {
            for client in 0..CLIENTS {
                let (account, scope, domains, refused) = (&account, &scope, &domains, &refused);
                threads.spawn(move || {
                    let domain = &domains[client % domains.len()];
                    let caller = Caller::for_tests(&format!("client{client}"));
                    let soon = || Deadline::after(Duration::from_secs(60));
                    let grant = || scope.challenge(&caller, domain, soon()).unwrap();
                    let mut busy = insist(account, || grant().setup(value(client)));
                    busy += insist(account, || grant().setup(value(client)));
                    if client % 3 == 0 {
                        busy += insist(account, || grant().teardown(value(client)));
                    }
                    refused.fetch_add(busy, Ordering::Relaxed);
                });
            }
        });
        for (index, domain) in domains.iter().enumerate() {
            let here = (0..CLIENTS).filter(|client| client % domains.len() == index && client % 3 != 0);
            let expected: Vec<_> = here.map(|client| value(client).to_string()).collect();
            let mut held = fixture.stand.held(&domain.challenge());
            held.sort();
            assert_eq!(held, expected, "{name} at {domain}");
        }
        println!("{name}: {} times a client was told to come again", refused.into_inner());
    }
}
