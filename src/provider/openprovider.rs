//! OpenProvider's DNS, through its REST API v1beta.
//!
//! Documentation: <https://docs.openprovider.com> and its sources, the files
//! `swagger/auth.swagger.json` and `swagger/dns.swagger.json` of
//! <https://github.com/openprovider/api-documentation>; the codes are those that clients met.
//! Tested against a simulation written from it, not against the service.

mod api;

use serde_json::{Value as Json, json};

use self::api::{Login, PROFILE};
use super::rest::judge::Problem;
use super::rest::session::Session;
use super::rest::text::unquoted;
use super::rest::{self, Api, Place, Service};
use super::{Provider, Receipt, Row, Surroundings};
use crate::challenge::{Action, Name, Value};
use crate::config::{Config, Mistakes, Setting};
use crate::deadline::Deadline;
use crate::fault::Fault;
use crate::http;

const BASE: &str = "https://api.openprovider.eu/v1beta";

/// Seconds; the service takes nothing below 600.
const TTL: u32 = 900;

/// Records a page: the most that the service gives.
const PAGE: usize = 500;

/// No name has as many pages of TXT records below it.
const PAGES: usize = 20;

/// Codes of the DNS part of the API.
mod code {
    pub const TTL_TOO_SMALL: &str = "815";
    pub const DUPLICATE: &str = "817";
    pub const BAD_TXT: &str = "827";
}

pub const ROW: Row = Row {
    name: "openprovider",
    predecessor: Some(("providers.openprovider", "OpenProvider")),
    about: "OpenProvider's DNS, by its API v1beta",
    experimental: true,
    documentation: Some("https://docs.openprovider.com"),
    settings: &[SETTINGS, http::SETTINGS],
    build,
};

const SETTINGS: &[Setting] = &[
    Setting::new("DNSAPI_USERNAME", "", "a user who may use the API").required(),
    Setting::secret("DNSAPI_PASSWORD", "that user's password").required(),
    Setting::new("DNSAPI_URL", "", "replaces https://api.openprovider.eu/v1beta; plain http to loopback only"),
];

fn build(config: &Config, mistakes: &mut Mistakes, _: &Surroundings) -> Option<Box<dyn Provider>> {
    let username = config.parse("DNSAPI_USERNAME", |text| Ok(text.to_string()));
    let username = mistakes.note(config.required("DNSAPI_USERNAME", username));
    let password = mistakes.note(config.required("DNSAPI_PASSWORD", config.secret("DNSAPI_PASSWORD")));
    let base = rest::base(config, mistakes, Some(BASE));
    let login = Login { username: username?, password: password?, session: Session::default() };
    Some(Box::new(OpenProvider(Api::new(config, mistakes, &PROFILE, base?, login))))
}

struct OpenProvider(Api);

impl Service for OpenProvider {
    fn api(&self) -> &Api {
        &self.0
    }

    fn find_zone(&self, name: &Name, deadline: Deadline) -> Result<Option<String>, Problem> {
        let zone = &self.0.get(format!("/dns/zones/{name}"), deadline)?["data"];
        Ok((zone["is_deleted"] != true && is_named(zone, name)).then(String::new))
    }

    fn change(&self, place: &Place, action: Action, value: &Value, deadline: Deadline) -> Result<Receipt, Problem> {
        let outcome = match action {
            Action::Setup => self.add(place, value, deadline),
            Action::Teardown => self.remove(place, value, deadline),
        };
        outcome.map_err(advised).map(|()| Receipt::default())
    }
}

impl OpenProvider {
    fn add(&self, place: &Place, value: &Value, deadline: Deadline) -> Result<(), Problem> {
        let record = json!({"name": place.relative, "type": "TXT", "ttl": TTL, "value": value.as_str()});
        match self.put(place.zone, json!({"add": [record]}), deadline) {
            Err(Problem::No(no)) if no.code == code::DUPLICATE => Ok(()),
            outcome => outcome,
        }
    }

    /// Removes the value as often as it is there; nothing else at the name.
    fn remove(&self, place: &Place, value: &Value, deadline: Deadline) -> Result<(), Problem> {
        let found = self.find(place, value, deadline)?;
        if found.is_empty() {
            return Ok(());
        }
        self.put(place.zone, json!({"remove": found}), deadline)
    }

    fn put(&self, zone: &Name, records: Json, deadline: Deadline) -> Result<(), Problem> {
        let body = json!({"name": zone.as_str(), "records": records});
        let envelope = self.0.change("PUT", format!("/dns/zones/{zone}"), Some(&body), deadline)?;
        match envelope["data"]["success"].as_bool() {
            Some(true) => Ok(()),
            Some(false) => {
                Err(Fault::Refused(format!("OpenProvider did not change the zone {zone}, nor say why")).into())
            }
            None => Err(self.0.strange("no word of success", true)),
        }
    }

    /// The records that hold the value, as they have to be sent back: as they are, with a relative name.
    fn find(&self, place: &Place, value: &Value, deadline: Deadline) -> Result<Vec<Json>, Problem> {
        let mut found = Vec::new();
        let mut offset = 0;
        for _ in 0..PAGES {
            // The wildcard makes it fit both the relative name and the full one.
            let query = format!("record_name_pattern={}*&type=TXT&limit={PAGE}&offset={offset}", place.relative);
            let envelope = self.0.get(format!("/dns/zones/{}/records?{query}", place.zone), deadline)?;
            let data = &envelope["data"];
            let (Some(page), Some(total)) = (data["results"].as_array(), data["total"].as_u64()) else {
                return Err(self.0.strange("a list without results", false));
            };
            let ours = page.iter().filter(|record| {
                record["type"] == "TXT"
                    && is_named(record, place.owner)
                    && record["value"].as_str().map(unquoted).as_deref() == Some(value.as_str())
            });
            found.extend(ours.map(|record| sent_back(record, place.relative)));
            offset += page.len();
            if page.is_empty() || offset as u64 >= total {
                return Ok(found);
            }
        }
        let text = format!("the zone {} at OpenProvider has more than {} records there", place.zone, PAGE * PAGES);
        Err(Fault::Refused(text).into())
    }
}

fn is_named(object: &Json, name: &Name) -> bool {
    object["name"].as_str().and_then(|text| Name::owner(text).ok()).as_ref() == Some(name)
}

/// A record as it was found, without the dates, which a change does not know.
fn sent_back(record: &Json, relative: &str) -> Json {
    let mut sent = json!({"name": relative});
    for field in ["type", "ttl", "prio", "value"] {
        if let Some(found) = record.get(field) {
            sent[field] = found.clone();
        }
    }
    sent
}

/// What to do about the service's own codes.
fn advised(problem: Problem) -> Problem {
    match problem {
        Problem::No(no) if no.code == code::TTL_TOO_SMALL => Fault::Refused(format!(
            "OpenProvider takes no TTL of {TTL} seconds in this zone ({no}); lower the zone's minimum"
        ))
        .into(),
        Problem::No(no) if no.code == code::BAD_TXT => {
            Fault::Refused(format!("OpenProvider does not take the TXT record ({no}); is there a CNAME at the name?"))
                .into()
        }
        problem => problem,
    }
}

#[cfg(test)]
pub(super) mod tests;
