//! PowerDNS's authoritative server, through its HTTP API.
//!
//! Documentation: <https://doc.powerdns.com/authoritative/http-api/>, and
//! `docs/http-api/` of <https://github.com/PowerDNS/pdns>. One value is added or removed by the
//! changes EXTEND and PRUNE of 4.9.12 and 5.0.2; servers before those refuse them, and get the whole
//! RRset (REPLACE). Tested with Debian's 4.7.3, and against a simulation of both kinds.

use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value as Json, json};

use super::rest::credentials::Fixed;
use super::rest::judge::{self, Problem};
use super::rest::sets::{self, Rrset, Rrsets};
use super::rest::text::quoted;
use super::rest::{self, Api, Place, Profile, Service};
use super::{Provider, Receipt, Row, Surroundings};
use crate::challenge::{Action, Name, Value};
use crate::config::{Config, Mistakes, Setting};
use crate::deadline::Deadline;
use crate::http;

/// Below the address: the server that answers is always called so.
const ZONES: &str = "/api/v1/servers/localhost/zones";

/// Seconds; the server takes any.
const TTL: u64 = 60;

pub const ROW: Row = Row {
    name: "powerdns",
    predecessor: None,
    about: "PowerDNS's authoritative server, by its HTTP API",
    experimental: false,
    documentation: Some("https://doc.powerdns.com/authoritative/http-api/"),
    settings: &[SETTINGS, http::SETTINGS],
    build,
};

const SETTINGS: &[Setting] = &[
    Setting::new("DNSAPI_URL", "", "where its web server listens; plain http to loopback only").required(),
    Setting::secret("DNSAPI_PASSWORD", "its api-key").required(),
];

const PROFILE: Profile = Profile {
    title: "PowerDNS",
    remedy: "DNSAPI_PASSWORD is the server's api-key, and its webserver-allow-from has to admit this machine",
    conflicts: &[],
    judge: judge::by_status,
    reason: |body| judge::reason(body, &[], &["/error"]),
};

fn build(config: &Config, mistakes: &mut Mistakes, _: &Surroundings) -> Option<Box<dyn Provider>> {
    let base = rest::base(config, mistakes, None);
    let key = rest::secret(config, mistakes, "DNSAPI_PASSWORD");
    let key = Fixed::header("x-api-key", &key?);
    Some(Box::new(PowerDns { api: Api::new(config, mistakes, &PROFILE, base?, key), is_old: AtomicBool::new(false) }))
}

struct PowerDns {
    api: Api,
    /// Has the server refused EXTEND and PRUNE? Forgotten at a restart, should it have become newer.
    is_old: AtomicBool,
}

impl Service for PowerDns {
    fn api(&self) -> &Api {
        &self.api
    }

    fn find_zone(&self, name: &Name, deadline: Deadline) -> Result<Option<String>, Problem> {
        let zones = self.api.get(format!("{ZONES}?zone={name}."), deadline)?;
        let zones = zones.as_array().ok_or_else(|| self.api.strange("no list of zones", false))?;
        let full = format!("{name}.");
        let ours = zones.iter().find(|zone| zone["name"].as_str().is_some_and(|it| it.eq_ignore_ascii_case(&full)));
        Ok(ours.and_then(|zone| zone["id"].as_str()).map(str::to_string))
    }

    fn change(&self, place: &Place, action: Action, value: &Value, deadline: Deadline) -> Result<Receipt, Problem> {
        if !self.is_old.load(Ordering::Relaxed) {
            let change = match action {
                Action::Setup => "EXTEND",
                Action::Teardown => "PRUNE",
            };
            let values = [quoted(value.as_str())];
            match self.patch(place, change, TTL, &values, deadline) {
                Err(Problem::No(no)) if no.status == 422 && no.reason.contains("hangetype") => {
                    log::info!("{} does not know {change} ({no}): whole RRsets are written", self.api.base);
                    self.is_old.store(true, Ordering::Relaxed);
                }
                outcome => return outcome,
            }
        }
        sets::change(self, place, action, value, deadline)
    }
}

impl Rrsets for PowerDns {
    fn ttl(&self, _: &Place) -> u64 {
        TTL
    }

    fn read(&self, place: &Place, deadline: Deadline) -> Result<Option<Rrset>, Problem> {
        let query = format!("rrset_name={}.&rrset_type=TXT", place.owner);
        let zone = self.api.get(format!("{ZONES}/{}?{query}", place.key), deadline)?;
        let strange = || self.api.strange("a zone without RRsets", false);
        let sets = zone["rrsets"].as_array().ok_or_else(strange)?;
        let full = format!("{}.", place.owner);
        // Servers before 4.6 know no filter, and give the whole zone.
        let ours = |set: &&Json| set["type"] == "TXT" && set["name"].as_str().is_some_and(|it| it == full);
        let Some(set) = sets.iter().find(ours) else { return Ok(None) };
        let contents = |record: &Json| record["content"].as_str().map(str::to_string);
        let values: Option<Vec<_>> = set["records"].as_array().and_then(|all| all.iter().map(contents).collect());
        Ok(Some(Rrset {
            ttl: set["ttl"].as_u64().unwrap_or(TTL),
            values: values.ok_or_else(strange)?,
            tag: String::new(),
        }))
    }

    fn write(
        &self,
        place: &Place,
        _: Option<&Rrset>,
        after: Option<&Rrset>,
        deadline: Deadline,
    ) -> Result<Receipt, Problem> {
        match after {
            Some(set) => self.patch(place, "REPLACE", set.ttl, &set.values, deadline),
            None => self.patch(place, "DELETE", TTL, &[], deadline),
        }
    }
}

impl PowerDns {
    fn patch(
        &self,
        place: &Place,
        change: &str,
        ttl: u64,
        values: &[String],
        deadline: Deadline,
    ) -> Result<Receipt, Problem> {
        let records: Vec<_> = values.iter().map(|value| json!({"content": value, "disabled": false})).collect();
        let name = format!("{}.", place.owner);
        let set = json!({"name": name, "type": "TXT", "ttl": ttl, "changetype": change, "records": records});
        let body = json!({"rrsets": [set]});
        match self.api.change("PATCH", format!("{ZONES}/{}", place.key), Some(&body), deadline)? {
            Json::Null => Ok(Receipt::default()),
            _ => Err(self.api.strange("more than nothing to a change", true)),
        }
    }
}

#[cfg(test)]
pub(super) mod tests;
