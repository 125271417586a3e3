//! The hook against a gateway that says what each test wants.

use super::*;
use crate::config::{Config, Mistakes, Search};
use crate::gateway;
use crate::gateway::tests::{DONE, VALUE, problem, stand_in};
use crate::scratch::Scratch;

pub fn config(written: &[(&str, &str)]) -> Result<(Config, Mistakes), Failure> {
    let environment =
        |name: &str| written.iter().find(|(written, _)| *written == name).map(|(_, value)| value.to_string());
    let search = Search { named: None, file_name: "none", last: None };
    Config::load(&[gateway::SETTINGS, SETTINGS].concat(), Vec::new(), environment, search)
}

fn words(words: &str) -> Vec<OsString> {
    words.split(' ').filter(|word| !word.is_empty()).map(OsString::from).collect()
}

fn call(said: &str) -> Call {
    Call { words: words(said), client: None, configtest: false }
}

#[test]
fn a_whole_call_is_logged_without_its_password() {
    let folder = Scratch::new();
    let path = folder.join("log");
    let (uri, _requests) = stand_in(&[DONE, "HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n"]);
    let written = [
        ("API_URI", uri.as_str()),
        ("API_USER", "alice"),
        ("API_PASSWD", "hunter2"),
        ("DNS_DELAY", "0"),
        ("LOGFILE", path.to_str().unwrap()),
    ];
    run(call(&format!("setup example.com {VALUE}")), config(&written)).unwrap();
    let failure = run(call("teardown example.com"), config(&written)).unwrap_err();
    let log = std::fs::read_to_string(&path).unwrap();
    let (done, failed) = log.trim_end().split_once('\n').unwrap();
    assert!(done.ends_with("] setup example.com: done, request 1f-12"), "{done}");
    assert!(failed.ends_with(&failure.to_string()) && failed.contains("] teardown example.com: "), "{failed}");
    assert!(!log.contains("hunter2") && !log.contains("aHVudGVyMg") && !log.contains(VALUE), "{log}");
}

#[test]
fn whoever_switches_the_certificate_check_off_is_warned_each_time() {
    let folder = Scratch::new();
    let path = folder.join("log");
    let (uri, _requests) = stand_in(&[DONE, DONE]);
    let written =
        [("API_URI", uri.as_str()), ("API_INSECURE", "yes"), ("DNS_DELAY", "0"), ("LOGFILE", path.to_str().unwrap())];
    for _ in 0..2 {
        run(call("teardown example.com"), config(&written)).unwrap();
    }
    let log = std::fs::read_to_string(&path).unwrap();
    assert_eq!(log.matches("] warning: API_INSECURE = yes").count(), 2, "{log}");
}

#[test]
fn an_event_succeeds_and_is_logged_whatever_else_is_wrong() {
    let folder = Scratch::new();
    let path = folder.join("log");
    let event = || call("renewing example.com");
    run(event(), Err(Failure::Config(Vec::new()))).unwrap();
    run(event(), config(&[("LOGFILE", "/nowhere/log")])).unwrap();
    let broken = config(&[("LOGFILE", path.to_str().unwrap()), ("DNS_DELAY", "x")]);
    run(event(), broken).unwrap();
    let log = std::fs::read_to_string(&path).unwrap();
    assert!(log.ends_with("] event renewing example.com\n") && log.lines().count() == 1, "{log}");
}

#[test]
fn a_challenge_fails_with_the_configuration() {
    let call = call(&format!("setup example.com {VALUE}"));
    assert!(matches!(run(call, config(&[])), Err(Failure::Config(mistakes)) if mistakes.len() == 1));
}

/// What a call does with these variables of the client's: its stdout, and how it ended.
fn obeyed(said: &str, variables: &[(&str, &str)], written: &[(&str, &str)]) -> (String, Result<(), Failure>) {
    let mut out = Vec::new();
    let variable = |name: &str| variables.iter().find(|(set, _)| *set == name).map(|(_, value)| value.to_string());
    let ended = obey(&call(said), &variable, config(written), &Logfile::open(None), &mut out);
    (String::from_utf8(out).unwrap(), ended)
}

/// certbot calls the cleanup hook even then, and only the marker tells it from another auth hook.
#[test]
fn certbot_hears_the_value_even_from_an_auth_hook_that_fails() {
    let domain = ("CERTBOT_DOMAIN", "example.com");
    let (out, ended) = obeyed("", &[domain, ("CERTBOT_VALIDATION", VALUE)], &[]);
    assert_eq!(out, format!("{VALUE}\n"));
    assert!(matches!(ended, Err(Failure::Config(_))));
    let (out, ended) = obeyed("", &[domain, ("CERTBOT_VALIDATION", VALUE), ("CERTBOT_TOKEN", "t")], &[]);
    assert_eq!((out.as_str(), matches!(ended, Err(Failure::Usage(_)))), ("", true));
}

#[test]
fn all_challenges_of_a_call_are_set_in_their_order() {
    let (uri, requests) = stand_in(&[DONE, DONE]);
    let said = format!("deploy_challenge example.com t {VALUE} b.example.com t {VALUE}");
    let (out, ended) = obeyed(&said, &[], &[("API_URI", &uri), ("DNS_DELAY", "0")]);
    ended.unwrap();
    assert_eq!(out, "");
    for name in ["example.com", "b.example.com"] {
        let request = requests.try_recv().unwrap();
        assert!(request.contains(r#""argument":"setup""#) && request.contains(&format!(r#":"{name}""#)), "{request}");
    }
}

/// No client cleans up after a hook that failed.
#[test]
fn a_call_that_fails_in_the_middle_takes_back_what_it_has_set() {
    let forbidden = problem("403 No", "{}");
    let (uri, requests) = stand_in(&[DONE, &forbidden, DONE]);
    let said = format!("deploy_challenge example.com t {VALUE} example.net t {VALUE} b.example.com t {VALUE}");
    let (_, ended) = obeyed(&said, &[], &[("API_URI", &uri), ("DNS_DELAY", "0")]);
    assert!(ended.unwrap_err().to_string().contains("setup example.net: "));
    let asked: Vec<_> = requests.try_iter().collect();
    let of = |request: &String, action: &str, name: &str| {
        [format!(r#""argument":"{action}""#), format!(r#":"{name}""#), VALUE.to_string()]
            .iter()
            .all(|part| request.contains(part))
    };
    assert_eq!(asked.len(), 3);
    assert!(of(&asked[0], "setup", "example.com") && of(&asked[1], "setup", "example.net"), "{asked:?}");
    assert!(of(&asked[2], "teardown", "example.com"), "{asked:?}");
}

#[test]
fn a_challenge_of_another_type_is_declined_with_status_1() {
    let (out, ended) = obeyed("begin http-01 example.com t k", &[], &[]);
    assert!(out.is_empty() && matches!(ended, Err(Failure::Failed(why)) if why.contains("only dns-01")));
}

/// The lines of `hook -n`, and how it ended.
fn checked(said: &str, written: &[(&str, &str)]) -> (String, Result<(), Failure>) {
    let mut out = Vec::new();
    let ended = check::run(&words(said), config(written), &mut out);
    (String::from_utf8(out).unwrap(), ended)
}

#[test]
fn a_check_says_whether_the_gateway_knows_us_and_the_domain_is_ours() {
    let ok = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    let (forbidden, unknown) = (problem("403 No", "{}"), problem("401 No", "{}"));
    let missing = "HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n";
    for (said, answers, lines, failed) in [
        ("example.com", &[ok, ok][..], &["gateway ok", "credentials ok", "domain ok: example.com"][..], 0),
        ("example.com", &[ok, &forbidden], &["gateway ok", "credentials ok", "domain FAILED: example.com: it"], 1),
        ("example.com", &[ok, &unknown], &["gateway ok", "credentials FAILED: it does not know us"], 1),
        ("", &[ok, &forbidden], &["gateway ok", "credentials ok", "domain not checked"], 0),
        ("", &[ok, &unknown], &["gateway ok", "credentials FAILED"], 1),
        ("", &[missing], &["gateway FAILED: http://127.0.0.1:"], 1),
        ("", &[], &["gateway FAILED: "], 1),
    ] {
        let (uri, requests) = stand_in(answers);
        let (out, ended) = checked(said, &[("API_URI", &uri)]);
        let squeezed: Vec<_> = out.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
        let shown = squeezed.iter().skip(2).zip(lines).all(|(line, expected)| line.starts_with(expected));
        assert!(shown && squeezed.len() == 2 + lines.len(), "{lines:?}: {out}");
        assert_eq!(ended.is_err(), failed > 0, "{out}");
        let asked: Vec<_> = requests.try_iter().map(|request| request.lines().next().unwrap().to_string()).collect();
        assert!(asked.iter().all(|line| line.starts_with("GET ")), "changes nothing: {asked:?}");
    }
}

#[test]
fn a_check_shows_faults_of_configuration_and_log_together() {
    let (out, ended) = checked("", &[("LOGFILE", "/nowhere/log"), ("DNS_DELAY", "x")]);
    assert!(out.contains("LOGFILE       FAILED: /nowhere/log") && out.contains("configuration FAILED"), "{out}");
    assert!(matches!(ended, Err(Failure::Config(mistakes)) if mistakes.len() == 2));
}

#[test]
fn a_check_takes_one_domain_or_none() {
    for said in ["a.example b.example", "*.example.com", "192.0.2.1"] {
        assert!(matches!(checked(said, &[]).1, Err(Failure::Usage(_))), "{said}");
    }
}
