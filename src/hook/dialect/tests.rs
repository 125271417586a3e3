//! Every row by the examples that it brings, and what holds for all of them.

use std::collections::BTreeSet;
use std::os::unix::ffi::OsStringExt;

use super::*;

/// What a client says, and what it means.
///
/// `{V}`, `{W}` and `{D}` stand for values, `{T}` for a token of 42 characters, `{K}` for its key
/// authorization, whose value is `{D}`.
pub struct Example {
    /// Parted by spaces.
    pub words: &'static str,
    pub environment: &'static [(&'static str, &'static str)],
    /// As [`meaning`] says it; `fail: ` and a part of the reason.
    pub means: &'static str,
}

impl Example {
    pub const fn of(words: &'static str, means: &'static str) -> Example {
        Example { words, environment: &[], means }
    }

    fn order(&self, client: Option<&Row>) -> Result<Order, Failure> {
        let words = if self.words.is_empty() { Vec::new() } else { self.words.split(' ').map(filled).collect() };
        let words: Vec<_> = words.into_iter().map(OsString::from).collect();
        let variable = |name: &str| self.environment.iter().find(|(written, _)| *written == name);
        read(client, &words, &|name| variable(name).map(|(_, value)| filled(value)))
    }
}

pub const V: &str = "-oioGwWDRRrAaNnDdOoMmTtOoKkEeNnQ9JRjEqVZnDw";
pub const W: &str = "BoioGwWDRRrAaNnDdOoMmTtOoKkEeNnQ9JRjEqVZnDw";
pub const T: &str = "xAy-J3NwUmg9ZQuM-gP_Mq1nStaYSaP9tYQs5_-YsE";
pub const K: &str = "xAy-J3NwUmg9ZQuM-gP_Mq1nStaYSaP9tYQs5_-YsE.ksT-qywTd8058G-SHHWA3RAN72Pr0yWtPYmmY5UBpQ8";
/// Reckoned with Python's hashlib.
pub const D: &str = "HeKoNxJuZs0wsPt2xcVr397el_H71owsZEu8EcA7PJw";

fn filled(text: &str) -> String {
    [("{V}", V), ("{W}", W), ("{D}", D), ("{T}", T), ("{K}", K)]
        .iter()
        .fold(text.to_string(), |text, (name, value)| text.replace(name, value))
}

/// What an order does, in one line.
pub fn meaning(order: &Result<Order, Failure>) -> String {
    match order {
        Ok(Order::Change(change)) => {
            let mut parts: Vec<String> = change.challenges.iter().map(told).collect();
            match &change.wait {
                Wait::Nothing => {}
                Wait::ThisCall => parts.push("wait".to_string()),
                Wait::Living(names) => {
                    let names: Vec<_> = names.iter().map(Name::as_str).collect();
                    parts.push(format!("wait for {}", names.join(" ")));
                }
            }
            parts.extend(change.marker.iter().map(|marker| format!("print {marker}")));
            parts.join(", ")
        }
        Ok(Order::Event(text)) => format!("event {text}"),
        Ok(Order::Decline(_)) => "decline".to_string(),
        Ok(Order::Unknown(verb)) => format!("unknown {verb}"),
        Err(failure) => format!("fail: {failure}"),
    }
}

pub fn told(challenge: &Challenge) -> String {
    let value = match challenge {
        Challenge::Setup { value, .. } | Challenge::Teardown { value: Some(value), .. } => value.as_str(),
        Challenge::Teardown { value: None, .. } => "all",
        Challenge::Canary { .. } => panic!("no client asks for one"),
    };
    format!("{} {} {value}", challenge.verb(), challenge.domain())
}

fn assert_means(example: &Example, client: Option<&Row>) {
    let (order, expected) = (example.order(client), filled(example.means));
    let said = meaning(&order);
    match expected.strip_prefix("fail: ") {
        Some(part) => {
            assert!(matches!(order, Err(Failure::Usage(_))), "'{}': {said}", example.words);
            assert!(said.contains(part) && said.contains("; it is called as: "), "'{}': {said}", example.words);
        }
        None => assert_eq!(said, expected, "'{}'", example.words),
    }
}

fn reading(words: &[&str]) -> Result<Order, Failure> {
    read(None, &words.iter().map(OsString::from).collect::<Vec<_>>(), &|_| None)
}

#[test]
fn each_row_reads_its_examples() {
    for row in DIALECTS {
        assert!(row.examples.len() > 2, "{}", row.name);
        for example in row.examples {
            assert_means(example, Some(row));
            if !row.explicit {
                assert_means(example, None);
            }
        }
    }
}

#[test]
fn no_row_takes_the_words_of_another() {
    let taken = |row: &Row, example: &Example| {
        let words: Vec<_> = example.words.split(' ').filter(|word| !word.is_empty()).collect();
        let variable = |name: &str| example.environment.iter().find(|(written, _)| *written == name);
        let environment = |name: &str| variable(name).map(|(_, value)| value.to_string());
        (row.read)(&Said { words: &words, environment: &environment }).is_some()
    };
    for row in DIALECTS {
        for other in DIALECTS.iter().filter(|other| other.name != row.name && !other.explicit) {
            for example in row.examples.iter().filter(|_| !row.explicit) {
                assert!(!taken(other, example), "{} takes '{}' of {}", other.name, example.words, row.name);
            }
        }
    }
}

#[test]
fn what_only_a_named_client_says_is_not_heard_from_others() {
    for words in [&["add", "example.com", V][..], &["del", "example.com", V]] {
        assert_eq!(meaning(&reading(words)), format!("unknown {}", words[0]));
    }
    assert!(matches!(reading(&["example.com"]), Err(Failure::Usage(_))));
}

#[test]
fn a_named_client_is_heard_alone() {
    let setup = Example::of("setup example.com {V}", "unknown setup");
    for row in DIALECTS.iter().filter(|row| !["mod_md", "MDNotifyCmd"].contains(&row.name)) {
        assert_means(&setup, Some(row));
    }
}

#[test]
fn names_are_told_apart_without_their_case() {
    let names: BTreeSet<_> = DIALECTS.iter().map(|row| row.name.to_ascii_lowercase()).collect();
    assert_eq!(names.len(), DIALECTS.len());
    assert_eq!(by_name("mdnotifycmd").map(|row| row.name), Some("MDNotifyCmd"));
    assert!(by_name("").is_none());
}

#[test]
fn words_decide_before_the_environment() {
    let environment: &[_] = &[("CERTBOT_DOMAIN", "example.org"), ("CERTBOT_VALIDATION", "{W}")];
    let both = Example { words: "teardown example.com {V}", environment, means: "teardown example.com {V}" };
    let newer = Example { words: "deploy_more", environment, means: "unknown deploy_more" };
    let wrong = Example { words: "example.com", environment, means: "fail: nothing that" };
    for example in [both, newer, wrong] {
        assert_means(&example, None);
    }
}

#[test]
fn what_is_set_is_waited_for() {
    let domain = Name::host("example.com").unwrap();
    let setup = Challenge::Setup { domain: domain.clone(), value: Value::parse(V).unwrap() };
    let teardown = Challenge::Teardown { domain, value: None };
    assert_eq!(Change::now(vec![setup.clone()]).wait, Wait::ThisCall);
    assert_eq!(Change::now(vec![teardown.clone(), setup]).wait, Wait::ThisCall);
    assert_eq!(Change::now(vec![teardown]).wait, Wait::Nothing);
}

#[test]
fn an_unknown_lower_snake_case_verb_passes() {
    for verb in ["deploy_more", "this_hookscript_is_broken", "x9"] {
        assert_eq!(meaning(&reading(&[verb, "example.com"])), format!("unknown {verb}"));
    }
}

#[test]
fn anything_else_in_front_is_a_mistake_in_the_call() {
    for words in [
        &[][..],
        &[""],
        &["example.com", "setup"],
        &["Setup"],
        &["--help"],
        &["--"],
        &["a b"],
        &["übersetzen"],
        &["ocsp-unheard", "example.com"],
        &["challenge-setup", "x"],
    ] {
        let failure = reading(words).unwrap_err();
        assert!(matches!(failure, Failure::Usage(_)), "{words:?}: {failure}");
    }
}

#[test]
fn a_word_that_is_not_text_is_named_and_escaped() {
    let words = [OsString::from("setup"), OsString::from_vec(b"ex\xffample\n.com".to_vec())];
    let shown = read(None, &words, &|_| None).unwrap_err().to_string();
    assert!(shown.starts_with("'ex\\u{fffd}ample\\n.com' is not UTF-8 text; "), "{shown}");
}
