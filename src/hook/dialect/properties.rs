//! Whatever a client says, the table makes of it what the plainest reading does, and no more.

use std::cell::Cell;

use super::tests::{D, K, T, V, W, told};
use super::*;
use crate::random::{Random, property};

const WORDS: &[&str] = &[
    "setup",
    "teardown",
    "present",
    "cleanup",
    "begin",
    "done",
    "failed",
    "deploy_challenge",
    "clean_challenge",
    "create",
    "delete",
    "add",
    "del",
    "renewing",
    "exit_hook",
    "dns-01",
    "http-01",
    "--",
    "-",
    "",
    V,
    W,
    K,
    T,
    "all",
    "example.com",
    "EXAMPLE.org.",
    "-x.example.com",
    "*.example.com",
    "192.0.2.1",
    "_acme-challenge.example.com.",
    "_acme-challenge.b.example.org",
    "_acme-challenge",
    "_acme-challenge.-x.example.com",
    "x y",
    "ü.example",
];

const VERBS: usize = 13;

const VARIABLES: &[&str] = &[
    "CERTBOT_VALIDATION",
    "CERTBOT_DOMAIN",
    "CERTBOT_IDENTIFIER",
    "CERTBOT_TOKEN",
    "CERTBOT_AUTH_OUTPUT",
    "CERTBOT_REMAINING_CHALLENGES",
    "CERTBOT_ALL_DOMAINS",
];

/// The domain of a word of [`WORDS`], and whether it names the record.
fn plain_domain(word: &str) -> Option<(String, bool)> {
    match word {
        "example.com" => Some(("example.com".to_string(), false)),
        "EXAMPLE.org." => Some(("example.org".to_string(), false)),
        "_acme-challenge.example.com." => Some(("example.com".to_string(), true)),
        "_acme-challenge.b.example.org" => Some(("b.example.org".to_string(), true)),
        // A verb where a domain should be: a domain of one label, if it could be one.
        _ if !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') => {
            (!word.starts_with('-') && !word.ends_with('-')).then(|| (word.to_lowercase(), false))
        }
        _ => None,
    }
}

/// The changes of a call, one a line as [`told`] says them; none where the call is none or wrong.
fn plain(client: Option<&str>, words: &[&str], variable: impl Fn(&str) -> Option<String>) -> Vec<String> {
    let change = |action: &str, domain: &str, value: &str| -> Option<String> {
        let (domain, _) = plain_domain(domain)?;
        [V, W, D].contains(&value).then(|| format!("{action} {domain} {value}"))
    };
    let record = |action: &str, record: &str, value: &str| -> Option<String> {
        plain_domain(record).filter(|(_, is_record)| *is_record)?;
        change(action, record, value)
    };
    let is = |name: &str| client.is_none() || client == Some(name);
    let setup = |is_setup: bool| if is_setup { "setup" } else { "teardown" };
    let one: Option<String> = match words {
        ["setup", domain, value] if is("mod_md") => change("setup", domain, value),
        ["teardown", domain, value] if is("mod_md") => change("teardown", domain, value),
        ["teardown", domain] if is("mod_md") => plain_domain(domain).map(|(name, _)| format!("teardown {name} all")),
        [verb @ ("present" | "cleanup"), name, value] if is("lego") => record(setup(*verb == "present"), name, value),
        [verb @ ("present" | "cleanup"), "--", domain, token, authorization] if is("lego") => {
            (*token == T && *authorization == K).then(|| change(setup(*verb == "present"), domain, D)).flatten()
        }
        [verb @ ("begin" | "done" | "failed"), "dns-01", domain, _, value] if is("uacme") => {
            change(setup(*verb == "begin"), domain, value)
        }
        [verb @ ("create" | "delete"), identifier, name, value] if is("win-acme") => {
            plain_domain(identifier.strip_prefix("*.").unwrap_or(identifier))
                .and_then(|_| record(setup(*verb == "create"), name, value))
        }
        [verb @ ("add" | "del"), domain, value] if client == Some("getssl") => {
            change(setup(*verb == "add"), domain, value)
        }
        [verb @ ("deploy_challenge" | "clean_challenge"), triples @ ..]
            if is("dehydrated") && triples.len() % 3 == 0 =>
        {
            let all = triples.chunks(3).map(|three| change(setup(*verb == "deploy_challenge"), three[0], three[2]));
            return all.collect::<Option<Vec<_>>>().unwrap_or_default();
        }
        [] if is("certbot") && variable("CERTBOT_TOKEN").is_none() => {
            let domain = variable("CERTBOT_IDENTIFIER").or(variable("CERTBOT_DOMAIN")).unwrap_or_default();
            let value = variable("CERTBOT_VALIDATION").unwrap_or_default();
            let is_cleanup = variable("CERTBOT_AUTH_OUTPUT").is_some_and(|output| output.contains(&value));
            change(setup(!is_cleanup), &domain, &value)
        }
        _ => None,
    };
    one.into_iter().collect()
}

fn environment(random: &mut Random) -> Vec<(&'static str, String)> {
    let variables = random.some(7, |random| {
        let name = random.one_of(VARIABLES);
        let value = match name {
            "CERTBOT_VALIDATION" if !random.once_in(4) => random.one_of(&[V, W]).to_string(),
            "CERTBOT_DOMAIN" | "CERTBOT_IDENTIFIER" if random.once_in(4) => random.one_of(WORDS).to_string(),
            "CERTBOT_DOMAIN" | "CERTBOT_IDENTIFIER" => random.one_of(&["example.com", "EXAMPLE.org."]).to_string(),
            "CERTBOT_REMAINING_CHALLENGES" => random.one_of(&["0", "1", "", "-1", "99999999999", "x"]).to_string(),
            _ => random.text(&[V, W, " ", "\n", ",", "example.com", "*.example.com"], 3),
        };
        (name, value)
    });
    if random.once_in(2) { variables } else { Vec::new() }
}

#[test]
fn any_words_change_what_the_plain_reading_does_and_no_more() {
    let names: Vec<_> = DIALECTS.iter().map(|row| row.name).collect();
    let changes = Cell::new(0);
    property(|random| {
        let client = if random.once_in(3) { Some(random.one_of(&names)) } else { None };
        let mut words: Vec<String> = random.some(7, |random| random.one_of(WORDS).to_string());
        if let (Some(first), false) = (words.first_mut(), random.once_in(8)) {
            *first = WORDS[random.below(VERBS)].to_string();
        }
        // Most calls are nearly right: a random one hardly ever is.
        if !random.once_in(3) {
            let verb = words.first().cloned().unwrap_or_default();
            words = nearly(random, &verb);
        }
        let variables = environment(random);
        let variable = |name: &str| variables.iter().find(|(set, _)| *set == name).map(|(_, value)| value.clone());
        let said: Vec<_> = words.iter().map(OsString::from).collect();
        let order = read(client.and_then(by_name), &said, &variable);
        let real: Vec<_> = match &order {
            Ok(Order::Change(change)) => change.challenges.iter().map(told).collect(),
            _ => Vec::new(),
        };
        let plainly: Vec<_> = words.iter().map(String::as_str).collect();
        assert_eq!(real, plain(client, &plainly, variable), "{client:?} {words:?} {variables:?}");
        changes.set(changes.get() + real.len());
        if let Err(failure) = order {
            let shown = failure.to_string();
            assert!(!shown.contains(char::is_control) && shown.len() < 2000, "{shown:?}");
        }
    });
    assert!(changes.get() > 300, "the calls are hardly ever right: {changes:?}");
}

/// The words of a call of that verb, with now and then one lost, doubled or replaced.
fn nearly(random: &mut Random, verb: &str) -> Vec<String> {
    let (domain, record) = (random.one_of(&["example.com", "EXAMPLE.org."]), "_acme-challenge.example.com.");
    let value = random.one_of(&[V, W]);
    let rest: Vec<&str> = match verb {
        "present" | "cleanup" if random.once_in(2) => vec!["--", domain, T, K],
        "present" | "cleanup" => vec![record, value],
        "begin" | "done" | "failed" => vec!["dns-01", domain, T, value],
        "deploy_challenge" | "clean_challenge" => [domain, T, value].repeat(random.below(4)),
        "create" | "delete" => vec![domain, record, value],
        "" => Vec::new(),
        _ => vec![domain, value],
    };
    let mut words: Vec<String> =
        [verb].iter().chain(&rest).filter(|word| !word.is_empty()).map(|word| word.to_string()).collect();
    let at = random.below(words.len() + 1);
    match random.below(6) {
        0 => words.truncate(at),
        1 => words.insert(at, random.one_of(WORDS).to_string()),
        2 if at < words.len() => words[at] = random.one_of(WORDS).to_string(),
        _ => {}
    }
    words
}
