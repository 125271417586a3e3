//! The conversation with a running `acmegw serve`, for the tools that ask it: in its native dialect,
//! with the patience to ask a gateway again that is only briefly away.

mod address;
pub mod answer;
mod sight;

use std::fmt;
use std::thread;
use std::time::Duration;

use serde_json::json;

use crate::challenge::{Challenge, Name, Value};
use crate::deadline::Deadline;
use crate::failure::Failure;
use crate::http::{self, Agent, Answer, BaseUrl, Request, Unanswered};
use crate::secret::Secret;

pub use address::{Address, SETTINGS, trust};
pub use sight::{Server, Sight, State};

/// A name that is nobody's (RFC 6761 section 6.4): asking for it tells wrong credentials from good ones.
pub const NOBODYS: &str = "acmegw.invalid";

/// How long an answer may take: the gateway gives itself 120 s for a change, and its 504 has to
/// reach us.
const ANSWER: Duration = Duration::from_secs(130);

/// How long, and with which pauses, a gateway that is away is asked again.
#[derive(Clone, Copy)]
pub struct Patience {
    pub total: Duration,
    /// The first pause; each is twice the one before.
    pub first: Duration,
    pub longest: Duration,
}

impl Default for Patience {
    fn default() -> Patience {
        Patience { total: Duration::from_secs(60), first: Duration::from_secs(1), longest: Duration::from_secs(10) }
    }
}

impl Patience {
    /// Asks until there is an answer, or it is of no use to ask again; `note` hears of each pause.
    pub fn ask<T>(
        self,
        mut ask: impl FnMut() -> Result<T, Refusal>,
        note: impl Fn(&Refusal, Duration),
    ) -> Result<T, Refusal> {
        let end = Deadline::after(self.total);
        let (mut pause, mut tries) = (self.first, 1);
        loop {
            let refusal = match ask() {
                Ok(answer) => return Ok(answer),
                Err(refusal) => refusal,
            };
            let Some(wait) = refusal.wait(pause, end) else {
                let asked = if tries > 1 { format!("; asked {tries} times") } else { String::new() };
                return Err(Refusal { why: format!("{}{asked}", refusal.why), ..refusal });
            };
            note(&refusal, wait);
            thread::sleep(wait);
            pause = (pause * 2).min(self.longest);
            tries += 1;
        }
    }
}

/// The gateway at its address.
pub struct Gateway {
    agent: Agent,
    uri: BaseUrl,
    authorization: Option<Secret>,
}

/// Why the gateway did not do it.
#[derive(Debug)]
pub struct Refusal {
    /// With what to do.
    pub why: String,
    /// Worth asking again, at the earliest after this. None: it would be refused again.
    pub again: Option<Duration>,
    /// Of the answer; None: there was none, or none that can be read.
    pub status: Option<u16>,
    /// The kind of the DNS service's fault, in the gateway's word for it.
    pub fault: Option<String>,
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Failure {
        Failure::Failed(refusal.why)
    }
}

impl Gateway {
    pub fn new(address: Address) -> Gateway {
        let agent = http::agent(&address.trust, address.proxy);
        Gateway { agent, uri: address.uri, authorization: address.authorization }
    }

    /// Asks for a change, until it is made, refused, or patience ends; `note` hears of each time that
    /// it is asked again.
    pub fn change(
        &self,
        challenge: &Challenge,
        patience: Patience,
        note: impl Fn(fmt::Arguments),
    ) -> Result<Answer, Refusal> {
        let what = format!("{} {}", challenge.verb(), challenge.domain());
        let body = native(challenge);
        let asked = patience.ask(
            || self.judged(self.send("POST", "", Some(&body), Deadline::after(ANSWER))),
            |refusal, wait| note(format_args!("{what}: {}; asked again in {wait:.1?}", refusal.why)),
        );
        asked.map_err(|refusal| Refusal { why: format!("{what}: {}", refusal.why), ..refusal })
    }

    /// Asks for what lies at a path below the gateway's address, once.
    pub fn get(&self, path: &str) -> Result<Answer, String> {
        self.send("GET", path, None, Deadline::after(ANSWER)).map_err(|unanswered| remedied(&unanswered))
    }

    /// What the gateway knows in the DNS of a value that we have set, asked once.
    pub fn sight(&self, domain: &Name, value: &Value, deadline: Deadline) -> Result<Sight, Refusal> {
        let answer = self.told(&format!("/challenges/{domain}/{value}"), deadline)?;
        Sight::read(&answer).map_err(Refusal::unreadable)
    }

    /// The values that we have living at a domain, asked once.
    pub fn living(&self, domain: &Name, deadline: Deadline) -> Result<Vec<Value>, Refusal> {
        let answer = self.told(&format!("/challenges/{domain}"), deadline)?;
        sight::living(&answer).map_err(Refusal::unreadable)
    }

    /// The answer at a path that is a yes.
    pub fn told(&self, path: &str, deadline: Deadline) -> Result<Answer, Refusal> {
        let answer = self.send("GET", path, None, deadline.at_most(ANSWER));
        let is_late = matches!(answer, Err(Unanswered::Late(_)));
        // It costs the gateway nothing to be asked again.
        self.judged(answer).map_err(|refusal| match is_late {
            true => Refusal { again: Some(Duration::ZERO), ..refusal },
            false => refusal,
        })
    }

    /// An answer that is a yes, or why there is none, and whether it is of use to ask again.
    fn judged(&self, answer: Result<Answer, Unanswered>) -> Result<Answer, Refusal> {
        match answer {
            Ok(answer) if (200..300).contains(&answer.status) => Ok(answer),
            Ok(answer) => {
                let away = matches!(answer.status, 429 | 503 | 504);
                let again = away.then(|| answer.retry_after().unwrap_or_default());
                let why = format!("{}: {}", self.uri, answer::reason(&answer));
                Err(Refusal { why, again, status: Some(answer.status), fault: answer::fault(&answer) })
            }
            Err(unanswered) => {
                // Setting twice is as good as once, so that a broken connection may be tried again; what
                // was late has had its time.
                let away = matches!(unanswered, Unanswered::Connect(_) | Unanswered::Broken(_));
                let again = away.then_some(Duration::ZERO);
                Err(Refusal { why: remedied(&unanswered), again, status: None, fault: None })
            }
        }
    }

    fn send(&self, method: &str, path: &str, body: Option<&str>, deadline: Deadline) -> Result<Answer, Unanswered> {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.uri));
        if let Some(authorization) = &self.authorization {
            request = request.header("authorization", authorization.reveal());
        }
        if body.is_some() {
            request = request.header("content-type", "application/json");
        }
        self.agent.send(request, body, deadline)
    }
}

impl Refusal {
    fn unreadable(why: String) -> Refusal {
        Refusal { why, again: None, status: None, fault: None }
    }

    /// How long to wait before asking again; None where that is of no use before `end`.
    fn wait(&self, pause: Duration, end: Deadline) -> Option<Duration> {
        let (earliest, left) = (self.again?, end.left()?);
        Some(pause.min(left).max(earliest)).filter(|wait| *wait <= left)
    }
}

/// A challenge in the gateway's native dialect.
fn native(challenge: &Challenge) -> String {
    let mut body = json!({
        "argument": challenge.verb(),
        "domain_name": challenge.domain().as_str(),
    });
    match challenge {
        Challenge::Teardown { value: None, .. } => {}
        Challenge::Setup { value, .. } | Challenge::Teardown { value: Some(value), .. } => {
            body["challenge_content"] = value.as_str().into();
        }
        Challenge::Canary { value, life, .. } => {
            body["challenge_content"] = value.as_str().into();
            body["lifetime"] = life.as_secs().to_string().into();
        }
    }
    body.to_string()
}

/// Why there is no answer, and what to do.
fn remedied(unanswered: &Unanswered) -> String {
    let remedy = match unanswered {
        Unanswered::Connect(_) => "check API_URI, and that acmegw serve runs there",
        Unanswered::Tls(_) => "set API_PIN to the pin that the gateway logs at its start, or API_CA to its CA's file",
        Unanswered::Late(_) | Unanswered::Broken(_) => "see the gateway's log",
    };
    format!("{unanswered}; {remedy}")
}

#[cfg(test)]
pub(crate) mod tests;
