//! Cloudflare's DNS, through its API v4.
//!
//! Documentation: <https://developers.cloudflare.com/api/resources/dns/subresources/records/>; read as
//! `dns/record.go` of <https://github.com/cloudflare/cloudflare-go>, which is made from it. It lists no
//! error codes: those below are from answers in reports to ddns-go, cloudflare-ddns and certbot.
//! Tested against a simulation written from that, not against the service.

use serde_json::{Value as Json, json};

use super::rest::judge::{self, Problem};
use super::rest::records::{self, Held, Records};
use super::rest::text::{quoted, unquoted};
use super::rest::{Api, Place, Profile, Service};
use super::{Provider, Receipt, Row};
use crate::challenge::{Action, Name, Value};
use crate::config::Setting;
use crate::deadline::Deadline;
use crate::http::{self, Answer};

const BASE: &str = "https://api.cloudflare.com/client/v4";

/// Seconds; the service takes 60 to 86400, and for some customers from 30.
const TTL: u64 = 120;

/// Records a page.
const PAGE: usize = 100;

/// Codes that mean "this record is there already".
const IDENTICAL: [&str; 2] = ["81057", "81058"];

/// A token that cannot be one; it comes with status 400, and says more in its chain (6111).
const BAD_TOKEN: &str = "6003";

pub const ROW: Row = Row {
    name: "cloudflare",
    predecessor: None,
    about: "Cloudflare's DNS, by its API v4",
    experimental: true,
    documentation: Some("https://developers.cloudflare.com/api/resources/dns/subresources/records/"),
    settings: &[SETTINGS, http::SETTINGS],
    build: |config, mistakes, _| {
        let api = Api::with_token(config, mistakes, &PROFILE, BASE, "Bearer")?;
        Some(Box::new(Cloudflare(api)) as Box<dyn Provider>)
    },
};

const SETTINGS: &[Setting] = &[
    Setting::secret("DNSAPI_PASSWORD", "an API token with Zone Read and DNS Edit of the zones").required(),
    Setting::new("DNSAPI_URL", "", "replaces https://api.cloudflare.com/client/v4; plain http to loopback only"),
];

const PROFILE: Profile = Profile {
    title: "Cloudflare",
    remedy: "DNSAPI_PASSWORD is an API token (not the global key) that may Zone Read and DNS Edit this zone",
    conflicts: &[],
    judge: judged,
    reason: |body| {
        // Where an error has a chain, its own message says little: "DNS Validation Error".
        judge::reason(body, &["/errors/0/code"], &["/errors/0/error_chain/0/message", "/errors/0/message"])
    },
};

/// Everything else is as its status says: 403 may be a missing right (10000, 9109) or a wrong token.
fn judged(api: &Api, answer: Answer, changes: bool) -> Result<Answer, Problem> {
    judge::by_status(api, answer, changes).map_err(|problem| match problem {
        Problem::No(no) if no.code == BAD_TOKEN => Problem::No(judge::No { status: 401, ..no }),
        problem => problem,
    })
}

struct Cloudflare(Api);

impl Service for Cloudflare {
    fn api(&self) -> &Api {
        &self.0
    }

    fn find_zone(&self, name: &Name, deadline: Deadline) -> Result<Option<String>, Problem> {
        let answer = self.0.get(format!("/zones?name={name}"), deadline)?;
        let zones = answer["result"].as_array().ok_or_else(|| self.0.strange("no list of zones", false))?;
        let ours = zones.iter().find(|zone| zone["name"] == name.as_str());
        Ok(ours.and_then(|zone| zone["id"].as_str()).map(str::to_string))
    }

    fn change(&self, place: &Place, action: Action, value: &Value, deadline: Deadline) -> Result<Receipt, Problem> {
        records::change(self, place, action, value, deadline)
    }
}

impl Records for Cloudflare {
    fn list(&self, place: &Place, deadline: Deadline) -> Result<Vec<Held>, Problem> {
        let mut held = Vec::new();
        let path = |page| format!("/zones/{}/dns_records?name={}&per_page={PAGE}&page={page}", place.key, place.owner);
        self.0.pages(path(1), deadline, |answer| {
            let strange = || self.0.strange("a list without records", false);
            let text = |json: &Json| json.as_str().unwrap_or_default().to_string();
            for record in answer["result"].as_array().ok_or_else(strange)? {
                if record["name"] == place.owner.as_str() {
                    let (id, kind) = (text(&record["id"]), text(&record["type"]));
                    held.push(Held { id, kind, text: unquoted(&text(&record["content"])) });
                }
            }
            let info = &answer["result_info"];
            let (page, all) = (info["page"].as_u64().unwrap_or(1), info["total_pages"].as_u64().unwrap_or(1));
            Ok((page < all).then(|| path(page + 1)))
        })?;
        Ok(held)
    }

    fn create(&self, place: &Place, value: &Value, deadline: Deadline) -> Result<Receipt, Problem> {
        let content = quoted(value.as_str());
        let record = json!({"type": "TXT", "name": place.owner.as_str(), "content": content, "ttl": TTL});
        match self.0.change("POST", format!("/zones/{}/dns_records", place.key), Some(&record), deadline) {
            Ok(answer) if answer["success"] == true => Ok(Receipt::default()),
            Ok(_) => Err(self.0.strange("no word of success", true)),
            Err(Problem::No(no)) if IDENTICAL.contains(&no.code.as_str()) => Ok(Receipt::default()),
            Err(problem) => Err(problem),
        }
    }

    fn delete(&self, place: &Place, id: &str, deadline: Deadline) -> Result<Receipt, Problem> {
        let answer = self.0.change("DELETE", format!("/zones/{}/dns_records/{id}", place.key), None, deadline)?;
        match answer["result"]["id"] == id {
            true => Ok(Receipt::default()),
            false => Err(self.0.strange("another record than the one to be deleted", true)),
        }
    }
}

#[cfg(test)]
pub(super) mod tests;
