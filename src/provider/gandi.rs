//! Gandi's LiveDNS, through its API v5.
//!
//! Documentation: <https://api.gandi.net/docs/livedns/>, of which only the beginning could be read;
//! the paths, fields and answers of RRsets are as lego's `gandiv5` and acme.sh use them, and the least
//! TTL is from there too. A wrong token is answered 403, as a missing right is (so say reports to other clients).
//! The service knows no comparison before it writes: a second writer elsewhere, at the same name in the
//! same moment, is not seen. Tested against a simulation written from that, not against the service.

use serde_json::{Value as Json, json};

use super::rest::judge::{self, Problem};
use super::rest::sets::{self, Rrset, Rrsets};
use super::rest::{Api, Place, Profile, Service};
use super::{Provider, Receipt, Row};
use crate::challenge::{Action, Name, Value};
use crate::config::Setting;
use crate::deadline::Deadline;
use crate::http;

const BASE: &str = "https://api.gandi.net/v5/livedns";

/// Seconds; the service takes nothing below 300.
const TTL: u64 = 300;

pub const ROW: Row = Row {
    name: "gandi",
    predecessor: None,
    about: "Gandi's LiveDNS, by its API v5",
    experimental: true,
    documentation: Some("https://api.gandi.net/docs/livedns/"),
    settings: &[SETTINGS, http::SETTINGS],
    build: |config, mistakes, _| {
        let api = Api::with_token(config, mistakes, &PROFILE, BASE, "Bearer")?;
        Some(Box::new(Gandi(api)) as Box<dyn Provider>)
    },
};

const SETTINGS: &[Setting] = &[
    Setting::secret("DNSAPI_PASSWORD", "a personal access token that may manage these domains' records").required(),
    Setting::new("DNSAPI_URL", "", "replaces https://api.gandi.net/v5/livedns; plain http to loopback only"),
];

const PROFILE: Profile = Profile {
    title: "Gandi",
    remedy: "DNSAPI_PASSWORD is a personal access token that may manage this domain's technical configuration",
    conflicts: &[],
    judge: judge::by_status,
    reason: |body| judge::reason(body, &["/cause", "/errors/0/name"], &["/message", "/errors/0/description"]),
};

struct Gandi(Api);

impl Service for Gandi {
    fn api(&self) -> &Api {
        &self.0
    }

    fn find_zone(&self, name: &Name, deadline: Deadline) -> Result<Option<String>, Problem> {
        match self.0.get(format!("/domains/{name}"), deadline)?["fqdn"].as_str() {
            Some(found) => Ok((found == name.as_str()).then(String::new)),
            None => Err(self.0.strange("no domain", false)),
        }
    }

    fn change(&self, place: &Place, action: Action, value: &Value, deadline: Deadline) -> Result<Receipt, Problem> {
        sets::change(self, place, action, value, deadline)
    }
}

fn path(place: &Place) -> String {
    format!("/domains/{}/records/{}/TXT", place.zone, place.relative_or_at())
}

impl Rrsets for Gandi {
    fn ttl(&self, _: &Place) -> u64 {
        TTL
    }

    fn read(&self, place: &Place, deadline: Deadline) -> Result<Option<Rrset>, Problem> {
        sets::found(self.0.get(path(place), deadline), |set| {
            sets::from_json(&self.0, &set["rrset_values"], &set["rrset_ttl"], Json::as_str)
        })
    }

    fn write(&self, place: &Place, _: Option<&Rrset>, set: Option<&Rrset>, by: Deadline) -> Result<Receipt, Problem> {
        match set {
            None => match self.0.change("DELETE", path(place), None, by)? {
                Json::Null => Ok(Receipt::default()),
                _ => Err(self.0.strange("more than nothing to a deletion", true)),
            },
            Some(set) => {
                let body = json!({"rrset_ttl": set.ttl, "rrset_values": set.values});
                match self.0.change("PUT", path(place), Some(&body), by)?["message"].is_string() {
                    true => Ok(Receipt::default()),
                    false => Err(self.0.strange("no word of success", true)),
                }
            }
        }
    }
}

#[cfg(test)]
pub(super) mod tests;
