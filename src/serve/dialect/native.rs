//! The predecessor's own language, which `acmegw hook` and apache-mod_md.sh speak: POST, PUT or
//! DELETE on any path, `{"argument":…,"domain_name":…,"challenge_content":…}`.

use std::time::Duration;

use super::json::Object;
use super::{Dialect, domain};
use crate::challenge::{Action, Challenge, Value};
use crate::gate::scope::Scope;
use crate::serve::answer::{Answer, Problem};
use crate::serve::engine::Ask;

pub(super) const DIALECT: Dialect = Dialect {
    speaks: |_| true,
    allow: "POST, PUT, DELETE",
    patience: Duration::from_secs(120),
    read,
    door: Scope::challenge,
    answer,
    refuse: |problem, ask| problem.answer(&ask.passenger.number),
};

fn read(ask: &Ask) -> Result<Challenge, Problem> {
    let object = Object::parse(&ask.body)?;
    let action = match object.required("argument")? {
        "setup" | "add" => Action::Setup,
        "teardown" | "remove" => Action::Teardown,
        _ => return Err(Problem::new(400, "the field argument is none of setup, add, teardown, remove")),
    };
    if ask.method == "DELETE" && action == Action::Setup {
        return Err(Problem::new(400, "DELETE takes only teardown and remove"));
    }
    let domain = domain(object.required("domain_name")?)?;
    let value = |text: &str| {
        Value::parse(text).map_err(|error| Problem::new(400, format!("the field challenge_content is {error}")))
    };
    Ok(match action {
        Action::Setup => Challenge::Setup { domain, value: value(object.required("challenge_content")?)? },
        Action::Teardown => {
            // mod_md version 1 has no value at teardown, and its script sent an empty one.
            let content = object.text("challenge_content")?.filter(|text| !text.is_empty());
            Challenge::Teardown { domain, value: content.map(value).transpose()? }
        }
    })
}

fn answer(challenge: &Challenge, _ask: &Ask) -> Answer {
    match challenge.action() {
        Action::Setup => Answer::text(201, "OK\n"),
        Action::Teardown => Answer::text(200, "OK\n"),
    }
}
