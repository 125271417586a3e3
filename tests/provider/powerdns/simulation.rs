//! PowerDNS's API as its documentation and its answers tell it: zones by name, RRsets by PATCH.

use serde_json::{Value, json};

use super::simulator::{Answer, Entry, Request, Service, Zones, fields, inner};

pub const KEY: &str = "changeme";

const ZONES: &str = "/api/v1/servers/localhost/zones";

pub struct Account {
    zones: Zones,
    /// Before 4.9.12: knows neither EXTEND nor PRUNE.
    pub is_old: bool,
}

fn error(status: u16, text: &str) -> Answer {
    Answer::json(status, &json!({"error": text}))
}

impl Service for Account {
    fn account(zones: Zones) -> Account {
        Account { zones, is_old: false }
    }

    fn zones(&mut self) -> &mut Zones {
        &mut self.zones
    }

    fn refusal(&self, status: u16) -> Answer {
        // The server's own web frame gives text for those two.
        match status {
            401 | 403 => Answer::text(status, "text/plain; charset=utf-8", "Unauthorized"),
            404 => error(404, "Not Found"),
            _ => error(status, "Internal Server Error"),
        }
    }

    fn answer(&mut self, request: &Request) -> Answer {
        if request.header("x-api-key") != Some(KEY) {
            return self.refusal(401);
        }
        if request.is_mislabelled() {
            return error(400, "the body is not JSON");
        }
        let below = request.path.strip_prefix(ZONES).map(|rest| rest.strip_prefix('/').unwrap_or(rest));
        match (request.method.as_str(), below) {
            ("GET", Some("")) => self.list(request),
            ("GET", Some(zone)) => self.zone(zone, request),
            ("PATCH", Some(zone)) if request.query.is_empty() => self.patch(zone, &request.json()),
            _ => error(404, "Not Found"),
        }
    }
}

impl Account {
    fn list(&self, request: &Request) -> Answer {
        let Some([Some(name)]) = request.asks(["zone"]) else { return error(400, "one zone is asked for") };
        let Some(plain) = name.strip_suffix('.') else { return error(422, "DNS Name is not canonical") };
        let zone = json!({
            "account": "", "dnssec": false, "edited_serial": 2022040504, "id": name, "kind": "Native",
            "last_check": 0, "masters": [], "name": name, "notified_serial": 0, "serial": 2022040504,
            "url": format!("{ZONES}/{name}"),
        });
        Answer::json(200, &if self.zones.has(plain) { json!([zone]) } else { json!([]) })
    }

    fn zone(&self, zone: &str, request: &Request) -> Answer {
        let Some([name, kind]) = request.asks(["rrset_name", "rrset_type"]) else { return error(400, "parameter") };
        let (Some(name), Some("TXT")) = (name.and_then(|name| name.strip_suffix('.')), kind) else {
            return error(422, "a canonical name and a type are needed");
        };
        let plain = zone.trim_end_matches('.');
        if !self.zones.has(plain) {
            return self.refusal(404);
        }
        let set = self.zones.set(plain, name, "TXT");
        let content = |entry: &Entry| json!({"content": format!("\"{}\"", entry.value), "disabled": false});
        let records: Vec<_> = set.iter().map(content).collect();
        let rrset = json!({
            "comments": [], "name": format!("{name}."), "ttl": set.first().map_or(0, |entry| entry.ttl),
            "type": "TXT", "records": records,
        });
        let rrsets = if set.is_empty() { json!([]) } else { json!([rrset]) };
        Answer::json(200, &json!({"id": zone, "name": zone, "kind": "Native", "rrsets": rrsets}))
    }

    fn patch(&mut self, zone: &str, body: &Value) -> Answer {
        let plain = zone.trim_end_matches('.').to_string();
        if !self.zones.has(&plain) {
            return self.refusal(404);
        }
        let Some([rrsets]) = fields(body, &["rrsets"], &[]) else { return error(422, "No rrsets given") };
        let [set] = rrsets.as_array().map(Vec::as_slice).unwrap_or_default() else { return error(422, "one set") };
        let needed = ["name", "type", "ttl", "changetype", "records"];
        let Some([name, kind, ttl, change, records]) = fields(set, &needed, &[]) else { return error(422, "a set") };
        let (Some(name), Some(ttl), true) = (name.as_str(), ttl.as_u64(), kind == "TXT") else {
            return error(422, "a field of the set has the wrong type");
        };
        let Some(name) = name.strip_suffix('.').filter(|name| name.ends_with(&plain)) else {
            return error(422, "Name is out of zone");
        };
        let values = records.as_array().into_iter().flatten().map(|record| {
            let [content, _] = fields(record, &["content", "disabled"], &[])?;
            Some(inner(content.as_str()?)?.to_string())
        });
        let Some(values) = values.collect::<Option<Vec<_>>>() else { return error(422, "Not in expected format") };
        let is_single = matches!(change.as_str(), Some("EXTEND" | "PRUNE"));
        if is_single && self.is_old {
            return error(422, "Changetype not understood");
        }
        if is_single && values.len() != 1 {
            return error(422, "Exactly one record should be provided for PRUNE or EXTEND operation");
        }
        let mut after: Vec<_> = self.zones.set(&plain, name, "TXT").into_iter().map(|entry| entry.value).collect();
        match change.as_str() {
            Some("EXTEND") if !after.contains(&values[0]) => after.extend(values),
            Some("PRUNE") => after.retain(|held| *held != values[0]),
            Some("EXTEND") => {}
            Some("REPLACE") if !values.is_empty() => after = values,
            Some("DELETE") if values.is_empty() => after.clear(),
            _ => return error(422, "Changetype is not a valid value"),
        }
        if !after.is_empty() && !self.zones.set(&plain, name, "CNAME").is_empty() {
            return error(422, &format!("RRset {name}. IN TXT: Conflicts with pre-existing RRset"));
        }
        if self.zones.limit.is_some_and(|limit| after.len() > limit) {
            return error(422, "the RRset is too large");
        }
        let ttl = self.zones.set(&plain, name, "TXT").first().map_or(ttl, |entry| entry.ttl);
        self.zones.replace(&plain, name, "TXT", ttl, &after);
        Answer::empty(204)
    }
}
