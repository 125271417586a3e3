//! DigitalOcean's DNS, through its API v2.
//!
//! Documentation: <https://docs.digitalocean.com/reference/api/digitalocean/#tag/Domain-Records> and
//! its source, `specification/resources/domains/` of <https://github.com/digitalocean/openapi>.
//! Tested against a simulation written from it, not against the service.

use serde_json::{Value as Json, json};

use super::rest::judge::{self, Problem};
use super::rest::records::{self, Held, Records};
use super::rest::text::unquoted;
use super::rest::{Api, Place, Profile, Service};
use super::{Provider, Receipt, Row};
use crate::challenge::{Action, Name, Value};
use crate::config::Setting;
use crate::deadline::Deadline;
use crate::http;

const BASE: &str = "https://api.digitalocean.com";

/// Seconds; the service takes nothing below 30.
const TTL: u64 = 30;

/// Records a page: the most that the service gives.
const PAGE: usize = 200;

pub const ROW: Row = Row {
    name: "digitalocean",
    predecessor: None,
    about: "DigitalOcean's DNS, by its API v2",
    experimental: true,
    documentation: Some("https://docs.digitalocean.com/reference/api/digitalocean/"),
    settings: &[SETTINGS, http::SETTINGS],
    build: |config, mistakes, _| {
        let api = Api::with_token(config, mistakes, &PROFILE, BASE, "Bearer")?;
        Some(Box::new(DigitalOcean(api)) as Box<dyn Provider>)
    },
};

const SETTINGS: &[Setting] = &[
    Setting::secret("DNSAPI_PASSWORD", "a token with the scopes domain:read, domain:create, domain:delete").required(),
    Setting::new("DNSAPI_URL", "", "replaces https://api.digitalocean.com; plain http to loopback only"),
];

const PROFILE: Profile = Profile {
    title: "DigitalOcean",
    remedy: "DNSAPI_PASSWORD is a personal access token with the scopes domain:read, domain:create and domain:delete",
    conflicts: &[],
    judge: judge::by_status,
    reason: |body| judge::reason(body, &["/id"], &["/message"]),
};

struct DigitalOcean(Api);

impl Service for DigitalOcean {
    fn api(&self) -> &Api {
        &self.0
    }

    fn find_zone(&self, name: &Name, deadline: Deadline) -> Result<Option<String>, Problem> {
        match self.0.get(format!("/v2/domains/{name}"), deadline)?["domain"]["name"].as_str() {
            Some(found) => Ok((found == name.as_str()).then(String::new)),
            None => Err(self.0.strange("no domain", false)),
        }
    }

    fn change(&self, place: &Place, action: Action, value: &Value, deadline: Deadline) -> Result<Receipt, Problem> {
        records::change(self, place, action, value, deadline)
    }
}

impl Records for DigitalOcean {
    fn list(&self, place: &Place, deadline: Deadline) -> Result<Vec<Held>, Problem> {
        let mut held = Vec::new();
        // The next page's number is counted here: the link in the answer could lead anywhere.
        let mut page = 1;
        let path =
            |page| format!("/v2/domains/{}/records?name={}&per_page={PAGE}&page={page}", place.zone, place.owner);
        self.0.pages(path(1), deadline, |answer| {
            let strange = || self.0.strange("a list without records", false);
            let text = |json: &Json| json.as_str().unwrap_or_default().to_string();
            for record in answer["domain_records"].as_array().ok_or_else(strange)? {
                if record["name"] == place.relative_or_at() {
                    let id = record["id"].as_u64().ok_or_else(strange)?.to_string();
                    held.push(Held { id, kind: text(&record["type"]), text: unquoted(&text(&record["data"])) });
                }
            }
            page += 1;
            Ok(answer["links"]["pages"]["next"].is_string().then(|| path(page)))
        })?;
        Ok(held)
    }

    fn create(&self, place: &Place, value: &Value, deadline: Deadline) -> Result<Receipt, Problem> {
        let record = json!({"type": "TXT", "name": place.relative_or_at(), "data": value.as_str(), "ttl": TTL});
        let answer = self.0.change("POST", format!("/v2/domains/{}/records", place.zone), Some(&record), deadline)?;
        match answer["domain_record"]["id"].is_u64() {
            true => Ok(Receipt::default()),
            false => Err(self.0.strange("no record", true)),
        }
    }

    fn delete(&self, place: &Place, id: &str, deadline: Deadline) -> Result<Receipt, Problem> {
        match self.0.change("DELETE", format!("/v2/domains/{}/records/{id}", place.zone), None, deadline)? {
            Json::Null => Ok(Receipt::default()),
            _ => Err(self.0.strange("more than nothing to a deletion", true)),
        }
    }
}

#[cfg(test)]
pub(super) mod tests;
