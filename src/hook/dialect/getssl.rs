//! getssl: DNS_ADD_COMMAND and DNS_DEL_COMMAND, with domain and value and no word to say which of
//! the two it is: that one stands in getssl's configuration, behind `--as getssl`.
//!
//! The facts are from getssl's source: the command goes through the shell, so that it may have words
//! of its own; the domain comes in lower case and without `*.`.

use super::{Change, Order, Row, Said, action, domain, value, wrong_count};
use crate::challenge::Challenge;

pub const ROW: Row = Row {
    name: "getssl",
    form: "--as getssl add|del DOMAIN VALUE",
    explicit: true,
    read,
    #[cfg(test)]
    examples: tests::EXAMPLES,
};

fn read(said: &Said) -> Option<Result<Order, String>> {
    let (verb, rest) = said.words.split_first()?;
    let add = match *verb {
        "add" => true,
        "del" => false,
        _ => return None,
    };
    Some(challenge(verb, add, rest).map(|challenge| Order::Change(Change::now(vec![challenge]))))
}

fn challenge(verb: &str, add: bool, words: &[&str]) -> Result<Challenge, String> {
    match words {
        [name, text] => Ok(action(add, domain(name)?, value(text)?)),
        _ => Err(wrong_count(verb, "a domain and a value", words)),
    }
}

#[cfg(test)]
mod tests {
    use crate::hook::dialect::tests::Example;

    pub const EXAMPLES: &[Example] = &[
        Example::of("add example.com {V}", "setup example.com {V}, wait"),
        Example::of("del example.com {V}", "teardown example.com {V}"),
        Example::of("add", "fail: not 0 words"),
        Example::of("add example.com", "fail: not 1 words"),
        Example::of("del example.com {V} {V}", "fail: not 3 words"),
        Example::of("add -example.com {V}", "fail: the domain"),
        Example::of("del example.com {K}", "fail: 43 characters"),
    ];
}
