//! Apache mod_md: `MDChallengeDns01` (versions 1 and 2) and the events of `MDMessageCmd`.
//!
//! The facts are from mod_md's sources and manual
//! (<https://httpd.apache.org/docs/2.4/mod/mod_md.html>): the domain comes bare, without
//! `_acme-challenge` and without `*.`; version 1 tears down without naming the value.

use super::{Change, Order, Row, Said, action, domain, value, wrong_count};
use crate::challenge::Challenge;
use crate::foreign::Foreign;

pub const ROW: Row = Row {
    name: "mod_md",
    form: "setup|teardown DOMAIN VALUE",
    explicit: false,
    read,
    #[cfg(test)]
    examples: tests::EXAMPLES,
};

/// The events of MDMessageCmd that are one word.
const EVENTS: [&str; 7] = ["renewing", "renewed", "installed", "expiring", "errored", "ocsp-renewed", "ocsp-errored"];

/// The event that carries more in its word: `challenge-setup:TYPE:DOMAIN`.
const CHALLENGE_SETUP: &str = "challenge-setup:";

fn read(said: &Said) -> Option<Result<Order, String>> {
    let (verb, rest) = said.words.split_first()?;
    match *verb {
        "setup" => Some(setup(rest).map(|challenge| Order::Change(Change::now(vec![challenge])))),
        "teardown" => Some(teardown(rest).map(|challenge| Order::Change(Change::now(vec![challenge])))),
        _ if EVENTS.contains(verb) || verb.starts_with(CHALLENGE_SETUP) => Some(event(said.words)),
        _ => None,
    }
}

fn setup(words: &[&str]) -> Result<Challenge, String> {
    match words {
        [name, text] => Ok(action(true, domain(name)?, value(text)?)),
        _ => Err(wrong_count("setup", "a domain and a value", words)),
    }
}

fn teardown(words: &[&str]) -> Result<Challenge, String> {
    match words {
        [name] => Ok(Challenge::Teardown { domain: domain(name)?, value: None }),
        [name, text] => Ok(action(false, domain(name)?, value(text)?)),
        _ => Err(wrong_count("teardown", "a domain and perhaps a value", words)),
    }
}

fn event(words: &[&str]) -> Result<Order, String> {
    match words.len() {
        1 => Err(format!("the event {} comes without the name of its domain", Foreign(words[0]))),
        _ => Ok(Order::Event(words.join(" "))),
    }
}

#[cfg(test)]
mod tests {
    use crate::hook::dialect::tests::Example;

    pub const EXAMPLES: &[Example] = &[
        Example::of("setup example.com {V}", "setup example.com {V}, wait"),
        Example::of("setup example.com -{T}", "setup example.com -{T}, wait"),
        Example::of("setup _acme-challenge.EXAMPLE.com. {V}", "setup example.com {V}, wait"),
        Example::of("teardown example.com {V}", "teardown example.com {V}"),
        Example::of("teardown example.com", "teardown example.com all"),
        Example::of("renewing example.com", "event renewing example.com"),
        Example::of("renewed example.com", "event renewed example.com"),
        Example::of("installed example.com", "event installed example.com"),
        Example::of("expiring example.com", "event expiring example.com"),
        Example::of("errored example.com and more", "event errored example.com and more"),
        Example::of("ocsp-renewed example.com", "event ocsp-renewed example.com"),
        Example::of("ocsp-errored example.com", "event ocsp-errored example.com"),
        Example::of(
            "challenge-setup:dns-01:example.com example.com",
            "event challenge-setup:dns-01:example.com example.com",
        ),
        Example::of(
            "challenge-setup:http-01:example.com example.com",
            "event challenge-setup:http-01:example.com example.com",
        ),
        Example::of("setup", "fail: not 0 words"),
        Example::of("setup example.com", "fail: not 1 words"),
        Example::of("setup example.com {V} {V}", "fail: not 3 words"),
        Example::of("setup {V} example.com", "fail: the domain '"),
        Example::of("setup -x.example.com {V}", "fail: the domain '-x.example.com'"),
        Example::of("setup *.example.com {V}", "fail: a wildcard"),
        Example::of("setup 192.0.2.1 {V}", "fail: an IP address"),
        Example::of("setup example.com {V}=", "fail: 43 characters"),
        Example::of("setup example.com ", "fail: 43 characters"),
        Example::of("teardown", "fail: not 0 words"),
        Example::of("teardown example.com ", "fail: 43 characters"),
        Example::of("teardown example.com {V} more", "fail: not 3 words"),
        Example::of("renewing", "fail: without the name"),
    ];
}
