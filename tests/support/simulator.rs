//! What the simulations of DNS services share: a server that reads whole requests, an account's
//! zones, ways to misbehave, and a transcript of what was said.
//!
//! Each service is written from its documentation and is strict: what it does not know, it refuses
//! as the service would, and the test sees it.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;

use serde_json::{Map, Value};

/// How a service misbehaves until told otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Misbehaviour {
    /// The credentials are others now.
    OtherPassword,
    /// Whatever is asked gets this status, in the service's own form.
    Status(u16),
    /// What would change something gets this status, in the service's own form.
    Change(u16),
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

/// An API, as its documentation tells it.
pub trait Service: Send + Sized + 'static {
    /// An account with these zones and nothing in them.
    fn account(zones: Zones) -> Self;

    fn zones(&mut self) -> &mut Zones;

    /// What a well-behaved service answers.
    fn answer(&mut self, request: &Request) -> Answer;

    /// An error in its own form.
    fn refusal(&self, status: u16) -> Answer;

    /// Whoever is logged in is so no more.
    fn end_sessions(&mut self) {}

    /// The password is another one, or the right one again; false: it has no logins, and refuses
    /// everything with 401.
    fn has_other_password(&mut self, _yes: bool) -> bool {
        false
    }

    fn is_change(&self, request: &Request) -> bool {
        request.method != "GET"
    }

    /// The status by which it says that somebody else was quicker.
    fn conflict(&self) -> u16 {
        409
    }
}

/// A request, its body whole.
#[derive(Debug, Clone)]
pub struct Request {
    pub method: String,
    pub path: String,
    /// Names and values in their order, as they were written.
    pub query: Vec<(String, String)>,
    pub headers: Vec<(String, String)>,
    pub text: String,
}

impl Request {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// Null where there is none, or it is not JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or(Value::Null)
    }

    /// Is there a body, and is it not said to be JSON?
    pub fn is_mislabelled(&self) -> bool {
        let kind = self.header("content-type").unwrap_or_default();
        !self.text.is_empty() && !kind.starts_with("application/json")
    }

    /// The path's parts below a prefix; None where it is not below it.
    pub fn below(&self, prefix: &str) -> Option<Vec<&str>> {
        Some(self.path.strip_prefix(prefix)?.split('/').collect())
    }

    /// The values of exactly these query parameters; an unknown one gives None.
    pub fn asks<const N: usize>(&self, known: [&str; N]) -> Option<[Option<&str>; N]> {
        if self.query.iter().any(|(name, _)| !known.contains(&name.as_str())) {
            return None;
        }
        Some(known.map(|name| self.query.iter().find(|(written, _)| written == name).map(|(_, value)| value.as_str())))
    }
}

/// What the other side gets.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub text: String,
}

impl Answer {
    pub fn empty(status: u16) -> Answer {
        Answer { status, headers: Vec::new(), text: String::new() }
    }

    pub fn json(status: u16, body: &Value) -> Answer {
        Answer { status, headers: vec![("Content-Type", "application/json".to_string())], text: body.to_string() }
    }

    pub fn text(status: u16, kind: &str, text: impl Into<String>) -> Answer {
        Answer { status, headers: vec![("Content-Type", kind.to_string())], text: text.into() }
    }
}

/// A record, its name fully qualified without the last dot, a TXT's text without quotes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub id: u64,
    pub name: String,
    pub kind: String,
    pub ttl: u64,
    pub value: String,
}

/// The zones of an account.
#[derive(Debug, Default)]
pub struct Zones {
    zones: BTreeMap<String, Vec<Entry>>,
    ids: u64,
    /// How many values an RRset may have.
    pub limit: Option<usize>,
}

impl Zones {
    pub fn new(names: &[&str]) -> Zones {
        Zones { zones: names.iter().map(|name| (name.to_string(), Vec::new())).collect(), ..Zones::default() }
    }

    pub fn names(&self) -> Vec<String> {
        self.zones.keys().cloned().collect()
    }

    pub fn has(&self, zone: &str) -> bool {
        self.zones.contains_key(zone)
    }

    /// The longest zone that holds a name.
    pub fn of(&self, name: &str) -> Option<String> {
        let within = |zone: &&String| name == *zone || name.ends_with(&format!(".{zone}"));
        self.zones.keys().filter(within).max_by_key(|zone| zone.len()).cloned()
    }

    /// The records of a zone; none where there is no such zone.
    pub fn records(&self, zone: &str) -> Vec<Entry> {
        self.zones.get(zone).cloned().unwrap_or_default()
    }

    /// The records at one name of a zone.
    pub fn at(&self, zone: &str, name: &str) -> Vec<Entry> {
        self.records(zone).into_iter().filter(|entry| entry.name == name).collect()
    }

    /// The RRset of one name and type.
    pub fn set(&self, zone: &str, name: &str, kind: &str) -> Vec<Entry> {
        self.at(zone, name).into_iter().filter(|entry| entry.kind == kind).collect()
    }

    /// Has the RRset as many values as it may have?
    pub fn is_full(&self, zone: &str, name: &str, kind: &str) -> bool {
        self.limit.is_some_and(|limit| self.set(zone, name, kind).len() >= limit)
    }

    pub fn add(&mut self, zone: &str, name: &str, kind: &str, ttl: u64, value: &str) -> Entry {
        self.ids += 1;
        let (name, kind, value) = (name.to_string(), kind.to_string(), value.to_string());
        let entry = Entry { id: self.ids, name, kind, ttl, value };
        self.zones.get_mut(zone).expect("a zone of ours").push(entry.clone());
        entry
    }

    /// How many there were.
    pub fn remove(&mut self, zone: &str, which: impl Fn(&Entry) -> bool) -> usize {
        let Some(records) = self.zones.get_mut(zone) else { return 0 };
        let before = records.len();
        records.retain(|entry| !which(entry));
        before - records.len()
    }

    /// Puts an RRset in the place of the one that is there.
    pub fn replace(&mut self, zone: &str, name: &str, kind: &str, ttl: u64, values: &[String]) {
        self.remove(zone, |entry| entry.name == name && entry.kind == kind);
        values.iter().for_each(|value| drop(self.add(zone, name, kind, ttl, value)));
    }

    /// The TXT values at a name, in whatever zone.
    pub fn txt(&self, name: &str) -> Vec<String> {
        let here = self.zones.values().flatten().filter(|entry| entry.name == name && entry.kind == "TXT");
        here.map(|entry| entry.value.clone()).collect()
    }
}

/// A name relative to its zone as a full one; `apex` is how the apex is written.
pub fn absolute(relative: &str, zone: &str, apex: &str) -> String {
    if relative == apex { zone.to_string() } else { format!("{relative}.{zone}") }
}

/// The text of a TXT value in quotes; None where it is not in quotes.
pub fn inner(quoted: &str) -> Option<&str> {
    let inner = quoted.strip_prefix('"')?.strip_suffix('"')?;
    (!inner.contains('"')).then_some(inner)
}

/// The fields of an object that has all of `needed`, and beside them nothing but `allowed`.
pub fn fields<const N: usize>(value: &Value, needed: &[&str; N], allowed: &[&str]) -> Option<[Value; N]> {
    let object: &Map<String, Value> = value.as_object()?;
    if !object.keys().all(|key| needed.contains(&key.as_str()) || allowed.contains(&key.as_str())) {
        return None;
    }
    let found: Option<Vec<_>> = needed.iter().map(|field| object.get(*field).cloned()).collect();
    found?.try_into().ok()
}

/// A request as it was understood, and what was said to it; status 0: nothing.
#[derive(Debug, Clone)]
pub struct Asked {
    pub request: Request,
    pub target: String,
    pub status: u16,
    answer: String,
}

impl Asked {
    /// `METHOD target status`
    pub fn line(&self) -> String {
        format!("{} {} {}", self.request.method, self.target, self.status)
    }

    /// As it is recorded in tests/provider/NAME/: what every client sends alike is left out.
    fn recorded(&self) -> String {
        const ALIKE: [&str; 6] = ["accept", "accept-encoding", "connection", "content-length", "host", "user-agent"];
        let mut text = format!("> {} {}\n", self.request.method, self.target);
        // These are others each time: moments, and what is signed with them.
        const VARYING: [&str; 3] = ["x-amz-date", "x-ovh-timestamp", "x-ovh-signature"];
        for (name, value) in self.request.headers.iter().filter(|(name, _)| !ALIKE.contains(&name.as_str())) {
            match value.split_once("Signature=") {
                Some((before, _)) if before.starts_with("AWS4") => text += &format!("> {name}: AWS4-HMAC-SHA256 …\n"),
                _ if VARYING.contains(&name.as_str()) => text += &format!("> {name}: …\n"),
                _ => text += &format!("> {name}: {value}\n"),
            }
        }
        text += &match self.request.header("content-type") {
            Some("application/x-www-form-urlencoded") => form(&self.request.text),
            _ => body(&self.request.text),
        };
        text += &format!("< {}\n", self.status);
        text + &body(&self.answer)
    }
}

/// What was said, as it is recorded.
pub fn transcript(asked: &[Asked]) -> String {
    asked.iter().map(Asked::recorded).collect::<Vec<_>>().join("\n")
}

/// The names of a form: its values are secrets, and assertions that are others each time.
fn form(text: &str) -> String {
    let names: Vec<_> = pairs(text).into_iter().map(|(name, _)| format!("{name}=…")).collect();
    names.join("&") + "\n"
}

/// JSON for people to read; other bodies as they are.
fn body(text: &str) -> String {
    let pretty = serde_json::from_str::<Value>(text).ok().map(|json| format!("{json:#}"));
    match pretty.as_deref().unwrap_or(text).trim_end() {
        "" => String::new(),
        text => format!("{text}\n"),
    }
}

/// A service that listens on loopback, in the clear.
pub struct Simulator<S> {
    state: Mutex<State<S>>,
}

struct State<S> {
    service: S,
    misbehaviour: Option<Misbehaviour>,
    asked: Vec<Asked>,
}

impl<S: Service> Simulator<S> {
    pub fn new(zones: &[&str]) -> Arc<Simulator<S>> {
        let state = State { service: S::account(Zones::new(zones)), misbehaviour: None, asked: Vec::new() };
        Arc::new(Simulator { state: Mutex::new(state) })
    }

    /// Serves for as long as the process lives.
    pub fn listen(self: &Arc<Self>) -> SocketAddr {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port on loopback");
        let address = listener.local_addr().expect("an address");
        let simulator = self.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let simulator = simulator.clone();
                let _ = stream.set_nodelay(true);
                thread::spawn(move || simulator.converse(stream, |_| ()));
            }
        });
        address
    }

    pub fn misbehave(&self, misbehaviour: Option<Misbehaviour>) {
        let mut state = self.state();
        state.misbehaviour = misbehaviour;
        let other = misbehaviour == Some(Misbehaviour::OtherPassword);
        if state.service.has_other_password(other) && other {
            state.misbehaviour = None;
        }
    }

    /// Does something with the account.
    pub fn with<T>(&self, act: impl FnOnce(&mut S) -> T) -> T {
        act(&mut self.state().service)
    }

    /// The TXT values at a name.
    pub fn txt(&self, name: &str) -> Vec<String> {
        self.with(|service| service.zones().txt(name))
    }

    /// Adds a record as it is.
    pub fn plant(&self, zone: &str, name: &str, kind: &str, value: &str) {
        self.with(|service| service.zones().add(zone, name, kind, 3600, value));
    }

    /// Everything that was asked since the last time.
    pub fn asked(&self) -> Vec<Asked> {
        std::mem::take(&mut self.state().asked)
    }

    fn state(&self) -> MutexGuard<'_, State<S>> {
        self.state.lock().expect("no thread of the simulation panics")
    }

    /// Answers requests until the other side closes; `log` hears of each.
    pub fn converse(&self, mut stream: impl Read + Write, log: impl Fn(&Asked)) {
        let mut pending = Vec::new();
        while let Some((request, target)) = read_request(&mut stream, &mut pending) {
            let (answer, is_lost) = self.answer(&request);
            let said = answer.clone().filter(|_| !is_lost);
            let (status, text) = said.map_or((0, String::new()), |said| (said.status, said.text));
            let asked = Asked { request, target, status, answer: text };
            log(&asked);
            self.state().asked.push(asked);
            let sent = match answer {
                _ if is_lost => return,
                Some(answer) => write_answer(&mut stream, &answer),
                // Nothing is said until the other side has had enough.
                None => stream.read(&mut [0]).and(Err(io::ErrorKind::TimedOut.into())),
            };
            if sent.is_err() {
                return;
            }
        }
    }

    /// The answer, if any, and whether it is lost on its way.
    fn answer(&self, request: &Request) -> (Option<Answer>, bool) {
        use Misbehaviour::*;
        let mut state = self.state();
        let change = state.service.is_change(request);
        let answer = match state.misbehaviour {
            Some(Silence) => return (None, false),
            Some(DoneUnanswered) => return (Some(state.service.answer(request)), change),
            Some(Status(status)) => state.service.refusal(status),
            Some(Change(status)) if change => state.service.refusal(status),
            Some(OtherPassword) => state.service.refusal(401),
            Some(Html) => Answer::text(200, "text/html", "<!DOCTYPE html><title>Welcome</title>"),
            Some(Garbage) => Answer::text(200, "application/json", r#"[{"code": "zero"}]"#),
            Some(Redirect) => {
                let elsewhere = ("Location", "http://127.0.0.1:1/".to_string());
                Answer { headers: vec![elsewhere], ..Answer::empty(307) }
            }
            Some(Change(_)) | None => state.service.answer(request),
        };
        (Some(answer), false)
    }
}

/// The next request of a connection with its target; None when there is none, or it is not one.
fn read_request(stream: &mut impl Read, pending: &mut Vec<u8>) -> Option<(Request, String)> {
    loop {
        let mut headers = [httparse::EMPTY_HEADER; 32];
        let mut parsed = httparse::Request::new(&mut headers);
        if let httparse::Status::Complete(head) = parsed.parse(pending).ok()? {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            let target = parsed.path?.to_string();
            let (path, query) = target.split_once('?').unwrap_or((&target, ""));
            let mut request = Request {
                method: parsed.method?.to_string(),
                path: path.to_string(),
                query: pairs(query),
                headers: parsed.headers.iter().map(|header| (header.name.to_string(), text(header.value))).collect(),
                text: String::new(),
            };
            // No client of ours sends what it does not know the length of.
            if request.header("transfer-encoding").is_some() {
                return None;
            }
            let length: usize = request.header("content-length").unwrap_or("0").parse().ok()?;
            while pending.len() < head + length {
                more(stream, pending)?;
            }
            request.text = text(&pending[head..head + length]);
            pending.drain(..head + length);
            return Some((request, target));
        }
        more(stream, pending)?;
    }
}

fn pairs(query: &str) -> Vec<(String, String)> {
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    pairs.map(|pair| pair.split_once('=').unwrap_or((pair, ""))).map(|(a, b)| (a.to_string(), b.to_string())).collect()
}

/// Reads on; None at the end, and past a size that no request of ours has.
fn more(stream: &mut impl Read, pending: &mut Vec<u8>) -> Option<()> {
    let mut chunk = [0; 4096];
    let read = stream.read(&mut chunk).ok().filter(|read| *read > 0 && pending.len() < 1 << 20)?;
    pending.extend_from_slice(&chunk[..read]);
    Some(())
}

fn write_answer(stream: &mut impl Write, answer: &Answer) -> io::Result<()> {
    let mut head = format!("HTTP/1.1 {} -\r\n", answer.status);
    for (name, value) in &answer.headers {
        head += &format!("{name}: {value}\r\n");
    }
    // RFC 9110 section 8.6: no length with 204.
    if answer.status != 204 {
        head += &format!("Content-Length: {}\r\n", answer.text.len());
    }
    stream.write_all((head + "\r\n" + &answer.text).as_bytes())?;
    stream.flush()
}
