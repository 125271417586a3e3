//! deSEC against the simulation of its API.

use crate::provider::rest::tests::simulator;

#[path = "../../../tests/provider/desec/simulation.rs"]
mod simulation;

use super::*;
use crate::provider::conformance::Fixture;
use crate::provider::rest::tests::fixture as rest_fixture;
use simulation::{Account, TOKEN};

/// What the suite for all providers runs on.
pub fn fixture() -> Fixture {
    Fixture {
        recorded: include_str!("../../../tests/provider/desec/exchange.txt"),
        ..rest_fixture::<Account>(&ROW, "/api/v1", &[("DNSAPI_PASSWORD", TOKEN)])
    }
}
