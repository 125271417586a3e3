//! lego's provider `exec`: `present` and `cleanup` with the record's name and value, and with
//! EXEC_MODE=RAW domain, token and key authorization behind `--`.
//!
//! The facts are from lego's providers/dns/exec/exec.go. Its name is that of the record after
//! CNAMEs were followed; stdout goes to lego's log, and it runs one path, without arguments.

use super::{Change, Order, Row, Said, action, domain, record, value, wrong_count};
use crate::challenge::{Challenge, Value};
use crate::foreign::Foreign;

pub const ROW: Row = Row {
    name: "lego",
    form: "present|cleanup FQDN VALUE, or present|cleanup -- DOMAIN TOKEN KEYAUTH",
    explicit: false,
    read,
    #[cfg(test)]
    examples: tests::EXAMPLES,
};

fn read(said: &Said) -> Option<Result<Order, String>> {
    let (verb, rest) = said.words.split_first()?;
    let setup = match *verb {
        "present" => true,
        "cleanup" => false,
        _ => return None,
    };
    Some(challenge(verb, setup, rest).map(|challenge| Order::Change(Change::now(vec![challenge]))))
}

fn challenge(verb: &str, setup: bool, words: &[&str]) -> Result<Challenge, String> {
    match words {
        [name, text] => Ok(action(setup, record(name)?, value(text)?)),
        ["--", name, token, text] => {
            let wrong = |error| format!("the key authorization '{}' is {error}", Foreign(text));
            Ok(action(setup, domain(name)?, Value::of_key_authorization(text, token).map_err(wrong)?))
        }
        _ => Err(wrong_count(verb, "a name and a value, or -- and domain, token, key authorization", words)),
    }
}

#[cfg(test)]
mod tests {
    use crate::hook::dialect::tests::Example;

    pub const EXAMPLES: &[Example] = &[
        Example::of("present _acme-challenge.example.com. {V}", "setup example.com {V}, wait"),
        Example::of("cleanup _acme-challenge.EXAMPLE.com {V}", "teardown example.com {V}"),
        Example::of("present -- example.com {T} {K}", "setup example.com {D}, wait"),
        Example::of("cleanup -- www.example.com {T} {K}", "teardown www.example.com {D}"),
        Example::of("present", "fail: not 0 words"),
        Example::of("present _acme-challenge.example.com.", "fail: not 1 words"),
        Example::of("present _acme-challenge.example.com. {V} 120", "fail: not 3 words"),
        Example::of("present example.com {T} {K} --", "fail: not 4 words"),
        Example::of("present -- example.com {T}", "fail: not 3 words"),
        Example::of("present -- example.com {T} {K} {K}", "fail: not 5 words"),
        Example::of("present example.com. {V}", "fail: DNS_ALIAS"),
        Example::of("present _acme-challenge._acme-challenge.example.com. {V}", "fail: the domain"),
        Example::of("present _acme-challenge.*.example.com. {V}", "fail: a wildcard"),
        Example::of("present -x.example.com {V}", "fail: the domain"),
        Example::of("present _acme-challenge.example.com. {V}=", "fail: 43 characters"),
        Example::of("present -- -x.example.com {T} {K}", "fail: the domain"),
        Example::of("present -- example.com {T} {V}", "fail: key authorization"),
        Example::of("present -- example.com {V} {K}", "fail: key authorization"),
    ];
}
