//! Names and values against their definitions, written down a second time in the plainest way.

use super::*;
use crate::random::property;

const PIECES: &[&str] = &[
    ".",
    ".",
    "..",
    "a",
    "Z",
    "0",
    "9",
    "-",
    "_",
    "*",
    "www",
    "example",
    "com",
    "xn--",
    "_acme-challenge.",
    "_ACME-Challenge.",
    "192.0.2.1",
    "::1",
    "ü",
    " ",
    "\n",
    "\0",
    "a-label-of-thirty-one-characters",
    "a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.",
];

fn is_host(text: &str) -> bool {
    let text = text.strip_suffix('.').unwrap_or(text);
    let labels: Vec<&str> = text.split('.').collect();
    let is_label = |label: &&str| {
        let fits = |c: char| matches!(c, 'a'..='z' | 'A'..='Z' | '0'..='9' | '-');
        matches!(label.chars().count(), 1..=63)
            && label.chars().all(fits)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let is_number = labels.last().is_some_and(|last| last.parse::<f64>().is_ok() && !last.contains(['e', 'E']));
    labels.iter().all(is_label) && !is_number && text.len() <= 253 - "_acme-challenge.".len()
}

/// With one `_acme-challenge.` in front, or without.
fn is_domain(text: &str) -> bool {
    let label = "_acme-challenge.";
    let (first, rest) = text.split_at_checked(label.len()).unwrap_or(("", text));
    is_host(if first.to_ascii_lowercase() == label { rest } else { text })
}

#[test]
fn any_text_is_a_domain_exactly_if_its_definition_says_so() {
    property(|random| {
        let text = random.text(PIECES, 14);
        assert_eq!(Name::host(&text).is_ok(), is_host(&text), "{text:?}");
        assert_eq!(Name::domain(&text).is_ok(), is_domain(&text), "{text:?}");
        let Ok(name) = Name::domain(&text) else { return };
        assert!(text.to_ascii_lowercase().trim_end_matches('.').ends_with(name.as_str()), "{text:?}");
        assert_eq!(Name::host(name.as_str()).as_ref(), Ok(&name), "what was normalised once stays");
        assert_eq!(Name::domain(name.challenge().as_str()).as_ref(), Ok(&name));
        assert_eq!(Name::owner(name.challenge().as_str()), Ok(name.challenge()));
        assert!(name.upwards().all(|parent| name.is_within(&parent)), "{text:?}");
    });
}

#[test]
fn any_text_is_a_value_exactly_if_it_is_43_characters_of_base64url() {
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    property(|random| {
        let length = 42 + random.below(3);
        let mut text: String = (0..length).map(|_| char::from(alphabet.as_bytes()[random.below(64)])).collect();
        if random.once_in(2) {
            let at = random.below(length);
            text.replace_range(at..=at, random.one_of(&["+", "/", "=", "é", " ", "\n", "\0", ".", "", "~", "@", "["]));
        }
        let is_value = text.chars().count() == 43 && text.chars().all(|c| alphabet.contains(c));
        assert_eq!(Value::parse(&text).is_ok(), is_value, "{text:?}");
    });
}
