//! OpenProvider's API v1beta as its documentation tells it, so far as DNS needs it: logins, zones,
//! records. Strict where the service may be strict, and able to misbehave on demand.
//!
//! Documentation: https://docs.openprovider.com (services "Auth" and "DNS"); its examples lie in
//! tests/provider/openprovider/, from which the answers are made.

use std::collections::{BTreeMap, HashSet};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;

use serde_json::{Map, Value, json};

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

/// How the service misbehaves until told otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Misbehaviour {
    /// The password is another one now, and nobody is logged in.
    OtherPassword,
    /// Code 10005.
    Blocked,
    TooMany,
    /// Status 500 with a JSON error that claims to be text.
    Broken,
    /// Status 200 and a page for people.
    Html,
    /// Status 200 and JSON that is no answer.
    Garbage,
    /// Somewhere else, please.
    Redirect,
    /// Does nothing and never answers.
    Silence,
    /// Does what it is told and hangs up without an answer.
    DoneUnanswered,
}

/// One account and its zones.
pub struct OpenProvider {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Records as the service shows them: names fully qualified, TXT values quoted.
    zones: BTreeMap<String, Vec<Value>>,
    tokens: HashSet<String>,
    logins: usize,
    status_without_session: u16,
    misbehaviour: Option<Misbehaviour>,
    asked: Vec<Asked>,
}

/// A request as it was understood.
#[derive(Debug, Clone)]
pub struct Asked {
    pub method: String,
    /// With its query.
    pub target: String,
    pub body: Value,
    pub status: u16,
}

/// What the other side gets.
enum Answer {
    /// Status and body.
    Said((u16, String)),
    Silence,
    HungUp,
}

struct Request {
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    body: String,
}

impl OpenProvider {
    pub fn new(zones: &[&str]) -> Arc<OpenProvider> {
        let zones = zones.iter().map(|zone| (zone.to_string(), Vec::new())).collect();
        Arc::new(OpenProvider { state: Mutex::new(State { zones, status_without_session: 401, ..State::default() }) })
    }

    /// Serves plain http on loopback, for as long as the process lives.
    pub fn listen(self: &Arc<Self>) -> SocketAddr {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port on loopback");
        let address = listener.local_addr().expect("an address");
        let service = self.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let service = service.clone();
                thread::spawn(move || service.converse(stream, |_| ()));
            }
        });
        address
    }

    pub fn misbehave(&self, misbehaviour: Option<Misbehaviour>) {
        let mut state = self.state();
        state.misbehaviour = misbehaviour;
        if misbehaviour == Some(Misbehaviour::OtherPassword) {
            state.tokens.clear();
        }
    }

    /// Logs everybody out; who comes with an old token gets this status, beside code 196.
    pub fn end_sessions(&self, status: u16) {
        let mut state = self.state();
        state.tokens.clear();
        state.status_without_session = status;
    }

    /// The TXT values at a name, without their quotes.
    pub fn txt(&self, name: &str) -> Vec<String> {
        let state = self.state();
        let here = state.zones.values().flatten().filter(|record| record["name"] == name && record["type"] == "TXT");
        here.map(|record| record["value"].as_str().unwrap_or_default().trim_matches('"').to_string()).collect()
    }

    /// Adds a record as it is.
    pub fn plant(&self, zone: &str, name: &str, kind: &str, value: &str) {
        let record = record(name, 3600, kind, value);
        self.state().zones.get_mut(zone).expect("a zone of ours").push(record);
    }

    /// The longest zone that holds a name.
    pub fn zone_of(&self, name: &str) -> Option<String> {
        let state = self.state();
        let within = |zone: &&String| name == *zone || name.ends_with(&format!(".{zone}"));
        state.zones.keys().filter(within).max_by_key(|zone| zone.len()).cloned()
    }

    /// Everything that was asked since the last time.
    pub fn asked(&self) -> Vec<Asked> {
        std::mem::take(&mut self.state().asked)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no thread of the simulation panics")
    }

    /// Answers requests until the other side closes; `log` gets a line for each, without passwords.
    pub fn converse(&self, mut stream: impl Read + Write, log: impl Fn(&str)) {
        let mut pending = Vec::new();
        while let Some(request) = read_request(&mut stream, &mut pending) {
            let body = serde_json::from_str(&request.body).unwrap_or(Value::Null);
            let answer = self.answer(&request, &body);
            let status = if let Answer::Said((status, _)) = answer { status } else { 0 };
            let asked = Asked { method: request.method, target: request.target, body, status };
            log(&asked.line());
            self.state().asked.push(asked);
            let sent = match answer {
                Answer::Said((status, body)) => write_answer(&mut stream, status, &body),
                // Nothing is said until the other side has had enough.
                Answer::Silence => stream.read(&mut [0]).and(Err(io::ErrorKind::TimedOut.into())),
                Answer::HungUp => return,
            };
            if sent.is_err() {
                return;
            }
        }
    }

    fn answer(&self, request: &Request, body: &Value) -> Answer {
        let mut state = self.state();
        let plain = |status, text: &str| Answer::Said((status, text.to_string()));
        match state.misbehaviour {
            Some(Misbehaviour::Silence) => Answer::Silence,
            Some(Misbehaviour::DoneUnanswered) => {
                let done = state.proper(request, body);
                if request.method == "PUT" { Answer::HungUp } else { Answer::Said(done) }
            }
            Some(Misbehaviour::Blocked) => plain(403, r#"{"code": 10005, "desc": "Account is blocked"}"#),
            Some(Misbehaviour::TooMany) => plain(429, "Too many requests"),
            Some(Misbehaviour::Broken) => plain(500, r#"{"code": 2, "desc": "Internal error\r\nin the engine room"}"#),
            Some(Misbehaviour::Html) => plain(200, "<!DOCTYPE html><title>Welcome</title>"),
            Some(Misbehaviour::Garbage) => plain(200, r#"[{"code": "zero"}]"#),
            Some(Misbehaviour::Redirect) => plain(307, ""),
            Some(Misbehaviour::OtherPassword) | None => Answer::Said(state.proper(request, body)),
        }
    }
}

impl Asked {
    /// `METHOD target status body`, the password left out.
    pub fn line(&self) -> String {
        let mut body = self.body.clone();
        if let Some(password) = body.get_mut("password") {
            *password = "(not shown)".into();
        }
        let body = if body.is_null() { String::new() } else { body.to_string() };
        format!("{} {} {} {body}", self.method, self.target, self.status).trim_end().to_string()
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

impl State {
    /// What a well-behaved service answers.
    fn proper(&mut self, request: &Request, body: &Value) -> (u16, String) {
        let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
        let Some(path) = path.strip_prefix("/v1beta/") else { return (404, "Not Found".to_string()) };
        let is_json = request.header("content-type").is_some_and(|kind| kind.starts_with("application/json"));
        if !request.body.is_empty() && !is_json {
            return mistake("the body is not application/json");
        }
        let parts: Vec<_> = path.split('/').collect();
        if (request.method.as_str(), parts.as_slice()) == ("POST", ["auth", "login"].as_slice()) {
            return self.login(request, body);
        }
        let token = request.header("authorization").and_then(|value| value.strip_prefix("Bearer "));
        if !token.is_some_and(|token| self.tokens.contains(token)) {
            return (self.status_without_session, NOT_LOGGED_IN.to_string());
        }
        match (request.method.as_str(), parts.as_slice()) {
            ("GET", ["dns", "zones", zone]) => self.zone(zone, query),
            ("PUT", ["dns", "zones", zone]) if query.is_empty() => self.change(zone, body),
            ("GET", ["dns", "zones", zone, "records"]) => self.records(zone, query),
            _ => mistake("no such method and path"),
        }
    }

    fn login(&mut self, request: &Request, body: &Value) -> (u16, String) {
        if request.header("authorization").is_some() {
            return mistake("a login needs no token");
        }
        let Some([ip, password, username]) = fields(body, &["ip", "password", "username"], &[]) else {
            return mistake("a login is username, password and ip");
        };
        if ip != "0.0.0.0"
            || username != USERNAME
            || password != PASSWORD
            || self.misbehaviour == Some(Misbehaviour::OtherPassword)
        {
            return said(NOT_LOGGED_IN);
        }
        self.logins += 1;
        let token = format!("{:032x}", 0xf63d_4c38_u64 + self.logins as u64);
        self.tokens.insert(token.clone());
        let mut answer = template(LOGIN);
        answer["data"]["token"] = token.into();
        (200, answer.to_string())
    }

    fn zone(&self, zone: &str, query: &str) -> (u16, String) {
        if !pairs(query).all(|(name, _)| ["id", "with_records", "with_history", "with_dnskey"].contains(&name)) {
            return mistake("unknown parameter");
        }
        if !self.zones.contains_key(zone) {
            return said(NO_ZONE);
        }
        let mut answer = template(ZONE);
        answer["data"]["name"] = zone.into();
        (200, answer.to_string())
    }

    fn records(&self, zone: &str, query: &str) -> (u16, String) {
        let Some(records) = self.zones.get(zone) else { return said(NO_ZONE) };
        let (mut limit, mut offset, mut name, mut kind) = (100, 0, "*", "");
        for (key, value) in pairs(query) {
            match (key, value.parse::<usize>()) {
                ("limit", Ok(number)) if (1..=PAGE).contains(&number) => limit = number,
                ("offset", Ok(number)) => offset = number,
                ("record_name_pattern", _) => name = value,
                ("type", _) => kind = value,
                _ => return mistake("a wrong parameter"),
            }
        }
        let wanted = |record: &&Value| {
            fits(name, record["name"].as_str().unwrap_or_default()) && (kind.is_empty() || record["type"] == kind)
        };
        let found: Vec<_> = records.iter().filter(wanted).collect();
        let mut answer = template(RECORDS);
        answer["data"]["total"] = found.len().into();
        answer["data"]["results"] = found.into_iter().skip(offset).take(limit).cloned().collect();
        (200, answer.to_string())
    }

    fn change(&mut self, zone: &str, body: &Value) -> (u16, String) {
        let Some([name, records]) = fields(body, &["name", "records"], &[]) else {
            return mistake("a change is name and records");
        };
        if name != zone {
            return mistake("the zone of the body is not that of the path");
        }
        let Some(held) = self.zones.get(zone) else { return said(NO_ZONE) };
        let mut after = held.clone();
        let Some(parts) = records.as_object() else { return mistake("records is an object") };
        for (what, list) in parts {
            for given in list.as_array().into_iter().flatten() {
                let outcome = match what.as_str() {
                    "add" => added(&mut after, zone, given),
                    "remove" => removed(&mut after, zone, given),
                    // "replace" would throw away the rest of the zone; nobody here may ask for it.
                    _ => Err(mistake("neither add nor remove")),
                };
                if let Err(refusal) = outcome {
                    return refusal;
                }
            }
        }
        self.zones.insert(zone.to_string(), after);
        said(CHANGED)
    }
}

fn added(records: &mut Vec<Value>, zone: &str, given: &Value) -> Result<(), (u16, String)> {
    let new = understood(zone, given)?;
    if new["ttl"].as_u64().is_none_or(|ttl| ttl < SMALLEST_TTL) {
        return Err(said(r#"{"code": 815, "data": null, "desc": "TTL is too small"}"#));
    }
    if records.iter().any(|record| same(record, &new)) {
        return Err(said(DUPLICATE));
    }
    records.push(new);
    Ok(())
}

fn removed(records: &mut Vec<Value>, zone: &str, given: &Value) -> Result<(), (u16, String)> {
    let gone = understood(zone, given)?;
    let before = records.len();
    records.retain(|record| !(same(record, &gone) && record["ttl"] == gone["ttl"]));
    match records.len() < before {
        true => Ok(()),
        false => Err(said(r#"{"code": 822, "data": null, "desc": "The record is not found"}"#)),
    }
}

/// A record of a change, which is named relative to its zone, as the zone holds it.
fn understood(zone: &str, given: &Value) -> Result<Value, (u16, String)> {
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
    // However a TXT value is given, it is stored in quotes.
    let quoted = format!("\"{inner}\"");
    let value = if kind == "TXT" { &quoted } else { value };
    let full = if name.is_empty() { zone.to_string() } else { format!("{name}.{zone}") };
    Ok(record(&full, ttl, kind, value))
}

fn record(name: &str, ttl: u64, kind: &str, value: &str) -> Value {
    let mut record = template(RECORDS)["data"]["results"][0].clone();
    (record["name"], record["ttl"]) = (name.into(), ttl.into());
    (record["type"], record["value"]) = (kind.into(), value.into());
    record
}

fn same(a: &Value, b: &Value) -> bool {
    ["name", "type", "value"].iter().all(|field| a[field] == b[field])
}

/// The fields of an object that has all of `needed`, and beside them nothing but `allowed`.
fn fields<const N: usize>(value: &Value, needed: &[&str; N], allowed: &[&str]) -> Option<[Value; N]> {
    let object: &Map<String, Value> = value.as_object()?;
    if !object.keys().all(|key| needed.contains(&key.as_str()) || allowed.contains(&key.as_str())) {
        return None;
    }
    let found: Option<Vec<_>> = needed.iter().map(|field| object.get(*field).cloned()).collect();
    found?.try_into().ok()
}

/// A pattern with at most one wildcard, at its end.
fn fits(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => name == pattern,
    }
}

fn pairs(query: &str) -> impl Iterator<Item = (&str, &str)> {
    query.split('&').filter(|pair| !pair.is_empty()).map(|pair| pair.split_once('=').unwrap_or((pair, "")))
}

impl Request {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

/// The next request of a connection; None when there is none, or it is not one.
fn read_request(stream: &mut impl Read, pending: &mut Vec<u8>) -> Option<Request> {
    loop {
        let mut headers = [httparse::EMPTY_HEADER; 32];
        let mut parsed = httparse::Request::new(&mut headers);
        if let httparse::Status::Complete(head) = parsed.parse(pending).ok()? {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            let mut request = Request {
                method: parsed.method?.to_string(),
                target: parsed.path?.to_string(),
                headers: parsed.headers.iter().map(|header| (header.name.to_string(), text(header.value))).collect(),
                body: String::new(),
            };
            let length: usize = request.header("content-length").unwrap_or("0").parse().ok()?;
            while pending.len() < head + length {
                more(stream, pending)?;
            }
            request.body = text(&pending[head..head + length]);
            pending.drain(..head + length);
            return Some(request);
        }
        more(stream, pending)?;
    }
}

/// Reads on; None at the end, and past a size that no request of ours has.
fn more(stream: &mut impl Read, pending: &mut Vec<u8>) -> Option<()> {
    let mut chunk = [0; 4096];
    let read = stream.read(&mut chunk).ok().filter(|read| *read > 0 && pending.len() < 1 << 20)?;
    pending.extend_from_slice(&chunk[..read]);
    Some(())
}

fn write_answer(stream: &mut impl Write, status: u16, body: &str) -> io::Result<()> {
    // Errors come as text, although they are JSON.
    let kind = if status == 200 { "application/json" } else { "text/plain" };
    let extra = if status == 307 { "Location: http://127.0.0.1:1/\r\n" } else { "" };
    let head = format!("HTTP/1.1 {status} -\r\nContent-Type: {kind}\r\n{extra}Content-Length: {}\r\n\r\n", body.len());
    stream.write_all((head + body).as_bytes())?;
    stream.flush()
}
