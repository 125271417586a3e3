//! Which client is calling? Each ACME client has its own words for its hooks; a row here knows
//! those of one client. Adding one touches two places: its own file here and its row in
//! [`DIALECTS`].
//!
//! Words are read strictly by position: values and tokens may start with `-`.

use std::ffi::OsString;

use crate::challenge::{Action, Challenge, Name, Value};
use crate::failure::Failure;
use crate::foreign::Foreign;

mod mod_md;

/// What a client said: the words behind its hook, and what it put into the environment.
pub struct Said<'a> {
    pub words: &'a [&'a str],
    /// The value of a variable. A value, so that tests need no real environment.
    pub environment: &'a dyn Fn(&str) -> Option<String>,
}

/// What a call wants, in whichever dialect it was said.
#[derive(Debug, PartialEq, Eq)]
pub enum Order {
    Change(Change),
    /// Something happened; nothing is to be done but to write it down.
    Event(String),
    /// A handler that a newer client has and we do not: every hook has to let these pass.
    Unknown(String),
}

/// Challenges to be carried out one after another, and what has to be seen in the DNS before the
/// client may go on.
#[derive(Debug, PartialEq, Eq)]
pub struct Change {
    pub challenges: Vec<Challenge>,
    pub wait: Wait,
    /// A line for stdout, said before anything is done, and whether or not that succeeds.
    pub marker: Option<String>,
}

/// What to wait for.
#[derive(Debug, PartialEq, Eq)]
pub enum Wait {
    Nothing,
    /// What this call set.
    ThisCall,
    /// All that this caller has living at these names: what earlier calls set, and did not wait for.
    Living(Vec<Name>),
}

impl Change {
    /// What is set is waited for.
    pub fn now(challenges: Vec<Challenge>) -> Change {
        let sets = challenges.iter().any(|challenge| challenge.action() == Action::Setup);
        Change { challenges, wait: if sets { Wait::ThisCall } else { Wait::Nothing }, marker: None }
    }
}

/// A row of the table: how one client speaks.
pub struct Row {
    /// Who speaks like this, for people.
    pub client: &'static str,
    /// None: these are not this client's words.
    pub read: fn(&Said) -> Option<Result<Order, Failure>>,
}

/// All dialects.
pub const DIALECTS: &[Row] = &[mod_md::ROW];

/// Reads a call. Its words decide before its environment.
pub fn read(words: &[OsString], environment: &dyn Fn(&str) -> Option<String>) -> Result<Order, Failure> {
    let words = words.iter().map(|word| {
        let not_text = || usage(format!("'{}' is not UTF-8 text", Foreign(&word.to_string_lossy())));
        word.to_str().ok_or_else(not_text)
    });
    let words = words.collect::<Result<Vec<_>, _>>()?;
    let said = Said { words: &words, environment };
    match DIALECTS.iter().find_map(|row| (row.read)(&said)) {
        Some(order) => order,
        None => unknown(words.first().copied().unwrap_or_default()),
    }
}

/// A verb that no row knows: a newer client's if it looks like one, else a mistake in the call.
fn unknown(verb: &str) -> Result<Order, Failure> {
    match verb.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_') {
        true if !verb.is_empty() => Ok(Order::Unknown(verb.to_string())),
        _ => {
            let clients: Vec<_> = DIALECTS.iter().map(|row| row.client).collect();
            Err(usage(format!("'{}' is nothing that {} asks a hook to do", Foreign(verb), clients.join(" or "))))
        }
    }
}

/// The call is wrong. The remedy names what mod_md calls, the one thing that people type by hand.
fn usage(what: String) -> Failure {
    Failure::Usage(format!("{what}; call it as: acmegw hook setup|teardown DOMAIN VALUE (acmegw-hook(8))"))
}

fn domain(word: &str) -> Result<Name, Failure> {
    Name::domain(word).map_err(|error| usage(format!("the domain '{}' is {error}", Foreign(word))))
}

fn value(word: &str) -> Result<Value, Failure> {
    Value::parse(word).map_err(|error| usage(format!("the value '{}' is {error}", Foreign(word))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::ffi::OsStringExt;

    fn reading(words: &[&str]) -> Result<Order, Failure> {
        read(&words.iter().map(OsString::from).collect::<Vec<_>>(), &|_| None)
    }

    #[test]
    fn what_is_set_is_waited_for() {
        let domain = Name::host("example.com").unwrap();
        let value = Value::parse("BoioGwWDRRrAaNnDdOoMmTtOoKkEeNnQ9JRjEqVZnDw").unwrap();
        let setup = Challenge::Setup { domain: domain.clone(), value };
        let teardown = Challenge::Teardown { domain, value: None };
        assert_eq!(Change::now(vec![setup.clone()]).wait, Wait::ThisCall);
        assert_eq!(Change::now(vec![teardown.clone(), setup]).wait, Wait::ThisCall);
        assert_eq!(Change::now(vec![teardown]).wait, Wait::Nothing);
    }

    #[test]
    fn an_unknown_lower_snake_case_verb_passes() {
        for verb in ["deploy_ocsp", "this_hookscript_is_broken__dehydrated_is_working_fine", "x9"] {
            assert_eq!(reading(&[verb, "example.com"]).unwrap(), Order::Unknown(verb.to_string()));
        }
    }

    #[test]
    fn anything_else_in_front_is_a_mistake_in_the_call() {
        for words in [&[][..], &[""], &["example.com", "setup"], &["Setup"], &["--help"], &["a b"], &["übersetzen"]] {
            let failure = reading(words).unwrap_err();
            assert!(matches!(failure, Failure::Usage(_)), "{words:?}: {failure}");
        }
    }

    #[test]
    fn a_word_that_is_not_text_is_named_and_escaped() {
        let words = [OsString::from("setup"), OsString::from_vec(b"ex\xffample\n.com".to_vec())];
        let shown = read(&words, &|_| None).unwrap_err().to_string();
        assert!(shown.starts_with("'ex\\u{fffd}ample\\n.com' is not UTF-8 text; "), "{shown}");
    }
}
