//! Amazon's Route 53, through its API of 2013-04-01.
//!
//! Documentation: <https://docs.aws.amazon.com/Route53/latest/APIReference/>; read as the model of it
//! in <https://github.com/boto/botocore>, `route53/2013-04-01`. A change deletes the RRset as it was
//! read and creates the new one in one batch, which the service takes or refuses as a whole: whoever
//! changed it in between is noticed; the words for that are from reports to external-dns and Terraform.
//! An account has about ten requests a second (`throttling-api-requests` in the Developer Guide).
//! Tested against a simulation written from that, not against the service.

mod sign;
mod xml;

use self::sign::AccessKey;
use self::xml::{Element, escaped};
use super::rest::judge::{self, No, Problem};
use super::rest::sets::{self, Rrset, Rrsets};
use super::rest::{self, Api, Draft, Place, Profile, Service};
use super::{Provider, Receipt, Row, Surroundings};
use crate::challenge::{Action, Name, Value};
use crate::config::{Config, Mistakes, Setting};
use crate::deadline::Deadline;
use crate::fault::Fault;
use crate::http::{self, Answer};

const BASE: &str = "https://route53.amazonaws.com";

/// Below the address: the version that is spoken.
const VERSION: &str = "/2013-04-01";

const NAMESPACE: &str = "https://route53.amazonaws.com/doc/2013-04-01/";

/// Seconds; the service takes 0 to 2147483647.
const TTL: u64 = 60;

/// Codes that speak of the key itself or of the clock; they come with status 400 or 403.
const BAD_KEY: [&str; 5] = [
    "InvalidClientTokenId",
    "SignatureDoesNotMatch",
    "MissingAuthenticationToken",
    "IncompleteSignature",
    "RequestExpired",
];

/// Codes after which the same may be asked again, although they come with status 400.
const BUSY: [&str; 3] = ["Throttling", "ThrottlingException", "PriorRequestNotComplete"];

pub const ROW: Row = Row {
    name: "route53",
    predecessor: None,
    about: "Amazon's Route 53",
    experimental: true,
    documentation: Some("https://docs.aws.amazon.com/Route53/latest/APIReference/"),
    settings: &[SETTINGS, http::SETTINGS],
    build,
};

const SETTINGS: &[Setting] = &[
    Setting::new("DNSAPI_USERNAME", "", "the id of an access key").required(),
    Setting::secret("DNSAPI_PASSWORD", "the secret access key").required(),
    Setting::new("DNSAPI_URL", "", "replaces https://route53.amazonaws.com; plain http to loopback only"),
];

const PROFILE: Profile = Profile {
    title: "Route 53",
    remedy: "check the access key of DNSAPI_USERNAME and DNSAPI_PASSWORD, this machine's clock, and that its policy \
             allows route53:ListHostedZonesByName, ListResourceRecordSets, ChangeResourceRecordSets and GetChange",
    conflicts: &[409],
    judge: judged,
    reason: |body| {
        let error = xml::parse(body).unwrap_or_default();
        let code = error.text_at(&["Error", "Code"]).to_string();
        let messages = [error.text_at(&["Error", "Message"]), error.text_at(&["Messages", "Message"])];
        match code.is_empty() {
            // The older form of a refused batch has its code as its name.
            true => (error.name.clone(), messages.concat()),
            false => (code, messages.concat()),
        }
    },
};

fn build(config: &Config, mistakes: &mut Mistakes, _: &Surroundings) -> Option<Box<dyn Provider>> {
    let base = rest::base(config, mistakes, Some(BASE));
    let id = rest::word(config, mistakes, "DNSAPI_USERNAME");
    let secret = rest::secret(config, mistakes, "DNSAPI_PASSWORD");
    let key = AccessKey { id: id?, secret: secret? };
    Some(Box::new(Route53(Api::new(config, mistakes, &PROFILE, base?, key))))
}

/// The status says little: a refused key is 403, a batch that met another one is 400.
fn judged(api: &Api, answer: Answer, changes: bool) -> Result<Answer, Problem> {
    judge::by_status(api, answer, changes).map_err(|problem| match problem {
        Problem::No(no) if BAD_KEY.contains(&no.code.as_str()) => Problem::No(No { status: 401, ..no }),
        Problem::No(no) if BUSY.contains(&no.code.as_str()) => Fault::Busy(format!("Route 53: {no}"), None).into(),
        Problem::No(no) if no.code == "InvalidChangeBatch" && no.reason.contains("Tried to") => {
            Problem::No(No { status: 409, ..no })
        }
        problem => problem,
    })
}

struct Route53(Api);

impl Route53 {
    fn get(&self, path: String, deadline: Deadline) -> Result<Element, Problem> {
        self.xml(&Draft::new("GET", path), deadline, false)
    }

    fn xml(&self, draft: &Draft, deadline: Deadline, changes: bool) -> Result<Element, Problem> {
        let answer = self.0.send(draft, deadline)?;
        xml::parse(&answer.body).ok_or_else(|| self.0.strange("not its XML", changes))
    }
}

impl Service for Route53 {
    fn api(&self) -> &Api {
        &self.0
    }

    fn find_zone(&self, name: &Name, deadline: Deadline) -> Result<Option<String>, Problem> {
        // A list that begins at the name: public and private zones may be called alike.
        let path = format!("{VERSION}/hostedzonesbyname?dnsname={name}.&maxitems=10");
        let answer = self.get(path, deadline)?;
        let zones = answer.items("HostedZones").ok_or_else(|| self.0.strange("no list of zones", false))?;
        let full = format!("{name}.");
        let is_public = |zone: &&Element| zone.text_at(&["Config", "PrivateZone"]) != "true";
        let ours = zones.iter().filter(|zone| zone.text_at(&["Name"]) == full).find(is_public);
        let id = ours.and_then(|zone| zone.text_at(&["Id"]).strip_prefix("/hostedzone/"));
        Ok(id.filter(|id| id.bytes().all(|byte| byte.is_ascii_alphanumeric())).map(str::to_string))
    }

    fn change(&self, place: &Place, action: Action, value: &Value, deadline: Deadline) -> Result<Receipt, Problem> {
        sets::change(self, place, action, value, deadline)
    }

    fn landed(&self, id: &str, deadline: Deadline) -> Result<bool, Problem> {
        let answer = self.get(format!("{VERSION}/change/{id}"), deadline)?;
        match answer.text_at(&["ChangeInfo", "Status"]) {
            "INSYNC" => Ok(true),
            "PENDING" => Ok(false),
            _ => Err(self.0.strange("a change without a status", false)),
        }
    }
}

impl Rrsets for Route53 {
    fn ttl(&self, _: &Place) -> u64 {
        TTL
    }

    fn read(&self, place: &Place, deadline: Deadline) -> Result<Option<Rrset>, Problem> {
        // A list that begins at the name and type; one item is enough to see whether it is there.
        let query = format!("maxitems=1&name={}.&type=TXT", place.owner);
        let answer = self.get(format!("{VERSION}/hostedzone/{}/rrset?{query}", place.key), deadline)?;
        let strange = || self.0.strange("a list without RRsets", false);
        let Some(set) = answer.items("ResourceRecordSets").ok_or_else(strange)?.first() else { return Ok(None) };
        if set.text_at(&["Name"]) != format!("{}.", place.owner) || set.text_at(&["Type"]) != "TXT" {
            return Ok(None);
        }
        if set.child("SetIdentifier").is_some() {
            let text =
                format!("{} has a routing policy at Route 53, which acmegw leaves alone; remove it", place.owner);
            return Err(Fault::Refused(text).into());
        }
        let values = set.items("ResourceRecords").ok_or_else(strange)?;
        let values = values.iter().map(|record| record.text_at(&["Value"]).to_string()).collect();
        let ttl = set.text_at(&["TTL"]).parse().map_err(|_| strange())?;
        Ok(Some(Rrset { ttl, values, tag: String::new() }))
    }

    fn write(&self, place: &Place, was: Option<&Rrset>, set: Option<&Rrset>, by: Deadline) -> Result<Receipt, Problem> {
        let changes = [was.map(|set| one(place, "DELETE", set)), set.map(|set| one(place, "CREATE", set))];
        let changes: String = changes.into_iter().flatten().collect();
        let body = format!(
            "<ChangeResourceRecordSetsRequest xmlns=\"{NAMESPACE}\"><ChangeBatch><Changes>{changes}</Changes>\
             </ChangeBatch></ChangeResourceRecordSetsRequest>"
        );
        let draft = Draft::new("POST", format!("{VERSION}/hostedzone/{}/rrset/", place.key));
        let draft = Draft { body: Some(body), ..draft.header("content-type", "text/xml") };
        let answer = self.xml(&draft, by, true)?;
        let id = answer.text_at(&["ChangeInfo", "Id"]);
        let id = id.strip_prefix("/change/").filter(|id| id.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        id.map(|id| Receipt(id.to_string())).ok_or_else(|| self.0.strange("no change", true))
    }
}

fn one(place: &Place, action: &str, set: &Rrset) -> String {
    let value = |value: &String| format!("<ResourceRecord><Value>{}</Value></ResourceRecord>", escaped(value));
    let values: String = set.values.iter().map(value).collect();
    format!(
        "<Change><Action>{action}</Action><ResourceRecordSet><Name>{}.</Name><Type>TXT</Type><TTL>{}</TTL>\
         <ResourceRecords>{values}</ResourceRecords></ResourceRecordSet></Change>",
        place.owner, set.ttl
    )
}

#[cfg(test)]
pub(super) mod tests;
