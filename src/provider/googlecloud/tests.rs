//! Google's Cloud DNS against the simulation of its API.

use crate::provider::rest::tests::simulator;

#[path = "../../../tests/provider/googlecloud/simulation.rs"]
mod simulation;

use super::*;
use crate::provider::conformance::{Fixture, Trouble};
use crate::provider::rest::tests::{built, fixture_of};
use crate::scratch::Scratch;
use simulation::{Account, KEY};

/// What the suite for all providers runs on.
pub fn fixture() -> Fixture {
    let fixture = fixture_of::<Account>(&ROW, "", |address| {
        let files = Scratch::new();
        let path = files.file("key.json", &KEY.replace("TOKEN_URI", &format!("http://{address}/token")));
        let settings = vec![("DNSAPI_KEY_FILE", &*path.to_str().unwrap().to_string().leak())];
        (settings.leak(), Some(files))
    });
    Fixture {
        recorded: include_str!("../../../tests/provider/googlecloud/exchange.txt"),
        ..fixture.also(&[Trouble::Conflict, Trouble::SessionEnded])
    }
}

#[test]
fn a_key_that_is_none_is_a_mistake_with_the_remedy_and_is_not_shown() {
    let files = Scratch::new();
    let good = KEY.replace("TOKEN_URI", "https://oauth2.googleapis.com/token");
    for (text, said) in [
        ("hunter2", "not JSON"),
        (&good.replace("private_key_id", "other"), "no private_key_id"),
        (&good.replace("MII", "hunter2"), "not an RSA key"),
        (&good.replace("https:", "http:"), "token_uri"),
        (&good.replace("manhattan\"", "a/b\""), "project_id"),
    ] {
        let path = files.file("key.json", text);
        let mistakes = built(&ROW, &[], &[("DNSAPI_KEY_FILE", path.to_str().unwrap())]).err().unwrap();
        assert!(mistakes.contains(said) && mistakes.contains("make a new key"), "{said}: {mistakes}");
        assert!(!mistakes.contains("hunter2"), "{mistakes}");
    }
    let path = files.file("key.json", &good);
    assert!(built(&ROW, &[], &[("DNSAPI_KEY_FILE", path.to_str().unwrap())]).is_ok());
}
