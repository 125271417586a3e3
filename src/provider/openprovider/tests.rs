//! OpenProvider against the simulation of its API.

#[path = "../../../tests/support/openprovider.rs"]
mod simulation;

use std::sync::Arc;
use std::time::Duration;

use self::simulation::{Asked, Misbehaviour, PAGE, PASSWORD, USERNAME};
use super::*;
use crate::config::Search;
use crate::gate::auth::Caller;
use crate::gate::scope::{Grant, Scope};
use crate::ledger::Ledger;
use crate::provider::conformance::{Fixture, Stand, Trouble};
use crate::secret::Secret;

const VALUE: &str = "BoioGwWDRRrAaNnDdOoMmTtOoKkEeNnQ9JRjEqVZnDw";
const PAUSES: &[Duration] = &[Duration::from_millis(1), Duration::from_millis(1)];

/// What the suite for all providers runs on.
pub fn fixture() -> Fixture {
    let zones = ["example.test", "child.example.test", "_acme-challenge.apex.example.test", "example.com"];
    let (service, provider) = connected(&zones);
    Fixture {
        provider: Box::new(provider),
        ledger: Arc::new(Ledger::default()),
        stand: Box::new(Service(service)),
        domains: &["example.test", "child.example.test", "apex.example.test", "a.b.c.d.example.com"],
        zones: &[
            ("example.test", Some("example.test")),
            ("www.example.test", Some("example.test")),
            ("child.example.test", Some("child.example.test")),
            ("a.b.child.example.test", Some("child.example.test")),
            ("apex.example.test", Some("_acme-challenge.apex.example.test")),
            ("otherexample.test", None),
            ("example.net", None),
        ],
        foreign: PAGE + 1,
        troubles: &[
            Trouble::SessionEnded,
            Trouble::WrongCredentials,
            Trouble::TooMany,
            Trouble::Broken,
            Trouble::Garbage,
            Trouble::Silence,
            Trouble::DoneUnanswered,
        ],
    }
}

struct Service(Arc<simulation::OpenProvider>);

impl Stand for Service {
    fn held(&self, owner: &Name) -> Vec<String> {
        self.0.txt(owner.as_str())
    }

    fn plant(&self, owner: &Name, values: &[String]) {
        let zone = self.0.zone_of(owner.as_str()).unwrap();
        values.iter().for_each(|value| self.0.plant(&zone, owner.as_str(), "TXT", &format!("\"{value}\"")));
    }

    fn happens(&self, trouble: Option<Trouble>) {
        self.0.misbehave(match trouble {
            Some(Trouble::SessionEnded) => return self.0.end_sessions(401),
            Some(Trouble::WrongCredentials) => Some(Misbehaviour::OtherPassword),
            Some(Trouble::TooMany) => Some(Misbehaviour::TooMany),
            Some(Trouble::Broken) => Some(Misbehaviour::Broken),
            Some(Trouble::Garbage) => Some(Misbehaviour::Garbage),
            Some(Trouble::Silence) => Some(Misbehaviour::Silence),
            Some(Trouble::DoneUnanswered) => Some(Misbehaviour::DoneUnanswered),
            None => None,
        });
    }
}

fn connected(zones: &[&str]) -> (Arc<simulation::OpenProvider>, OpenProvider) {
    let service = simulation::OpenProvider::new(zones);
    let provider = OpenProvider(Api {
        base: base_url(&format!("http://{}/v1beta", service.listen())).unwrap(),
        agent: http::agent(&Trust::System, None),
        username: USERNAME.to_string(),
        password: Secret::new(PASSWORD.to_string()),
        pauses: PAUSES,
        session: Session::default(),
    });
    (service, provider)
}

fn soon() -> Deadline {
    Deadline::after(Duration::from_secs(20))
}

fn grant(domain: &str) -> Grant {
    let domain = Name::host(domain).unwrap();
    Scope::new(vec![domain.clone()]).challenge(&Caller::for_tests("alice"), &domain, soon()).unwrap()
}

fn setup() -> Permit {
    grant("www.example.test").setup(Token::parse(VALUE).unwrap())
}

fn teardown() -> Permit {
    grant("www.example.test").teardown(Token::parse(VALUE).unwrap())
}

fn change(provider: &OpenProvider, permit: &Permit) -> Result<Receipt, Fault> {
    let zone = provider.zone(permit.owner(), soon())?;
    provider.apply(&zone, std::slice::from_ref(permit), soon()).remove(0)
}

fn recorded(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn lines(asked: &[Asked]) -> Vec<String> {
    asked.iter().map(|asked| format!("{} {} {}", asked.method, asked.target, asked.status)).collect()
}

#[test]
fn what_is_sent_is_what_was_recorded() {
    let (service, provider) = connected(&["example.test"]);
    change(&provider, &setup()).unwrap();
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
    assert_eq!(asked[0].body, recorded(include_str!("../../../tests/provider/openprovider/login.request.json")));
    assert_eq!(asked[4].body, recorded(include_str!("../../../tests/provider/openprovider/add.request.json")));
    change(&provider, &teardown()).unwrap();
    let asked = service.asked();
    let query = "record_name_pattern=_acme-challenge.www*&type=TXT&limit=500&offset=0";
    assert_eq!(lines(&asked)[3], format!("GET /v1beta/dns/zones/example.test/records?{query} 200"));
    assert_eq!(asked[4].body, recorded(include_str!("../../../tests/provider/openprovider/remove.request.json")));
}

#[test]
fn one_login_serves_many_calls_and_many_threads() {
    let (service, provider) = connected(&["example.test"]);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| provider.zone(setup().owner(), soon()).unwrap());
        }
    });
    let logins = service.asked().iter().filter(|asked| asked.method == "POST").count();
    assert_eq!(logins, 1);
}

#[test]
fn a_session_is_renewed_once_by_status_and_by_code() {
    let (service, provider) = connected(&["example.test"]);
    change(&provider, &setup()).unwrap();
    for status in [401, 500] {
        service.end_sessions(status);
        service.asked();
        change(&provider, &setup()).unwrap();
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
    let Err(Fault::Auth(text)) = change(&provider, &setup()) else { panic!("not Auth") };
    assert!(text.contains("DNSAPI_PASSWORD") && !text.contains(PASSWORD), "{text}");
    assert_eq!(lines(&service.asked()), ["POST /v1beta/auth/login 500"]);
}

#[test]
fn a_blocked_account_is_not_asked_again() {
    let (service, provider) = connected(&["example.test"]);
    service.misbehave(Some(Misbehaviour::Blocked));
    assert!(matches!(change(&provider, &setup()), Err(Fault::Auth(text)) if text.contains("support")));
    assert_eq!(service.asked().len(), 1);
}

#[test]
fn a_redirect_is_not_followed_and_points_at_the_address() {
    let (service, provider) = connected(&["example.test"]);
    service.misbehave(Some(Misbehaviour::Redirect));
    assert!(matches!(change(&provider, &setup()), Err(Fault::Refused(text)) if text.contains("DNSAPI_URL")));
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
    for (misbehaviour, calls) in [(Misbehaviour::TooMany, 1 + PAUSES.len()), (Misbehaviour::Broken, 1)] {
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
        service.plant("example.test", neighbour, "TXT", &format!("\"{VALUE}\""));
    }
    service.plant("example.test", "_acme-challenge.www.example.test", "CNAME", VALUE);
    service.plant("example.test", "_acme-challenge.www.example.test", "TXT", &format!("\"{VALUE}\""));
    change(&provider, &teardown()).unwrap();
    assert_eq!(service.txt("_acme-challenge.www.example.test"), Vec::<String>::new());
    for neighbour in neighbours {
        assert_eq!(service.txt(neighbour), [VALUE]);
    }
}

#[test]
fn codes_say_what_to_do() {
    for (code, word) in [(815, "TTL"), (827, "CNAME"), (399, "code 399: why")] {
        assert!(matches!(refused(Problem::Code(code, "why".into())), Fault::Refused(text) if text.contains(word)));
    }
    for code in [800, 872] {
        assert!(matches!(refused(Problem::Code(code, "why".into())), Fault::NoZone(_)));
    }
}

#[test]
fn a_long_name_costs_few_calls() {
    let (service, provider) = connected(&["example.test"]);
    let deep = grant(&format!("{}example.test", "a.".repeat(90)));
    assert_eq!(provider.zone(deep.owner(), soon()).unwrap().name, Some(Name::host("example.test").unwrap()));
    assert!(service.asked().len() <= DEEPEST);
}

fn built(written: &[(&str, &str)]) -> Result<(), String> {
    let environment = |name: &str| written.iter().find(|(known, _)| *known == name).map(|(_, value)| value.to_string());
    let search = Search { named: None, file_name: "none", last: None };
    let known = ROW.settings.concat();
    let (config, mut mistakes) = Config::load(&known, Vec::new(), environment, search).unwrap();
    let surroundings = Surroundings { ledger: Arc::default(), domains: Vec::new() };
    let provider = (ROW.build)(&config, &mut mistakes, &surroundings);
    mistakes.finish(provider).map(|_| ()).map_err(|failure| failure.to_string())
}

#[test]
fn settings_are_read_and_every_mistake_is_told() {
    let account = [("DNSAPI_USERNAME", "u"), ("DNSAPI_PASSWORD", "p")];
    assert_eq!(built(&account), Ok(()));
    let nothing = built(&[]).unwrap_err();
    assert!(nothing.contains("DNSAPI_USERNAME is not set") && nothing.contains("DNSAPI_PASSWORD is not set"));
    let with = |name, value| built(&[account[0], account[1], (name, value)]).unwrap_err();
    let address = with("DNSAPI_URL", "https://me:hunter2@api.example");
    assert!(address.contains("DNSAPI_URL") && !address.contains("hunter2"), "{address}");
    assert!(with("DNSAPI_URL", "http://api.example").contains("https://"));
    assert!(with("HTTPS_PROXY", "socks5://proxy").contains("SOCKS"));
}
