//! deSEC's DNS, through its API v1.
//!
//! Documentation: <https://desec.readthedocs.io/en/latest/dns/rrsets.html>, in
//! `docs/` of <https://github.com/desec-io/desec-stack>. Writes are limited to 15 a minute and 300
//! a day for each domain, reads to 50 a minute: its zones are not searched for, it names them. It knows no comparison
//! before it writes: a second writer elsewhere, at the same name in the same moment, is not seen.
//! Tested against a simulation written from it, not against the service.

use serde_json::{Value as Json, json};

use super::rest::judge::{self, Problem};
use super::rest::sets::{self, Rrset, Rrsets};
use super::rest::{Api, Place, Profile, Service};
use super::{Provider, Receipt, Row};
use crate::challenge::{Action, Name, Value};
use crate::config::Setting;
use crate::deadline::Deadline;
use crate::http;

const BASE: &str = "https://desec.io/api/v1";

/// Seconds, where a domain does not tell its minimum.
const TTL: u64 = 3600;

pub const ROW: Row = Row {
    name: "desec",
    predecessor: None,
    about: "deSEC's DNS, by its API v1",
    experimental: true,
    documentation: Some("https://desec.readthedocs.io/en/latest/"),
    settings: &[SETTINGS, http::SETTINGS],
    build: |config, mistakes, _| {
        let api = Api::with_token(config, mistakes, &PROFILE, BASE, "Token")?;
        Some(Box::new(DeSec(api)) as Box<dyn Provider>)
    },
};

const SETTINGS: &[Setting] = &[
    Setting::secret("DNSAPI_PASSWORD", "a token that may write TXT records of the domains").required(),
    Setting::new("DNSAPI_URL", "", "replaces https://desec.io/api/v1; plain http to loopback only"),
];

const PROFILE: Profile = Profile {
    title: "deSEC",
    remedy: "DNSAPI_PASSWORD is a token whose policies let it write TXT records of this domain",
    conflicts: &[],
    judge: judge::by_status,
    reason: |body| judge::reason(body, &[], &["/detail", "/0/non_field_errors/0", "/non_field_errors/0"]),
};

struct DeSec(Api);

impl Service for DeSec {
    fn api(&self) -> &Api {
        &self.0
    }

    /// The key of a domain is its smallest TTL.
    fn find_zone(&self, name: &Name, deadline: Deadline) -> Result<Option<String>, Problem> {
        let found = self.zone_of(name, deadline)?;
        Ok(found.filter(|(found, _)| found == name).map(|(_, key)| key))
    }

    fn zone_of(&self, owner: &Name, deadline: Deadline) -> Result<Option<(Name, String)>, Problem> {
        let domains = self.0.get(format!("/domains/?owns_qname={owner}"), deadline)?;
        let domains = domains.as_array().ok_or_else(|| self.0.strange("no list of domains", false))?;
        let Some(domain) = domains.first() else { return Ok(None) };
        let name = domain["name"].as_str().and_then(|text| Name::owner(text).ok());
        match name.filter(|name| owner.is_within(name)) {
            Some(name) => Ok(Some((name, domain["minimum_ttl"].as_u64().unwrap_or(TTL).to_string()))),
            None => Err(self.0.strange("a domain that does not hold the name", false)),
        }
    }

    fn change(&self, place: &Place, action: Action, value: &Value, deadline: Deadline) -> Result<Receipt, Problem> {
        sets::change(self, place, action, value, deadline)
    }
}

impl Rrsets for DeSec {
    fn ttl(&self, place: &Place) -> u64 {
        place.key.parse().unwrap_or(TTL)
    }

    fn read(&self, place: &Place, deadline: Deadline) -> Result<Option<Rrset>, Problem> {
        let path = format!("/domains/{}/rrsets/{}/TXT/", place.zone, place.relative_or_at());
        sets::found(self.0.get(path, deadline), |set| {
            sets::from_json(&self.0, &set["records"], &set["ttl"], Json::as_str)
        })
    }

    /// One change of a list of one: it creates, replaces, and removes where nothing is left.
    fn write(&self, place: &Place, was: Option<&Rrset>, set: Option<&Rrset>, by: Deadline) -> Result<Receipt, Problem> {
        let ttl = was.or(set).map_or(TTL, |set| set.ttl);
        let values = set.map_or(&[][..], |set| &set.values);
        let body = json!([{"subname": place.relative, "type": "TXT", "ttl": ttl, "records": values}]);
        match self.0.change("PUT", format!("/domains/{}/rrsets/", place.zone), Some(&body), by)? {
            Json::Array(sets) if sets.len() == usize::from(set.is_some()) => Ok(Receipt::default()),
            _ => Err(self.0.strange("not the set that was written", true)),
        }
    }
}

#[cfg(test)]
pub(super) mod tests;
