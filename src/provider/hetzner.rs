//! Hetzner's DNS, through the Cloud API (not the older one at dns.hetzner.com).
//!
//! Documentation: <https://docs.hetzner.cloud/reference/cloud#zone-rrset-actions>, and
//! `hcloud/zone_rrset.go` of <https://github.com/hetznercloud/hcloud-go>. Values are added and
//! removed one by one; each change is an action that runs for a moment.
//! Tested against a simulation written from it, not against the service.

use serde_json::json;

use super::rest::judge::{self, Problem};
use super::rest::sets;
use super::rest::text::{quoted, unquoted};
use super::rest::{Api, Place, Profile, Service};
use super::{Provider, Receipt, Row};
use crate::challenge::{Action, Name, Value};
use crate::config::Setting;
use crate::deadline::Deadline;
use crate::fault::Fault;
use crate::http;

const BASE: &str = "https://api.hetzner.cloud/v1";

/// Seconds; the service takes nothing below 60.
const TTL: u64 = 60;

pub const ROW: Row = Row {
    name: "hetzner",
    predecessor: None,
    about: "Hetzner's DNS, by the Cloud API",
    experimental: true,
    documentation: Some("https://docs.hetzner.cloud/reference/cloud"),
    settings: &[SETTINGS, http::SETTINGS],
    build: |config, mistakes, _| {
        let api = Api::with_token(config, mistakes, &PROFILE, BASE, "Bearer")?;
        Some(Box::new(Hetzner(api)) as Box<dyn Provider>)
    },
};

const SETTINGS: &[Setting] = &[
    Setting::secret("DNSAPI_PASSWORD", "a token of the project that holds the zones, to read and write").required(),
    Setting::new("DNSAPI_URL", "", "replaces https://api.hetzner.cloud/v1; plain http to loopback only"),
];

const PROFILE: Profile = Profile {
    title: "Hetzner",
    remedy: "DNSAPI_PASSWORD is an API token, to read and write, of the project that holds the zone",
    conflicts: &[409],
    judge: judge::by_status,
    reason: |body| judge::reason(body, &["/error/code"], &["/error/message"]),
};

struct Hetzner(Api);

impl Service for Hetzner {
    fn api(&self) -> &Api {
        &self.0
    }

    fn find_zone(&self, name: &Name, deadline: Deadline) -> Result<Option<String>, Problem> {
        let zone = &self.0.get(format!("/zones/{name}"), deadline)?["zone"];
        match (zone["name"].as_str(), zone["id"].as_u64()) {
            (Some(found), Some(id)) => Ok((found == name.as_str()).then(|| id.to_string())),
            _ => Err(self.0.strange("no zone", false)),
        }
    }

    fn change(&self, place: &Place, action: Action, value: &Value, deadline: Deadline) -> Result<Receipt, Problem> {
        let path = format!("/zones/{}/rrsets/{}/TXT", place.key, place.relative_or_at());
        let held = sets::found(self.0.get(path.clone(), deadline), |answer| {
            let set = &answer["rrset"];
            sets::from_json(&self.0, &set["records"], &set["ttl"], |record| record["value"].as_str())
        })?;
        // A set that is there has its TTL, and keeps it.
        let mut body = if held.is_none() && action == Action::Setup { json!({"ttl": TTL}) } else { json!({}) };
        let held = held.map(|set| set.values).unwrap_or_default();
        let mut ours: Vec<_> = held.into_iter().filter(|held| unquoted(held) == value.as_str()).collect();
        let word = match (action, ours.is_empty()) {
            (Action::Setup, false) | (Action::Teardown, true) => return Ok(Receipt::default()),
            (Action::Setup, true) => {
                ours.push(quoted(value.as_str()));
                "add_records"
            }
            (Action::Teardown, false) => "remove_records",
        };
        body["records"] = ours.iter().map(|held| json!({"value": held})).collect();
        match self.0.change("POST", format!("{path}/actions/{word}"), Some(&body), deadline) {
            // The item is locked while another action runs.
            Err(Problem::No(no)) if no.status == 423 => Err(Fault::Conflict(format!("Hetzner: {no}")).into()),
            // Somebody else was quicker.
            Err(Problem::No(no)) if no.code == "uniqueness_error" => Ok(Receipt::default()),
            answer => match answer?["action"]["id"].as_u64() {
                Some(id) => Ok(Receipt(id.to_string())),
                None => Err(self.0.strange("no action", true)),
            },
        }
    }

    fn landed(&self, id: &str, deadline: Deadline) -> Result<bool, Problem> {
        let action = &self.0.get(format!("/actions/{id}"), deadline)?["action"];
        match action["status"].as_str() {
            Some("success") => Ok(true),
            Some("running") => Ok(false),
            Some("error") => {
                Err(Fault::Unknown(format!("the action {id} at Hetzner failed ({})", action["error"])).into())
            }
            _ => Err(self.0.strange("an action without a status", false)),
        }
    }
}

#[cfg(test)]
pub(super) mod tests;
