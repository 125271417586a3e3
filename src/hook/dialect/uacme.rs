//! uacme: `begin`, then `done` or `failed`, of one challenge of any type.
//!
//! The facts are from uacme(1), -h: what begin does not take with 0 is declined, uacme then offers
//! the next type and says neither done nor failed; for dns-01 the last word is already the TXT
//! value. It runs one path, without arguments.

use super::{Change, Order, Row, Said, action, domain, value, wrong_count};
use crate::foreign::Foreign;

pub const ROW: Row = Row {
    name: "uacme",
    form: "begin|done|failed TYPE IDENT TOKEN AUTH",
    explicit: false,
    read,
    #[cfg(test)]
    examples: tests::EXAMPLES,
};

fn read(said: &Said) -> Option<Result<Order, String>> {
    let (verb, rest) = said.words.split_first()?;
    let begins = match *verb {
        "begin" => true,
        "done" | "failed" => false,
        _ => return None,
    };
    Some(order(verb, begins, rest))
}

fn order(verb: &str, begins: bool, words: &[&str]) -> Result<Order, String> {
    match words {
        ["dns-01", name, _token, text] => {
            Ok(Order::Change(Change::now(vec![action(begins, domain(name)?, value(text)?)])))
        }
        [other, _, _, _] => Ok(Order::Decline(format!("{verb} {}: only dns-01 is taken", Foreign(other)))),
        _ => Err(wrong_count(verb, "type, domain, token and value", words)),
    }
}

#[cfg(test)]
mod tests {
    use crate::hook::dialect::tests::Example;

    pub const EXAMPLES: &[Example] = &[
        Example::of("begin dns-01 example.com {T} {V}", "setup example.com {V}, wait"),
        Example::of("done dns-01 example.com -{T} {V}", "teardown example.com {V}"),
        Example::of("failed dns-01 example.com {T} {V}", "teardown example.com {V}"),
        Example::of("begin http-01 example.com {T} {K}", "decline"),
        Example::of("begin tls-alpn-01 example.com {T} {V}", "decline"),
        Example::of("begin DNS-01 example.com {T} {V}", "decline"),
        Example::of("done http-01 example.com {T} {K}", "decline"),
        Example::of("begin", "fail: not 0 words"),
        Example::of("begin dns-01 example.com {V}", "fail: not 3 words"),
        Example::of("done dns-01 example.com {T} {V} {V}", "fail: not 5 words"),
        Example::of("begin dns-01 -example.com {T} {V}", "fail: the domain"),
        Example::of("begin dns-01 192.0.2.1 {T} {V}", "fail: an IP address"),
        Example::of("begin dns-01 example.com {T} {K}", "fail: 43 characters"),
    ];
}
