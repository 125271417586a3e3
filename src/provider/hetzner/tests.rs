//! Hetzner against the simulation of its API.

use crate::provider::rest::tests::simulator;

#[path = "../../../tests/provider/hetzner/simulation.rs"]
mod simulation;

use super::*;
use crate::provider::conformance::{Fixture, Trouble};
use crate::provider::rest::tests::fixture as rest_fixture;
use simulation::{Account, TOKEN};

/// What the suite for all providers runs on.
pub fn fixture() -> Fixture {
    let fixture = rest_fixture::<Account>(&ROW, "/v1", &[("DNSAPI_PASSWORD", TOKEN)]).also(&[Trouble::Conflict]);
    Fixture { recorded: include_str!("../../../tests/provider/hetzner/exchange.txt"), ..fixture }
}
