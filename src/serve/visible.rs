//! Whether a record is visible: what a client is told when it has set it, and when it asks later.

use std::time::Duration;

use serde_json::json;

use super::answer::{Answer, Problem};
use super::dialect::{self, Dialect};
use super::engine::Ask;
use super::request::Gateway;
use crate::challenge::{Challenge, Name, Value};
use crate::gate::auth::Caller;
use crate::gate::scope::Grant;
use crate::propagation::{Report, Seen, State};

/// What is kept of the client's patience for the way of the answer.
const MARGIN: Duration = Duration::from_secs(2);

/// When a client may ask again (seconds). To ask costs next to nothing.
const RETRY_AFTER: &str = "1";

fn retry_after() -> (&'static str, String) {
    ("Retry-After", RETRY_AFTER.to_string())
}

impl Gateway {
    /// After a change that is made: what was set is looked for from now on.
    pub(super) fn looked_for(&self, grant: &Grant, challenge: &Challenge, dialect: &Dialect, answer: Answer) -> Answer {
        let (Some(checks), Challenge::Setup { domain, value } | Challenge::Canary { domain, value, .. }) =
            (&self.checks, challenge)
        else {
            return answer;
        };
        // It may have been removed in between.
        let Some(living) = self.ledger.find(grant, value) else { return answer };
        if !checks.begin(living.clone()) {
            log::warn!("{domain}: too many records are looked for: this one is not");
            return answer;
        }
        if dialect.waits {
            let left = grant.deadline().left().unwrap_or_default();
            checks.wait(&living, grant.deadline().at_most(left.saturating_sub(MARGIN)));
            return answer;
        }
        answer.with(&[("Location", dialect::resource(domain, value)), retry_after()])
    }

    /// What is known of a value that this caller has set. Nobody else is told anything.
    pub(super) fn visible(&self, caller: &Caller, domain: &str, value: &str, ask: &Ask) -> Result<Answer, Problem> {
        let domain = dialect::domain(domain)?;
        let value = Value::parse(value).map_err(|error| Problem::new(400, format!("the value is {error}")))?;
        let grant = self.scope.challenge(caller, &domain, ask.passenger.deadline)?;
        let checks = self.checks.as_ref().ok_or_else(|| {
            Problem::new(404, "this gateway does not check whether records are visible (PROPAGATION = off)")
        })?;
        let report = match self.ledger.find(&grant, &value) {
            Some(living) => checks.report(living).ok_or_else(too_many)?,
            None => checks.gone(&grant, &value).ok_or_else(|| not_set(&domain))?,
        };
        let answer = Answer::json(200, &told(&report));
        Ok(match report.state {
            State::Pending => answer.with(&[retry_after()]),
            State::Visible | State::Unconfirmed | State::Gone => answer,
        })
    }
}

fn too_many() -> Problem {
    Problem::new(503, "too many records are looked for: try again after Retry-After").with("Retry-After", "10")
}

fn not_set(domain: &Name) -> Problem {
    Problem::new(404, format!("this caller has not set that value at {domain}"))
}

fn told(report: &Report) -> serde_json::Value {
    let state = match report.state {
        State::Pending => "pending",
        State::Visible => "visible",
        State::Unconfirmed => "unconfirmed",
        State::Gone => "gone",
    };
    let server = |Seen { sight, after }: &Seen| {
        let mut server = json!({"server": sight.server, "seen": sight.seen, "rcode": sight.rcode});
        if let Some(after) = after {
            server["after_ms"] = json!(after.as_millis() as u64);
        }
        if let Some(why) = &sight.why {
            server["why"] = json!(why);
        }
        server
    };
    let mut told = json!({
        "state": state,
        "servers": report.servers.iter().map(server).collect::<Vec<_>>(),
        "waited_ms": report.waited.as_millis() as u64,
    });
    if let Some(reason) = &report.reason {
        told["reason"] = json!(reason);
    }
    told
}
