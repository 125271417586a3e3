//! OpenProvider against the simulation of its API.

use crate::provider::rest::tests::simulator;

#[path = "../../../tests/support/openprovider.rs"]
mod simulation;

use std::sync::Arc;
use std::time::Duration;

use self::simulation::{PAGE, PASSWORD, USERNAME};
use self::simulator::{Asked, Misbehaviour};
use super::*;
use crate::gate::scope::{Grant, Permit};
use crate::provider::conformance::{Fixture, Trouble};
use crate::provider::rest::judge::No;
use crate::provider::rest::tests as rest_tests;

const VALUE: &str = "BoioGwWDRRrAaNnDdOoMmTtOoKkEeNnQ9JRjEqVZnDw";
const ACCOUNT: rest_tests::Settings = &[("DNSAPI_USERNAME", USERNAME), ("DNSAPI_PASSWORD", PASSWORD)];

/// What the suite for all providers runs on.
pub fn fixture() -> Fixture {
    Fixture {
        foreign: PAGE + 1,
        // It knows no status 403: everything but a login is a code.
        troubles: &[
            Trouble::SessionEnded,
            Trouble::WrongCredentials,
            Trouble::ZoneGone,
            Trouble::TooMany,
            Trouble::Broken,
            Trouble::Garbage,
            Trouble::Silence,
            Trouble::DoneUnanswered,
            Trouble::Cname,
            Trouble::Full,
        ],
        ..rest_tests::fixture::<simulation::Account>(&ROW, "/v1beta", ACCOUNT)
    }
}

fn connected(zones: &[&str]) -> (Arc<simulation::OpenProvider>, Box<dyn Provider>) {
    let service = simulation::OpenProvider::new(zones);
    let url = format!("http://{}/v1beta", service.listen());
    let provider = rest_tests::built(&ROW, ACCOUNT, &[("DNSAPI_URL", &url)]);
    (service, provider.unwrap_or_else(|mistakes| panic!("{mistakes}")))
}

fn soon() -> Deadline {
    Deadline::after(Duration::from_secs(20))
}

fn grant(domain: &str) -> Grant {
    rest_tests::grant(domain)
}

fn setup() -> Permit {
    grant("www.example.test").setup(Value::parse(VALUE).unwrap())
}

fn teardown() -> Permit {
    grant("www.example.test").teardown(Value::parse(VALUE).unwrap())
}

fn change(provider: &dyn Provider, permit: &Permit) -> Result<Receipt, Fault> {
    let zone = provider.zone(permit.owner(), soon())?;
    provider.apply(&zone, std::slice::from_ref(permit), soon()).remove(0)
}

fn recorded(text: &str) -> Json {
    serde_json::from_str(text).unwrap()
}

fn lines(asked: &[Asked]) -> Vec<String> {
    asked.iter().map(Asked::line).collect()
}

#[test]
fn what_is_sent_is_what_was_recorded() {
    let (service, provider) = connected(&["example.test"]);
    change(&*provider, &setup()).unwrap();
    let asked = service.asked();
    assert_eq!(
        lines(&asked),
        [
            "POST /v1beta/auth/login 200",
            "GET /v1beta/dns/zones/_acme-challenge.www.example.test 500",
            "GET /v1beta/dns/zones/www.example.test 500",
            "GET /v1beta/dns/zones/example.test 200",
            "PUT /v1beta/dns/zones/example.test 200",
        ]
    );
    assert_eq!(
        asked[0].request.json(),
        recorded(include_str!("../../../tests/provider/openprovider/login.request.json"))
    );
    assert_eq!(
        asked[4].request.json(),
        recorded(include_str!("../../../tests/provider/openprovider/add.request.json"))
    );
    change(&*provider, &teardown()).unwrap();
    let asked = service.asked();
    let query = "record_name_pattern=_acme-challenge.www*&type=TXT&limit=500&offset=0";
    assert_eq!(lines(&asked)[3], format!("GET /v1beta/dns/zones/example.test/records?{query} 200"));
    assert_eq!(
        asked[4].request.json(),
        recorded(include_str!("../../../tests/provider/openprovider/remove.request.json"))
    );
}

#[test]
fn one_login_serves_many_calls_and_many_threads() {
    let (service, provider) = connected(&["example.test"]);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| provider.zone(setup().owner(), soon()).unwrap());
        }
    });
    let logins = service.asked().iter().filter(|asked| asked.request.method == "POST").count();
    assert_eq!(logins, 1);
}

#[test]
fn a_session_is_renewed_once_by_status_and_by_code() {
    let (service, provider) = connected(&["example.test"]);
    change(&*provider, &setup()).unwrap();
    for status in [401, 500] {
        service.end_sessions(status);
        service.asked();
        change(&*provider, &setup()).unwrap();
        let asked = lines(&service.asked());
        assert_eq!(asked[0], format!("GET /v1beta/dns/zones/_acme-challenge.www.example.test {status}"));
        assert_eq!(asked[1], "POST /v1beta/auth/login 200");
        assert_eq!(asked.iter().filter(|line| line.starts_with("POST")).count(), 1);
    }
}

#[test]
fn wrong_credentials_cost_one_login_and_are_not_shown() {
    let (service, provider) = connected(&["example.test"]);
    service.misbehave(Some(Misbehaviour::OtherPassword));
    let Err(Fault::Auth(text)) = change(&*provider, &setup()) else { panic!("not Auth") };
    assert!(text.contains("DNSAPI_PASSWORD") && !text.contains(PASSWORD), "{text}");
    assert_eq!(lines(&service.asked()), ["POST /v1beta/auth/login 500"]);
}

#[test]
fn a_blocked_account_is_not_asked_again() {
    let (service, provider) = connected(&["example.test"]);
    service.block();
    assert!(matches!(change(&*provider, &setup()), Err(Fault::Auth(text)) if text.contains("support")));
    assert_eq!(service.asked().len(), 1);
}

#[test]
fn a_redirect_is_not_followed_and_points_at_the_address() {
    let (service, provider) = connected(&["example.test"]);
    service.misbehave(Some(Misbehaviour::Redirect));
    assert!(matches!(change(&*provider, &setup()), Err(Fault::Refused(text)) if text.contains("DNSAPI_URL")));
}

#[test]
fn a_page_for_people_is_no_answer_and_nothing_of_it_is_shown() {
    let (service, provider) = connected(&["example.test"]);
    let zone = provider.zone(setup().owner(), soon()).unwrap();
    service.misbehave(Some(Misbehaviour::Html));
    let outcome = provider.apply(&zone, &[setup()], soon()).remove(0);
    assert!(matches!(&outcome, Err(Fault::Unknown(text)) if !text.contains("Welcome")), "{outcome:?}");
    assert!(matches!(provider.zone(setup().owner(), soon()), Err(Fault::Busy(..))));
}

#[test]
fn what_was_certainly_not_done_is_tried_again_and_what_may_be_is_not() {
    let (service, provider) = connected(&["example.test"]);
    let zone = provider.zone(setup().owner(), soon()).unwrap();
    for (misbehaviour, calls) in [(Misbehaviour::Status(429), 3), (Misbehaviour::Status(500), 1)] {
        service.asked();
        service.misbehave(Some(misbehaviour));
        provider.apply(&zone, &[setup()], soon()).remove(0).unwrap_err();
        assert_eq!(service.asked().len(), calls, "{misbehaviour:?}");
    }
}

#[test]
fn other_records_at_the_name_and_names_that_begin_alike_stay() {
    let (service, provider) = connected(&["example.test"]);
    let neighbours = ["_acme-challenge.www2.example.test", "_acme-challenge.www.sub.example.test"];
    for neighbour in neighbours {
        service.plant("example.test", neighbour, "TXT", VALUE);
    }
    service.plant("example.test", "_acme-challenge.www.example.test", "CNAME", VALUE);
    service.plant("example.test", "_acme-challenge.www.example.test", "TXT", VALUE);
    change(&*provider, &teardown()).unwrap();
    assert_eq!(service.txt("_acme-challenge.www.example.test"), Vec::<String>::new());
    for neighbour in neighbours {
        assert_eq!(service.txt(neighbour), [VALUE]);
    }
}

#[test]
fn codes_say_what_to_do() {
    let no = |code: &str| Problem::No(No { status: 0, code: code.into(), reason: "why".into() });
    for (code, word) in [("815", "TTL"), ("827", "CNAME")] {
        assert!(matches!(advised(no(code)), Problem::Fault(Fault::Refused(text)) if text.contains(word)));
    }
    assert!(matches!(advised(no("399")), Problem::No(no) if no.code == "399"));
}

#[test]
fn a_long_name_costs_few_calls() {
    let (service, provider) = connected(&["example.test"]);
    let deep = grant(&format!("{}example.test", "a.".repeat(90)));
    assert_eq!(provider.zone(deep.owner(), soon()).unwrap().name, Some(Name::host("example.test").unwrap()));
    assert!(service.asked().len() <= 12);
}

#[test]
fn a_proxy_that_is_not_spoken_is_a_mistake() {
    let mistakes = rest_tests::built(&ROW, ACCOUNT, &[("HTTPS_PROXY", "socks5://proxy")]).err().unwrap();
    assert!(mistakes.contains("SOCKS"), "{mistakes}");
}
