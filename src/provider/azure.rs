//! Azure DNS, through Azure's Resource Manager, as an application with a client secret.
//!
//! Documentation: <https://learn.microsoft.com/en-us/rest/api/dns/record-sets>, read with the definition
//! that it is made from (dns 2018-05-01 of <https://github.com/Azure/azure-rest-api-specs>), and for the
//! login <https://learn.microsoft.com/en-us/entra/identity-platform/v2-oauth2-client-creds-grant-flow>.
//! Each write names the ETag of what was read: whoever changed it in between is noticed. The
//! definition gives one form of an error and no codes; the other form is from a report to external-dns,
//! and that a condition is refused with 412 is HTTP's (RFC 9110 section 15.5.13).
//! Tested against a simulation written from that, not against the service.

use serde_json::{Value as Json, json};

use super::rest::judge::{self, Problem};
use super::rest::oauth::{Form, OAuth};
use super::rest::session::Session;
use super::rest::sets::{self, Rrset, Rrsets};
use super::rest::text::{strings, written};
use super::rest::{self, Api, Draft, Place, Profile, Service};
use super::{Provider, Receipt, Row, Surroundings};
use crate::challenge::{Action, Name, Value};
use crate::config::{Config, Mistakes, Setting};
use crate::deadline::Deadline;
use crate::http::{self, base_url};
use crate::secret::Secret;

const BASE: &str = "https://management.azure.com";

/// The version of the API that is spoken.
const VERSION: &str = "api-version=2018-05-01";

/// Seconds; no least value is documented.
const TTL: u64 = 60;

pub const ROW: Row = Row {
    name: "azure",
    predecessor: None,
    about: "Azure DNS",
    experimental: true,
    documentation: Some("https://learn.microsoft.com/en-us/rest/api/dns/"),
    settings: &[SETTINGS, http::SETTINGS],
    build,
};

const SETTINGS: &[Setting] = &[
    Setting::new("DNSAPI_USERNAME", "", "the client id of an application").required(),
    Setting::secret("DNSAPI_PASSWORD", "its client secret").required(),
    Setting::new("DNSAPI_TENANT", "", "the id of the directory that knows the application").required(),
    Setting::new("DNSAPI_SUBSCRIPTION", "", "the id of the subscription that holds the zones").required(),
    Setting::new("DNSAPI_GROUP", "", "the resource group that holds the zones").required(),
    Setting::new("DNSAPI_LOGIN_URL", "https://login.microsoftonline.com", "where tokens are asked for"),
    Setting::new("DNSAPI_URL", "", "replaces https://management.azure.com; plain http to loopback only"),
];

const PROFILE: Profile = Profile {
    title: "Azure DNS",
    remedy: "check DNSAPI_TENANT, DNSAPI_USERNAME and DNSAPI_PASSWORD (secrets expire), and give the application the \
             role DNS Zone Contributor, or one that may read the zone and write its TXT records",
    conflicts: &[412],
    judge: judge::by_status,
    reason: |body| {
        // Of the Resource Manager, of DNS itself, and of the login.
        let texts = ["/error/message", "/message", "/error_description"];
        judge::reason(body, &["/error/code", "/code", "/error"], &texts)
    },
};

fn build(config: &Config, mistakes: &mut Mistakes, _: &Surroundings) -> Option<Box<dyn Provider>> {
    let base = rest::base(config, mistakes, Some(BASE));
    let client = rest::word(config, mistakes, "DNSAPI_USERNAME");
    let secret = rest::secret(config, mistakes, "DNSAPI_PASSWORD");
    let tenant = rest::word(config, mistakes, "DNSAPI_TENANT");
    let subscription = rest::word(config, mistakes, "DNSAPI_SUBSCRIPTION");
    let group = rest::word(config, mistakes, "DNSAPI_GROUP");
    let login = mistakes.note(config.required("DNSAPI_LOGIN_URL", config.parse_unshown("DNSAPI_LOGIN_URL", base_url)));
    let address = base_url(&format!("{}/{}/oauth2/v2.0/token", login?, tenant?)).ok();
    let base = base?;
    let form = Client { id: client?, secret: secret?, scope: format!("{base}/.default") };
    let login = OAuth { address: address?, form, session: Session::default() };
    let (subscription, group) = (subscription?, group?);
    let zones = format!("/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.Network/dnsZones");
    Some(Box::new(Azure { api: Api::new(config, mistakes, &PROFILE, base, login), zones }))
}

/// An application with a client secret.
struct Client {
    id: String,
    secret: Secret,
    scope: String,
}

impl Form for Client {
    fn fields(&self) -> Vec<(&'static str, Secret)> {
        let open = |text: &str| Secret::new(text.to_string());
        vec![
            ("client_id", open(&self.id)),
            ("client_secret", self.secret.clone()),
            ("grant_type", open("client_credentials")),
            ("scope", open(&self.scope)),
        ]
    }
}

struct Azure {
    api: Api,
    /// Where the zones of the group are.
    zones: String,
}

impl Azure {
    fn path(&self, place: &Place) -> String {
        format!("{}/{}/TXT/{}?{VERSION}", self.zones, place.zone, place.relative_or_at())
    }
}

impl Service for Azure {
    fn api(&self) -> &Api {
        &self.api
    }

    fn find_zone(&self, name: &Name, deadline: Deadline) -> Result<Option<String>, Problem> {
        let zone = self.api.get(format!("{}/{name}?{VERSION}", self.zones), deadline)?;
        match zone["name"].as_str() {
            // Private zones were once among these; nobody outside sees them.
            Some(_) if zone["properties"]["zoneType"] == "Private" => Ok(None),
            Some(found) => Ok(found.eq_ignore_ascii_case(name.as_str()).then(String::new)),
            None => Err(self.api.strange("no zone", false)),
        }
    }

    fn change(&self, place: &Place, action: Action, value: &Value, deadline: Deadline) -> Result<Receipt, Problem> {
        sets::change(self, place, action, value, deadline)
    }
}

impl Rrsets for Azure {
    fn ttl(&self, _: &Place) -> u64 {
        TTL
    }

    /// A value is a list of character-strings without quotes; here it is kept as zone files write it.
    fn read(&self, place: &Place, deadline: Deadline) -> Result<Option<Rrset>, Problem> {
        sets::found(self.api.get(self.path(place), deadline), |set| {
            let strange = || self.api.strange("a set without values", false);
            let text = |part: &Json| part.as_str().map(str::to_string);
            let value = |record: &Json| -> Option<String> {
                let strings: Option<Vec<_>> = record["value"].as_array()?.iter().map(text).collect();
                Some(written(&strings?))
            };
            let properties = &set["properties"];
            let records = properties["TXTRecords"].as_array().ok_or_else(strange)?;
            let values: Option<Vec<_>> = records.iter().map(value).collect();
            let (Some(ttl), Some(tag)) = (properties["TTL"].as_u64(), set["etag"].as_str()) else {
                return Err(strange());
            };
            Ok(Rrset { ttl, values: values.ok_or_else(strange)?, tag: tag.to_string() })
        })
    }

    fn write(&self, place: &Place, was: Option<&Rrset>, set: Option<&Rrset>, by: Deadline) -> Result<Receipt, Problem> {
        let draft = Draft::new(if set.is_some() { "PUT" } else { "DELETE" }, self.path(place));
        let draft = match was {
            Some(was) => draft.header("if-match", was.tag.clone()),
            None => draft.header("if-none-match", "*"),
        };
        let Some(set) = set else {
            // 204: it was gone already.
            return match self.api.send(&draft, by)?.status {
                200 | 204 => Ok(Receipt::default()),
                _ => Err(self.api.strange("a deletion that was put off", true)),
            };
        };
        let records: Vec<_> = set.values.iter().map(|value| json!({"value": strings(value)})).collect();
        let draft = draft.json(&json!({"properties": {"TTL": set.ttl, "TXTRecords": records}}));
        let answer: Json = serde_json::from_slice(&self.api.send(&draft, by)?.body).unwrap_or_default();
        match answer["etag"].is_string() {
            true => Ok(Receipt::default()),
            false => Err(self.api.strange("no set", true)),
        }
    }
}

#[cfg(test)]
pub(super) mod tests;
