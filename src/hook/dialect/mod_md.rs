//! Apache mod_md: `MDChallengeDns01` (versions 1 and 2) and the events of `MDMessageCmd`.
//!
//! The facts are from mod_md's sources and manual
//! (<https://httpd.apache.org/docs/2.4/mod/mod_md.html>): the domain comes bare, without
//! `_acme-challenge` and without `*.`; version 1 tears down without naming the value.

use super::{Change, Order, Row, Said, domain, usage, value};
use crate::challenge::Challenge;
use crate::failure::Failure;
use crate::foreign::Foreign;

pub const ROW: Row = Row { client: "Apache mod_md (MDChallengeDns01, MDMessageCmd)", read };

/// The events of MDMessageCmd that are one word.
const EVENTS: [&str; 7] = ["renewing", "renewed", "installed", "expiring", "errored", "ocsp-renewed", "ocsp-errored"];

/// The event that carries more in its word: `challenge-setup:TYPE:DOMAIN`.
const CHALLENGE_SETUP: &str = "challenge-setup:";

fn read(said: &Said) -> Option<Result<Order, Failure>> {
    let (verb, rest) = said.words.split_first()?;
    match *verb {
        "setup" => Some(setup(rest).map(|challenge| Order::Change(Change::now(vec![challenge])))),
        "teardown" => Some(teardown(rest).map(|challenge| Order::Change(Change::now(vec![challenge])))),
        _ if EVENTS.contains(verb) || verb.starts_with(CHALLENGE_SETUP) => Some(event(said.words)),
        _ => None,
    }
}

fn setup(words: &[&str]) -> Result<Challenge, Failure> {
    match words {
        [name, text] => Ok(Challenge::Setup { domain: domain(name)?, value: value(text)? }),
        _ => Err(usage(format!("setup takes a domain and a value, not {} words", words.len()))),
    }
}

fn teardown(words: &[&str]) -> Result<Challenge, Failure> {
    match words {
        [name] => Ok(Challenge::Teardown { domain: domain(name)?, value: None }),
        [name, text] => Ok(Challenge::Teardown { domain: domain(name)?, value: Some(value(text)?) }),
        _ => Err(usage(format!("teardown takes a domain and perhaps a value, not {} words", words.len()))),
    }
}

fn event(words: &[&str]) -> Result<Order, Failure> {
    match words.len() {
        1 => Err(usage(format!("the event {} comes without the name of its domain", Foreign(words[0])))),
        _ => Ok(Order::Event(words.join(" "))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::challenge::{Name, Value};

    const V: &str = "-oioGwWDRRrAaNnDdOoMmTtOoKkEeNnQ9JRjEqVZnDw";

    fn said(words: &str) -> Option<Result<Order, Failure>> {
        read(&Said { words: &words.split(' ').collect::<Vec<_>>(), environment: &|_| None })
    }

    fn example() -> Name {
        Name::host("example.com").unwrap()
    }

    #[test]
    fn setup_and_both_versions_of_teardown() {
        let value = Value::parse(V).unwrap();
        let setup = Challenge::Setup { domain: example(), value: value.clone() };
        let version_1 = Challenge::Teardown { domain: example(), value: None };
        let version_2 = Challenge::Teardown { domain: example(), value: Some(value) };
        for (words, expected) in [
            (format!("setup example.com {V}"), &setup),
            (format!("setup _acme-challenge.EXAMPLE.com. {V}"), &setup),
            (format!("teardown example.com {V}"), &version_2),
            ("teardown example.com".to_string(), &version_1),
        ] {
            assert_eq!(said(&words).unwrap().unwrap(), Order::Change(Change::now(vec![expected.clone()])), "{words}");
        }
    }

    #[test]
    fn every_event_is_written_down() {
        for event in [
            "renewing",
            "renewed",
            "installed",
            "expiring",
            "errored",
            "ocsp-renewed",
            "ocsp-errored",
            "challenge-setup:dns-01:example.com",
            "challenge-setup:http-01:example.com",
        ] {
            for more in ["example.com", "example.com and more"] {
                let words = format!("{event} {more}");
                assert_eq!(said(&words).unwrap().unwrap(), Order::Event(words));
            }
        }
    }

    #[test]
    fn a_known_verb_with_the_wrong_words_fails_and_says_which() {
        for (words, named) in [
            ("setup".to_string(), "not 0 words"),
            ("setup example.com".to_string(), "not 1 words"),
            (format!("setup example.com {V} {V}"), "not 3 words"),
            (format!("setup {V} example.com"), "the domain '-oio"),
            (format!("setup *.example.com {V}"), "a wildcard"),
            (format!("setup 192.0.2.1 {V}"), "an IP address"),
            (format!("setup example.com {V}="), "43 characters"),
            ("setup example.com ".to_string(), "43 characters"),
            ("teardown".to_string(), "not 0 words"),
            ("teardown example.com ".to_string(), "43 characters"),
            (format!("teardown example.com {V} more"), "not 3 words"),
            ("renewing".to_string(), "without the name"),
        ] {
            let failure = said(&words).unwrap().unwrap_err();
            assert!(matches!(failure, Failure::Usage(_)));
            assert!(failure.to_string().contains(named), "{words}: {failure}");
        }
    }

    #[test]
    fn other_verbs_are_left_to_the_other_rows() {
        for words in ["", "present", "deploy_challenge a b c", "ocsp-unheard example.com", "challenge-setup x", "SETUP"]
        {
            assert!(said(words).is_none(), "{words}");
        }
    }
}
