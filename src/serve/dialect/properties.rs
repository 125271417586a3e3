//! What the dialects make of bodies that no client of ours sends.

use super::*;
use crate::challenge::{Action, Value};
use crate::random::{Random, property};
use serde_json::Value as Json;

const METHODS: [&str; 3] = ["POST", "PUT", "DELETE"];

fn read(method: &str, body: &[u8]) -> Result<Challenge, Problem> {
    (native::DIALECT.read)(&Ask::for_tests(method, "/", body))
}

/// A field's value, most often one that fits.
fn field(random: &mut Random, key: &str) -> String {
    let fitting: &[&str] = match key {
        "argument" => &["setup", "add", "teardown", "remove", "canary", "Setup", "delete"],
        "lifetime" => &["1", "60", "600", "0", "601", "-1", " 60", ""],
        "domain_name" => &["example.com", "_acme-challenge.Example.com.", "*.example.com", "www..com"],
        _ => {
            &["BoioGwWDRRrAaNnDdOoMmTtOoKkEeNnQ9JRjEqVZnD_", "", "short", "BoioGwWDRRrAaNnDdOoMmTtOoKkEeNnQ9JRjEqVZnD="]
        }
    };
    match random.below(10) {
        0 => random.one_of(&["null", "1", "true", "[]", "{}", "[\"setup\"]"]).to_string(),
        _ => Json::from(random.one_of(fitting)).to_string(),
    }
}

/// Key and value, as JSON text, in their order.
fn fields(random: &mut Random) -> Vec<(String, String)> {
    let keys = ["argument", "domain_name", "challenge_content", "lifetime"];
    let mut fields: Vec<_> = keys.iter().map(|key| (key.to_string(), field(random, key))).collect();
    match random.below(5) {
        0 => drop(fields.remove(random.below(4))),
        1 => {
            let key = random.one_of(&["argument", "domain_name", "challenge_content", "extra", "Argument"]);
            let again = (key.to_string(), field(random, key));
            fields.insert(random.below(4), again);
        }
        _ => {}
    }
    fields
}

/// What the native dialect's definition makes of the fields.
fn meant(method: &str, fields: &[(String, String)]) -> Option<Challenge> {
    let keys: std::collections::BTreeSet<_> = fields.iter().map(|(key, _)| key).collect();
    let text = |key: &str| {
        let written = fields.iter().find(|(one, _)| one == key).map_or("null", |(_, value)| value);
        serde_json::from_str::<Option<String>>(written)
    };
    let domain = Name::domain(&text("domain_name").ok()??).ok()?;
    let content = text("challenge_content");
    match text("argument").ok()??.as_str() {
        _ if keys.len() < fields.len() => None,
        "setup" | "add" if method != "DELETE" => {
            Some(Challenge::Setup { domain, value: Value::parse(&content.ok()??).ok()? })
        }
        "canary" if method != "DELETE" => {
            let seconds = text("lifetime").ok()??.parse().ok().filter(|seconds| (1..=600).contains(seconds))?;
            let value = Value::parse(&content.ok()??).ok()?;
            Some(Challenge::Canary { domain, value, life: std::time::Duration::from_secs(seconds) })
        }
        "teardown" | "remove" => match content.ok()?.filter(|text| !text.is_empty()) {
            None => Some(Challenge::Teardown { domain, value: None }),
            Some(text) => Some(Challenge::Teardown { domain, value: Some(Value::parse(&text).ok()?) }),
        },
        _ => None,
    }
}

#[test]
fn any_object_is_the_challenge_that_its_fields_mean_or_none() {
    property(|random| {
        let (method, fields) = (random.one_of(&METHODS), fields(random));
        let body: Vec<_> = fields.iter().map(|(key, value)| format!("\"{key}\": {value}")).collect();
        let body = format!("{{{}}}", body.join(", "));
        let read = read(method, body.as_bytes());
        if let Err(problem) = &read {
            assert_eq!(problem.status, 400, "{body}");
        }
        assert_eq!(read.ok(), meant(method, &fields), "{method} {body}");
    });
}

#[test]
fn any_body_that_is_taken_is_one_object_that_means_the_same_to_every_reader() {
    let value = "BoioGwWDRRrAaNnDdOoMmTtOoKkEeNnQ9JRjEqVZnD_";
    let fields = [("argument", "teardown"), ("domain_name", "www.example.com"), ("challenge_content", value)];
    let fields = fields.map(|(key, text)| format!("\"{key}\":\"{text}\""));
    // A key twice, too.
    let again = ["", ",\"argument\":\"add\"", ",\"domain_name\":\"example.com\"", ",\"extra\":[{}]"];
    property(|random| {
        let method = random.one_of(&METHODS);
        let whole = format!("{{{}{}}}", fields.join(","), random.one_of(&again));
        let body = random.mutated(whole.as_bytes());
        let Ok(challenge) = read(method, &body) else { return };
        // serde_json's own map keeps the last of equal keys.
        let again = serde_json::from_slice::<serde_json::Map<String, Json>>(&body).map(Json::from).unwrap().to_string();
        assert_eq!(read(method, again.as_bytes()).ok().as_ref(), Some(&challenge), "{again}");
        assert!(challenge.action() == Action::Teardown || method != "DELETE");
    });
}
