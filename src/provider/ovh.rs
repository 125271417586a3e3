//! OVHcloud's DNS, through its API v1.
//!
//! Documentation: <https://eu.api.ovh.com/console/?section=%2Fdomain>, and for the signature
//! <https://help.ovhcloud.com/csm/en-api-getting-started-ovhcloud-api>. Neither could be read: the
//! signature and the codes of errors are as OVHcloud's own clients have them
//! (<https://github.com/ovh/go-ovh>, <https://github.com/ovh/python-ovh>) and as reports to them quote
//! them, the paths and fields as lego and acme.sh use them. Only QUERY_TIME_OUT was found nowhere.
//! Records are published by a refresh of the zone after each change.
//! Tested against a simulation written from that, not against the service.

use std::fmt::Write;

use ring::digest;
use serde_json::{Value as Json, json};

use super::rest::credentials::{Credentials, Headers};
use super::rest::judge::{self, No, Problem};
use super::rest::records::{self, Held, Records};
use super::rest::text::unquoted;
use super::rest::{self, Api, Draft, Place, Profile, Service};
use super::{Provider, Receipt, Row, Surroundings};
use crate::challenge::{Action, Name, Value};
use crate::clock;
use crate::config::{Config, Mistakes, Setting};
use crate::deadline::Deadline;
use crate::fault::Fault;
use crate::http::{self, Answer};
use crate::secret::Secret;

const BASE: &str = "https://eu.api.ovh.com/v1";

/// Seconds; the service makes 60 of anything below.
const TTL: u64 = 60;

/// Codes that speak of the keys themselves, although their status is 403 or 400.
const BAD_KEY: [&str; 5] =
    ["INVALID_CREDENTIAL", "INVALID_KEY", "NOT_CREDENTIAL", "INVALID_SIGNATURE", "QUERY_TIME_OUT"];

pub const ROW: Row = Row {
    name: "ovh",
    predecessor: None,
    about: "OVHcloud's DNS, by its API v1",
    experimental: true,
    documentation: Some("https://help.ovhcloud.com/csm/en-api-getting-started-ovhcloud-api"),
    settings: &[SETTINGS, http::SETTINGS],
    build,
};

const SETTINGS: &[Setting] = &[
    Setting::new("DNSAPI_USERNAME", "", "the application key").required(),
    Setting::secret("DNSAPI_PASSWORD", "the application secret").required(),
    Setting::secret("DNSAPI_CONSUMER_KEY", "the consumer key").required(),
    Setting::new("DNSAPI_URL", "", "replaces https://eu.api.ovh.com/v1; plain http to loopback only"),
];

const PROFILE: Profile = Profile {
    title: "OVHcloud",
    remedy: "check DNSAPI_USERNAME, DNSAPI_PASSWORD and DNSAPI_CONSUMER_KEY, and this machine's clock; the consumer key \
             needs GET, POST and DELETE of /domain/zone/ZONE/*",
    conflicts: &[],
    judge: judged,
    reason: |body| judge::reason(body, &["/errorCode", "/class"], &["/message"]),
};

fn build(config: &Config, mistakes: &mut Mistakes, _: &Surroundings) -> Option<Box<dyn Provider>> {
    let base = rest::base(config, mistakes, Some(BASE));
    let application = rest::word(config, mistakes, "DNSAPI_USERNAME");
    let secret = rest::secret(config, mistakes, "DNSAPI_PASSWORD");
    let consumer = rest::secret(config, mistakes, "DNSAPI_CONSUMER_KEY");
    let keys = Keys { application: application?, secret: secret?, consumer: consumer? };
    Some(Box::new(Ovh(Api::new(config, mistakes, &PROFILE, base?, keys))))
}

fn judged(api: &Api, answer: Answer, changes: bool) -> Result<Answer, Problem> {
    judge::by_status(api, answer, changes).map_err(|problem| match problem {
        Problem::No(no) if BAD_KEY.contains(&no.code.as_str()) => Problem::No(No { status: 401, ..no }),
        problem => problem,
    })
}

/// An application that a customer has let in.
struct Keys {
    application: String,
    secret: Secret,
    consumer: Secret,
}

impl Credentials for Keys {
    fn sign(&self, api: &Api, draft: &Draft, _: Deadline) -> Result<Headers, Problem> {
        Ok(self.signed(api.base.as_str(), draft, clock::unix()))
    }
}

impl Keys {
    /// SHA-1 is the service's choice; the secret is in what is hashed. The clock has to be right: other
    /// clients ask the service for its own (`/auth/time`) first.
    fn signed(&self, base: &str, draft: &Draft, now: i64) -> Headers {
        let body = draft.body.as_deref().unwrap_or_default();
        let (secret, consumer) = (self.secret.reveal(), self.consumer.reveal());
        let text = Secret::new(format!("{secret}+{consumer}+{}+{base}{}+{body}+{now}", draft.method, draft.path));
        let hash = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, text.reveal().as_bytes());
        let signature = hash.as_ref().iter().fold("$1$".to_string(), |mut text, octet| {
            write!(text, "{octet:02x}").expect("a string");
            text
        });
        vec![
            ("x-ovh-application", Secret::new(self.application.clone())),
            ("x-ovh-consumer", self.consumer.clone()),
            ("x-ovh-timestamp", Secret::new(now.to_string())),
            ("x-ovh-signature", Secret::new(signature)),
        ]
    }
}

struct Ovh(Api);

impl Ovh {
    fn ids(&self, place: &Place, kind: &str, deadline: Deadline) -> Result<Vec<u64>, Problem> {
        let query = format!("fieldType={kind}&subDomain={}", place.relative);
        let ids = self.0.get(format!("/domain/zone/{}/record?{query}", place.zone), deadline)?;
        let ids: Option<Vec<_>> = ids.as_array().and_then(|ids| ids.iter().map(Json::as_u64).collect());
        ids.ok_or_else(|| self.0.strange("no list of numbers", false))
    }

    /// What was changed is not yet published, whatever goes wrong here.
    fn refresh(&self, place: &Place, deadline: Deadline) -> Result<(), Problem> {
        let outcome = self.0.change("POST", format!("/domain/zone/{}/refresh", place.zone), None, deadline);
        match outcome.map_err(|problem| self.0.fault(problem, Some(place))) {
            Ok(Json::Null) => Ok(()),
            Ok(_) => Err(self.0.strange("more than nothing to a refresh", true)),
            Err(fault) => Err(Fault::Unknown(format!("the change was made, and not published: {fault}")).into()),
        }
    }
}

impl Service for Ovh {
    fn api(&self) -> &Api {
        &self.0
    }

    fn find_zone(&self, name: &Name, deadline: Deadline) -> Result<Option<String>, Problem> {
        match self.0.get(format!("/domain/zone/{name}"), deadline)?["name"].as_str() {
            Some(found) => Ok((found == name.as_str()).then(String::new)),
            None => Err(self.0.strange("no zone", false)),
        }
    }

    /// The refresh comes also after a change that was made before: its own refresh may have failed.
    fn change(&self, place: &Place, action: Action, value: &Value, deadline: Deadline) -> Result<Receipt, Problem> {
        let receipt = records::change(self, place, action, value, deadline)?;
        self.refresh(place, deadline).map(|()| receipt)
    }
}

impl Records for Ovh {
    fn list(&self, place: &Place, deadline: Deadline) -> Result<Vec<Held>, Problem> {
        let cnames = self.ids(place, "CNAME", deadline)?;
        let cname = |id: &u64| Held { id: id.to_string(), kind: "CNAME".to_string(), text: String::new() };
        let mut held: Vec<_> = cnames.iter().map(cname).collect();
        for id in self.ids(place, "TXT", deadline)? {
            let record = match self.0.get(format!("/domain/zone/{}/record/{id}", place.zone), deadline) {
                // Gone since the list was made.
                Err(Problem::No(no)) if no.status == 404 => continue,
                record => record?,
            };
            let target = record["target"].as_str().ok_or_else(|| self.0.strange("a record without a target", false))?;
            if record["fieldType"] == "TXT" && record["subDomain"].as_str().unwrap_or_default() == place.relative {
                held.push(Held { id: id.to_string(), kind: "TXT".to_string(), text: unquoted(target) });
            }
        }
        Ok(held)
    }

    fn create(&self, place: &Place, value: &Value, deadline: Deadline) -> Result<Receipt, Problem> {
        let record = json!({"fieldType": "TXT", "subDomain": place.relative, "target": value.as_str(), "ttl": TTL});
        let answer = self.0.change("POST", format!("/domain/zone/{}/record", place.zone), Some(&record), deadline)?;
        match answer["id"].is_u64() {
            true => Ok(Receipt::default()),
            false => Err(self.0.strange("no record", true)),
        }
    }

    fn delete(&self, place: &Place, id: &str, deadline: Deadline) -> Result<Receipt, Problem> {
        match self.0.change("DELETE", format!("/domain/zone/{}/record/{id}", place.zone), None, deadline)? {
            Json::Null => Ok(Receipt::default()),
            _ => Err(self.0.strange("more than nothing to a deletion", true)),
        }
    }
}

#[cfg(test)]
pub(super) mod tests;
