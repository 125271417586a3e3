//! OVHcloud against the simulation of its API.

use crate::provider::rest::tests::simulator;

#[path = "../../../tests/provider/ovh/simulation.rs"]
mod simulation;

use super::*;
use crate::provider::conformance::Fixture;
use crate::provider::rest::tests::{Settings, built, fixture as rest_fixture, grant};
use simulation::{APPLICATION, Account, CONSUMER, SECRET};

const ACCOUNT: Settings =
    &[("DNSAPI_USERNAME", APPLICATION), ("DNSAPI_PASSWORD", SECRET), ("DNSAPI_CONSUMER_KEY", CONSUMER)];

/// What the suite for all providers runs on.
pub fn fixture() -> Fixture {
    Fixture {
        recorded: include_str!("../../../tests/provider/ovh/exchange.txt"),
        ..rest_fixture::<Account>(&ROW, "/v1", ACCOUNT)
    }
}

/// The record is there, and no name server knows of it: the next try has to publish it.
#[test]
fn what_was_changed_and_not_published_is_published_by_the_next_try() {
    let service = simulator::Simulator::<Account>::new(&["example.test"]);
    let url = format!("http://{}/v1", service.listen());
    let provider = built(&ROW, ACCOUNT, &[("DNSAPI_URL", &url)]).unwrap();
    let grant = grant("www.example.test");
    let value = || Value::parse(&"a".repeat(43)).unwrap();
    let deadline = Deadline::after(std::time::Duration::from_secs(20));
    let zone = provider.zone(grant.owner(), deadline).unwrap();
    let name = grant.owner().as_str();
    for (permit, held) in [(grant.setup(value()), vec![value().to_string()]), (grant.teardown(value()), Vec::new())] {
        service.with(|account| account.refuses_refresh = true);
        let outcome = provider.apply(&zone, std::slice::from_ref(&permit), deadline).remove(0);
        assert!(matches!(&outcome, Err(Fault::Unknown(text)) if text.contains("not published")), "{outcome:?}");
        service.with(|account| account.refuses_refresh = false);
        provider.apply(&zone, &[permit], deadline).remove(0).unwrap();
        assert_eq!(service.with(|account| account.published(name)), held);
    }
}
