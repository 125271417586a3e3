//! win-acme and simple-acme, validation by script: `create` and `delete` with identifier, record
//! name and value, which is what their arguments are unless somebody changed them.
//!
//! The facts are from <https://simple-acme.com/reference/plugins/validation/script>. The record's
//! name is what counts; it is another domain's where a CNAME was followed.

use super::{Change, Order, Row, Said, action, domain, record, value, wrong_count};
use crate::challenge::Challenge;

pub const ROW: Row = Row {
    name: "win-acme",
    form: "create|delete IDENTIFIER RECORD VALUE",
    explicit: false,
    read,
    #[cfg(test)]
    examples: tests::EXAMPLES,
};

fn read(said: &Said) -> Option<Result<Order, String>> {
    let (verb, rest) = said.words.split_first()?;
    let create = match *verb {
        "create" => true,
        "delete" => false,
        _ => return None,
    };
    Some(challenge(verb, create, rest).map(|challenge| Order::Change(Change::now(vec![challenge]))))
}

fn challenge(verb: &str, create: bool, words: &[&str]) -> Result<Challenge, String> {
    match words {
        [identifier, name, text] => {
            domain(identifier.strip_prefix("*.").unwrap_or(identifier))?;
            Ok(action(create, record(name)?, value(text)?))
        }
        _ => Err(wrong_count(verb, "identifier, record name and value", words)),
    }
}

#[cfg(test)]
mod tests {
    use crate::hook::dialect::tests::Example;

    pub const EXAMPLES: &[Example] = &[
        Example::of("create example.com _acme-challenge.example.com {V}", "setup example.com {V}, wait"),
        Example::of("delete *.example.com _acme-challenge.example.com {V}", "teardown example.com {V}"),
        Example::of("create example.com _acme-challenge.a.example.net {V}", "setup a.example.net {V}, wait"),
        Example::of("create", "fail: not 0 words"),
        Example::of("create example.com {V}", "fail: not 2 words"),
        Example::of("delete example.com _acme-challenge.example.com {V} {V}", "fail: not 4 words"),
        Example::of("create -x.example.com _acme-challenge.example.com {V}", "fail: the domain"),
        Example::of("create example.com example.com {V}", "fail: DNS_ALIAS"),
        Example::of("create example.com _acme-challenge.example.com {T}.", "fail: 43 characters"),
    ];
}
