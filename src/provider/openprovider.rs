//! OpenProvider's DNS, through its REST API v1beta.
//!
//! Documentation: <https://docs.openprovider.com> and its sources, the files
//! `swagger/auth.swagger.json` and `swagger/dns.swagger.json` of
//! <https://github.com/openprovider/api-documentation>; the codes are those that clients met.
//! Tested against a simulation written from it, not against the service.

mod api;

use serde_json::{Value, json};

use self::api::{Api, PAUSES, Problem, Session};
use super::{Provider, Receipt, Row, Surroundings, Zone};
use crate::challenge::{Action, Name, Value as Token};
use crate::config::{Config, Mistakes, Setting};
use crate::deadline::Deadline;
use crate::fault::Fault;
use crate::gate::scope::Permit;
use crate::http::{self, BaseUrl, Trust, base_url};

const BASE: &str = "https://api.openprovider.eu/v1beta";

/// Seconds; the service takes nothing below 600.
const TTL: u32 = 900;

/// A zone search begins at this many labels: each costs a call, and no zone lies as deep.
const DEEPEST: usize = 10;

/// Records a page: the most that the service gives.
const PAGE: usize = 500;

/// No name has as many pages of TXT records below it.
const PAGES: usize = 20;

/// Codes of the DNS part of the API.
mod code {
    pub const ZONE_UNKNOWN: [i64; 2] = [800, 872];
    pub const TTL_TOO_SMALL: i64 = 815;
    pub const DUPLICATE: i64 = 817;
    pub const BAD_TXT: i64 = 827;
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
    // Not through Config::parse, which would show a password that stands in the address.
    let base = base_url(config.text("DNSAPI_URL").unwrap_or(BASE));
    let base = mistakes.note(base.map_err(|remedy| config.mistake("DNSAPI_URL", "has a wrong value", remedy)))?;
    let agent = http::agent(&Trust::System, http::proxy(config, mistakes, &base));
    let (username, password) = (username?, password?);
    Some(Box::new(OpenProvider(Api { agent, base, username, password, pauses: PAUSES, session: Session::default() })))
}

struct OpenProvider(Api);

impl Provider for OpenProvider {
    fn zone(&self, owner: &Name, deadline: Deadline) -> Result<Zone, Fault> {
        let labels = |name: &Name| name.as_str().split('.').count();
        // A top-level domain is nobody's zone here.
        for name in owner.upwards().filter(|name| (2..=DEEPEST).contains(&labels(name))) {
            match self.0.get(&format!("/dns/zones/{name}"), deadline) {
                Ok(zone) if zone["is_deleted"] != true && is_named(&zone, &name) => {
                    return Ok(Zone { service: self.base().as_str().to_string(), name: Some(name) });
                }
                Ok(_) => {}
                Err(Problem::Code(code, _)) if code::ZONE_UNKNOWN.contains(&code) => {}
                Err(problem) => return Err(refused(problem)),
            }
        }
        Err(Fault::NoZone(format!("the account at OpenProvider holds no zone for {owner}; add the zone to it")))
    }

    fn apply(&self, zone: &Zone, changes: &[Permit], deadline: Deadline) -> Vec<Result<Receipt, Fault>> {
        let one = |permit: &Permit| {
            let zone = zone.name.as_ref().ok_or_else(|| Fault::NoZone("OpenProvider changes zones only".into()))?;
            let wrong_zone = || Fault::NoZone(format!("{} does not lie in the zone {zone}", permit.owner()));
            let place = Place {
                zone,
                owner: permit.owner(),
                relative: permit.owner().relative_to(zone).ok_or_else(wrong_zone)?,
            };
            match permit.action() {
                Action::Setup => self.add(&place, permit.value(), deadline),
                Action::Teardown => self.remove(&place, permit.value(), deadline),
            }
        };
        changes.iter().map(|permit| one(permit).map_err(refused).map(|()| Receipt::default())).collect()
    }
}

/// Where a record is: the API wants the name relative to the zone and gives it in full.
struct Place<'a> {
    zone: &'a Name,
    owner: &'a Name,
    relative: &'a str,
}

impl OpenProvider {
    fn base(&self) -> &BaseUrl {
        &self.0.base
    }

    fn add(&self, place: &Place, value: &Token, deadline: Deadline) -> Result<(), Problem> {
        let record = json!({"name": place.relative, "type": "TXT", "ttl": TTL, "value": value.as_str()});
        match self.change(place.zone, json!({"add": [record]}), deadline) {
            Err(Problem::Code(code::DUPLICATE, _)) => Ok(()),
            outcome => outcome,
        }
    }

    /// Removes the value as often as it is there; nothing else at the name.
    fn remove(&self, place: &Place, value: &Token, deadline: Deadline) -> Result<(), Problem> {
        let found = self.find(place, value, deadline)?;
        if found.is_empty() {
            return Ok(());
        }
        self.change(place.zone, json!({"remove": found}), deadline)
    }

    fn change(&self, zone: &Name, records: Value, deadline: Deadline) -> Result<(), Problem> {
        let body = json!({"name": zone.as_str(), "records": records});
        let data = self.0.put(&format!("/dns/zones/{zone}"), &body, deadline)?;
        match data["success"].as_bool() {
            Some(true) => Ok(()),
            Some(false) => {
                Err(Fault::Refused(format!("OpenProvider did not change the zone {zone}, nor say why")).into())
            }
            None => Err(self.0.no_answer("no word of success", true).into()),
        }
    }

    /// The records that hold the value, as they have to be sent back: as they are, with a relative name.
    fn find(&self, place: &Place, value: &Token, deadline: Deadline) -> Result<Vec<Value>, Problem> {
        let mut found = Vec::new();
        let mut offset = 0;
        for _ in 0..PAGES {
            // The wildcard makes it fit both the relative name and the full one.
            let query = format!("record_name_pattern={}*&type=TXT&limit={PAGE}&offset={offset}", place.relative);
            let data = self.0.get(&format!("/dns/zones/{}/records?{query}", place.zone), deadline)?;
            let (Some(page), Some(total)) = (data["results"].as_array(), data["total"].as_u64()) else {
                return Err(self.0.no_answer("a list without results", false).into());
            };
            let ours = page.iter().filter(|record| {
                record["type"] == "TXT" && is_named(record, place.owner) && unquoted(&record["value"]) == value.as_str()
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

fn is_named(object: &Value, name: &Name) -> bool {
    object["name"].as_str().and_then(|text| Name::owner(text).ok()).as_ref() == Some(name)
}

/// TXT values are stored in quotes.
fn unquoted(value: &Value) -> &str {
    let text = value.as_str().unwrap_or_default();
    text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(text)
}

/// A record as it was found, without the dates, which a change does not know.
fn sent_back(record: &Value, relative: &str) -> Value {
    let mut sent = json!({"name": relative});
    for field in ["type", "ttl", "prio", "value"] {
        if let Some(found) = record.get(field) {
            sent[field] = found.clone();
        }
    }
    sent
}

/// What a problem means to the one who asked, and what to do about it.
fn refused(problem: Problem) -> Fault {
    match problem {
        Problem::Fault(fault) => fault,
        Problem::SessionOver => Fault::Auth("OpenProvider ended the session".into()),
        Problem::Code(code, desc) if code::ZONE_UNKNOWN.contains(&code) => {
            Fault::NoZone(format!("OpenProvider does not know the zone (code {code}: {desc}); was it removed?"))
        }
        Problem::Code(code @ code::TTL_TOO_SMALL, desc) => Fault::Refused(format!(
            "OpenProvider takes no TTL of {TTL} seconds in this zone (code {code}: {desc}); lower the zone's minimum"
        )),
        Problem::Code(code @ code::BAD_TXT, desc) => Fault::Refused(format!(
            "OpenProvider does not take the TXT record (code {code}: {desc}); is there a CNAME at the name?"
        )),
        Problem::Code(code, desc) => Fault::Refused(format!("OpenProvider refused it (code {code}: {desc})")),
    }
}

#[cfg(test)]
pub(super) mod tests;
