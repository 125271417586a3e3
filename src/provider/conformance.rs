//! What every provider has to do, shown on every row of the table.
//!
//! A provider brings a [`Fixture`]: itself, connected to a fresh stand-in of its service, and what
//! that service can do. A row without one fails here. Changes take the road that they take in the
//! gateway: written down in the ledger, applied, settled.

mod troubles;

use std::sync::Arc;
use std::time::Duration;

use super::{
    PROVIDERS, Provider, Receipt, Zone, azure, cloudflare, desec, digitalocean, embedded, exec, gandi, googlecloud,
    hetzner, openprovider, ovh, powerdns, rfc2136, route53,
};
use crate::challenge::{Name, Value};
use crate::deadline::Deadline;
use crate::fault::Fault;
use crate::gate::auth::Caller;
use crate::gate::scope::{Grant, Permit, Scope};
use crate::ledger::Ledger;

/// The fixtures, by the names of the rows: as many as there are rows, or it does not compile.
pub const FIXTURES: [(&str, MakeFixture); PROVIDERS.len()] = [
    (embedded::ROW.name, embedded::tests::fixture),
    (azure::ROW.name, azure::tests::fixture),
    (cloudflare::ROW.name, cloudflare::tests::fixture),
    (desec::ROW.name, desec::tests::fixture),
    (digitalocean::ROW.name, digitalocean::tests::fixture),
    (gandi::ROW.name, gandi::tests::fixture),
    (googlecloud::ROW.name, googlecloud::tests::fixture),
    (hetzner::ROW.name, hetzner::tests::fixture),
    (openprovider::ROW.name, openprovider::tests::fixture),
    (ovh::ROW.name, ovh::tests::fixture),
    (powerdns::ROW.name, powerdns::tests::fixture),
    (rfc2136::ROW.name, rfc2136::tests::fixture),
    (route53::ROW.name, route53::tests::fixture),
    (exec::ROW.name, exec::store::fixture),
];

pub type MakeFixture = fn() -> Fixture;

/// A provider and a fresh stand-in of its service.
pub struct Fixture {
    pub provider: Box<dyn Provider>,
    /// The ledger of the provider's [`super::Surroundings`].
    pub ledger: Arc<Ledger>,
    pub stand: Box<dyn Stand>,
    /// Domains whose challenges the service can hold: at a zone's apex, in a child zone, some
    /// labels below a zone, whatever of these it knows.
    pub domains: &'static [&'static str],
    /// Domains and the zones in which their challenges lie; None: there is no zone for it.
    /// Empty where the provider knows no zones.
    pub zones: &'static [(&'static str, Option<&'static str>)],
    /// How many foreign values fill more than a page of the service; 0: nobody else writes there.
    pub foreign: usize,
    /// What may happen to the service.
    pub troubles: &'static [Trouble],
    /// What its configuration needs, besides DNSAPI_URL; empty: it has no HTTP API.
    pub settings: &'static [(&'static str, &'static str)],
    /// What it and the service say to each other when a value is set and removed: the recorded
    /// transcript. Empty: its own tests look at that.
    pub recorded: &'static str,
    /// Where the files lie that its settings name.
    pub files: Option<crate::scratch::Scratch>,
}

/// The service's side, as its owner sees it.
pub trait Stand {
    /// The TXT values at `owner`, without quotes, in any order.
    fn held(&self, owner: &Name) -> Vec<String>;

    /// Somebody else adds values at `owner`. Not called where [`Fixture::foreign`] is 0.
    fn plant(&self, _owner: &Name, _values: &[String]) {
        unreachable!("nobody else writes at this service")
    }

    /// Somebody else has a CNAME at `owner`. Only called where [`Trouble::Cname`] is known.
    fn plant_cname(&self, _owner: &Name) {
        unreachable!("nobody else writes at this service")
    }

    /// From now on no RRset may have more values. Only called where [`Trouble::Full`] is known.
    fn limit(&self, _values: usize) {
        unreachable!("this service has no limit")
    }

    /// What was said since the last time, as it is recorded.
    fn transcript(&self) -> String {
        String::new()
    }

    /// From now on this happens; None ends it. Only called with what [`Fixture::troubles`] names.
    fn happens(&self, _trouble: Option<Trouble>) {
        unreachable!("this service has no troubles")
    }
}

/// What may happen to a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// The session ended once; the credentials are still right.
    SessionEnded,
    /// The credentials are not taken.
    WrongCredentials,
    /// The credentials are right, and may not do it.
    Forbidden,
    /// Somebody has removed the zone.
    ZoneGone,
    /// Somebody else changes the same RRset each time before us.
    Conflict,
    /// It wants us to wait.
    TooMany,
    /// It answers that it is broken (status 500).
    Broken,
    /// It answers what is no answer.
    Garbage,
    /// It never answers, and does nothing.
    Silence,
    /// It makes the change, and its answer is lost.
    DoneUnanswered,
    /// A CNAME is where the value should be.
    Cname,
    /// The RRset has as many values as it may have.
    Full,
}

/// Every fixture in turn, fresh.
pub fn each(rule: impl Fn(&str, Fixture)) {
    for (name, fixture) in FIXTURES {
        rule(name, fixture());
    }
}

fn value(letter: char) -> Value {
    Value::parse(&letter.to_string().repeat(43)).unwrap()
}

impl Fixture {
    fn grant(&self, domain: &str) -> Grant {
        let domain = Name::host(domain).unwrap();
        let scope = Scope::new(vec![domain.clone()]);
        scope.challenge(&Caller::for_tests("alice"), &domain, soon()).unwrap()
    }

    fn zone(&self, grant: &Grant) -> Result<Zone, Fault> {
        self.provider.zone(grant.owner(), soon())
    }

    fn change(&self, permit: &Permit, deadline: Deadline) -> Result<Receipt, Fault> {
        let zone = self.provider.zone(permit.owner(), deadline)?;
        self.change_in(&zone, permit, deadline)
    }

    fn change_in(&self, zone: &Zone, permit: &Permit, deadline: Deadline) -> Result<Receipt, Fault> {
        let entry = self.ledger.intend(permit).unwrap().expect("no recall");
        let mut outcomes = self.provider.apply(zone, std::slice::from_ref(permit), deadline);
        assert_eq!(outcomes.len(), 1, "one result for each change");
        let outcome = outcomes.remove(0);
        entry.settle(&outcome);
        outcome
    }

    fn set(&self, grant: &Grant, letter: char) {
        self.change(&grant.setup(value(letter)), soon()).unwrap();
    }

    fn remove(&self, grant: &Grant, letter: char) {
        self.change(&grant.teardown(value(letter)), soon()).unwrap();
    }

    #[track_caller]
    fn holds(&self, who: &str, grant: &Grant, letters: &str) {
        let expected: Vec<_> = letters.chars().map(|letter| value(letter).to_string()).collect();
        let mut held = self.stand.held(grant.owner());
        held.sort();
        assert_eq!(held, expected, "{who} at {}", grant.owner());
    }
}

fn soon() -> Deadline {
    Deadline::after(Duration::from_secs(20))
}

#[test]
fn every_row_has_its_fixture() {
    let missing = PROVIDERS.iter().filter(|row| FIXTURES.iter().all(|(name, _)| *name != row.name));
    assert_eq!(missing.map(|row| row.name).collect::<Vec<_>>(), Vec::<&str>::new());
}

#[test]
fn every_name_and_every_predecessor_is_one_row() {
    for row in PROVIDERS {
        assert_eq!(super::find(&row.name.to_uppercase()).map(|found| found.name), Some(row.name));
        if let Some((module, _)) = row.predecessor {
            assert_eq!(super::find(module).map(|found| found.name), Some(row.name));
        }
        assert!(!row.about.is_empty(), "{} says what it is", row.name);
    }
}

#[test]
fn a_value_is_set_and_removed() {
    each(|who, fixture| {
        for domain in fixture.domains {
            let grant = fixture.grant(domain);
            fixture.holds(who, &grant, "");
            fixture.set(&grant, 'a');
            fixture.holds(who, &grant, "a");
            fixture.remove(&grant, 'a');
            fixture.holds(who, &grant, "");
        }
    });
}

#[test]
fn setting_and_removing_twice_is_as_once() {
    each(|who, fixture| {
        for domain in fixture.domains {
            let grant = fixture.grant(domain);
            fixture.remove(&grant, 'a');
            fixture.set(&grant, 'a');
            fixture.set(&grant, 'a');
            fixture.holds(who, &grant, "a");
            fixture.remove(&grant, 'a');
            fixture.remove(&grant, 'a');
            fixture.holds(who, &grant, "");
        }
    });
}

#[test]
fn values_at_one_name_do_not_touch_each_other() {
    each(|who, fixture| {
        for domain in fixture.domains {
            let grant = fixture.grant(domain);
            "abc".chars().for_each(|letter| fixture.set(&grant, letter));
            fixture.holds(who, &grant, "abc");
            fixture.remove(&grant, 'b');
            fixture.holds(who, &grant, "ac");
        }
    });
}

#[test]
fn names_do_not_touch_each_other() {
    each(|who, fixture| {
        let grants: Vec<_> = fixture.domains.iter().map(|domain| fixture.grant(domain)).collect();
        grants.iter().for_each(|grant| fixture.set(grant, 'a'));
        for (index, grant) in grants.iter().enumerate() {
            fixture.remove(grant, 'a');
            grants[..=index].iter().for_each(|gone| fixture.holds(who, gone, ""));
            grants[index + 1..].iter().for_each(|kept| fixture.holds(who, kept, "a"));
        }
    });
}

#[test]
fn several_changes_of_a_zone_have_one_result_each_in_their_order() {
    each(|who, fixture| {
        let grant = fixture.grant(fixture.domains[0]);
        fixture.set(&grant, 'a');
        let permits = [grant.teardown(value('a')), grant.setup(value('b')), grant.setup(value('c'))];
        let entries: Vec<_> = permits.iter().filter_map(|permit| fixture.ledger.intend(permit).unwrap()).collect();
        let outcomes = fixture.provider.apply(&fixture.zone(&grant).unwrap(), &permits, soon());
        assert_eq!(outcomes.len(), 3, "{who}");
        entries.into_iter().zip(&outcomes).for_each(|(entry, outcome)| entry.settle(outcome));
        assert!(outcomes.iter().all(Result::is_ok), "{who}: {outcomes:?}");
        fixture.holds(who, &grant, "bc");
    });
}

#[test]
fn upper_case_is_the_same_name() {
    each(|who, fixture| {
        let domain = fixture.domains[0];
        fixture.set(&fixture.grant(&domain.to_uppercase()), 'a');
        fixture.holds(who, &fixture.grant(domain), "a");
    });
}

#[test]
fn the_longest_zone_is_found_and_a_missing_one_is_said() {
    each(|who, fixture| {
        for (domain, expected) in fixture.zones {
            let found = fixture.zone(&fixture.grant(domain));
            match expected {
                Some(expected) => assert_eq!(found.unwrap().name, Some(Name::owner(expected).unwrap()), "{who}"),
                None => assert!(matches!(found, Err(Fault::NoZone(_))), "{who} at {domain}: {found:?}"),
            }
        }
    });
}

#[test]
fn foreign_values_stay_however_many() {
    each(|who, fixture| {
        let grant = fixture.grant(fixture.domains[0]);
        let mut foreign: Vec<_> = (0..fixture.foreign).map(|number| format!("{number:043}")).collect();
        if fixture.foreign > 0 {
            foreign.push("not a challenge at all".to_string());
            fixture.stand.plant(grant.owner(), &foreign);
        }
        fixture.set(&grant, 'z');
        fixture.set(&grant, 'z');
        fixture.remove(&grant, 'z');
        let mut held = fixture.stand.held(grant.owner());
        held.sort();
        assert!(held == foreign, "{who}: {} of {} foreign values are left", held.len(), foreign.len());
    });
}
