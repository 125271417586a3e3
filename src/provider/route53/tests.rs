//! Route 53 against the simulation of its API.

use crate::provider::rest::tests::simulator;

#[path = "../../../tests/provider/route53/simulation.rs"]
mod simulation;

use super::*;
use crate::provider::conformance::{Fixture, Trouble};
use crate::provider::rest::tests::fixture as rest_fixture;
use simulation::{Account, ID, SECRET};

/// What the suite for all providers runs on.
pub fn fixture() -> Fixture {
    let settings = &[("DNSAPI_USERNAME", ID), ("DNSAPI_PASSWORD", SECRET)];
    let fixture = rest_fixture::<Account>(&ROW, "", settings).also(&[Trouble::Conflict]);
    Fixture { recorded: include_str!("../../../tests/provider/route53/exchange.txt"), ..fixture }
}

#[test]
fn both_forms_of_a_refused_batch_are_read() {
    let new = r#"<ErrorResponse><Error><Code>InvalidChangeBatch</Code><Message>no</Message></Error></ErrorResponse>"#;
    let old = r#"<InvalidChangeBatch><Messages><Message>no</Message></Messages></InvalidChangeBatch>"#;
    for body in [new, old] {
        let (code, reason) = (PROFILE.reason)(body.as_bytes());
        assert_eq!((code.as_str(), reason.as_str()), ("InvalidChangeBatch", "no"));
    }
}
