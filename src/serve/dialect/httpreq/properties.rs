//! What the dialect makes of bodies that no client of ours sends.

use super::*;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};

use crate::random::{Random, property};

const KEYS: [&str; 5] = ["fqdn", "value", "domain", "token", "keyauth"];
const VALUE: &str = "BoioGwWDRRrAaNnDdOoMmTtOoKkEeNnQ9JRjEqVZnD_";

fn ask(path: &str, body: &[u8]) -> Ask {
    Ask::for_tests("POST", path, body)
}

/// A field's value as JSON, most often one that fits.
fn field(random: &mut Random, key: &str) -> String {
    let key_auth = format!("tok.{VALUE}");
    let fitting: &[&str] = match key {
        "fqdn" => &["_acme-challenge.example.com.", "_ACME-Challenge.Example.com", "www.acme.example.net.", "*.a.com"],
        "value" => &[VALUE, "short"],
        "domain" => &["example.com", "Example.COM.", "*.example.com"],
        "token" => &["tok", "t.k"],
        _ => &[&key_auth, VALUE],
    };
    match random.below(8) {
        0 => random.one_of(&["null", "1", "true", "[]", "{}", "\"\""]).to_string(),
        _ => Json::from(random.one_of(fitting)).to_string(),
    }
}

fn in_some_case(random: &mut Random, key: &str) -> String {
    let letter = |letter: char| if random.once_in(3) { letter.to_ascii_uppercase() } else { letter };
    key.chars().map(letter).collect()
}

/// What the definition of the two modes makes of the fields: the record's owner name and its value.
fn meant(fields: &[(String, String)]) -> Option<(String, String)> {
    let keys: std::collections::BTreeSet<_> = fields.iter().map(|(key, _)| key.to_ascii_lowercase()).collect();
    if keys.len() < fields.len() {
        return None;
    }
    let mut texts = Vec::new();
    for key in KEYS {
        let written = fields.iter().find(|(one, _)| one.eq_ignore_ascii_case(key)).map_or("null", |(_, json)| json);
        let text: Option<String> = serde_json::from_str(written).ok()?;
        texts.push(text.filter(|text| !text.is_empty()));
    }
    match &texts[..] {
        [Some(fqdn), Some(value), None, None, None] => {
            let owner = fqdn.to_ascii_lowercase().trim_end_matches('.').to_string();
            (!owner.contains('*') && value.len() == 43).then(|| (owner, value.clone()))
        }
        [None, None, Some(domain), Some(token), Some(key_auth)] => {
            let domain = domain.to_ascii_lowercase().trim_end_matches('.').to_string();
            let fits = !domain.contains('*') && !token.contains('.') && *key_auth == format!("{token}.{VALUE}");
            fits.then(|| (format!("_acme-challenge.{domain}"), hashed(key_auth)))
        }
        _ => None,
    }
}

fn hashed(key_auth: &str) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(digest(&SHA256, key_auth.as_bytes()))
}

#[test]
fn the_answer_comes_before_lego_gives_up() {
    for target in ["/present", "/any/prefix/cleanup", "/present?x=/"] {
        assert_eq!(super::super::patience(target), Duration::from_secs(25), "{target}");
    }
    assert!(super::super::patience("/present/x") > LEGO, "another dialect's path");
}

#[test]
fn any_object_is_the_record_that_its_fields_mean_or_none() {
    property(|random| {
        let some = random.one_of(&[&KEYS[..2], &KEYS[2..], &KEYS[..]]);
        let mut fields: Vec<_> = some.iter().map(|key| (in_some_case(random, key), field(random, key))).collect();
        match random.below(6) {
            0 => drop(fields.remove(random.below(fields.len()))),
            1 => {
                let key = random.one_of(&KEYS);
                fields.push((in_some_case(random, key), field(random, key)));
            }
            2 => fields.push(("extra".to_string(), "[{}]".to_string())),
            _ => {}
        }
        let body: Vec<_> = fields.iter().map(|(key, json)| format!("\"{key}\":{json}")).collect();
        let body = format!("{{{}}}", body.join(","));
        let (path, action) = random.one_of(&[("/a/present", Action::Setup), ("/cleanup?x=/present", Action::Teardown)]);
        let read = Request::read(&ask(path, body.as_bytes()));
        let got = read.map(|request| {
            assert_eq!(request.challenge.action(), action, "{path}");
            let (Challenge::Setup { value, .. } | Challenge::Teardown { value: Some(value), .. }) = &request.challenge
            else {
                panic!("a removal without a value: {body}");
            };
            (request.challenge.domain().to_string(), value.to_string())
        });
        if let Err(problem) = &got {
            assert_eq!(problem.status, 400, "{body}");
        }
        assert_eq!(got.ok(), meant(&fields), "{body}");
    });
}

/// acme.sh takes any answer for success that holds `"VALUE"`, and Caddy only one that repeats what
/// it sent.
#[test]
fn any_body_that_is_taken_is_repeated_as_it_came_and_any_other_gets_no_quote() {
    let bodies = [
        format!("{{\"fqdn\":\"_acme-challenge.Example.com.\",\"value\":\"{VALUE}\"}}"),
        format!("{{\"Domain\":\"example.com\",\"token\":\"tok\",\"keyAuth\":\"tok.{VALUE}\"}}"),
    ];
    property(|random| {
        let whole = random.one_of(&bodies);
        let body = random.mutated(whole.as_bytes());
        let ask = ask("/present", &body);
        match (DIALECT.read)(&ask) {
            Ok(challenge) => {
                let answer = (DIALECT.answer)(&challenge, &ask);
                assert_eq!(answer.status, 200);
                let echo: serde_json::Map<String, Json> = serde_json::from_slice(&answer.body).unwrap();
                let sent = serde_json::from_slice::<serde_json::Map<String, Json>>(&body).unwrap();
                let sent = |key: &str| sent.iter().find(|(one, _)| one.eq_ignore_ascii_case(key)).unwrap().1.clone();
                assert!(echo.len() == 2 || echo.len() == 3, "{echo:?}");
                echo.into_iter().for_each(|(key, value)| assert_eq!(value, sent(&key), "{key}"));
            }
            Err(problem) => {
                let problem = Problem { detail: format!("{}: \"{VALUE}\"", problem.detail), ..problem };
                let answer = (DIALECT.refuse)(&problem, &ask);
                assert!(answer.status == 400 && !answer.body.contains(&b'"'), "{answer:?}");
            }
        }
    });
}
