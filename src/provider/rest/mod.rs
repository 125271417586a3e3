//! What services with an HTTP API have in common: requests that are signed, answers that are
//! judged, calls that are tried again, zones that are searched upwards.
//!
//! A provider brings its [`Profile`], its [`Credentials`] and what its requests look like
//! ([`Service`], and mostly [`records::Records`] or [`sets::Rrsets`]); all else is here, once.

pub mod credentials;
pub mod judge;
pub mod oauth;
pub mod records;
pub mod session;
pub mod sets;
#[cfg(test)]
pub mod tests;
pub mod text;

use std::time::Duration;

use serde_json::Value as Json;

use self::credentials::{Credentials, Fixed, Headers};
use self::judge::Problem;
use super::{Provider, Receipt, Zone};
use crate::challenge::{Action, Name, Value};
use crate::config::{Config, Mistakes};
use crate::deadline::Deadline;
use crate::fault::Fault;
use crate::gate::scope::Permit;
use crate::http::{self, Agent, Answer, BaseUrl, Request, Trust, Unanswered, base_url};
use crate::secret::Secret;

/// A zone search begins at this many labels: each costs a call, and no zone lies as deep.
const DEEPEST: usize = 10;

/// No list that we ask for has as many pages.
const PAGES: usize = 100;

/// The pauses before a call that certainly changed nothing is tried again. Tests do not wait.
const PAUSES: [Duration; 2] = match cfg!(test) {
    true => [Duration::from_millis(1); 2],
    false => [Duration::from_millis(500), Duration::from_secs(2)],
};

/// How a service is spoken of, and how its answers are understood.
pub struct Profile {
    /// What its users call it.
    pub title: &'static str,
    /// What a refused login or a missing right needs: which settings, which rights.
    pub remedy: &'static str,
    /// The HTTP statuses by which it says that somebody else changed the same thing just now.
    pub conflicts: &'static [u16],
    /// The answer as it is, if it means success; most APIs say it by the status: [`judge::by_status`].
    pub judge: fn(&Api, Answer, changes: bool) -> Result<Answer, Problem>,
    /// The machine's word and the human's in the body of a refusal; empty where there is none.
    pub reason: fn(&[u8]) -> (String, String),
}

/// One account at a service.
pub struct Api {
    pub profile: &'static Profile,
    pub base: BaseUrl,
    agent: Agent,
    credentials: Box<dyn Credentials>,
}

/// A request before it is signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    pub method: &'static str,
    /// Below the base address, with its query.
    pub path: String,
    pub headers: Vec<(&'static str, String)>,
    pub body: Option<String>,
}

impl Draft {
    pub fn new(method: &'static str, path: impl Into<String>) -> Draft {
        Draft { method, path: path.into(), headers: vec![("accept", "application/json".to_string())], body: None }
    }

    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Draft {
        self.headers.push((name, value.into()));
        self
    }

    pub fn json(self, body: &Json) -> Draft {
        let draft = self.header("content-type", "application/json");
        Draft { body: Some(body.to_string()), ..draft }
    }

    fn changes(&self) -> bool {
        self.method != "GET"
    }
}

/// Where a record is, in the words that APIs use.
pub struct Place<'a> {
    pub zone: &'a Name,
    /// [`Zone::key`].
    pub key: &'a str,
    pub owner: &'a Name,
    /// The owner without the zone; empty at the apex.
    pub relative: &'a str,
}

impl Place<'_> {
    /// [`Place::relative`] for those who write the apex as `@`.
    pub fn relative_or_at(&self) -> &str {
        if self.relative.is_empty() { "@" } else { self.relative }
    }
}

/// What is particular to a service.
pub trait Service: Send + Sync {
    fn api(&self) -> &Api;

    /// [`Zone::key`] of the zone with exactly this name; None, or status 404, where the account has none.
    fn find_zone(&self, name: &Name, deadline: Deadline) -> Result<Option<String>, Problem>;

    /// The zone that holds a name, and its key: asked for upwards, for want of a better way.
    fn zone_of(&self, owner: &Name, deadline: Deadline) -> Result<Option<(Name, String)>, Problem> {
        let mut forbidden = None;
        let labels = |name: &Name| name.as_str().split('.').count();
        // A top-level domain is nobody's zone here.
        for name in owner.upwards().filter(|name| (2..=DEEPEST).contains(&labels(name))) {
            match self.find_zone(&name, deadline) {
                Ok(Some(key)) => return Ok(Some((name, key))),
                Ok(None) => {}
                Err(Problem::No(no)) if no.status == 404 => {}
                // Some say this of what lies outside a token's rights, be it there or not.
                Err(Problem::No(no)) if no.status == 403 => forbidden = Some(no),
                Err(problem) => return Err(problem),
            }
        }
        forbidden.map_or(Ok(None), |no| Err(Problem::No(no)))
    }

    /// Adds or removes one value; nothing to do is fine.
    fn change(&self, place: &Place, action: Action, value: &Value, deadline: Deadline) -> Result<Receipt, Problem>;

    /// [`Provider::landed`].
    fn landed(&self, _receipt: &str, _deadline: Deadline) -> Result<bool, Problem> {
        Ok(true)
    }
}

impl<T: Service> Provider for T {
    fn zone(&self, owner: &Name, deadline: Deadline) -> Result<Zone, Fault> {
        let api = self.api();
        match self.zone_of(owner, deadline).map_err(|problem| api.fault(problem, None))? {
            Some((name, key)) => Ok(Zone { service: api.base.as_str().to_string(), name: Some(name), key }),
            None => {
                let title = api.profile.title;
                Err(Fault::NoZone(format!("the account at {title} holds no zone for {owner}; add the zone to it")))
            }
        }
    }

    fn apply(&self, zone: &Zone, changes: &[Permit], deadline: Deadline) -> Vec<Result<Receipt, Fault>> {
        let one = |permit: &Permit| {
            let api = self.api();
            let owner = permit.owner();
            let stray = || Fault::NoZone(format!("{owner} lies in no zone that {} named", api.profile.title));
            let name = zone.name.as_ref().ok_or_else(stray)?;
            let relative = owner.relative_to(name).ok_or_else(stray)?;
            let place = Place { zone: name, key: &zone.key, owner, relative };
            let outcome = self.change(&place, permit.action(), permit.value(), deadline);
            outcome.map_err(|problem| api.fault(problem, Some(&place)))
        };
        changes.iter().map(one).collect()
    }

    fn landed(&self, receipt: &Receipt, deadline: Deadline) -> Result<bool, Fault> {
        match receipt.0.as_str() {
            "" => Ok(true),
            text => Service::landed(self, text, deadline).map_err(|problem| self.api().fault(problem, None)),
        }
    }
}

/// The address of DNSAPI_URL or the service's own; a service without one of its own needs the setting.
pub fn base(config: &Config, mistakes: &mut Mistakes, own: Option<&str>) -> Option<BaseUrl> {
    match config.text("DNSAPI_URL").or(own) {
        // Not through Config::parse, which would show a password that stands in the address.
        Some(text) => {
            let wrong = |remedy| config.mistake("DNSAPI_URL", "has a wrong value", remedy);
            mistakes.note(base_url(text).map_err(wrong))
        }
        None => mistakes.note(config.required("DNSAPI_URL", Ok(None))),
    }
}

/// A secret that will be sent in a header; there has to be one.
pub fn secret(config: &Config, mistakes: &mut Mistakes, name: &str) -> Option<Secret> {
    let secret = mistakes.note(config.required(name, config.secret(name)))?;
    if !secret.reveal().bytes().all(|byte| byte.is_ascii_graphic()) {
        mistakes.push(config.mistake(name, "holds characters that keys do not have", "copy the key once more"));
    }
    Some(secret)
}

/// A text that has to be there, is no secret, and becomes part of a path.
pub fn word(config: &Config, mistakes: &mut Mistakes, name: &str) -> Option<String> {
    let parser = |text: &str| match text.bytes().all(|byte| byte.is_ascii_graphic() && !b"/?#%&".contains(&byte)) {
        true => Ok(text.to_string()),
        false => Err("write it without blanks and without / ? # % &".to_string()),
    };
    mistakes.note(config.required(name, config.parse(name, parser)))
}

impl Api {
    /// A service with an address of its own, and a token in DNSAPI_PASSWORD: `Authorization: SCHEME TOKEN`.
    pub fn with_token(
        config: &Config,
        mistakes: &mut Mistakes,
        profile: &'static Profile,
        own: &str,
        scheme: &str,
    ) -> Option<Api> {
        let base = base(config, mistakes, Some(own));
        let token = secret(config, mistakes, "DNSAPI_PASSWORD")?;
        Some(Api::new(config, mistakes, profile, base?, Fixed::authorization(scheme, &token)))
    }

    pub fn new(
        config: &Config,
        mistakes: &mut Mistakes,
        profile: &'static Profile,
        base: BaseUrl,
        credentials: impl Credentials + 'static,
    ) -> Api {
        let agent = http::agent(&Trust::System, http::proxy(config, mistakes, &base));
        Api { profile, base, agent, credentials: Box::new(credentials) }
    }

    /// Reads something; whatever goes wrong, nothing was changed.
    pub fn get(&self, path: impl Into<String>, deadline: Deadline) -> Result<Json, Problem> {
        let answer = self.send(&Draft::new("GET", path), deadline)?;
        self.json_of(&answer, false)
    }

    /// Changes something; an answer without a body is null.
    pub fn change(
        &self,
        method: &'static str,
        path: impl Into<String>,
        body: Option<&Json>,
        deadline: Deadline,
    ) -> Result<Json, Problem> {
        let draft = Draft::new(method, path);
        let answer = self.send(&body.map_or(draft.clone(), |body| draft.json(body)), deadline)?;
        match answer.body.is_empty() {
            true => Ok(Json::Null),
            false => self.json_of(&answer, true),
        }
    }

    /// Reads page after page: `items` takes what is on one and gives the path of the next.
    pub fn pages(
        &self,
        first: String,
        deadline: Deadline,
        mut items: impl FnMut(&Json) -> Result<Option<String>, Problem>,
    ) -> Result<(), Problem> {
        let mut path = first;
        for _ in 0..PAGES {
            match items(&self.get(path, deadline)?)? {
                Some(next) => path = next,
                None => return Ok(()),
            }
        }
        Err(Fault::Refused(format!("{} gives a list of more than {PAGES} pages", self.profile.title)).into())
    }

    /// Sends it signed, again while the service is busy (so that nothing was changed) and time is left.
    pub fn send(&self, draft: &Draft, deadline: Deadline) -> Result<Answer, Problem> {
        for pause in PAUSES {
            let outcome = self.signed(draft, deadline);
            let Err(Problem::Fault(Fault::Busy(_, wanted))) = &outcome else { return outcome };
            let pause = jittered(pause).max(wanted.unwrap_or_default());
            if deadline.left().is_none_or(|left| left <= pause) {
                return outcome;
            }
            std::thread::sleep(pause);
        }
        self.signed(draft, deadline)
    }

    /// Where the credentials were for a time that is over, once more with new ones.
    fn signed(&self, draft: &Draft, deadline: Deadline) -> Result<Answer, Problem> {
        let headers = self.credentials.sign(self, draft, deadline)?;
        match self.once(draft, &headers, draft.changes(), deadline) {
            Err(Problem::No(no)) if no.status == 401 && self.credentials.renew(&headers) => {}
            outcome => return outcome,
        }
        let headers = self.credentials.sign(self, draft, deadline)?;
        self.once(draft, &headers, draft.changes(), deadline)
    }

    /// One request and its answer, judged. `changes`: an answer that is lost may have changed something.
    pub fn once(&self, draft: &Draft, headers: &Headers, changes: bool, deadline: Deadline) -> Result<Answer, Problem> {
        let url = if draft.path.starts_with("https://") || draft.path.starts_with("http://") {
            draft.path.clone()
        } else {
            format!("{}{}", self.base, draft.path)
        };
        let mut request = Request::builder().method(draft.method).uri(url);
        for (name, value) in &draft.headers {
            request = request.header(*name, value);
        }
        for (name, value) in headers {
            request = request.header(*name, value.reveal());
        }
        // Without one these would be sent as of unknown length, which some services refuse.
        let empty = matches!(draft.method, "POST" | "PUT" | "PATCH").then_some("");
        match self.agent.send(request, draft.body.as_deref().or(empty), deadline) {
            Ok(answer) => (self.profile.judge)(self, answer, changes),
            Err(Unanswered::Late(text) | Unanswered::Broken(text)) if changes => Err(Fault::Unknown(text).into()),
            Err(unanswered) => Err(Fault::Busy(unanswered.to_string(), None).into()),
        }
    }

    fn json_of(&self, answer: &Answer, changes: bool) -> Result<Json, Problem> {
        serde_json::from_slice(&answer.body).map_err(|_| self.strange("not JSON", changes))
    }
}

/// Up to half as much again, so that gateways that failed together do not come back together.
fn jittered(pause: Duration) -> Duration {
    let mut random = [0; 1];
    // Without random bytes the pause is merely not jittered.
    let _ = ring::rand::SecureRandom::fill(&ring::rand::SystemRandom::new(), &mut random);
    pause + pause * u32::from(random[0]) / 512
}
