//! Gandi's LiveDNS as its documentation tells it: domains, and RRsets by name and type.

use serde_json::json;

use super::simulator::{Answer, Entry, Request, Service, Zones, absolute, fields, inner};

pub const TOKEN: &str = "bda7b6b9c0ffee0123456789abcdef0123456789";

pub struct Account {
    zones: Zones,
}

fn refused(status: u16, cause: &str, message: &str) -> Answer {
    let body = json!({"cause": cause, "code": status, "message": message, "object": format!("HTTP{}", cause.replace(" ", ""))});
    Answer::json(status, &body)
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
            401 => {
                refused(401, "Unauthorized", "The server could not verify that you authorized to access the document")
            }
            403 => refused(403, "Forbidden", "Access was denied to this resource."),
            404 => refused(404, "Not Found", "The resource could not be found."),
            _ => refused(status, "Internal Server Error", "The server has either erred or is incapable"),
        }
    }

    fn answer(&mut self, request: &Request) -> Answer {
        if request.header("authorization") != Some(&format!("Bearer {TOKEN}")) {
            return self.refusal(401);
        }
        if request.is_mislabelled() || !request.query.is_empty() {
            return refused(400, "Bad Request", "neither JSON nor a parameter");
        }
        let parts = request.below("/v5/livedns/domains/").unwrap_or_default();
        if !parts.first().is_some_and(|zone| self.zones.has(zone)) {
            return self.refusal(404);
        }
        match (request.method.as_str(), parts.as_slice()) {
            ("GET", [zone]) => {
                let href = format!("https://api.gandi.net/v5/livedns/domains/{zone}");
                let records = format!("{href}/records");
                Answer::json(200, &json!({"fqdn": zone, "domain_href": href, "domain_records_href": records}))
            }
            ("GET", [zone, "records", name, "TXT"]) => self.read(zone, name),
            ("PUT", [zone, "records", name, "TXT"]) => self.write(zone, name, request),
            ("DELETE", [zone, "records", name, "TXT"]) if request.text.is_empty() => {
                let full = absolute(name, zone, "@");
                match self.zones.remove(zone, |entry| entry.name == full && entry.kind == "TXT") {
                    0 => self.refusal(404),
                    _ => Answer::empty(204),
                }
            }
            _ => refused(405, "Method Not Allowed", "no such method"),
        }
    }
}

impl Account {
    fn read(&self, zone: &str, name: &str) -> Answer {
        let set = self.zones.set(zone, &absolute(name, zone, "@"), "TXT");
        let Some(first) = set.first() else { return self.refusal(404) };
        let values: Vec<_> = set.iter().map(|entry: &Entry| format!("\"{}\"", entry.value)).collect();
        let href = format!("https://api.gandi.net/v5/livedns/domains/{zone}/records/{name}/TXT");
        let body = json!({
            "rrset_name": name, "rrset_type": "TXT", "rrset_ttl": first.ttl, "rrset_values": values,
            "rrset_href": href,
        });
        Answer::json(200, &body)
    }

    fn write(&mut self, zone: &str, name: &str, request: &Request) -> Answer {
        let wrong = |field: &str, why: &str| {
            let errors = json!([{"location": "body", "name": field, "description": why}]);
            Answer::json(400, &json!({"status": "error", "errors": errors}))
        };
        let Some([ttl, values]) = fields(&request.json(), &["rrset_ttl", "rrset_values"], &[]) else {
            return wrong("body", "unknown or missing fields");
        };
        let Some(ttl @ 300..=2_592_000) = ttl.as_u64() else {
            return wrong("rrset_ttl", "it is less than minimum value 300");
        };
        let values = values.as_array().into_iter().flatten();
        let values: Option<Vec<_>> = values.map(|value| inner(value.as_str()?).map(str::to_string)).collect();
        let Some(values) = values.filter(|values| !values.is_empty()) else {
            return wrong("rrset_values", "values in quotes, at least one");
        };
        let full = absolute(name, zone, "@");
        if !self.zones.set(zone, &full, "CNAME").is_empty() {
            return refused(409, "Conflict", "A CNAME record already exists here");
        }
        if self.zones.limit.is_some_and(|limit| values.len() > limit) {
            return wrong("rrset_values", "too many values");
        }
        self.zones.replace(zone, &full, "TXT", ttl, &values);
        Answer::json(201, &json!({"message": "DNS Record Created"}))
    }
}
