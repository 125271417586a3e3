//! The wait against a gateway that says what each test wants.

use super::*;
use crate::gateway::tests::{address, silence, stand_in};
use crate::scratch::Scratch;

const DELAY: Duration = Duration::from_secs(60);

fn name(text: &str) -> Name {
    Name::host(text).unwrap()
}

fn value(letter: char) -> Value {
    Value::parse(&letter.to_string().repeat(43)).unwrap()
}

fn json(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

/// What the gateway says about a value of which two servers show `seen`.
fn sight(state: &str, seen: bool) -> String {
    let server = |number, seen| {
        format!(r#"{{"server":"ns{number}.example.net/192.0.2.{number}","seen":{seen},"rcode":"NOERROR"}}"#)
    };
    json(&format!(r#"{{"state":"{state}","servers":[{},{}],"waited_ms":1}}"#, server(1, true), server(2, seen)))
}

fn pending() -> String {
    sight("pending", false)
}

fn visible() -> String {
    sight("visible", true)
}

fn away() -> String {
    "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n".to_string()
}

/// A wait, how it ended, what was asked and what was logged.
struct Waited {
    ended: Result<(), Failure>,
    asked: Vec<String>,
    log: String,
}

/// Waits as told, at a gateway that gives these answers.
fn wait(
    wait: &Wait,
    set: &[(&str, char, bool)],
    delay: Duration,
    unconfirmed: Unconfirmed,
    answers: &[String],
) -> Waited {
    let folder = Scratch::new();
    let path = folder.join("log");
    let (uri, requests) = stand_in(&answers.iter().map(String::as_str).collect::<Vec<_>>());
    let gateway = Gateway::new(address(&[("API_URI", &uri)]).unwrap());
    let set = set.iter().map(|(domain, letter, is_looked_for)| Set {
        domain: name(domain),
        value: value(*letter),
        is_looked_for: *is_looked_for,
    });
    let terms =
        Terms { pauses: (Duration::from_millis(1), Duration::from_millis(1)), ..Terms::new(delay, unconfirmed) };
    let ended = settle(wait, set.collect(), &terms, &gateway, &Logfile::open(Some(&path)));
    // Whoever has no time left hangs up without a word.
    let path_of = |request: String| request.lines().next()?.split(' ').nth(1).map(str::to_string);
    let asked = requests.try_iter().filter_map(path_of).collect();
    Waited { ended, asked, log: std::fs::read_to_string(&path).unwrap_or_default() }
}

fn this_call(set: &[(&str, char, bool)], answers: &[String]) -> Waited {
    wait(&Wait::ThisCall, set, DELAY, Unconfirmed::Fail, answers)
}

fn resource(domain: &str, letter: char) -> String {
    format!("/challenges/{domain}/{}", value(letter))
}

#[test]
fn the_gateway_is_asked_until_the_value_is_visible() {
    let done = this_call(&[("example.com", 'a', true)], &[pending(), pending(), visible()]);
    done.ended.unwrap();
    assert_eq!(done.asked, vec![resource("example.com", 'a'); 3]);
    assert!(
        done.log.contains("at most 60 seconds (DNS_DELAY)") && done.log.contains("show it after 0."),
        "{}",
        done.log
    );
}

#[test]
fn of_many_only_what_is_pending_is_asked_again() {
    let set = [("a.example.com", 'a', true), ("b.example.com", 'b', true), ("c.example.com", 'c', true)];
    let done = this_call(&set, &[visible(), pending(), visible(), pending(), visible()]);
    done.ended.unwrap();
    let asked: Vec<_> = done.asked.iter().map(|path| &path[12..13]).collect();
    assert_eq!(asked, ["a", "b", "c", "b", "b"]);
}

#[test]
fn two_values_at_one_name_are_two_waits() {
    let done = this_call(&[("example.com", 'a', true), ("example.com", 'b', true)], &[visible(), visible()]);
    done.ended.unwrap();
    assert_eq!(done.asked, [resource("example.com", 'a'), resource("example.com", 'b')]);
}

#[test]
fn nothing_is_waited_for_without_a_setup_or_a_delay() {
    let set = [("example.com", 'a', true)];
    for (order, delay) in [
        (Wait::Nothing, DELAY),
        (Wait::ThisCall, Duration::ZERO),
        (Wait::Living(vec![name("a.example")]), Duration::ZERO),
    ] {
        let done = wait(&order, &set, delay, Unconfirmed::Fail, &[]);
        assert!(done.ended.is_ok() && done.log.is_empty(), "{order:?}: {}", done.log);
    }
}

#[test]
fn a_gateway_that_cannot_check_leaves_the_delay_to_sit_out() {
    let delay = Duration::from_millis(50);
    for set in [&[("example.com", 'a', false)][..], &[("example.com", 'a', true), ("example.com", 'b', false)]] {
        let began = Instant::now();
        let done = wait(&Wait::ThisCall, set, delay, Unconfirmed::Fail, &[]);
        assert!(done.ended.is_ok() && began.elapsed() >= delay && done.asked.is_empty());
        assert!(done.log.contains("until the record is seen everywhere (DNS_DELAY)"), "{}", done.log);
    }
}

#[test]
fn what_is_gone_fails_at_once() {
    let set = [("a.example.com", 'a', true), ("b.example.com", 'b', true)];
    let done = wait(&Wait::ThisCall, &set, DELAY, Unconfirmed::Proceed, &[pending(), sight("gone", false)]);
    let told = done.ended.unwrap_err().to_string();
    assert!(told.starts_with("b.example.com: its record was removed before"), "{told}");
}

#[test]
fn what_is_unconfirmed_is_asked_about_until_the_delay_is_over() {
    let answers = vec![sight("unconfirmed", false); 2];
    let done = this_call(&[("example.com", 'a', true)], &[&answers[..], &[visible()]].concat());
    done.ended.unwrap();
    assert_eq!(done.asked.len(), 3);
}

#[test]
fn when_the_delay_is_over_it_proceeds_or_fails_and_names_the_server() {
    let set = [("example.com", 'a', true)];
    let enough = vec![sight("unconfirmed", false); 1000];
    let ended = |unconfirmed| wait(&Wait::ThisCall, &set, Duration::from_millis(100), unconfirmed, &enough);
    let said =
        "example.com: not visible before DNS_DELAY was over: ns2.example.net/192.0.2.2 does not show it (NOERROR)";
    let proceeded = ended(Unconfirmed::Proceed);
    proceeded.ended.unwrap();
    assert!(proceeded.log.contains(&format!("warning: {said}: the CA is told all the same")), "{}", proceeded.log);
    let failed = ended(Unconfirmed::Fail).ended.unwrap_err();
    assert!(matches!(failed, Failure::Failed(_)) && failed.to_string().starts_with(said), "{failed}");
}

#[test]
fn many_that_are_not_visible_are_a_few_lines() {
    let domains: Vec<_> = (0..8).map(|number| format!("{number}.example.com")).collect();
    let set: Vec<_> = domains.iter().map(|domain| (domain.as_str(), 'a', true)).collect();
    let enough = vec![pending(); 1000];
    let told = wait(&Wait::ThisCall, &set, Duration::from_millis(50), Unconfirmed::Fail, &enough)
        .ended
        .unwrap_err()
        .to_string();
    assert_eq!(told.lines().count(), 6, "{told}");
    assert!(told.contains("3 more are not visible"), "{told}");
}

#[test]
fn when_the_delay_is_over_each_has_a_last_look() {
    // The delay is over while the first answer is awaited.
    let set = [("a.example.com", 'a', true), ("b.example.com", 'b', true)];
    let (delay, slow) = (Duration::from_secs(1), silence(Duration::from_millis(1200)));
    let done = wait(&Wait::ThisCall, &set, delay, Unconfirmed::Fail, &[slow, visible(), visible()]);
    done.ended.unwrap();
    assert_eq!(done.asked.len(), 3);
}

#[test]
fn a_gateway_that_goes_away_meanwhile_is_asked_again() {
    let wrong = json("{}");
    let unknown = "HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n".to_string();
    let answers = [pending(), away(), String::new(), wrong, unknown, visible()];
    let done = this_call(&[("example.com", 'a', true)], &answers);
    done.ended.unwrap();
    assert_eq!(done.asked.len(), 6);
}

#[test]
fn what_the_name_servers_said_is_told_even_when_the_gateway_is_away_in_the_end() {
    let answers = [&[pending()][..], &vec![away(); 1000]].concat();
    // Long enough for the first answer to come on a busy machine.
    let delay = Duration::from_secs(1);
    let done = wait(&Wait::ThisCall, &[("example.com", 'a', true)], delay, Unconfirmed::Fail, &answers);
    let told = done.ended.unwrap_err().to_string();
    assert!(told.contains("ns2.example.net"), "{told}");
}

#[test]
fn a_retry_after_is_heeded_within_the_delay() {
    let later = pending().replacen("\r\n", "\r\nRetry-After: 86400\r\n", 1);
    let delay = Duration::from_secs(1);
    let began = Instant::now();
    let done = wait(&Wait::ThisCall, &[("example.com", 'a', true)], delay, Unconfirmed::Fail, &[later, visible()]);
    done.ended.unwrap();
    assert!(began.elapsed() >= delay && done.asked.len() == 2, "{:?}", done.asked);
}

/// certbot's last challenge.
#[test]
fn what_earlier_calls_set_is_found_and_waited_for_once() {
    let living = |letters: &str| {
        let values: Vec<_> = letters.chars().map(|letter| value(letter).to_string()).collect();
        json(&serde_json::json!({"domain": "x", "values": values}).to_string())
    };
    let domains = Wait::Living(vec![name("a.example.com"), name("b.example.com"), name("c.example.com")]);
    // The own value first; then what lives where, as it is heard.
    let answers = [pending(), living("xa"), living("b"), living(""), visible(), visible(), visible()];
    let done = wait(&domains, &[("a.example.com", 'a', true)], DELAY, Unconfirmed::Fail, &answers);
    done.ended.unwrap();
    let own = resource("a.example.com", 'a');
    let expected = [
        own.clone(),
        "/challenges/a.example.com".to_string(),
        "/challenges/b.example.com".to_string(),
        "/challenges/c.example.com".to_string(),
        own,
        resource("a.example.com", 'x'),
        resource("b.example.com", 'b'),
    ];
    assert_eq!(done.asked, expected);
}

#[test]
fn a_domain_that_is_not_ours_is_passed_over_aloud_and_one_that_cannot_be_asked_just_now_is_not() {
    let domains = Wait::Living(vec![name("a.example.org"), name("b.example.com"), name("c.example.com")]);
    let foreign = "HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n".to_string();
    let old = json(r#"{"domain":"c.example.com"}"#);
    let none = json(r#"{"values":[]}"#);
    let done = wait(&domains, &[], DELAY, Unconfirmed::Fail, &[foreign, away(), old, none]);
    done.ended.unwrap();
    let passed_over: Vec<_> = done.log.lines().filter(|line| line.contains("is not waited for")).collect();
    assert!(
        passed_over.len() == 2 && passed_over[0].contains("a.example.org") && passed_over[1].contains("c.example.com"),
        "{}",
        done.log
    );
    assert_eq!(done.asked.iter().filter(|path| path.contains("b.example.com")).count(), 2);
}
