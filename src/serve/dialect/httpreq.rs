//! What lego calls httpreq, and Traefik with it; acmeproxy, and the clients of Caddy and acme.sh for
//! it: POST to any path that ends in `/present` or `/cleanup`.
//!
//! Default mode `{"fqdn":…,"value":…}`, RAW mode `{"domain":…,"token":…,"keyAuth":…}`, keys in any
//! case: Caddy's client (libdns/acmeproxy, provider.go) writes `FQDN`. One answer is good for all:
//! lego takes any 2xx; Caddy wants 200 and its fields back as it sent them; acme.sh
//! (dns_acmeproxy.sh) looks at no status, and for `"VALUE"` anywhere in the body.

use std::time::Duration;

use serde_json::{Value as Json, json};

use super::json::Object;
use super::{Dialect, domain};
use crate::challenge::{Action, Challenge, LABEL, Name, Value};
use crate::gate::scope::Scope;
use crate::serve::answer::{Answer, Problem};
use crate::serve::engine::Ask;

pub(super) const DIALECT: Dialect = Dialect {
    speaks: |path| action(path).is_some(),
    allow: "POST",
    patience: LEGO.saturating_sub(Duration::from_secs(5)),
    waits: true,
    read: |ask| Request::read(ask).map(|request| request.challenge),
    door: Scope::record,
    answer,
    refuse,
};

/// How long lego waits (providers/dns/httpreq, HTTPREQ_HTTP_TIMEOUT), TLS and the way included.
const LEGO: Duration = Duration::from_secs(30);

/// A request, and what its answer repeats.
struct Request {
    challenge: Challenge,
    echo: Json,
}

/// By the path's last segment, whatever is in front of it.
fn action(path: &str) -> Option<Action> {
    match path.rsplit_once('/')?.1 {
        "present" => Some(Action::Setup),
        "cleanup" => Some(Action::Teardown),
        _ => None,
    }
}

impl Request {
    fn read(ask: &Ask) -> Result<Request, Problem> {
        let action =
            action(super::path(&ask.target)).ok_or_else(|| Problem::new(400, "neither present nor cleanup"))?;
        let object = Object::caseless(&ask.body)?;
        // A client may write all fields, and leave those of the other mode empty.
        let written = |key: &str| object.text(key).map(|text| text.is_some_and(|text| !text.is_empty()));
        let is_default = written("fqdn")? | written("value")?;
        let is_raw = written("domain")? | written("token")? | written("keyauth")?;
        match (is_default, is_raw) {
            (true, false) => Request::default_mode(action, object.required("fqdn")?, object.required("value")?),
            (false, true) => {
                Request::raw(action, object.required("domain")?, object.required("token")?, object.required("keyauth")?)
            }
            (false, false) => Err(Problem::new(400, "neither fqdn and value are in it, nor domain, token and keyAuth")),
            (true, true) => Err(Problem::new(400, "fields of the default mode and of the RAW mode are in it")),
        }
    }

    fn default_mode(action: Action, fqdn: &str, text: &str) -> Result<Request, Problem> {
        let is_challenge = fqdn.split_once('.').is_some_and(|(first, _)| first.eq_ignore_ascii_case(LABEL));
        let owner = match is_challenge {
            true => domain(fqdn)?.challenge(),
            // lego has followed a CNAME; scope knows where it may lead.
            false => Name::owner(fqdn).map_err(|error| Problem::new(400, format!("the field fqdn is {error}")))?,
        };
        let value = Value::parse(text).map_err(|error| Problem::new(400, format!("the field value is {error}")))?;
        Ok(Request { challenge: challenge(action, owner, value), echo: json!({"fqdn": fqdn, "value": text}) })
    }

    fn raw(action: Action, name: &str, token: &str, key_auth: &str) -> Result<Request, Problem> {
        let value = Value::of_key_authorization(key_auth, token)
            .map_err(|error| Problem::new(400, format!("the field keyAuth is {error}")))?;
        let challenge = challenge(action, domain(name)?.challenge(), value);
        let echo = json!({"domain": name, "token": token, "keyauth": key_auth});
        Ok(Request { challenge, echo })
    }
}

fn challenge(action: Action, owner: Name, value: Value) -> Challenge {
    match action {
        Action::Setup => Challenge::Setup { domain: owner, value },
        Action::Teardown => Challenge::Teardown { domain: owner, value: Some(value) },
    }
}

fn answer(_challenge: &Challenge, ask: &Ask) -> Answer {
    match Request::read(ask) {
        Ok(request) => Answer::json(200, &request.echo),
        Err(problem) => refuse(&problem, ask),
    }
}

/// Plain text, which lego and acme.sh show to people. Never with a `"` in it: acme.sh would take an
/// error for success that quotes the value, as a DNS service's words may.
fn refuse(problem: &Problem, ask: &Ask) -> Answer {
    let text = format!("{} (request {})\n", problem.detail, ask.passenger.number).replace('"', "'");
    Answer::text(problem.status, &text).with(&problem.headers)
}

#[cfg(test)]
mod properties;
