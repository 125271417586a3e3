//! OVHcloud's API v1 as its documentation tells it: signed requests, records by number, and a zone
//! that is published by a refresh.

use ring::digest;
use serde_json::{Value, json};

use super::simulator::{Answer, Entry, Request, Service, Zones, absolute, fields};

pub const APPLICATION: &str = "7kbG7Bk7S9Nt7ZSV";
pub const SECRET: &str = "EXEgWIz07P0HYwtQDs7cNIqCiQaWSuHF";
pub const CONSUMER: &str = "MtSwSrPpNjqfVSmJhLbPyr2i45lSwPU1";

pub struct Account {
    zones: Zones,
    /// What the name servers have: the zones as they were at their last refresh.
    published: Vec<(String, Vec<Entry>)>,
    pub refuses_refresh: bool,
}

fn refused(status: u16, class: &str, message: &str) -> Answer {
    Answer::json(status, &json!({"class": class, "message": message}))
}

/// What is wrong with the keys has a form of its own.
fn locked_out(status: u16, code: &str, message: &str) -> Answer {
    let text = if status == 400 { "400 Bad Request" } else { "403 Forbidden" };
    Answer::json(status, &json!({"errorCode": code, "httpCode": text, "message": message}))
}

impl Service for Account {
    fn account(zones: Zones) -> Account {
        Account { zones, published: Vec::new(), refuses_refresh: false }
    }

    fn zones(&mut self) -> &mut Zones {
        &mut self.zones
    }

    fn refusal(&self, status: u16) -> Answer {
        match status {
            401 => locked_out(403, "INVALID_CREDENTIAL", "This credential is not valid"),
            403 => locked_out(403, "NOT_GRANTED_CALL", "This call has not been granted"),
            404 => refused(404, "Client::NotFound", "This service does not exist"),
            429 => refused(429, "Client::TooManyRequests", "Too many requests"),
            _ => refused(status, "Server::InternalServerError", "Internal server error"),
        }
    }

    fn answer(&mut self, request: &Request) -> Answer {
        if !is_signed(request) {
            return locked_out(400, "INVALID_SIGNATURE", "Invalid signature");
        }
        if request.is_mislabelled() {
            return refused(400, "Client::BadRequest", "the body is not JSON");
        }
        let parts = request.below("/v1/domain/zone/").unwrap_or_default();
        if !parts.first().is_some_and(|zone| self.zones.has(zone)) {
            return self.refusal(404);
        }
        match (request.method.as_str(), parts.as_slice()) {
            ("GET", [zone]) => {
                let servers = json!(["dns100.ovh.net", "ns100.ovh.net"]);
                let body =
                    json!({"name": zone, "nameServers": servers, "dnssecSupported": true, "hasDnsAnycast": false});
                Answer::json(200, &body)
            }
            ("GET", [zone, "record"]) => self.list(zone, request),
            ("POST", [zone, "record"]) => self.create(zone, &request.json()),
            ("GET", [zone, "record", id]) => {
                let entry = self.zones.records(zone).into_iter().find(|entry| entry.id.to_string() == *id);
                entry.map_or_else(|| self.refusal(404), |entry| Answer::json(200, &shown(&entry, zone)))
            }
            ("DELETE", [zone, "record", id]) => match self.zones.remove(zone, |entry| entry.id.to_string() == *id) {
                0 => self.refusal(404),
                _ => Answer::json(200, &Value::Null),
            },
            ("POST", [_, "refresh"]) if self.refuses_refresh => self.refusal(500),
            ("POST", [zone, "refresh"]) if request.text.is_empty() => {
                self.published.retain(|(known, _)| known != zone);
                self.published.push((zone.to_string(), self.zones.records(zone)));
                Answer::json(200, &Value::Null)
            }
            _ => refused(405, "Client::MethodNotAllowed", "no such method"),
        }
    }
}

fn is_signed(request: &Request) -> bool {
    let header = |name| request.header(name).unwrap_or_default();
    let query: Vec<_> = request.query.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let query = if query.is_empty() { String::new() } else { format!("?{}", query.join("&")) };
    let (time, url) = (header("x-ovh-timestamp"), format!("http://{}{}{query}", header("host"), request.path));
    let text = format!("{SECRET}+{CONSUMER}+{}+{url}+{}+{time}", request.method, request.text);
    let hash = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, text.as_bytes());
    let hex: String = hash.as_ref().iter().map(|octet| format!("{octet:02x}")).collect();
    header("x-ovh-application") == APPLICATION
        && header("x-ovh-consumer") == CONSUMER
        && time.parse().is_ok_and(|time: u64| time > 1_700_000_000)
        && header("x-ovh-signature") == format!("$1${hex}")
}

impl Account {
    /// What the name servers have at a name.
    pub fn published(&self, name: &str) -> Vec<String> {
        let all = self.published.iter().flat_map(|(_, entries)| entries);
        all.filter(|entry| entry.name == name && entry.kind == "TXT").map(|entry| entry.value.clone()).collect()
    }

    fn list(&self, zone: &str, request: &Request) -> Answer {
        let Some([Some(kind), Some(sub)]) = request.asks(["fieldType", "subDomain"]) else {
            return refused(400, "Client::BadRequest", "parameters");
        };
        let set = self.zones.set(zone, &absolute(sub, zone, ""), kind);
        Answer::json(200, &set.iter().map(|entry| Value::from(entry.id)).collect())
    }

    fn create(&mut self, zone: &str, body: &Value) -> Answer {
        let wrong = |text: &str| refused(400, "Client::BadRequest", text);
        let Some([kind, sub, target, ttl]) = fields(body, &["fieldType", "subDomain", "target", "ttl"], &[]) else {
            return wrong("missing or unknown fields");
        };
        let (Some("TXT"), Some(sub), Some(target)) = (kind.as_str(), sub.as_str(), target.as_str()) else {
            return wrong("a field of the wrong type");
        };
        let Some(ttl) = ttl.as_u64().map(|ttl| ttl.max(60)) else { return wrong("ttl is no number") };
        if sub == "@" || sub.ends_with(zone) {
            return wrong("the subdomain is relative to the zone");
        }
        let name = absolute(sub, zone, "");
        if !self.zones.set(zone, &name, "CNAME").is_empty() || self.zones.is_full(zone, &name, "TXT") {
            return refused(409, "Client::Conflict", "conflicting records, or too many");
        }
        let entry = self.zones.add(zone, &name, "TXT", ttl, target);
        Answer::json(200, &shown(&entry, zone))
    }
}

fn shown(entry: &Entry, zone: &str) -> Value {
    let sub = entry.name.strip_suffix(zone).unwrap_or_default().trim_end_matches('.');
    let target = if entry.kind == "TXT" { format!("\"{}\"", entry.value) } else { entry.value.clone() };
    json!({"id": entry.id, "zone": zone, "subDomain": sub, "fieldType": entry.kind, "target": target, "ttl": entry.ttl})
}
