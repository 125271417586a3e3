//! DigitalOcean's API v2 as its documentation tells it: domains, their records by name and page.

use serde_json::{Value, json};

use super::simulator::{Answer, Entry, Request, Service, Zones, absolute, fields};

pub const TOKEN: &str = "dop_v1_0123456789abcdef";

pub struct Account {
    zones: Zones,
}

fn refused(status: u16, id: &str, message: &str) -> Answer {
    Answer::json(status, &json!({"id": id, "message": message, "request_id": "4d9d8375-3c56-4925-a3e7-eb137fed17e9"}))
}

impl Service for Account {
    fn account(zones: Zones) -> Account {
        Account { zones }
    }

    fn zones(&mut self) -> &mut Zones {
        &mut self.zones
    }

    fn refusal(&self, status: u16) -> Answer {
        match status {
            401 => refused(401, "unauthorized", "Unable to authenticate you."),
            403 => refused(403, "forbidden", "You are not authorized to perform this operation"),
            404 => refused(404, "not_found", "The resource you requested could not be found."),
            429 => refused(429, "too_many_requests", "API Rate limit exceeded."),
            _ => refused(status, "server_error", "Unexpected server-side error"),
        }
    }

    fn answer(&mut self, request: &Request) -> Answer {
        if request.header("authorization") != Some(&format!("Bearer {TOKEN}")) {
            return self.refusal(401);
        }
        if request.is_mislabelled() {
            return refused(415, "unsupported", "the body is not JSON");
        }
        let parts = request.below("/v2/domains/").unwrap_or_default();
        if !parts.first().is_some_and(|zone| self.zones.has(zone)) {
            return self.refusal(404);
        }
        match (request.method.as_str(), parts.as_slice()) {
            ("GET", [zone]) => {
                Answer::json(200, &json!({"domain": {"name": zone, "ttl": 1800, "zone_file": "$ORIGIN …"}}))
            }
            ("GET", [zone, "records"]) => self.list(zone, request),
            ("POST", [zone, "records"]) => self.create(zone, &request.json()),
            ("DELETE", [zone, "records", id]) if request.text.is_empty() => {
                match self.zones.remove(zone, |entry| entry.id.to_string() == *id) {
                    0 => self.refusal(404),
                    _ => Answer::empty(204),
                }
            }
            _ => refused(405, "method_not_allowed", "no such method"),
        }
    }
}

impl Account {
    fn list(&self, zone: &str, request: &Request) -> Answer {
        let bad = || refused(400, "bad_request", "a wrong parameter");
        let Some([Some(name), per_page, page]) = request.asks(["name", "per_page", "page"]) else { return bad() };
        let number = |text: Option<&str>, default| text.map_or(Some(default), |text| text.parse().ok());
        let (Some(size @ 1..=200), Some(page @ 1..)) = (number(per_page, 20), number(page, 1)) else { return bad() };
        let all = self.zones.at(zone, name);
        let records: Vec<_> = all.iter().skip((page - 1) * size).take(size).map(|entry| shown(entry, zone)).collect();
        let next = format!("https://api.digitalocean.com/v2/domains/{zone}/records?page={}", page + 1);
        let links = if page * size < all.len() { json!({"pages": {"next": next}}) } else { json!({}) };
        let body = json!({"domain_records": records, "links": links, "meta": {"total": all.len()}});
        Answer::json(200, &body)
    }

    fn create(&mut self, zone: &str, body: &Value) -> Answer {
        let wrong = |message: &str| refused(422, "unprocessable_entity", message);
        let Some([kind, name, data, ttl]) = fields(body, &["type", "name", "data", "ttl"], &[]) else {
            return wrong("Missing or unknown fields");
        };
        let (Some("TXT"), Some(name), Some(data)) = (kind.as_str(), name.as_str(), data.as_str()) else {
            return wrong("Type, Name and Data");
        };
        if name == zone || name.ends_with(&format!(".{zone}")) || name.is_empty() {
            return wrong("the name is relative to the domain, or @");
        }
        let Some(ttl @ 30..) = ttl.as_u64() else { return wrong("TTL can't be lower than 30 seconds") };
        let name = absolute(name, zone, "@");
        if !self.zones.set(zone, &name, "CNAME").is_empty() {
            return wrong("CNAME records cannot share a name with other records");
        }
        if self.zones.is_full(zone, &name, "TXT") {
            return wrong("too many records");
        }
        let entry = self.zones.add(zone, &name, "TXT", ttl, data);
        Answer::json(201, &json!({"domain_record": shown(&entry, zone)}))
    }
}

fn shown(entry: &Entry, zone: &str) -> Value {
    let relative = entry.name.strip_suffix(zone).unwrap_or_default().trim_end_matches('.');
    json!({
        "id": entry.id, "type": entry.kind, "name": if relative.is_empty() { "@" } else { relative },
        "data": entry.value, "priority": null, "port": null, "ttl": entry.ttl, "weight": null, "flags": null,
        "tag": null,
    })
}
