//! Google's Cloud DNS, through its API v1, as a service account.
//!
//! Documentation: <https://cloud.google.com/dns/docs/reference/rest/v1>, read as the description that
//! it is made from (`dns/v1/dns-api.json` of <https://github.com/googleapis/google-api-go-client>), and
//! <https://cloud.google.com/dns/docs/error-messages>; the statuses and words of errors are from reports
//! to external-dns and Terraform. The login's page could not be read; its form and claims are as clients
//! give them: <https://developers.google.com/identity/protocols/oauth2/service-account>. A change deletes
//! the RRset as it was read and adds the new one; the service takes or refuses it as a whole: whoever
//! changed it in between is noticed. Tested against a simulation written from that, not against the service.

mod key;

use serde_json::{Value as Json, json};

use self::key::ServiceAccount;
use super::rest::judge::{self, No, Problem};
use super::rest::oauth::OAuth;
use super::rest::session::Session;
use super::rest::sets::{self, Rrset, Rrsets};
use super::rest::{self, Api, Place, Profile, Service};
use super::{Provider, Receipt, Row, Surroundings};
use crate::challenge::{Action, Name, Value};
use crate::config::{Config, Mistakes, Setting};
use crate::deadline::Deadline;
use crate::http::{self, Answer};

const BASE: &str = "https://dns.googleapis.com";

/// Seconds; no least value is documented.
const TTL: u64 = 60;

pub const ROW: Row = Row {
    name: "googlecloud",
    predecessor: None,
    about: "Google's Cloud DNS",
    experimental: true,
    documentation: Some("https://cloud.google.com/dns/docs/reference/rest/v1"),
    settings: &[SETTINGS, http::SETTINGS],
    build,
};

const SETTINGS: &[Setting] = &[
    Setting::new("DNSAPI_KEY_FILE", "", "the file with a service account's key, in JSON").required(),
    Setting::new("DNSAPI_PROJECT", "", "the project that holds the zones, where it is not the account's own"),
    Setting::new("DNSAPI_URL", "", "replaces https://dns.googleapis.com; plain http to loopback only"),
];

const PROFILE: Profile = Profile {
    title: "Google Cloud DNS",
    remedy: "check the key in DNSAPI_KEY_FILE and this machine's clock, and give the account a role with \
             dns.managedZones.list, dns.resourceRecordSets.* and dns.changes.* in the project",
    conflicts: &[409, 412],
    judge: judged,
    reason: |body| {
        let words = ["/error/errors/0/reason", "/error/status", "/error"];
        judge::reason(body, &words, &["/error/message", "/error_description"])
    },
};

fn build(config: &Config, mistakes: &mut Mistakes, _: &Surroundings) -> Option<Box<dyn Provider>> {
    let base = rest::base(config, mistakes, Some(BASE));
    let account = mistakes.note(ServiceAccount::read(config))?;
    let project = match config.is_set("DNSAPI_PROJECT") {
        true => rest::word(config, mistakes, "DNSAPI_PROJECT")?,
        false => account.project.clone(),
    };
    let address = account.address.clone();
    let login = OAuth { address, form: account, session: Session::default() };
    Some(Box::new(GoogleCloud { api: Api::new(config, mistakes, &PROFILE, base?, login), project }))
}

/// A change that deletes what is there no more is "not found", as is a zone (so lego and fog have it).
fn judged(api: &Api, answer: Answer, changes: bool) -> Result<Answer, Problem> {
    judge::by_status(api, answer, changes).map_err(|problem| match problem {
        Problem::No(no) if no.status == 404 && no.reason.contains("entity.change") => {
            Problem::No(No { status: 409, ..no })
        }
        problem => problem,
    })
}

struct GoogleCloud {
    api: Api,
    project: String,
}

impl GoogleCloud {
    fn zones(&self) -> String {
        format!("/dns/v1/projects/{}/managedZones", self.project)
    }
}

impl Service for GoogleCloud {
    fn api(&self) -> &Api {
        &self.api
    }

    fn find_zone(&self, name: &Name, deadline: Deadline) -> Result<Option<String>, Problem> {
        let answer = self.api.get(format!("{}?dnsName={name}.", self.zones()), deadline)?;
        let none = Json::Array(Vec::new());
        let zones = answer.get("managedZones").unwrap_or(&none).as_array();
        let zones = zones.filter(|_| answer.is_object()).ok_or_else(|| self.api.strange("no list of zones", false))?;
        let full = format!("{name}.");
        let ours = zones.iter().filter(|zone| zone["visibility"] != "private").find(|zone| zone["dnsName"] == full);
        Ok(ours.and_then(|zone| zone["name"].as_str()).map(str::to_string))
    }

    fn change(&self, place: &Place, action: Action, value: &Value, deadline: Deadline) -> Result<Receipt, Problem> {
        sets::change(self, place, action, value, deadline)
    }

    fn landed(&self, path: &str, deadline: Deadline) -> Result<bool, Problem> {
        match self.api.get(path, deadline)?["status"].as_str() {
            Some("done") => Ok(true),
            Some("pending") => Ok(false),
            _ => Err(self.api.strange("a change without a status", false)),
        }
    }
}

impl Rrsets for GoogleCloud {
    fn ttl(&self, _: &Place) -> u64 {
        TTL
    }

    fn read(&self, place: &Place, deadline: Deadline) -> Result<Option<Rrset>, Problem> {
        let path = format!("{}/{}/rrsets?name={}.&type=TXT", self.zones(), place.key, place.owner);
        let answer = self.api.get(path, deadline)?;
        let sets = answer["rrsets"].as_array().ok_or_else(|| self.api.strange("a list without RRsets", false))?;
        let full = format!("{}.", place.owner);
        let ours = sets.iter().find(|set| set["type"] == "TXT" && set["name"] == full);
        ours.map(|set| sets::from_json(&self.api, &set["rrdatas"], &set["ttl"], Json::as_str)).transpose()
    }

    fn write(&self, place: &Place, was: Option<&Rrset>, set: Option<&Rrset>, by: Deadline) -> Result<Receipt, Problem> {
        let name = format!("{}.", place.owner);
        let one = |set: &Rrset| json!({"name": name, "type": "TXT", "ttl": set.ttl, "rrdatas": set.values});
        let [deletions, additions] = [was, set].map(|set| set.map(one).into_iter().collect::<Vec<_>>());
        let path = format!("{}/{}/changes", self.zones(), place.key);
        let body = json!({"deletions": deletions, "additions": additions});
        match self.api.change("POST", path.clone(), Some(&body), by)?["id"].as_str() {
            Some(id) if id.bytes().all(|byte| byte.is_ascii_alphanumeric()) => Ok(Receipt(format!("{path}/{id}"))),
            _ => Err(self.api.strange("no change", true)),
        }
    }
}

#[cfg(test)]
pub(super) mod tests;
