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

/// From the tests of OVHcloud's own clients: go-ovh's TestVersionInURL and python-ovh's test_call_signature.
#[test]
fn a_request_is_signed_as_the_clients_of_the_service_sign_it() {
    let keys = Keys {
        application: "TDPKJdwZwAQPwKX2".to_string(),
        secret: Secret::new("9ufkBmLaTQ9nz5yMUlg79taH0GNnzDjk".to_string()),
        consumer: Secret::new("5mBuy6SUQcRw2ZUxg0cG68BoDKpED4KY".to_string()),
    };
    let body = r#"{"a":"b","c":"d"}"#.to_string();
    for (base, draft, signature) in [
        ("https://eu.api.ovh.com/v1", Draft::new("GET", "/call"), "e6e7906d385eb28adcbfbe6b66c1528a42d741ad"),
        ("https://eu.api.ovh.com/1.0", Draft::new("DELETE", "/auth"), "a1eecd00b3b02b6cf5708b84b9ff42059a950d85"),
        (
            "https://eu.api.ovh.com/1.0",
            Draft { body: Some(body), ..Draft::new("POST", "/auth") },
            "ec2fb5c7a81f64723c77d2e5b609ae6f58a84fc1",
        ),
    ] {
        let headers = keys.signed(base, &draft, 1_457_018_875);
        let (name, value) = headers.last().unwrap();
        assert_eq!((*name, value.reveal()), ("x-ovh-signature", format!("$1${signature}").as_str()));
    }
}
