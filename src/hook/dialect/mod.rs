//! Which client is calling? Each ACME client has its own words for its hooks; a row here knows
//! those of one client. Adding one touches two places: its own file here and its row in
//! [`DIALECTS`].
//!
//! Words are read strictly by position: values and tokens may start with `-`. They decide before
//! the environment, which a client may have left behind for the next.

use std::ffi::OsString;

use crate::challenge::{Action, Challenge, Name, Value};
use crate::failure::Failure;
use crate::foreign::Foreign;

mod certbot;
mod dehydrated;
mod getssl;
mod lego;
mod md_notify;
mod mod_md;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
mod uacme;
mod win_acme;

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
    /// No fault, and yet not for us: the client is to try another way. Why.
    Decline(String),
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
    /// What `--as` takes.
    pub name: &'static str,
    /// What the client puts behind `acmegw hook`, for people.
    pub form: &'static str,
    /// Its words say too little: only `--as` brings us here.
    pub explicit: bool,
    /// None: these are not this client's words. The error is what is wrong with them.
    pub read: fn(&Said) -> Option<Result<Order, String>>,
    #[cfg(test)]
    pub examples: &'static [tests::Example],
}

/// All dialects. No two that are not explicit take the same words.
pub const DIALECTS: &[Row] =
    &[mod_md::ROW, lego::ROW, uacme::ROW, dehydrated::ROW, certbot::ROW, win_acme::ROW, getssl::ROW, md_notify::ROW];

/// The row of that name, in any case.
pub fn by_name(name: &str) -> Option<&'static Row> {
    DIALECTS.iter().find(|row| row.name.eq_ignore_ascii_case(name))
}

/// Reads a call: as `client` speaks, or as whoever uses such words.
pub fn read(
    client: Option<&Row>,
    words: &[OsString],
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<Order, Failure> {
    let words = words.iter().map(|word| {
        let not_text = || format!("'{}' is not UTF-8 text", Foreign(&word.to_string_lossy()));
        word.to_str().ok_or_else(not_text)
    });
    let words = words.collect::<Result<Vec<_>, _>>().map_err(|what| usage(&what, client))?;
    let said = Said { words: &words, environment };
    let heard = |row: &'static Row| (row.read)(&said).map(|order| (row, order));
    let order = match client {
        Some(row) => (row.read)(&said).map(|order| (row, order)),
        None => DIALECTS.iter().filter(|row| !row.explicit).find_map(heard),
    };
    match order {
        Some((row, order)) => order.map_err(|what| usage(&what, Some(row))),
        None => unknown(words.first().copied(), client),
    }
}

/// A verb that no row knows: a newer client's if it looks like one, else a mistake in the call.
fn unknown(verb: Option<&str>, client: Option<&Row>) -> Result<Order, Failure> {
    let looks_new = |verb: &str| {
        !verb.is_empty() && verb.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
    };
    match verb {
        Some(verb) if looks_new(verb) => Ok(Order::Unknown(verb.to_string())),
        Some(verb) => {
            let clients: Vec<_> = DIALECTS.iter().filter(|row| !row.explicit).map(|row| row.name).collect();
            let whose = client.map_or_else(|| clients.join(", "), |row| row.name.to_string());
            Err(usage(&format!("'{}' is nothing that {whose} asks a hook to do", Foreign(verb)), client))
        }
        None => Err(usage("no words, and CERTBOT_VALIDATION is not set either", client)),
    }
}

/// The call is wrong. The remedy names the client's own form; where that is not known, what mod_md
/// calls, which is also what people type by hand.
fn usage(what: &str, client: Option<&Row>) -> Failure {
    let form = client.map_or(mod_md::ROW.form, |row| row.form);
    Failure::Usage(format!("{what}; it is called as: acmegw hook {form} (acmegw-hook(8))"))
}

/// A domain as the CA knows it, without the challenge's label; with it, the same.
fn domain(word: &str) -> Result<Name, String> {
    Name::domain(word).map_err(|error| format!("the domain '{}' is {error}", Foreign(word)))
}

/// The record's own name. A client that follows CNAMEs names their target, where nothing may be set
/// but what the gateway's configuration says.
fn record(word: &str) -> Result<Name, String> {
    let name = domain(word)?;
    match Name::owner(word) {
        Ok(owner) if owner == name.challenge() => Ok(name),
        _ => Err(format!(
            "the record '{}' does not begin with _acme-challenge: the client follows a CNAME, which the gateway's \
             DNS_ALIAS is for; have it name the domain (lego: EXEC_MODE=RAW)",
            Foreign(word)
        )),
    }
}

fn value(word: &str) -> Result<Value, String> {
    Value::parse(word).map_err(|error| format!("the value '{}' is {error}", Foreign(word)))
}

/// Which verb says what is to be done with a value at a domain.
fn action(setup: bool, domain: Name, value: Value) -> Challenge {
    match setup {
        true => Challenge::Setup { domain, value },
        false => Challenge::Teardown { domain, value: Some(value) },
    }
}

/// The words behind a verb are too few or too many.
fn wrong_count(verb: &str, takes: &str, words: &[&str]) -> String {
    format!("{verb} takes {takes}, not {} words", words.len())
}
