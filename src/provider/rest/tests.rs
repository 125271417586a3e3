//! What is tested alike for every provider with an HTTP API: their fixtures are built here, from
//! settings as an administrator writes them, over the simulations of tests/provider/.

#[path = "../../../tests/support/simulator.rs"]
#[allow(dead_code, reason = "other tests use the rest of it")]
pub mod simulator;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use self::simulator::{Misbehaviour, Service, Simulator, transcript};
use crate::challenge::{Name, Value};
use crate::config::{Config, Search};
use crate::deadline::Deadline;
use crate::fault::Fault;
use crate::gate::auth::Caller;
use crate::gate::scope::{Grant, Scope};
use crate::ledger::Ledger;
use crate::provider::conformance::{FIXTURES, Fixture, Stand, Trouble};
use crate::provider::{PROVIDERS, Provider, Row, Surroundings, find};
use crate::scratch::Scratch;

const ZONES: &[&str] = &["example.test", "child.example.test", "_acme-challenge.apex.example.test", "example.com"];

/// Settings as name and value.
pub type Settings = &'static [(&'static str, &'static str)];

/// A fresh simulation of this service, and the provider connected to it.
pub fn fixture<S: Service>(row: &Row, path: &str, settings: Settings) -> Fixture {
    fixture_of::<S>(row, path, |_| (settings, None))
}

/// With settings that need the simulation's address, and the folder of the files that they name.
pub fn fixture_of<S: Service>(
    row: &Row,
    path: &str,
    settings: impl FnOnce(SocketAddr) -> (Settings, Option<Scratch>),
) -> Fixture {
    let service = Simulator::<S>::new(ZONES);
    let address = service.listen();
    let url = format!("http://{address}{path}");
    let (settings, files) = settings(address);
    Fixture {
        provider: built(row, settings, &[("DNSAPI_URL", &url)]).unwrap_or_else(|mistakes| panic!("{mistakes}")),
        ledger: Arc::new(Ledger::default()),
        stand: Box::new(service),
        domains: &[
            "example.test",
            "child.example.test",
            "apex.example.test",
            "a.b.c.d.example.com",
            "xn--bcher-kva.example.com",
        ],
        zones: &[
            ("example.test", Some("example.test")),
            ("www.example.test", Some("example.test")),
            ("child.example.test", Some("child.example.test")),
            ("a.b.child.example.test", Some("child.example.test")),
            ("apex.example.test", Some("_acme-challenge.apex.example.test")),
            ("otherexample.test", None),
            ("example.net", None),
        ],
        foreign: 320,
        troubles: &[
            Trouble::WrongCredentials,
            Trouble::Forbidden,
            Trouble::ZoneGone,
            Trouble::TooMany,
            Trouble::Broken,
            Trouble::Garbage,
            Trouble::Silence,
            Trouble::DoneUnanswered,
            Trouble::Cname,
            Trouble::Full,
        ],
        settings,
        recorded: "",
        files,
    }
}

impl Fixture {
    /// Knows of these troubles too.
    pub fn also(self, troubles: &[Trouble]) -> Fixture {
        let all = [self.troubles, troubles].concat();
        Fixture { troubles: all.leak(), ..self }
    }
}

/// The provider of a configuration, or what is wrong with that.
pub fn built(row: &Row, settings: Settings, more: &[(&str, &str)]) -> Result<Box<dyn Provider>, String> {
    let written = |name: &str| settings.iter().chain(more).find(|(known, _)| *known == name);
    let environment = |name: &str| written(name).map(|(_, value)| value.to_string());
    let search = Search { named: None, file_name: "none", last: None };
    let known = [crate::config::SETTINGS, &row.settings.concat()].concat();
    let (config, mut mistakes) = Config::load(&known, Vec::new(), environment, search).unwrap();
    let surroundings = Surroundings { ledger: Arc::default(), domains: Vec::new() };
    let provider = (row.build)(&config, &mut mistakes, &surroundings);
    mistakes.finish(provider).map_err(|failure| failure.to_string())
}

impl<S: Service> Stand for Arc<Simulator<S>> {
    fn held(&self, owner: &Name) -> Vec<String> {
        self.txt(owner.as_str())
    }

    fn plant(&self, owner: &Name, values: &[String]) {
        let zone = self.with(|service| service.zones().of(owner.as_str())).unwrap();
        values.iter().for_each(|value| Simulator::plant(self, &zone, owner.as_str(), "TXT", value));
    }

    fn plant_cname(&self, owner: &Name) {
        let zone = self.with(|service| service.zones().of(owner.as_str())).unwrap();
        Simulator::plant(self, &zone, owner.as_str(), "CNAME", "target.example.net");
    }

    fn limit(&self, values: usize) {
        self.with(|service| service.zones().limit = Some(values));
    }

    fn transcript(&self) -> String {
        transcript(&self.asked())
    }

    fn happens(&self, trouble: Option<Trouble>) {
        self.misbehave(trouble.and_then(|trouble| match trouble {
            Trouble::SessionEnded => {
                self.with(Service::end_sessions);
                None
            }
            Trouble::WrongCredentials => Some(Misbehaviour::OtherPassword),
            Trouble::Forbidden => Some(Misbehaviour::Status(403)),
            Trouble::ZoneGone => Some(Misbehaviour::Status(404)),
            Trouble::Conflict => Some(Misbehaviour::Change(self.with(|service| service.conflict()))),
            Trouble::TooMany => Some(Misbehaviour::Status(429)),
            Trouble::Broken => Some(Misbehaviour::Status(500)),
            Trouble::Garbage => Some(Misbehaviour::Garbage),
            Trouble::Silence => Some(Misbehaviour::Silence),
            Trouble::DoneUnanswered => Some(Misbehaviour::DoneUnanswered),
            Trouble::Cname | Trouble::Full => unreachable!("these are planted"),
        }));
    }
}

fn soon() -> Deadline {
    Deadline::after(Duration::from_secs(20))
}

pub fn grant(domain: &str) -> Grant {
    let domain = Name::host(domain).unwrap();
    Scope::new(vec![domain.clone()]).challenge(&Caller::for_tests("alice"), &domain, soon()).unwrap()
}

/// Every provider with an HTTP API, and what its configuration needs.
fn each(rule: impl Fn(&'static Row, Settings)) {
    let mut count = 0;
    for (name, fixture) in FIXTURES {
        let fixture = fixture();
        if !fixture.settings.is_empty() {
            rule(find(name).unwrap(), fixture.settings);
            count += 1;
        }
    }
    assert!(count > 1 && count < PROVIDERS.len());
}

/// What the documentation says lies in the files; what is sent and read has to be that.
#[test]
fn what_is_said_is_what_was_recorded() {
    let mut wrong = String::new();
    for (name, fixture) in FIXTURES {
        let fixture = fixture();
        if fixture.recorded.is_empty() {
            continue;
        }
        let grant = grant("www.example.test");
        let value = || Value::parse("BoioGwWDRRrAaNnDdOoMmTtOoKkEeNnQ9JRjEqVZnDw").unwrap();
        let zone = fixture.provider.zone(grant.owner(), soon()).unwrap();
        for permit in [grant.setup(value()), grant.teardown(value())] {
            let receipt = fixture.provider.apply(&zone, &[permit], soon()).remove(0).unwrap();
            while !fixture.provider.landed(&receipt, soon()).unwrap() {}
        }
        let said = fixture.stand.transcript();
        if said != fixture.recorded {
            wrong += &format!("{name} said otherwise than in its exchange.txt:\n{said}=====\n");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn plain_http_goes_to_loopback_only() {
    each(|row, settings| {
        for remote in ["http://192.0.2.1", "http://api.example/v1"] {
            let mistakes = built(row, settings, &[("DNSAPI_URL", remote)]).err().unwrap();
            assert!(mistakes.contains("DNSAPI_URL") && mistakes.contains("https://"), "{}: {mistakes}", row.name);
        }
        let own = built(row, settings, &[("DNSAPI_URL", "https://me:hunter2@api.example")]).err().unwrap();
        assert!(own.contains("DNSAPI_URL") && !own.contains("hunter2"), "{}: {own}", row.name);
    });
}

#[test]
fn a_proxy_that_is_down_is_named() {
    let (address, _taken) = crate::http::tests::nobody_listens();
    each(|row, settings| {
        let proxy = format!("http://{address}");
        let more = [("DNSAPI_URL", "https://api.example"), ("ALL_PROXY", &proxy)];
        let provider = built(row, settings, &more).unwrap_or_else(|mistakes| panic!("{mistakes}"));
        let fault = provider.zone(grant("example.test").owner(), soon()).unwrap_err();
        assert!(matches!(&fault, Fault::Busy(text, None) if text.contains(&address)), "{}: {fault}", row.name);
    });
}
