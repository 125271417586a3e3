//! Azure DNS against the simulation of its API.

use crate::provider::rest::tests::simulator;

#[path = "../../../tests/provider/azure/simulation.rs"]
mod simulation;

use super::*;
use crate::provider::conformance::{Fixture, Trouble};
use crate::provider::rest::tests::{built, fixture_of, grant};
use simulation::{Account, CLIENT, SECRET, TENANT};

/// What the suite for all providers runs on.
pub fn fixture() -> Fixture {
    let fixture = fixture_of::<Account>(&ROW, "", |address| {
        let settings = vec![
            ("DNSAPI_USERNAME", CLIENT),
            ("DNSAPI_PASSWORD", SECRET),
            ("DNSAPI_TENANT", TENANT),
            ("DNSAPI_SUBSCRIPTION", "sub-1"),
            ("DNSAPI_GROUP", "dns"),
            ("DNSAPI_LOGIN_URL", &*format!("http://{address}").leak()),
        ];
        (settings.leak(), None)
    });
    Fixture {
        recorded: include_str!("../../../tests/provider/azure/exchange.txt"),
        ..fixture.also(&[Trouble::Conflict, Trouble::SessionEnded])
    }
}

#[test]
fn a_private_zone_is_none() {
    let service = simulator::Simulator::<Account>::new(&["example.test"]);
    let url = format!("http://{}", service.listen());
    let settings = &[
        ("DNSAPI_USERNAME", CLIENT),
        ("DNSAPI_PASSWORD", SECRET),
        ("DNSAPI_TENANT", TENANT),
        ("DNSAPI_SUBSCRIPTION", "sub-1"),
        ("DNSAPI_GROUP", "dns"),
    ];
    let provider = built(&ROW, settings, &[("DNSAPI_URL", &url), ("DNSAPI_LOGIN_URL", &url)]).unwrap();
    let grant = grant("www.example.test");
    let zone = || provider.zone(grant.owner(), Deadline::after(std::time::Duration::from_secs(20)));
    service.with(|account| account.is_private = true);
    let outcome = zone();
    assert!(matches!(outcome, Err(crate::fault::Fault::NoZone(_))), "{:?}", outcome.err());
    service.with(|account| account.is_private = false);
    assert!(zone().is_ok());
}

#[test]
fn a_refusal_is_read_in_each_of_its_forms() {
    for body in [
        r#"{"error": {"code": "Conflict", "message": "no"}}"#,
        r#"{"code": "Conflict", "message": "no"}"#,
        r#"{"error": "Conflict", "error_description": "no"}"#,
    ] {
        let (code, reason) = (PROFILE.reason)(body.as_bytes());
        assert_eq!((code.as_str(), reason.as_str()), ("Conflict", "no"), "{body}");
    }
}
