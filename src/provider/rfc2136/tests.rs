use super::*;
use crate::challenge::Value;
use crate::config::Search;
use crate::dns::primary::{self, Primary};
use crate::gate::auth::Caller;
use crate::gate::scope::{Grant, Scope};
use crate::ledger::Ledger;
use crate::provider::conformance::{Fixture, Stand};
use crate::secret::Secret;
use std::sync::Arc;
use std::time::Duration;

const SECRET: &str = "c2VjcmV0IG9mIHRoZSBrZXk=";
/// The provider as it is built from a configuration, or what is wrong with that.
fn built(url: &str, user: &str, password: &str, algorithm: &str) -> Result<Box<dyn Provider>, String> {
    let written = [
        ("DNSAPI_URL", url),
        ("DNSAPI_USERNAME", user),
        ("DNSAPI_PASSWORD", password),
        ("DNSAPI_ALGORITHM", algorithm),
    ];
    let arguments = written.into_iter().filter(|(_, value)| !value.is_empty());
    let arguments = arguments.map(|(name, value)| (name, "test", value.to_string())).collect();
    let search = Search { named: None, file_name: "no such file", last: None };
    let (config, mut mistakes) = Config::load(SETTINGS, arguments, |_| None, search).unwrap();
    let surroundings = Surroundings { ledger: Arc::new(Ledger::default()), domains: vec![domain()] };
    let provider = (ROW.build)(&config, &mut mistakes, &surroundings);
    mistakes.finish(provider).map_err(|failure| failure.to_string())
}

fn domain() -> Name {
    Name::host("example.com").unwrap()
}

fn key() -> Key {
    let name = Name::owner("acmegw-key").unwrap();
    Key::new(&name, &Secret::new(SECRET.to_string()), ALGORITHMS[0].1).unwrap()
}

fn primary(fault: primary::Fault) -> Primary {
    Primary::start("example.com", &["_acme-challenge.alias.example.com"], key(), fault)
}

fn provider(primary: &Primary) -> Box<dyn Provider> {
    built(&primary.address.to_string(), "acmegw-key", SECRET, "").unwrap()
}

/// What the suite for all providers runs on.
pub(in crate::provider) fn fixture() -> Fixture {
    let primary = primary(primary::Fault::None);
    Fixture {
        provider: provider(&primary),
        ledger: Arc::new(Ledger::default()),
        stand: Box::new(primary),
        domains: &["example.com", "www.example.com", "a.b.c.d.example.com"],
        zones: &[("a.b.example.com", Some("example.com")), ("example.net", None)],
        foreign: 300,
        // Its troubles are shown below, where the stand-in's own faults are.
        troubles: &[],
        settings: &[],
        recorded: "",
        files: None,
    }
}

impl Stand for Primary {
    fn held(&self, owner: &Name) -> Vec<String> {
        self.values(owner)
    }

    fn plant(&self, owner: &Name, values: &[String]) {
        values.iter().for_each(|value| self.insert(owner, value));
    }
}

fn deadline() -> Deadline {
    Deadline::after(Duration::from_secs(20))
}

fn grant(domain_text: &str) -> Grant {
    let name = Name::host(domain_text).unwrap();
    Scope::new(vec![domain()]).challenge(&Caller::for_tests("alice"), &name, deadline()).unwrap()
}

fn value(letter: &str) -> Value {
    Value::parse(&letter.repeat(43)).unwrap()
}

fn apply(provider: &dyn Provider, permit: Permit, deadline: Deadline) -> Result<Receipt, Fault> {
    let zone = Zone { service: String::new(), name: Some(domain()), key: String::new() };
    let mut results = provider.apply(&zone, &[permit], deadline);
    assert_eq!(results.len(), 1);
    results.remove(0)
}

/// Looks the zone up and sets a value, both against a server with this fault.
fn faults(fault: primary::Fault) -> (Result<Zone, Fault>, Result<Receipt, Fault>) {
    let (primary, grant) = (primary(fault), grant("example.com"));
    let (provider, short) = (provider(&primary), Duration::from_millis(300));
    let patience = || if fault == primary::Fault::Silent { Deadline::after(short) } else { deadline() };
    (provider.zone(grant.owner(), patience()), apply(&*provider, grant.setup(value("a")), patience()))
}

#[test]
fn the_zone_is_found_by_its_soa() {
    let primary = primary(primary::Fault::None);
    let zone = provider(&primary).zone(grant("a.b.example.com").owner(), deadline()).unwrap();
    assert_eq!(zone, Zone { service: primary.address.to_string(), name: Some(domain()), key: String::new() });
    let elsewhere = Name::owner("_acme-challenge.example.org").unwrap();
    let fault = provider(&primary).zone(&elsewhere, deadline()).unwrap_err();
    assert!(
        matches!(&fault, Fault::NoZone(text) if text.contains("REFUSED") && text.contains("acmegw-key")),
        "{fault}"
    );
}

#[test]
fn a_cname_does_not_lead_into_the_zone_it_points_to() {
    let primary = primary(primary::Fault::None);
    let zone = provider(&primary).zone(grant("alias.example.com").owner(), deadline()).unwrap();
    assert_eq!(zone.name, Some(domain()));
}

#[test]
fn a_cname_in_the_way_is_refused_and_not_ignored() {
    let primary = primary(primary::Fault::None);
    let fault = apply(&*provider(&primary), grant("alias.example.com").setup(value("a")), deadline()).unwrap_err();
    assert!(matches!(&fault, Fault::Refused(text) if text.contains("CNAME")), "{fault}");
}

#[test]
fn a_zone_that_the_server_is_not_primary_of_is_said_to_be_so() {
    let primary = primary(primary::Fault::None);
    let zone = Zone { service: String::new(), name: Some(Name::host("com").unwrap()), key: String::new() };
    let results = provider(&primary).apply(&zone, &[grant("example.com").setup(value("a"))], deadline());
    assert!(matches!(&results[0], Err(Fault::NoZone(text)) if text.contains("primary")), "{results:?}");
}

#[test]
fn the_server_refuses_for_a_reason() {
    let refused = |rcode| faults(primary::Fault::Rcode(rcode)).1.unwrap_err();
    assert!(matches!(refused(Rcode::REFUSED), Fault::Refused(text) if text.contains("update-policy")));
    assert!(matches!(refused(Rcode::NOTZONE), Fault::NoZone(_)));
    assert!(matches!(refused(Rcode::NXDOMAIN), Fault::NoZone(_)));
    assert!(matches!(refused(Rcode::SERVFAIL), Fault::Busy(text, None) if text.contains("log")));
    assert!(matches!(refused(Rcode::NOTIMP), Fault::Refused(_)));
}

#[test]
fn silence_leaves_a_change_unknown_and_a_look_up_undone() {
    let (zone, change) = faults(primary::Fault::Silent);
    assert!(matches!(zone, Err(Fault::Busy(text, None)) if text.contains("does not answer")));
    assert!(matches!(change, Err(Fault::Unknown(text)) if text.contains("does not answer")));
}

#[test]
fn nobody_there_is_certain_not_to_have_changed_anything() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let provider = built(&closed.to_string(), "acmegw-key", SECRET, "").unwrap();
    let fault = apply(&*provider, grant("example.com").setup(value("a")), deadline()).unwrap_err();
    assert!(matches!(&fault, Fault::Busy(text, None) if text.contains(&closed.to_string())), "{fault}");
}

#[test]
fn answers_without_our_signature_prove_nothing() {
    for fault in [primary::Fault::Stripped, primary::Fault::Altered] {
        let (zone, change) = faults(fault);
        assert!(matches!(zone, Err(Fault::Auth(_))), "{fault:?}");
        assert!(matches!(change, Err(Fault::Unknown(_))), "{fault:?}");
    }
}

#[test]
fn a_wrong_key_secret_or_clock_is_named() {
    let primary_address = primary(primary::Fault::None).address.to_string();
    let bad_signature = primary(primary::Fault::BadSignature).address.to_string();
    let wrong_clock = primary(primary::Fault::Clock(-4000)).address.to_string();
    for (server, user, password, algorithm, said) in [
        (&primary_address, "other-key", SECRET, "", "BADKEY"),
        (&primary_address, "acmegw-key", SECRET, "hmac-sha512", "algorithm"),
        (&bad_signature, "acmegw-key", "b3RoZXI=", "", "BADSIG"),
        (&wrong_clock, "acmegw-key", SECRET, "", "ahead of its clock (BADTIME)"),
    ] {
        let provider = built(server, user, password, algorithm).unwrap();
        let faults = [
            provider.zone(grant("example.com").owner(), deadline()).unwrap_err(),
            apply(&*provider, grant("example.com").setup(value("a")), deadline()).unwrap_err(),
        ];
        for fault in faults {
            assert!(matches!(&fault, Fault::Auth(text) if text.contains(said) && text.contains(user)), "{fault}");
            assert!(!fault.to_string().contains(password));
        }
    }
}

#[test]
fn wrong_settings_are_mistakes_that_show_no_secret() {
    for (url, user, password, algorithm, said) in [
        ("", "key", SECRET, "", "DNSAPI_URL is not set"),
        ("https://192.0.2.1", "key", SECRET, "", "write the name server's address"),
        ("192.0.2.1", "", SECRET, "", "DNSAPI_USERNAME is not set"),
        ("192.0.2.1", "my key", SECRET, "", "name of the TSIG key"),
        ("192.0.2.1", "key", "", "", "DNSAPI_PASSWORD is not set"),
        ("192.0.2.1", "key", "hunter2!", "", "DNSAPI_PASSWORD is not base64"),
        ("192.0.2.1", "key", SECRET, "hmac-md5", "hmac-sha256"),
    ] {
        let text = built(url, user, password, algorithm).err().unwrap();
        assert!(text.contains(said) && !text.contains("hunter2"), "{text}");
    }
    assert!(built("ns.example.net", "key.", SECRET, "HMAC-SHA1").is_ok());
}
