//! Cloudflare's API v4 as its documentation tells it: zones by name, records by name and page.

use serde_json::{Value, json};

use super::simulator::{Answer, Entry, Request, Service, Zones, fields, inner};

pub const TOKEN: &str = "Sn3lZJTBX6kkg7OdcBUAxOO963GEIyGQqnFTOFYY";

pub struct Account {
    zones: Zones,
}

/// What every answer is in.
fn envelope(status: u16, result: Value, error: Option<(u64, &str)>, info: Option<Value>) -> Answer {
    let errors: Vec<_> = error.iter().map(|(code, message)| json!({"code": code, "message": message})).collect();
    let mut answer = json!({"success": error.is_none(), "errors": errors, "messages": [], "result": result});
    if let Some(info) = info {
        answer["result_info"] = info;
    }
    Answer::json(status, &answer)
}

fn refused(status: u16, code: u64, message: &str) -> Answer {
    envelope(status, Value::Null, Some((code, message)), None)
}

/// An error whose reason is in its chain.
fn chained(code: u64, message: &str, inner: (u64, &str)) -> Answer {
    let chain = json!([{"code": inner.0, "message": inner.1}]);
    let error = json!({"code": code, "message": message, "error_chain": chain});
    Answer::json(400, &json!({"success": false, "errors": [error], "messages": [], "result": null}))
}

fn bad_token() -> Answer {
    chained(6003, "Invalid request headers", (6111, "Invalid format for Authorization header"))
}

/// An id as the service has them: 32 hexadecimal digits.
fn id(number: u64) -> String {
    format!("{:032x}", 0x023e_105f_4ece_f8ad_9ca3_1a83_72d0_0000_u128 + u128::from(number))
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
            401 => bad_token(),
            403 => refused(403, 10000, "Authentication error"),
            404 => refused(404, 7003, "Could not route to the zone, perhaps your object identifier is invalid?"),
            _ => refused(status, 10001, "Something went wrong"),
        }
    }

    fn answer(&mut self, request: &Request) -> Answer {
        if request.header("authorization") != Some(&format!("Bearer {TOKEN}")) {
            return bad_token();
        }
        if request.is_mislabelled() {
            return refused(400, 6001, "the body is not JSON");
        }
        let zone = |written: &str| {
            let names = self.zones.names();
            names.into_iter().enumerate().find(|(number, _)| id(*number as u64) == written).map(|(_, name)| name)
        };
        match (request.method.as_str(), request.below("/client/v4/").unwrap_or_default().as_slice()) {
            ("GET", ["zones"]) => self.list_zones(request),
            (method, ["zones", written, "dns_records", rest @ ..]) => match (zone(written), method, rest) {
                (None, _, _) => self.refusal(404),
                (Some(zone), "GET", []) => self.list(&zone, request),
                (Some(zone), "POST", []) => self.create(&zone, &request.json()),
                (Some(zone), "DELETE", [record]) if request.text.is_empty() => self.delete(&zone, record),
                _ => refused(405, 10405, "Method not allowed for this authentication scheme"),
            },
            _ => refused(404, 7000, "No route for that URI"),
        }
    }
}

impl Account {
    fn list_zones(&self, request: &Request) -> Answer {
        let Some([Some(wanted)]) = request.asks(["name"]) else { return refused(400, 7000, "parameters") };
        let names = self.zones.names().into_iter().enumerate();
        let zones: Vec<_> = names
            .filter(|(_, name)| name == wanted)
            .map(|(number, name)| json!({"id": id(number as u64), "name": name, "status": "active", "type": "full"}))
            .collect();
        let info =
            json!({"count": zones.len(), "page": 1, "per_page": 20, "total_count": zones.len(), "total_pages": 1});
        envelope(200, zones.into(), None, Some(info))
    }

    fn list(&self, zone: &str, request: &Request) -> Answer {
        let Some([Some(name), per_page, page]) = request.asks(["name", "per_page", "page"]) else {
            return refused(400, 7000, "parameters");
        };
        let number = |text: Option<&str>, default| text.map_or(Some(default), |text| text.parse().ok());
        let (Some(per_page @ 1..=5_000_000), Some(page @ 1..)) = (number(per_page, 100), number(page, 1)) else {
            return refused(400, 9106, "per_page and page");
        };
        let all = self.zones.at(zone, name);
        let shown: Vec<_> = all.iter().skip((page - 1) * per_page).take(per_page).map(shown).collect();
        let info = json!({
            "count": shown.len(), "page": page, "per_page": per_page,
            "total_count": all.len(), "total_pages": all.len().div_ceil(per_page),
        });
        envelope(200, shown.into(), None, Some(info))
    }

    fn create(&mut self, zone: &str, body: &Value) -> Answer {
        let Some([kind, name, content, ttl]) = fields(body, &["type", "name", "content", "ttl"], &[]) else {
            return refused(400, 9207, "Request body is invalid.");
        };
        let (Some("TXT"), Some(name), Some(content)) = (kind.as_str(), name.as_str(), content.as_str()) else {
            return refused(400, 1004, "DNS Validation Error");
        };
        let Some(value) = inner(content) else { return refused(400, 9101, "The content is not in quotes") };
        if !name.ends_with(zone) {
            return refused(400, 9000, "DNS name is invalid.");
        }
        if !ttl.as_u64().is_some_and(|ttl| ttl == 1 || (60..=86400).contains(&ttl)) {
            let why = "TTL must be between 60 and 86400 seconds, or 1 for Automatic.";
            return chained(1004, "DNS Validation Error", (9021, why));
        }
        if !self.zones.set(zone, name, "CNAME").is_empty() {
            return refused(400, 81054, "A CNAME record with that host already exists.");
        }
        if self.zones.set(zone, name, "TXT").iter().any(|entry| entry.value == value) {
            return refused(400, 81058, "An identical record already exists.");
        }
        if self.zones.is_full(zone, name, "TXT") {
            return refused(400, 81045, "The record quota has been exceeded.");
        }
        let entry = self.zones.add(zone, name, "TXT", ttl.as_u64().unwrap_or_default(), value);
        envelope(200, shown(&entry), None, None)
    }

    fn delete(&mut self, zone: &str, record: &str) -> Answer {
        match self.zones.remove(zone, |entry| id(entry.id) == record) {
            0 => refused(404, 81044, "Record does not exist."),
            _ => envelope(200, json!({"id": record}), None, None),
        }
    }
}

fn shown(entry: &Entry) -> Value {
    let content = if entry.kind == "TXT" { format!("\"{}\"", entry.value) } else { entry.value.clone() };
    json!({
        "id": id(entry.id), "name": entry.name, "type": entry.kind, "content": content, "ttl": entry.ttl,
        "proxiable": false, "proxied": false, "settings": {}, "meta": {}, "comment": null, "tags": [],
        "created_on": "2024-07-19T10:00:00.000000Z", "modified_on": "2024-07-19T10:00:00.000000Z",
    })
}
