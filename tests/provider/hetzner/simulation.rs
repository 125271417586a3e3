//! Hetzner's Cloud API as its documentation tells it: zones, RRsets, and actions that run a moment.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::simulator::{Answer, Request, Service, Zones, absolute, fields, inner};

pub const TOKEN: &str = "LRK9DAWQ1ZAEFSrCNEEzLCUwhYX1U3g7wMg4dTlkkDC96fyDuyJ39nVbVjCKSDfj";

pub struct Account {
    zones: Zones,
    /// How often each action is still said to be running.
    actions: BTreeMap<u64, u8>,
}

fn refused(status: u16, code: &str, message: &str) -> Answer {
    Answer::json(status, &json!({"error": {"code": code, "message": message, "details": null}}))
}

fn wrong(message: &str) -> Answer {
    refused(422, "invalid_input", message)
}

fn action(id: u64, command: &str, is_running: bool) -> Value {
    let (status, progress) = if is_running { ("running", 50) } else { ("success", 100) };
    json!({"action": {
        "id": id, "command": command, "status": status, "progress": progress,
        "started": "2016-01-30T23:55:00+00:00", "finished": null,
        "resources": [{"id": 42, "type": "zone"}], "error": null,
    }})
}

impl Service for Account {
    fn account(zones: Zones) -> Account {
        Account { zones, actions: BTreeMap::new() }
    }

    fn zones(&mut self) -> &mut Zones {
        &mut self.zones
    }

    fn refusal(&self, status: u16) -> Answer {
        match status {
            401 => refused(401, "unauthorized", "unable to authenticate"),
            403 => refused(403, "token_readonly", "only GET requests are allowed for this token"),
            404 => refused(404, "not_found", "zone not found"),
            409 => refused(409, "conflict", "the resource has changed during the request, please retry"),
            429 => refused(429, "rate_limit_exceeded", "rate limit exceeded"),
            _ => refused(status, "server_error", "error within the API backend"),
        }
    }

    fn answer(&mut self, request: &Request) -> Answer {
        if request.header("authorization") != Some(&format!("Bearer {TOKEN}")) {
            return self.refusal(401);
        }
        if request.is_mislabelled() || !request.query.is_empty() {
            return refused(400, "json_error", "neither JSON nor a parameter");
        }
        let parts = request.below("/v1/").unwrap_or_default();
        // A zone is called by its name or by its number.
        let zone = |written: &str| {
            let named = self.zones.names().into_iter().enumerate();
            named
                .map(|(number, name)| (number + 42, name))
                .find(|(id, name)| name == written || id.to_string() == written)
        };
        match (request.method.as_str(), parts.as_slice()) {
            ("GET", ["actions", id]) => self.poll(id),
            (method, ["zones", written, rest @ ..]) => match (zone(written), method, rest) {
                (None, _, _) => self.refusal(404),
                (Some((id, name)), "GET", []) => {
                    let body = json!({"id": id, "name": name, "mode": "primary", "ttl": 3600, "status": "ok"});
                    Answer::json(200, &json!({"zone": body}))
                }
                (Some((id, zone)), "GET", ["rrsets", name, "TXT"]) => self.read(id, &zone, name),
                (Some((_, zone)), "POST", ["rrsets", name, "TXT", "actions", command]) => {
                    self.change(&zone, &absolute(name, &zone, "@"), command, &request.json())
                }
                _ => refused(405, "method_not_allowed", "no such method"),
            },
            _ => self.refusal(404),
        }
    }
}

impl Account {
    fn poll(&mut self, id: &str) -> Answer {
        let Some((id, left)) = id.parse().ok().and_then(|id: u64| Some((id, self.actions.get_mut(&id)?))) else {
            return self.refusal(404);
        };
        let is_running = *left > 0;
        *left = left.saturating_sub(1);
        Answer::json(200, &action(id, "add_rrset_records", is_running))
    }

    fn read(&self, id: usize, zone: &str, name: &str) -> Answer {
        let set = self.zones.set(zone, &absolute(name, zone, "@"), "TXT");
        let Some(first) = set.first() else { return self.refusal(404) };
        let record = |value: &str| json!({"value": format!("\"{value}\""), "comment": ""});
        let records: Vec<_> = set.iter().map(|entry| record(&entry.value)).collect();
        let body = json!({
            "id": format!("{name}/TXT"), "name": name, "type": "TXT", "ttl": first.ttl, "labels": {},
            "protection": {"change": false}, "records": records, "zone": id,
        });
        Answer::json(200, &json!({"rrset": body}))
    }

    fn change(&mut self, zone: &str, full: &str, command: &str, body: &Value) -> Answer {
        let is_added = command == "add_records";
        let allowed: &[&str] = if is_added { &["ttl"] } else { &[] };
        let Some([records]) = fields(body, &["records"], allowed) else { return wrong("unknown or missing fields") };
        if body.get("ttl").is_some_and(|ttl| ttl.as_u64().is_none_or(|ttl| ttl < 60)) {
            return wrong("invalid input in field 'ttl': must be at least 60");
        }
        let value = |record: &Value| inner(fields(record, &["value"], &["comment"])?[0].as_str()?).map(str::to_string);
        let values: Option<Vec<_>> = records.as_array().into_iter().flatten().map(value).collect();
        let Some(values) = values.filter(|values| !values.is_empty()) else { return wrong("records in quotes") };
        let held: Vec<_> = self.zones.set(zone, full, "TXT").into_iter().map(|entry| entry.value).collect();
        let command = match command {
            "add_records" if !self.zones.set(zone, full, "CNAME").is_empty() => {
                return wrong("a CNAME record exists with this name");
            }
            "add_records" if values.iter().any(|value| held.contains(value)) => {
                return refused(409, "uniqueness_error", "the record exists already");
            }
            "add_records" if self.zones.limit.is_some_and(|limit| held.len() + values.len() > limit) => {
                return refused(422, "resource_limit_exceeded", "too many records");
            }
            "add_records" if !held.is_empty() && body.get("ttl").is_some() => return wrong("the RRSet has its TTL"),
            "add_records" => {
                let ttl = body["ttl"].as_u64().unwrap_or(3600);
                values.iter().for_each(|value| drop(self.zones.add(zone, full, "TXT", ttl, value)));
                "add_rrset_records"
            }
            "remove_records" if !values.iter().all(|value| held.contains(value)) => return self.refusal(404),
            "remove_records" => {
                let gone = |value: &String| values.contains(value);
                self.zones.remove(zone, |entry| entry.name == full && entry.kind == "TXT" && gone(&entry.value));
                "remove_rrset_records"
            }
            _ => return self.refusal(404),
        };
        let id = self.actions.len() as u64 + 1;
        self.actions.insert(id, 1);
        Answer::json(201, &action(id, command, true))
    }
}
