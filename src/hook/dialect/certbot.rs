//! certbot's plugin `manual`: no words, all is in the environment, for --manual-auth-hook and
//! --manual-cleanup-hook alike.
//!
//! The facts are from certbot's plugins/manual.py. The auth hooks of one certificate run one after
//! another before the CA is told. What the auth hook printed is in CERTBOT_AUTH_OUTPUT of the
//! cleanup hook, and, left behind, of auth hooks after it: so auth prints the value that it sets,
//! and a call is a cleanup exactly when its value was printed before. certbot goes on whether or
//! not the auth hook succeeds: so the value is printed in any case.

use std::collections::BTreeSet;

use super::{Change, Order, Row, Said, Wait, action, domain, value};
use crate::challenge::Name;

pub const ROW: Row = Row {
    name: "certbot",
    form: "without words, by certbot, as --manual-auth-hook and --manual-cleanup-hook",
    explicit: false,
    read,
    #[cfg(test)]
    examples: tests::EXAMPLES,
};

fn read(said: &Said) -> Option<Result<Order, String>> {
    let validation = (said.environment)("CERTBOT_VALIDATION")?;
    said.words.is_empty().then(|| order(said, &validation))
}

fn order(said: &Said, validation: &str) -> Result<Order, String> {
    let variable = said.environment;
    if variable("CERTBOT_TOKEN").is_some() {
        return Err("CERTBOT_TOKEN is set, so that this is not dns-01: add --preferred-challenges dns".to_string());
    }
    let named = variable("CERTBOT_IDENTIFIER").or_else(|| variable("CERTBOT_DOMAIN"));
    let name = domain(&named.ok_or("neither CERTBOT_IDENTIFIER nor CERTBOT_DOMAIN is set")?)?;
    let value = value(validation)?;
    if variable("CERTBOT_AUTH_OUTPUT").is_some_and(|output| output.contains(validation)) {
        return Ok(Order::Change(Change::now(vec![action(false, name, value)])));
    }
    let wait = match variable("CERTBOT_REMAINING_CHALLENGES").as_deref().map(str::parse::<u32>) {
        Some(Ok(0)) => Wait::Living(all(said, &name)),
        Some(Ok(_)) => Wait::Nothing,
        // An old certbot does not count: each call may be the last.
        None | Some(Err(_)) => Wait::ThisCall,
    };
    Ok(Order::Change(Change {
        challenges: vec![action(true, name, value)],
        wait,
        marker: Some(validation.to_string()),
    }))
}

/// The names of all challenges for this certificate; those that are no domains have no records.
fn all(said: &Said, last: &Name) -> Vec<Name> {
    let written = (said.environment)("CERTBOT_ALL_IDENTIFIERS").or_else(|| (said.environment)("CERTBOT_ALL_DOMAINS"));
    let written = written.unwrap_or_default();
    let names = written.split(',').filter_map(|name| {
        let name = name.trim();
        Name::domain(name.strip_prefix("*.").unwrap_or(name)).ok()
    });
    let names: BTreeSet<_> = names.chain([last.clone()]).collect();
    names.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use crate::hook::dialect::tests::Example;

    const LAST: &[(&str, &str)] = &[
        ("CERTBOT_DOMAIN", "example.com"),
        ("CERTBOT_VALIDATION", "{V}"),
        ("CERTBOT_ALL_DOMAINS", "b.example.com,example.com,*.example.com,192.0.2.1,"),
        ("CERTBOT_REMAINING_CHALLENGES", "0"),
    ];

    pub const EXAMPLES: &[Example] = &[
        Example {
            words: "",
            environment: LAST,
            means: "setup example.com {V}, wait for b.example.com example.com, print {V}",
        },
        Example {
            words: "",
            environment: &[
                ("CERTBOT_DOMAIN", "a.example.com"),
                ("CERTBOT_IDENTIFIER", "example.com"),
                ("CERTBOT_VALIDATION", "{V}"),
                ("CERTBOT_ALL_DOMAINS", "a.example.com"),
                ("CERTBOT_ALL_IDENTIFIERS", "example.com,b.example.com"),
                ("CERTBOT_REMAINING_CHALLENGES", "0"),
            ],
            means: "setup example.com {V}, wait for b.example.com example.com, print {V}",
        },
        Example {
            words: "",
            environment: &[
                ("CERTBOT_DOMAIN", "example.com"),
                ("CERTBOT_VALIDATION", "{V}"),
                ("CERTBOT_REMAINING_CHALLENGES", "0"),
            ],
            means: "setup example.com {V}, wait for example.com, print {V}",
        },
        Example {
            words: "",
            environment: &[
                ("CERTBOT_DOMAIN", "example.com"),
                ("CERTBOT_VALIDATION", "{V}"),
                ("CERTBOT_ALL_DOMAINS", "example.com,example.com"),
                ("CERTBOT_REMAINING_CHALLENGES", "1"),
            ],
            means: "setup example.com {V}, print {V}",
        },
        Example {
            words: "",
            environment: &[("CERTBOT_DOMAIN", "example.com"), ("CERTBOT_VALIDATION", "{V}")],
            means: "setup example.com {V}, wait, print {V}",
        },
        // What the auth hook of another value left behind does not make this one a cleanup.
        Example {
            words: "",
            environment: &[
                ("CERTBOT_DOMAIN", "example.com"),
                ("CERTBOT_VALIDATION", "{V}"),
                ("CERTBOT_AUTH_OUTPUT", "{W}"),
                ("CERTBOT_REMAINING_CHALLENGES", "2"),
            ],
            means: "setup example.com {V}, print {V}",
        },
        Example {
            words: "",
            environment: &[
                ("CERTBOT_DOMAIN", "example.com"),
                ("CERTBOT_VALIDATION", "{V}"),
                ("CERTBOT_AUTH_OUTPUT", "a wrapper's words\n{V}"),
                ("CERTBOT_REMAINING_CHALLENGES", "0"),
            ],
            means: "teardown example.com {V}",
        },
        Example {
            words: "",
            environment: &[("CERTBOT_DOMAIN", "example.com"), ("CERTBOT_VALIDATION", "{K}"), ("CERTBOT_TOKEN", "{T}")],
            means: "fail: add --preferred-challenges dns",
        },
        Example {
            words: "",
            environment: &[("CERTBOT_DOMAIN", "example.com"), ("CERTBOT_VALIDATION", "{V}"), ("CERTBOT_TOKEN", "")],
            means: "fail: CERTBOT_TOKEN is set",
        },
        Example { words: "", environment: &[("CERTBOT_VALIDATION", "{V}")], means: "fail: nor CERTBOT_DOMAIN is set" },
        Example {
            words: "",
            environment: &[("CERTBOT_DOMAIN", "-x.example.com"), ("CERTBOT_VALIDATION", "{V}")],
            means: "fail: the domain",
        },
        Example {
            words: "",
            environment: &[("CERTBOT_DOMAIN", "example.com"), ("CERTBOT_VALIDATION", "")],
            means: "fail: 43 characters",
        },
        // An empty output is no cleanup, and an empty value is contained in anything.
        Example {
            words: "",
            environment: &[
                ("CERTBOT_DOMAIN", "example.com"),
                ("CERTBOT_VALIDATION", "{V}"),
                ("CERTBOT_AUTH_OUTPUT", ""),
                ("CERTBOT_REMAINING_CHALLENGES", "1"),
            ],
            means: "setup example.com {V}, print {V}",
        },
    ];
}
