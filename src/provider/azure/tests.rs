//! Azure DNS against the simulation of its API.

use crate::provider::rest::tests::simulator;

#[path = "../../../tests/provider/azure/simulation.rs"]
mod simulation;

use super::*;
use crate::provider::conformance::{Fixture, Trouble};
use crate::provider::rest::tests::fixture_of;
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
