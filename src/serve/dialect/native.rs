//! The predecessor's own language, which `acmegw hook` and apache-mod_md.sh speak: POST, PUT or
//! DELETE on any path, `{"argument":…,"domain_name":…,"challenge_content":…}`. Beyond it goes the
//! argument `canary`, by which `acmegw probe` proves a domain, with `lifetime` in seconds.

use std::time::Duration;

use super::json::Object;
use super::{Dialect, domain};
use crate::challenge::{CANARY, CANARY_LIFE, Challenge, Name, Value};
use crate::gate::scope::Scope;
use crate::serve::answer::{Answer, Problem};
use crate::serve::engine::Ask;

pub(super) const DIALECT: Dialect = Dialect {
    speaks: |_| true,
    allow: "POST, PUT, DELETE",
    patience: Duration::from_secs(120),
    waits: false,
    read,
    door: Scope::challenge,
    answer,
    refuse: |problem, ask| problem.answer(&ask.passenger.number),
};

fn read(ask: &Ask) -> Result<Challenge, Problem> {
    let object = Object::parse(&ask.body)?;
    let domain = |object: &Object| domain(object.required("domain_name")?);
    match object.required("argument")? {
        "teardown" | "remove" => teardown(domain(&object)?, &object),
        "setup" | "add" | CANARY if ask.method == "DELETE" => {
            Err(Problem::new(400, "DELETE takes only teardown and remove"))
        }
        "setup" | "add" => Ok(Challenge::Setup { domain: domain(&object)?, value: required_value(&object)? }),
        CANARY => {
            let (domain, value) = (domain(&object)?, required_value(&object)?);
            Ok(Challenge::Canary { domain, value, life: life(&object)? })
        }
        _ => Err(Problem::new(400, "the field argument is none of setup, add, teardown, remove, canary")),
    }
}

fn teardown(domain: Name, object: &Object) -> Result<Challenge, Problem> {
    // mod_md version 1 has no value at teardown, and its script sent an empty one.
    let content = object.text("challenge_content")?.filter(|text| !text.is_empty());
    Ok(Challenge::Teardown { domain, value: content.map(value).transpose()? })
}

fn required_value(object: &Object) -> Result<Value, Problem> {
    value(object.required("challenge_content")?)
}

fn value(text: &str) -> Result<Value, Problem> {
    Value::parse(text).map_err(|error| Problem::new(400, format!("the field challenge_content is {error}")))
}

/// A text, as all fields are.
fn life(object: &Object) -> Result<Duration, Problem> {
    let most = CANARY_LIFE.as_secs();
    let seconds = object.required("lifetime")?.parse().ok().filter(|seconds| (1..=most).contains(seconds));
    let wrong = || Problem::new(400, format!("the field lifetime is no number of seconds from 1 to {most}"));
    seconds.map(Duration::from_secs).ok_or_else(wrong)
}

fn answer(challenge: &Challenge, _ask: &Ask) -> Answer {
    match challenge {
        Challenge::Setup { .. } | Challenge::Canary { .. } => Answer::text(201, "OK\n"),
        Challenge::Teardown { .. } => Answer::text(200, "OK\n"),
    }
}
