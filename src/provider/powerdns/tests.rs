//! PowerDNS against the simulation of its API, in the old kind and the new one.

use crate::provider::rest::tests::simulator;

#[path = "../../../tests/provider/powerdns/simulation.rs"]
mod simulation;

use super::*;
use crate::provider::conformance::Fixture;
use crate::provider::rest::tests::{Settings, built, fixture as rest_fixture, grant};
use simulation::{Account, KEY};

const ACCOUNT: Settings = &[("DNSAPI_PASSWORD", KEY)];

/// What the suite for all providers runs on: a server that knows EXTEND and PRUNE.
pub fn fixture() -> Fixture {
    Fixture {
        recorded: include_str!("../../../tests/provider/powerdns/exchange.txt"),
        ..rest_fixture::<Account>(&ROW, "", ACCOUNT)
    }
}

fn soon() -> Deadline {
    Deadline::after(std::time::Duration::from_secs(20))
}

#[test]
fn a_server_of_old_gets_whole_rrsets_and_is_asked_once() {
    let service = simulator::Simulator::<Account>::new(&["example.test"]);
    service.with(|account| account.is_old = true);
    let url = format!("http://{}", service.listen());
    let provider = built(&ROW, ACCOUNT, &[("DNSAPI_URL", &url)]).unwrap();
    let grant = grant("www.example.test");
    let value = |letter: &str| Value::parse(&letter.repeat(43)).unwrap();
    let name = grant.owner().as_str();
    service.plant("example.test", name, "TXT", "foreign");
    let zone = provider.zone(grant.owner(), soon()).unwrap();
    for (permit, held) in [
        (grant.setup(value("a")), vec!["foreign".to_string(), value("a").to_string()]),
        (grant.teardown(value("a")), vec!["foreign".to_string()]),
        (grant.teardown(value("b")), vec!["foreign".to_string()]),
    ] {
        provider.apply(&zone, &[permit], soon()).remove(0).unwrap();
        assert_eq!(service.txt(name), held);
    }
    let refused = service.asked().iter().filter(|asked| asked.status == 422).count();
    assert_eq!(refused, 1, "what the server does not know is tried once");
    assert!(service.with(|account| simulator::Service::zones(account).at("example.test", name))[0].ttl == 3600);
}

#[test]
fn an_rrset_of_ours_alone_is_deleted_with_its_last_value() {
    let service = simulator::Simulator::<Account>::new(&["example.test"]);
    service.with(|account| account.is_old = true);
    let url = format!("http://{}", service.listen());
    let provider = built(&ROW, ACCOUNT, &[("DNSAPI_URL", &url)]).unwrap();
    let grant = grant("example.test");
    let value = || Value::parse(&"a".repeat(43)).unwrap();
    let zone = provider.zone(grant.owner(), soon()).unwrap();
    for permit in [grant.setup(value()), grant.teardown(value())] {
        provider.apply(&zone, &[permit], soon()).remove(0).unwrap();
    }
    let last = service.asked().pop().unwrap();
    assert_eq!(last.request.json()["rrsets"][0]["changetype"], "DELETE");
}
