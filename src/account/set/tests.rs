use super::*;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::challenge::Value;
use crate::config::{AccountName, Config, Mistakes, Search};
use crate::deadline::Deadline;
use crate::gate::auth::Caller;
use crate::gate::scope::{Grant, Scope};
use crate::ledger::Ledger;
use crate::provider::{Provider, Receipt, Zone};

/// A service with one zone, which two accounts may edit, and what was changed there by whom.
#[derive(Default)]
struct Service {
    at_work: AtomicUsize,
    most_at_work: AtomicUsize,
    seen: Mutex<Vec<String>>,
}

/// An account there; its credentials are right or not.
struct Login {
    who: &'static str,
    is_right: bool,
    service: Arc<Service>,
}

impl Provider for Login {
    fn zone(&self, _: &Name, _: Deadline) -> Result<Zone, Fault> {
        // Two accounts may know one zone under two keys.
        let name = Some(Name::owner("example.com").unwrap());
        Ok(Zone { service: "one".to_string(), name, key: self.who.to_string() })
    }

    fn apply(&self, _: &Zone, changes: &[Permit], _: Deadline) -> Vec<Result<Receipt, Fault>> {
        let now = self.service.at_work.fetch_add(1, Ordering::SeqCst) + 1;
        self.service.most_at_work.fetch_max(now, Ordering::SeqCst);
        std::thread::sleep(Duration::from_millis(2));
        self.service.at_work.fetch_sub(1, Ordering::SeqCst);
        self.service.seen.lock().unwrap().push(self.who.to_string());
        let refused = || Fault::Auth("see DNSAPI_PASSWORD".to_string());
        changes.iter().map(|_| if self.is_right { Ok(Receipt::default()) } else { Err(refused()) }).collect()
    }
}

/// The accounts with their domains, at one service; those in `refused` have wrong credentials.
fn accounts(written: &[(&'static str, &str)], refused: &[&str]) -> (Accounts, Arc<Service>, Scope) {
    let service = Arc::<Service>::default();
    let account = |&(who, domains): &(&'static str, &str)| {
        let domains: Vec<_> = domains.split(' ').map(|domain| Name::host(domain).unwrap()).collect();
        let provider = Login { who, is_right: !refused.contains(&who), service: service.clone() };
        let account = Account::new(&PROVIDERS[0], domains, Box::new(provider), Arc::<Ledger>::default());
        Account { name: named(who), ..account }
    };
    let accounts = Accounts::new(written.iter().map(account).collect());
    let scope = Scope::new(accounts.domains());
    (accounts, service, scope)
}

fn named(who: &str) -> Option<AccountName> {
    let list = [crate::config::Setting::accounts("DNSAPI_ACCOUNTS", "")];
    let search = Search { named: None, file_name: "none", last: None };
    let environment = |name: &str| (name == "DNSAPI_ACCOUNTS").then(|| who.to_string());
    let (config, _): (Config, Mistakes) = Config::load(&list, Vec::new(), environment, search).unwrap();
    config.accounts("DNSAPI_ACCOUNTS").unwrap().pop()
}

fn grant(scope: &Scope, domain: &str) -> Grant {
    let deadline = Deadline::after(Duration::from_secs(20));
    scope.challenge(&Caller::for_tests("alice"), &Name::host(domain).unwrap(), deadline).unwrap()
}

fn value(number: usize) -> Value {
    Value::parse(&format!("{number:043}")).unwrap()
}

#[test]
fn the_longest_domain_decides_whatever_the_order_of_the_accounts() {
    for written in [
        [("PARENT", "example.com example.net"), ("CHILD", "sub.example.com")],
        [("CHILD", "sub.example.com"), ("PARENT", "example.com example.net")],
    ] {
        let (accounts, service, scope) = accounts(&written, &[]);
        for (domain, expected) in [
            ("example.com", "PARENT"),
            ("sub.example.com", "CHILD"),
            ("a.b.sub.example.com", "CHILD"),
            ("evilsub.example.com", "PARENT"),
            ("www.example.net", "PARENT"),
        ] {
            assert_eq!(accounts.carry_out(&[grant(&scope, domain).setup(value(1))]), [Ok(())]);
            assert_eq!(service.seen.lock().unwrap().pop().as_deref(), Some(expected), "{domain}");
        }
    }
}

#[test]
fn the_owner_name_decides_and_only_where_nobody_names_it_the_domain_that_was_asked_for() {
    let (accounts, ..) = accounts(&[("A", "example.com"), ("B", "example.net"), ("C", "acme.example.net")], &[]);
    let responsible = |owner: &str, domain: &str| {
        let index = accounts.responsible(&Name::owner(owner).unwrap(), &Name::host(domain).unwrap());
        accounts.0[index].name.as_ref().unwrap().to_string()
    };
    assert_eq!(responsible("_acme-challenge.www.example.com", "www.example.com"), "A");
    assert_eq!(responsible("www.acme.example.net", "www.example.com"), "C");
    assert_eq!(responsible("www.elsewhere.example", "www.example.net"), "B");
}

#[test]
fn two_accounts_that_edit_one_zone_do_it_one_at_a_time() {
    let (accounts, service, scope) = accounts(&[("A", "example.com"), ("B", "sub.example.com")], &[]);
    std::thread::scope(|threads| {
        for number in 0..12 {
            let grant = grant(&scope, ["example.com", "sub.example.com"][number % 2]);
            let accounts = &accounts;
            threads.spawn(move || assert_eq!(accounts.carry_out(&[grant.setup(value(number))]), [Ok(())]));
        }
    });
    assert_eq!(service.seen.lock().unwrap().len(), 12);
    assert_eq!(service.most_at_work.load(Ordering::SeqCst), 1);
}

#[test]
fn refused_credentials_pause_their_own_account_only_and_say_whose_they_are() {
    let (accounts, service, scope) = accounts(&[("A", "example.com"), ("B", "sub.example.com")], &["A"]);
    for number in 0..3 {
        let refused = accounts.carry_out(&[grant(&scope, "example.com").setup(value(number))]);
        let Err(Fault::Auth(text)) = &refused[0] else { panic!("{refused:?}") };
        assert!(text.starts_with("account A: see DNSAPI_A_PASSWORD"), "{text}");
        assert_eq!(accounts.carry_out(&[grant(&scope, "sub.example.com").setup(value(number))]), [Ok(())]);
    }
    assert_eq!(*service.seen.lock().unwrap(), ["A", "B", "B", "B"]);
}

#[test]
fn names_in_dns_zone_are_the_embedded_accounts_whoever_has_the_domain_around_it() {
    let (mut accounts, ..) = accounts(&[("SELF", "example.com"), ("OTHER", "example.net acme.example.net")], &[]);
    let name = |text: &str| Name::owner(text).unwrap();
    let whose = |accounts: &Accounts, owner: &str| accounts.responsible(&name(owner), &name("www.example.org"));
    assert_eq!(whose(&accounts, "x.dns.acme.example.net"), 1);
    accounts.0[0].own_zone = Some(name("dns.acme.example.net"));
    assert_eq!(whose(&accounts, "x.dns.acme.example.net"), 0);
    assert_eq!(whose(&accounts, "_acme-challenge.acme.example.net"), 1);
    assert_eq!(accounts.own_zone(), Some(&name("dns.acme.example.net")));
}
