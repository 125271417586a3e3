//! deSEC's API v1 as its documentation tells it: the domain that holds a name, RRsets, changes in bulk.

use serde_json::{Value, json};

use super::simulator::{Answer, Request, Service, Zones, absolute, fields, inner};

pub const TOKEN: &str = "mu4W4MHuSc0Hy-GD1h_dnKuZBond";

pub struct Account {
    zones: Zones,
}

fn detail(status: u16, text: &str) -> Answer {
    Answer::json(status, &json!({"detail": text}))
}

fn wrong(text: &str) -> Answer {
    Answer::json(400, &json!([{"non_field_errors": [text]}]))
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
            401 => detail(401, "Invalid token."),
            403 => detail(403, "Insufficient token permissions."),
            404 => detail(404, "Not found."),
            429 => detail(429, "Request was throttled. Expected available in 1 second."),
            _ => Answer::text(status, "text/html", "<h1>Server Error</h1>"),
        }
    }

    fn answer(&mut self, request: &Request) -> Answer {
        if request.header("authorization") != Some(&format!("Token {TOKEN}")) {
            return self.refusal(401);
        }
        if request.is_mislabelled() {
            return detail(415, "Unsupported media type");
        }
        let parts = request.below("/api/v1/domains/").unwrap_or_default();
        match (request.method.as_str(), parts.as_slice()) {
            ("GET", [""]) => match request.asks(["owns_qname"]) {
                Some([Some(name)]) => Answer::json(200, &self.zones.of(name).map_or(json!([]), |zone| domain(&zone))),
                _ => wrong("a parameter"),
            },
            (_, [zone, ..]) if !self.zones.has(zone) => self.refusal(404),
            ("GET", [zone, "rrsets", name, "TXT", ""]) => self.read(zone, name),
            ("PUT", [zone, "rrsets", ""]) => self.write(zone, &request.json()),
            _ => detail(405, "Method not allowed."),
        }
    }
}

fn domain(zone: &str) -> Value {
    json!([{
        "created": "2022-11-12T18:01:35.454616Z", "published": "2022-11-12T18:03:19.516440Z",
        "touched": "2022-11-12T18:03:19.516440Z", "name": zone, "minimum_ttl": 3600,
    }])
}

impl Account {
    fn shown(&self, zone: &str, full: &str, subname: &str) -> Option<Value> {
        let set = self.zones.set(zone, full, "TXT");
        let values: Vec<_> = set.iter().map(|entry| format!("\"{}\"", entry.value)).collect();
        Some(json!({
            "created": "2020-05-06T11:46:07.641885Z", "domain": zone, "subname": subname, "name": format!("{full}."),
            "records": values, "ttl": set.first()?.ttl, "type": "TXT", "touched": "2020-05-06T11:46:07.641885Z",
        }))
    }

    fn read(&self, zone: &str, name: &str) -> Answer {
        let subname = if name == "@" { "" } else { name };
        let shown = self.shown(zone, &absolute(name, zone, "@"), subname);
        shown.map_or_else(|| self.refusal(404), |set| Answer::json(200, &set))
    }

    fn write(&mut self, zone: &str, body: &Value) -> Answer {
        let [set] = body.as_array().map(Vec::as_slice).unwrap_or_default() else { return wrong("a list of one") };
        let Some([subname, kind, ttl, records]) = fields(set, &["subname", "type", "ttl", "records"], &[]) else {
            return wrong("a missing or unknown field");
        };
        let (Some(subname), Some("TXT"), Some(ttl)) = (subname.as_str(), kind.as_str(), ttl.as_u64()) else {
            return wrong("a field of the wrong type");
        };
        if subname == "@" {
            return wrong("Subname can only use (lowercase) a-z, 0-9, ., -, and _");
        }
        let values = records.as_array().into_iter().flatten();
        let Some(values) = values.map(|value| inner(value.as_str()?).map(str::to_string)).collect::<Option<Vec<_>>>()
        else {
            return wrong("Record content for type TXT malformed: Data does not match format");
        };
        if ttl < 3600 && !values.is_empty() {
            return wrong("Ensure this value is greater than or equal to 3600.");
        }
        let full = absolute(subname, zone, "");
        if !values.is_empty() && !self.zones.set(zone, &full, "CNAME").is_empty() {
            return wrong("RRset with conflicting type present: database ({'CNAME'}). (No other RRsets are allowed)");
        }
        if self.zones.limit.is_some_and(|limit| values.len() > limit) {
            return wrong("Total length of RRset exceeds limit.");
        }
        self.zones.replace(zone, &full, "TXT", ttl, &values);
        Answer::json(200, &self.shown(zone, &full, subname).into_iter().collect())
    }
}
