//! acme-dns (joohoi/acme-dns), which lego, acme.sh, cert-manager, Caddy and certbot's plugin speak:
//! `…/update` and `…/register` by POST, JSON in one line.
//!
//! Keys in any case: acme-dns tells no case apart, and cpu/goacmedns writes `SubDomain`. Answers and
//! error words are acme-dns's own (its api.go and auth.go). The path `…/health` is answered for all
//! dialects alike.

use std::time::Duration;

use ipnet::IpNet;
use serde_json::Value as Json;

use super::json::Object;
use super::{Dialect, last_segment};
use crate::acmedns::{Account, Id, NETWORKS, network};
use crate::challenge::{Challenge, Name, Value};
use crate::gate::scope::Scope;
use crate::secret::Secret;
use crate::serve::answer::{Answer, Problem};
use crate::serve::engine::Ask;

pub(super) const DIALECT: Dialect = Dialect {
    speaks: |path| last_segment(path) == UPDATE || is_register(path),
    allow: "POST",
    // goacmedns gives up after 30 s.
    patience: Duration::from_secs(25),
    waits: true,
    read,
    door: Scope::place,
    answer,
    refuse,
};

const UPDATE: &str = "update";
const REGISTER: &str = "register";

/// Does this path ask for an account, and not for a challenge?
pub(super) fn is_register(path: &str) -> bool {
    last_segment(path) == REGISTER
}

/// What is asked for by the account's subdomain is for its place; which account it is, its
/// credentials say.
fn read(ask: &Ask) -> Result<Challenge, Problem> {
    let object = Object::caseless(&ask.body).map_err(|problem| problem.word("malformed_json_payload"))?;
    let subdomain = object.text("subdomain").ok().flatten().and_then(Id::parse);
    let subdomain = subdomain.and_then(|subdomain| Name::host(subdomain.as_str()).ok());
    let bad_subdomain = || Problem::new(400, "the field subdomain is not a UUID").word("bad_subdomain");
    let txt = object.text("txt").ok().flatten().unwrap_or_default();
    let bad_txt = |error| Problem::new(400, format!("the field txt is {error}")).word("bad_txt");
    Ok(Challenge::Setup { domain: subdomain.ok_or_else(bad_subdomain)?, value: Value::parse(txt).map_err(bad_txt)? })
}

/// acme.sh looks for the value between quotes.
fn answer(challenge: &Challenge, _ask: &Ask) -> Answer {
    match challenge {
        Challenge::Setup { value, .. } => line(200, format!("{{\"txt\": \"{value}\"}}")),
        // Not to be asked for here.
        Challenge::Teardown { .. } | Challenge::Canary { .. } => line(200, "{}".to_string()),
    }
}

/// What there is a word for is said by it; all else in ours, which the clients show.
fn refuse(problem: &Problem, _ask: &Ask) -> Answer {
    let (status, text) = match (problem.word, problem.status) {
        (Some(word), status) => (status, Json::from(word)),
        // Bad credentials, addresses and names are all the same to its clients.
        (None, 401 | 403) => (401, Json::from("forbidden")),
        (None, status) => (status, Json::from(problem.detail.as_str())),
    };
    line(status, format!("{{\"error\": {text}}}")).with(&problem.headers)
}

/// From which networks the account that is asked for may be used. Clients send nothing, `null`, `{}`,
/// or an object with allowfrom.
pub fn allow_from(body: &[u8]) -> Result<Vec<IpNet>, Problem> {
    let malformed = |problem: Problem| problem.word("malformed_json_payload");
    if body.trim_ascii().is_empty() || body.trim_ascii() == b"null" {
        return Ok(Vec::new());
    }
    let object = Object::caseless(body).map_err(malformed)?;
    let texts = object.texts("allowfrom").map_err(malformed)?;
    let wrong = |detail| Problem::new(400, detail).word("invalid_allowfrom_cidr");
    if texts.len() > NETWORKS {
        return Err(wrong(format!("more than {NETWORKS} networks in allowfrom")));
    }
    let networks = texts.into_iter().map(|text| {
        network(text).ok_or_else(|| wrong("allowfrom holds what is no network, such as 192.0.2.0/24".to_string()))
    });
    networks.collect()
}

/// A new account; its key is told this once.
pub fn registered(account: &Account, key: &Secret) -> Answer {
    line(201, account.json(key).reveal().to_string())
}

fn line(status: u16, text: String) -> Answer {
    Answer { status, headers: vec![("Content-Type".to_string(), "application/json".to_string())], body: text.into() }
}

#[cfg(test)]
mod properties;
