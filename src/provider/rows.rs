//! What holds for every row of the table, whatever its provider does: shown by building each from
//! nothing, and from what it says that it needs.

use std::sync::Arc;

use super::{PROVIDERS, Row, Surroundings};
use crate::config::{Config, Search, Setting};
use crate::http;
use crate::settings;

/// What the build of a row has to say about these settings; empty if it is content.
fn told(row: &Row, written: &[(&str, &str)]) -> String {
    let search = Search { named: None, file_name: "none", last: None };
    let environment = |name: &str| written.iter().find(|(one, _)| *one == name).map(|(_, value)| value.to_string());
    let (config, mut mistakes) = Config::load(&settings::serve(), Vec::new(), environment, search).unwrap();
    let surroundings = Surroundings { ledger: Arc::default(), domains: Vec::new() };
    let built = (row.build)(&config, &mut mistakes, &surroundings);
    mistakes.finish(built).err().map(|failure| failure.to_string()).unwrap_or_default()
}

#[test]
fn what_a_row_requires_is_what_its_build_asks_for() {
    for row in PROVIDERS {
        let told = told(row, &[]);
        for setting in row.settings() {
            let asked_for = told.contains(&format!("{} is not set", setting.name));
            assert_eq!(asked_for, setting.required, "{} of {}: {told}", setting.name, row.name);
        }
    }
}

/// One name is read in one way, whatever it means to whom.
#[test]
fn a_name_in_two_rows_has_one_default_and_is_a_secret_in_both_or_in_none() {
    let known = settings::all();
    for (row, setting) in PROVIDERS.iter().flat_map(|row| row.settings().map(move |setting| (row, setting))) {
        let first = known.iter().find(|first| first.name == setting.name).unwrap();
        let one = |setting: &Setting| (setting.default, setting.secret, setting.lists);
        assert_eq!(one(first), one(setting), "{} of {}", setting.name, row.name);
    }
}

/// Credentials go there. Whoever has no TLS on the other side brings it to loopback by a tunnel.
#[test]
fn a_plain_http_address_is_taken_on_loopback_only_by_every_row_that_takes_one() {
    let has = |row: &Row, name: &str| row.settings().any(|setting| setting.name == name);
    let rows = PROVIDERS.iter().filter(|row| has(row, "DNSAPI_URL") && has(row, http::SETTINGS[0].name));
    for row in rows.clone() {
        for (address, is_taken) in [
            ("http://192.0.2.1:8081", false),
            ("http://localhost.example.com", false),
            ("http://api.example.com/v1", false),
            ("http://127.0.0.1:8081", true),
            ("http://[::1]:8081/v1", true),
            ("https://api.example.com/v1", true),
        ] {
            let told = told(row, &[("DNSAPI_URL", address)]);
            let refused = told.lines().any(|line| line.contains("DNSAPI_URL") && line.contains("write https://"));
            assert_eq!(refused, !is_taken, "{} at {address}: {told}", row.name);
        }
    }
    assert!(rows.count() >= 2, "openprovider and powerdns at least");
}
