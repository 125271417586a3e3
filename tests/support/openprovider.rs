//! OpenProvider's API v1beta as its documentation tells it, so far as DNS needs it: logins, zones,
//! records. Strict where the service may be strict.
//!
//! Documentation: https://docs.openprovider.com (services "Auth" and "DNS"); its examples lie in
//! tests/provider/openprovider/, from which the answers are made.

use std::collections::HashSet;

use serde_json::{Value, json};

use super::simulator::{Answer, Entry, Request, Service, Simulator, Zones, fields};

pub const USERNAME: &str = "apiuser";
pub const PASSWORD: &str = "apipass";

/// The largest page that the service gives.
pub const PAGE: usize = 500;

/// The smallest TTL that the service takes (seconds).
const SMALLEST_TTL: u64 = 600;

const LOGIN: &str = include_str!("../provider/openprovider/login.answer.json");
const ZONE: &str = include_str!("../provider/openprovider/zone.answer.json");
const RECORDS: &str = include_str!("../provider/openprovider/records.answer.json");
const CHANGED: &str = include_str!("../provider/openprovider/changed.answer.json");
const NOT_LOGGED_IN: &str = include_str!("../provider/openprovider/not_logged_in.answer.json");
const NO_ZONE: &str = include_str!("../provider/openprovider/no_zone.answer.json");
const DUPLICATE: &str = include_str!("../provider/openprovider/duplicate.answer.json");

/// The service with one account.
pub type OpenProvider = Simulator<Account>;

/// One account and its zones.
pub struct Account {
    zones: Zones,
    tokens: HashSet<String>,
    logins: usize,
    status_without_session: u16,
    has_other_password: bool,
    is_blocked: bool,
}

impl OpenProvider {
    /// Logs everybody out; who comes with an old token gets this status, beside code 196.
    pub fn end_sessions(&self, status: u16) {
        self.with(|account| {
            account.tokens.clear();
            account.status_without_session = status;
        });
    }

    /// Code 10005 to everything, from now on.
    pub fn block(&self) {
        self.with(|account| account.is_blocked = true);
    }
}

impl Service for Account {
    fn account(zones: Zones) -> Account {
        Account {
            zones,
            tokens: HashSet::new(),
            logins: 0,
            status_without_session: 401,
            has_other_password: false,
            is_blocked: false,
        }
    }

    fn zones(&mut self) -> &mut Zones {
        &mut self.zones
    }

    fn is_change(&self, request: &Request) -> bool {
        request.method == "PUT"
    }

    fn has_other_password(&mut self, yes: bool) -> bool {
        self.has_other_password = yes;
        if yes {
            self.tokens.clear();
        }
        true
    }

    fn end_sessions(&mut self) {
        self.tokens.clear();
    }

    fn refusal(&self, status: u16) -> Answer {
        // Errors come as text, although they are JSON.
        Answer::text(
            status,
            "text/plain",
            match status {
                401 => NOT_LOGGED_IN.to_string(),
                404 => NO_ZONE.to_string(),
                429 => "Too many requests".to_string(),
                _ => r#"{"code": 2, "desc": "Internal error\r\nin the engine room"}"#.to_string(),
            },
        )
    }

    fn answer(&mut self, request: &Request) -> Answer {
        let (status, text) = if self.is_blocked {
            (403, r#"{"code": 10005, "desc": "Account is blocked"}"#.to_string())
        } else {
            self.proper(request)
        };
        let kind = if status == 200 { "application/json" } else { "text/plain" };
        Answer::text(status, kind, text)
    }
}

/// A mistake of the client that the documentation forbids.
fn mistake(what: &str) -> (u16, String) {
    (400, json!({"code": 399, "data": null, "desc": format!("Bad request: {what}")}).to_string())
}

fn said(text: &str) -> (u16, String) {
    // The service's status is no guide: what counts is the code.
    (if text == CHANGED { 200 } else { 500 }, text.to_string())
}

fn template(text: &str) -> Value {
    serde_json::from_str(text).expect("the example is JSON")
}

impl Account {
    fn proper(&mut self, request: &Request) -> (u16, String) {
        let Some(parts) = request.below("/v1beta/") else { return (404, "Not Found".to_string()) };
        if request.is_mislabelled() {
            return mistake("the body is not application/json");
        }
        if (request.method.as_str(), parts.as_slice()) == ("POST", ["auth", "login"].as_slice()) {
            return self.login(request);
        }
        let token = request.header("authorization").and_then(|value| value.strip_prefix("Bearer "));
        if !token.is_some_and(|token| self.tokens.contains(token)) {
            return (self.status_without_session, NOT_LOGGED_IN.to_string());
        }
        match (request.method.as_str(), parts.as_slice()) {
            ("GET", ["dns", "zones", zone]) => self.zone(zone, request),
            ("PUT", ["dns", "zones", zone]) if request.query.is_empty() => self.change(zone, &request.json()),
            ("GET", ["dns", "zones", zone, "records"]) => self.records(zone, request),
            _ => mistake("no such method and path"),
        }
    }

    fn login(&mut self, request: &Request) -> (u16, String) {
        if request.header("authorization").is_some() {
            return mistake("a login needs no token");
        }
        let Some([ip, password, username]) = fields(&request.json(), &["ip", "password", "username"], &[]) else {
            return mistake("a login is username, password and ip");
        };
        if ip != "0.0.0.0" || username != USERNAME || password != PASSWORD || self.has_other_password {
            return said(NOT_LOGGED_IN);
        }
        self.logins += 1;
        let token = format!("{:032x}", 0xf63d_4c38_u64 + self.logins as u64);
        self.tokens.insert(token.clone());
        let mut answer = template(LOGIN);
        answer["data"]["token"] = token.into();
        (200, answer.to_string())
    }

    fn zone(&self, zone: &str, request: &Request) -> (u16, String) {
        if request.asks(["id", "with_records", "with_history", "with_dnskey"]).is_none() {
            return mistake("unknown parameter");
        }
        if !self.zones.has(zone) {
            return said(NO_ZONE);
        }
        let mut answer = template(ZONE);
        answer["data"]["name"] = zone.into();
        (200, answer.to_string())
    }

    fn records(&self, zone: &str, request: &Request) -> (u16, String) {
        if !self.zones.has(zone) {
            return said(NO_ZONE);
        }
        let Some([limit, offset, name, kind]) = request.asks(["limit", "offset", "record_name_pattern", "type"]) else {
            return mistake("unknown parameter");
        };
        let number = |text: Option<&str>, default: usize| text.map_or(Ok(default), str::parse);
        let (Ok(limit), Ok(offset)) = (number(limit, 100), number(offset, 0)) else { return mistake("no number") };
        if !(1..=PAGE).contains(&limit) {
            return mistake("a wrong limit");
        }
        let wanted =
            |entry: &&Entry| fits(name.unwrap_or("*"), &entry.name) && kind.is_none_or(|kind| kind == entry.kind);
        let all = self.zones.records(zone);
        let found: Vec<_> = all.iter().filter(wanted).map(shown).collect();
        let mut answer = template(RECORDS);
        answer["data"]["total"] = found.len().into();
        answer["data"]["results"] = found.into_iter().skip(offset).take(limit).collect();
        (200, answer.to_string())
    }

    fn change(&mut self, zone: &str, body: &Value) -> (u16, String) {
        let Some([name, records]) = fields(body, &["name", "records"], &[]) else {
            return mistake("a change is name and records");
        };
        if name != zone {
            return mistake("the zone of the body is not that of the path");
        }
        if !self.zones.has(zone) {
            return said(NO_ZONE);
        }
        let Some(parts) = records.as_object() else { return mistake("records is an object") };
        for (what, list) in parts {
            for given in list.as_array().into_iter().flatten() {
                let outcome = match what.as_str() {
                    "add" => self.add(zone, given),
                    "remove" => self.remove(zone, given),
                    // "replace" would throw away the rest of the zone; nobody here may ask for it.
                    _ => Err(mistake("neither add nor remove")),
                };
                if let Err(refusal) = outcome {
                    return refusal;
                }
            }
        }
        said(CHANGED)
    }

    fn add(&mut self, zone: &str, given: &Value) -> Result<(), (u16, String)> {
        let new = understood(zone, given)?;
        if new.ttl < SMALLEST_TTL {
            return Err(said(r#"{"code": 815, "data": null, "desc": "TTL is too small"}"#));
        }
        if self.zones.set(zone, &new.name, &new.kind).iter().any(|entry| entry.value == new.value) {
            return Err(said(DUPLICATE));
        }
        if !self.zones.set(zone, &new.name, "CNAME").is_empty() || self.zones.is_full(zone, &new.name, &new.kind) {
            return Err(said(r#"{"code": 827, "data": null, "desc": "Bad TXT record"}"#));
        }
        self.zones.add(zone, &new.name, &new.kind, new.ttl, &new.value);
        Ok(())
    }

    fn remove(&mut self, zone: &str, given: &Value) -> Result<(), (u16, String)> {
        let gone = understood(zone, given)?;
        match self.zones.remove(zone, |entry| Entry { id: 0, ..entry.clone() } == gone) {
            0 => Err(said(r#"{"code": 822, "data": null, "desc": "The record is not found"}"#)),
            _ => Ok(()),
        }
    }
}

/// A record of a change, which is named relative to its zone, as the zone holds it.
fn understood(zone: &str, given: &Value) -> Result<Entry, (u16, String)> {
    let Some([name, ttl, kind, value]) = fields(given, &["name", "ttl", "type", "value"], &["prio"]) else {
        return Err(mistake("a record is name, ttl, type and value"));
    };
    let (Some(name), Some(ttl), Some(kind), Some(value)) = (name.as_str(), ttl.as_u64(), kind.as_str(), value.as_str())
    else {
        return Err(mistake("a field of the record has the wrong type"));
    };
    if name == zone || name.ends_with(&format!(".{zone}")) {
        return Err(mistake("the record's name is not relative to the zone"));
    }
    let inner = value.trim_matches('"');
    if kind == "TXT" && inner.is_empty() {
        return Err(said(r#"{"code": 827, "data": null, "desc": "Bad TXT record"}"#));
    }
    let value = if kind == "TXT" { inner } else { value };
    let name = if name.is_empty() { zone.to_string() } else { format!("{name}.{zone}") };
    Ok(Entry { id: 0, name, kind: kind.to_string(), ttl, value: value.to_string() })
}

/// However a TXT value is given, it is shown in quotes.
fn shown(entry: &Entry) -> Value {
    let mut record = template(RECORDS)["data"]["results"][0].clone();
    let quoted = format!("\"{}\"", entry.value);
    let value = if entry.kind == "TXT" { &quoted } else { &entry.value };
    (record["name"], record["ttl"]) = (entry.name.as_str().into(), entry.ttl.into());
    (record["type"], record["value"]) = (entry.kind.as_str().into(), value.as_str().into());
    record
}

/// A pattern with at most one wildcard, at its end.
fn fits(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => name == pattern,
    }
}
