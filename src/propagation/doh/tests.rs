//! What resolvers send over HTTP, and what is made of it.

use super::*;
use crate::dns::stand_in::{self, Data, Reply, TTL, cname, name, txt};
use crate::random::property;

const NAME: &str = "_acme-challenge.example.com";

fn question() -> Request {
    Request::question(&name(NAME), Rtype::TXT, true)
}

/// As a resolver answers: without authority.
fn body(question: &Request, answer: &[(&str, Data)]) -> Vec<u8> {
    let answer = answer.iter().map(|(owner, data)| (name(owner), data.clone())).collect();
    Reply { authoritative: false, answer, ..Reply::new(Rcode::NOERROR) }.to_octets(question.as_slice())
}

#[test]
fn an_answer_is_read_along_its_cnames_whatever_case_the_type_is_in() {
    let question = question();
    let body = body(&question, &[(NAME, cname("a.example.net")), ("a.example.net", txt("value"))]);
    for content_type in [MESSAGE, "Application/DNS-Message; charset=x"] {
        let answer = read(&question, 200, Some(content_type), None, &body).unwrap();
        assert_eq!(testimony(&name(NAME), Ok(answer)), Said::Values(Rcode::NOERROR, vec!["value".to_string()]));
    }
}

#[test]
fn what_is_no_answer_to_the_question_is_reported_and_counts_for_nothing() {
    let question = question();
    let good = body(&question, &[(NAME, txt("value"))]);
    let other = self::question();
    let truncated = Reply { truncated: true, ..Reply::new(Rcode::NOERROR) }.to_octets(question.as_slice());
    let cut = &good[..good.len() - 1];
    let html = "<html>a page for people</html>".as_bytes();
    for (status, content_type, location, body, expected) in [
        (200, Some("text/html"), None, &good[..], "text/html where application/dns-message belongs"),
        (200, None, None, &good, "nothing where"),
        (200, Some("application/dns-json"), None, &good, "application/dns-json where"),
        (200, Some(MESSAGE), None, html, "no DNS answer to the question"),
        (200, Some(MESSAGE), None, b"", "no DNS answer to the question"),
        (200, Some(MESSAGE), None, &body(&other, &[(NAME, txt("value"))]), "no DNS answer to the question"),
        (200, Some(MESSAGE), None, &truncated, "cut short (TC)"),
        (
            301,
            Some(MESSAGE),
            Some("https://elsewhere.example/\n"),
            &good,
            "redirects (301) to https://elsewhere.example/",
        ),
        (307, Some(MESSAGE), None, &good, "which is not followed"),
        (415, Some(MESSAGE), None, &good, "HTTP status 415"),
        (204, Some(MESSAGE), None, &good, "HTTP status 204"),
    ] {
        match testimony(&name(NAME), read(&question, status, content_type, location, body)) {
            Said::Nothing(why) => assert!(why.contains(expected) && !why.contains('\n'), "{why}"),
            other => panic!("{expected}: {other:?}"),
        }
    }
    // A record that is cut off is none; the message is still one.
    let answer = read(&question, 200, Some(MESSAGE), None, cut).unwrap();
    assert_eq!(answer.txt_at(&name(NAME)), Vec::<String>::new());
}

#[test]
fn a_resolver_that_fails_is_asked_again() {
    let question = question();
    let body = Reply { authoritative: false, ..Reply::new(Rcode::SERVFAIL) }.to_octets(question.as_slice());
    let said = testimony(&name(NAME), read(&question, 200, Some(MESSAGE), None, &body));
    assert_eq!(said, Said::NotSure(Rcode::SERVFAIL, "it cannot find out".to_string()));
}

#[test]
fn how_long_a_resolver_keeps_to_its_no_is_in_its_answer() {
    let question = question();
    let nothing = Reply {
        authoritative: false,
        authority: vec![(name("example.com"), Data::Soa)],
        ..Reply::new(Rcode::NXDOMAIN)
    };
    let answer = read(&question, 200, Some(MESSAGE), None, &nothing.to_octets(question.as_slice())).unwrap();
    assert_eq!(answer.negative_ttl(), Some(TTL));
}

#[test]
fn any_body_is_an_answer_to_the_question_or_reported_in_one_line() {
    let question = question();
    let (header, asked) = question.as_slice().split_at(12);
    // Its name is compared as it is meant: it may be compressed, if only into an octet of the header.
    let asked = &asked[..NAME.len() + 2 + 4];
    let whole = body(&question, &[(NAME, cname("a.example.net")), ("a.example.net", txt("value"))]);
    property(|random| {
        let body = if random.once_in(8) { whole.clone() } else { random.mutated(&whole) };
        let content_type =
            random.one_of(&[Some(MESSAGE), Some(MESSAGE), Some(MESSAGE), Some("text/plain\r\nX: y"), None]);
        let status = random.one_of(&[200, 200, 200, 302, 500]);
        match read(&question, status, content_type, Some("\u{1b}[31m\n"), &body) {
            Ok(answer) => {
                assert_eq!((status, content_type), (200, Some(MESSAGE)));
                assert_eq!(body[..2], header[..2]);
                assert!(body[2] & 0xfa == 0x80, "an answer to a query, and whole: {body:?}");
                assert!(body[4..10] == [0; 6] || stand_in::question(&body) == asked, "{body:?}");
                // Reading it ends, whatever it holds.
                let _ = (testimony(&name(NAME), Ok(answer)), read(&question, 200, Some(MESSAGE), None, &body));
            }
            Err(why) => assert!(why.chars().all(|c| !c.is_control()) && why.len() < 600, "{why:?}"),
        }
    });
}
