//! dehydrated: `deploy_challenge` and `clean_challenge` with domain, token and value, three words a
//! challenge, many of them with HOOK_CHAIN=yes; and handlers that are no concern of the DNS.
//!
//! The facts are from dehydrated's source: each handler that does not end with 0 ends its run, what
//! generate_csr prints is taken for a CSR, and handlers are tried with a name that is none.

use super::{Change, Order, Row, Said, action, domain, value, wrong_count};
use crate::challenge::Challenge;

pub const ROW: Row = Row {
    name: "dehydrated",
    form: "deploy_challenge|clean_challenge DOMAIN TOKEN VALUE [DOMAIN TOKEN VALUE ...]",
    explicit: false,
    read,
    #[cfg(test)]
    examples: tests::EXAMPLES,
};

/// The handlers that tell us something and want nothing.
const EVENTS: [&str; 9] = [
    "startup_hook",
    "exit_hook",
    "generate_csr",
    "invalid_challenge",
    "request_failure",
    "deploy_cert",
    "deploy_ocsp",
    "sync_cert",
    "unchanged_cert",
];

/// The name with which it tries whether a hook lets unknown handlers pass.
const PROBE: &str = "this_hookscript_is_broken__dehydrated_is_working_fine__please_ignore_unknown_hooks_in_your_script";

fn read(said: &Said) -> Option<Result<Order, String>> {
    let (verb, rest) = said.words.split_first()?;
    match *verb {
        "deploy_challenge" => Some(challenges(verb, true, rest)),
        "clean_challenge" => Some(challenges(verb, false, rest)),
        PROBE => Some(Ok(Order::Event("dehydrated tries whether unknown handlers pass".to_string()))),
        _ if EVENTS.contains(verb) => Some(Ok(Order::Event(said.words.join(" ")))),
        _ => None,
    }
}

fn challenges(verb: &str, deploy: bool, words: &[&str]) -> Result<Order, String> {
    let (triples, rest) = words.as_chunks::<3>();
    if triples.is_empty() || !rest.is_empty() {
        return Err(wrong_count(verb, "domain, token and value for each challenge", words));
    }
    let challenge = |[name, _token, text]: &[&str; 3]| -> Result<Challenge, String> {
        let wrong = |what| format!("{what}; is CHALLENGETYPE=dns-01 set");
        Ok(action(deploy, domain(name)?, value(text).map_err(wrong)?))
    };
    Ok(Order::Change(Change::now(triples.iter().map(challenge).collect::<Result<_, _>>()?)))
}

#[cfg(test)]
mod tests {
    use crate::hook::dialect::tests::Example;

    pub const EXAMPLES: &[Example] = &[
        Example::of("deploy_challenge example.com {T} {V}", "setup example.com {V}, wait"),
        Example::of(
            "deploy_challenge example.com {T} {V} example.com -{T} {W} a.example.com {T} {V}",
            "setup example.com {V}, setup example.com {W}, setup a.example.com {V}, wait",
        ),
        Example::of("clean_challenge example.com {T} {V}", "teardown example.com {V}"),
        Example::of(
            "clean_challenge example.com {T} {V} example.com {T} {W}",
            "teardown example.com {V}, teardown example.com {W}",
        ),
        Example::of(
            "this_hookscript_is_broken__dehydrated_is_working_fine__please_ignore_unknown_hooks_in_your_script",
            "event dehydrated tries whether unknown handlers pass",
        ),
        Example::of("startup_hook", "event startup_hook"),
        Example::of("exit_hook", "event exit_hook"),
        Example::of("exit_hook it went wrong", "event exit_hook it went wrong"),
        Example::of("generate_csr example.com /certs names", "event generate_csr example.com /certs names"),
        Example::of("invalid_challenge example.com {}", "event invalid_challenge example.com {}"),
        Example::of("request_failure 500 no GET head", "event request_failure 500 no GET head"),
        Example::of("deploy_cert example.com k c f n 17", "event deploy_cert example.com k c f n 17"),
        Example::of("deploy_ocsp example.com o 17", "event deploy_ocsp example.com o 17"),
        Example::of("sync_cert k c f n r", "event sync_cert k c f n r"),
        Example::of("unchanged_cert example.com k c f n", "event unchanged_cert example.com k c f n"),
        Example::of("deploy_challenge", "fail: not 0 words"),
        Example::of("deploy_challenge example.com {V}", "fail: not 2 words"),
        Example::of("deploy_challenge example.com {T} {V} example.com", "fail: not 4 words"),
        Example::of("clean_challenge example.com {T} {V} example.com {W}", "fail: not 5 words"),
        Example::of("deploy_challenge -x.example.com {T} {V}", "fail: the domain"),
        Example::of("deploy_challenge example.com {T} {V} *.example.com {T} {W}", "fail: a wildcard"),
        Example::of("deploy_challenge example.com {T} {K}", "fail: is CHALLENGETYPE=dns-01 set"),
    ];
}
