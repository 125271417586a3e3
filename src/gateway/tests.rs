//! The conversation with a gateway that says what each test wants.

use crate::scratch::Scratch;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use super::*;
use crate::challenge::{Name, Value};
use crate::config::{Config, Search};
use crate::http::pin_of;
use crate::http::tests::{Identity, identity, nobody_listens, tls, url};

pub const VALUE: &str = "BoioGwWDRRrAaNnDdOoMmTtOoKkEeNnQ9JRjEqVZnDw";
pub const DONE: &str = "HTTP/1.1 201 Created\r\nX-Request-Id: 1f-12\r\nContent-Length: 2\r\n\r\nOK";
const BUSY: &str = "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n";

/// Tests must not wait: pauses of a millisecond, and time enough for all of them.
const PATIENT: Patience =
    Patience { total: Duration::from_secs(60), first: Duration::from_millis(1), longest: Duration::from_millis(1) };

const IMPATIENT: Patience =
    Patience { total: Duration::ZERO, first: Duration::from_millis(1), longest: Duration::from_millis(1) };

fn setup() -> Challenge {
    Challenge::Setup { domain: Name::host("example.com").unwrap(), value: Value::parse(VALUE).unwrap() }
}

/// In place of an answer: this long silence, and the end of the connection.
pub fn silence(duration: Duration) -> String {
    format!("{SLEEP}{}", duration.as_millis())
}

const SLEEP: &str = "sleep ";

/// Gives these answers to as many connections, and hands on each request: head, empty line, body.
pub fn stand_in(answers: &[&str]) -> (String, Receiver<String>) {
    let closing = |answer: &&str| match answer.starts_with("HTTP/") {
        true => answer.replacen("\r\n", "\r\nConnection: close\r\n", 1),
        false => answer.to_string(),
    };
    let answers: Vec<String> = answers.iter().map(closing).collect();
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let uri = format!("http://{}", listener.local_addr().unwrap());
    let (sender, requests) = channel();
    std::thread::spawn(move || {
        for answer in answers {
            let mut stream = BufReader::new(listener.accept().unwrap().0);
            let mut request = String::new();
            while !request.ends_with("\r\n\r\n") && stream.read_line(&mut request).unwrap() > 0 {}
            let length = request.lines().find_map(|line| line.strip_prefix("content-length: "));
            let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
            stream.read_exact(&mut body).unwrap();
            let _ = sender.send(request + &String::from_utf8(body).unwrap());
            let answer = match answer.strip_prefix(SLEEP).map(str::parse) {
                Some(milliseconds) => {
                    std::thread::sleep(Duration::from_millis(milliseconds.unwrap()));
                    String::new()
                }
                None => answer,
            };
            // Whoever refuses a long answer hangs up in the middle.
            let _ = stream.get_mut().write_all(answer.as_bytes());
        }
    });
    (uri, requests)
}

pub fn problem(status: &str, document: &str) -> String {
    let length = document.len();
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/problem+json; charset=utf-8\r\nX-Request-Id: 1f-12\r\n\
         Content-Length: {length}\r\n\r\n{document}"
    )
}

pub fn address(written: &[(&str, &str)]) -> Result<Address, String> {
    let environment =
        |name: &str| written.iter().find(|(written, _)| *written == name).map(|(_, value)| value.to_string());
    let search = Search { named: None, file_name: "none", last: None };
    let (config, mut mistakes) = Config::load(SETTINGS, Vec::new(), environment, search).unwrap();
    let address = Address::read(&config, &mut mistakes);
    mistakes.finish(address).map_err(|failure| failure.to_string())
}

/// Asks a gateway for the setup of a challenge.
fn ask(written: &[(&str, &str)], patience: Patience) -> Result<String, String> {
    let gateway = Gateway::new(address(written).unwrap());
    let answer = gateway.change(&setup(), patience, |_| ());
    answer.map(|answer| answer::request(&answer)).map_err(|refusal| refusal.why)
}

#[test]
fn a_setup_is_posted_in_the_native_dialect_with_the_credentials() {
    let (uri, requests) = stand_in(&[DONE]);
    let uri = format!("{uri}/prefix/");
    let said = ask(&[("API_URI", &uri), ("API_USER", "alice"), ("API_PASSWD", "a:b")], IMPATIENT);
    assert_eq!(said.as_deref(), Ok(", request 1f-12"));
    let request = requests.try_recv().unwrap();
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("POST /prefix HTTP/1.1\r\n"), "{head}");
    assert!(head.contains("\r\nauthorization: Basic YWxpY2U6YTpi"), "{head}");
    let expected = serde_json::json!(
        {"argument": "setup", "domain_name": "example.com", "challenge_content": VALUE});
    assert_eq!(serde_json::from_str::<serde_json::Value>(body).unwrap(), expected);
}

#[test]
fn a_teardown_names_its_value_only_if_it_was_told() {
    let (uri, requests) = stand_in(&[DONE, DONE]);
    let gateway = Gateway::new(address(&[("API_URI", &uri)]).unwrap());
    for value in [None, Some(Value::parse(VALUE).unwrap())] {
        let domain = Name::host("example.com").unwrap();
        let named = value.is_some();
        gateway.change(&Challenge::Teardown { domain, value }, IMPATIENT, |_| ()).unwrap();
        let request = requests.try_recv().unwrap();
        assert!(request.contains(r#""argument":"teardown""#) && !request.contains("authorization"), "{request}");
        assert_eq!(request.contains("challenge_content"), named, "{request}");
    }
}

#[test]
fn a_gateway_that_is_briefly_away_is_asked_again() {
    let late = problem("504 Late", "{}");
    let busy = "HTTP/1.1 429 Slow\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n";
    let (uri, _requests) = stand_in(&[BUSY, "", "SSH-2.0-OpenSSH\r\n", busy, &late, DONE]);
    assert_eq!(ask(&[("API_URI", &uri)], PATIENT).as_deref(), Ok(", request 1f-12"));
}

#[test]
fn a_gateway_that_cannot_be_reached_is_asked_again_until_patience_ends() {
    let (nobody, _taken) = nobody_listens();
    let patience = Patience { total: Duration::from_millis(100), ..PATIENT };
    let said = ask(&[("API_URI", &format!("http://{nobody}"))], patience).unwrap_err();
    assert!(said.starts_with("setup example.com: cannot connect to 127.0.0.1:"), "{said}");
    assert!(said.contains("check API_URI") && said.contains("; asked ") && said.lines().count() == 1, "{said}");
}

#[test]
fn a_gateway_that_wants_longer_than_patience_is_not_waited_for() {
    let (uri, _requests) = stand_in(&["HTTP/1.1 503 Busy\r\nRetry-After: 60\r\nContent-Length: 0\r\n\r\n"]);
    let patience = Patience { total: Duration::from_secs(1), ..PATIENT };
    let said = ask(&[("API_URI", &uri)], patience).unwrap_err();
    assert!(said.contains("too busy") && !said.contains("asked"), "{said}");
}

#[test]
fn pauses_grow_and_keep_within_the_minute() {
    let (again, end) = (Some(Duration::ZERO), Deadline::after(Duration::from_secs(60)));
    let refusal = |again| Refusal { again, ..Refusal::unreadable(String::new()) };
    let seconds = Duration::from_secs;
    assert_eq!(refusal(again).wait(seconds(8), end), Some(seconds(8)));
    assert_eq!(refusal(Some(seconds(20))).wait(seconds(8), end), Some(seconds(20)), "Retry-After is kept");
    assert!(refusal(again).wait(seconds(90), end).is_some_and(|wait| wait <= seconds(60)), "the last try");
    assert_eq!(refusal(Some(seconds(61))).wait(seconds(1), end), None);
    assert_eq!(refusal(None).wait(seconds(1), end), None, "refused for good");
    assert_eq!(refusal(again).wait(seconds(1), Deadline::after(seconds(0))), None);
}

#[test]
fn what_is_refused_is_asked_once_and_told_in_one_line_with_its_remedy() {
    let document = r#"{"type":"about:blank","title":"Not\nyours","status":200,"detail":"\u001b[31mred \u00e9"}"#;
    for (answer, named) in [
        (problem("403 Forbidden", document), r"it says: Not\nyours: \u{1b}[31mred \u{e9} (status 403, request 1f-12)"),
        (
            problem("403 Forbidden", "not JSON"),
            "check DNSAPI_DOMAINS and ACCESS_FILE at the gateway (status 403, request 1f-12)",
        ),
        (problem("400 Bad", r#"{"title":7,"detail":["x"]}"#), "check that API_URI is an acmegw of this version (st"),
        (problem("502 Bad", &"[".repeat(10_000)), "the DNS service refused: see the gateway's log (status 502"),
        (problem("500 Bad", &format!(r#"{{"title":"{}"}}"#, "x".repeat(9999))), "xxx… (status 500"),
        ("HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n".to_string(), "check API_USER and API_PASSWD"),
        ("HTTP/1.1 401 No\r\nX-Request-Id: a\tb\r\nContent-Length: 0\r\n\r\n".to_string(), r"request a\tb"),
        ("HTTP/1.1 404 No\r\nContent-Length: 6\r\n\r\n<html>".to_string(), "check host, port and path of API_URI"),
        ("HTTP/1.1 418 No\r\nContent-Length: 0\r\n\r\n".to_string(), "it failed: see the gateway's log"),
        ("HTTP/1.1 302 No\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n".to_string(), "set API_URI"),
    ] {
        let (uri, requests) = stand_in(&[&answer, DONE]);
        let said = ask(&[("API_URI", &uri)], PATIENT).unwrap_err();
        assert!(said.starts_with(&format!("setup example.com: {uri}: ")), "{said}");
        assert!(said.contains(named), "{named}: {said}");
        assert!(said.bytes().all(|b| b >= b' ') && said.len() < 800, "{said}");
        requests.try_recv().unwrap();
        assert!(requests.try_recv().is_err(), "asked again after {answer}");
    }
}

#[test]
fn an_endless_answer_is_cut_off() {
    let long = format!("HTTP/1.1 500 No\r\n\r\n{}", "x".repeat(2 << 20));
    let (uri, _requests) = stand_in(&[&long]);
    let said = ask(&[("API_URI", &uri)], IMPATIENT).unwrap_err();
    assert!(said.contains("at too great a length"), "{said}");
}

/// What the hook makes of a server with this certificate, under these settings.
fn over_tls(server: &Identity, written: &[(&str, &str)]) -> Result<u16, String> {
    let uri = url(tls(server, server, &rustls::version::TLS13));
    let written: Vec<_> = written.iter().copied().chain([("API_URI", uri.as_str())]).collect();
    Gateway::new(address(&written)?).get("/health").map(|answer| answer.status)
}

#[test]
fn the_gateway_s_certificate_is_checked_as_configured() {
    let folder = Scratch::new();
    let (server, other) = (identity("127.0.0.1"), identity("127.0.0.1"));
    let (own, foreign) = (folder.join("own.pem"), folder.join("foreign.pem"));
    for (path, identity) in [(&own, &server), (&foreign, &other)] {
        std::fs::write(path, identity.pem()).unwrap();
        std::fs::set_permissions(path, PermissionsExt::from_mode(0o600)).unwrap();
    }
    let (own, foreign) = (own.to_str().unwrap(), foreign.to_str().unwrap());
    let pin = |identity: &Identity| pin_of(&identity.certificate).unwrap().to_string();
    for written in [("API_CA", own), ("API_PIN", &pin(&server)), ("API_INSECURE", "yes")] {
        assert_eq!(over_tls(&server, &[written]), Ok(200), "{written:?}");
    }
    for written in [&[][..], &[("API_CA", foreign)], &[("API_PIN", &pin(&other))], &[("API_INSECURE", "no")]] {
        let said = over_tls(&server, written).unwrap_err();
        assert!(said.contains("set API_PIN to") && said.contains(&pin(&server)), "{written:?}: {said}");
    }
}

#[test]
fn a_refusal_of_tls_is_not_asked_again() {
    let server = identity("127.0.0.1");
    let uri = url(tls(&server, &server, &rustls::version::TLS13));
    let patience = Patience { total: Duration::from_secs(1), ..PATIENT };
    let said = ask(&[("API_URI", &uri)], patience).unwrap_err();
    assert!(said.contains("set API_PIN to") && !said.contains("asked"), "{said}");
}
