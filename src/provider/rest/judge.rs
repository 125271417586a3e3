//! What an answer means: success, a refusal with its reason, or nothing that can be told; and what
//! a refusal means to the one who asked.

use std::fmt;

use serde_json::Value as Json;

use super::{Api, Place};
use crate::fault::Fault;
use crate::foreign::Foreign;
use crate::http::Answer;

/// Why a call gave nothing.
#[derive(Debug)]
pub enum Problem {
    /// The service said no; nothing was changed. Providers look at it first, the rest is [`Api::fault`]'s.
    No(No),
    /// Everything that is no matter of the call itself.
    Fault(Fault),
}

/// A service's no.
#[derive(Debug, Clone)]
pub struct No {
    /// Of HTTP; 0 where the service says it by codes of its own only.
    pub status: u16,
    /// The service's own word for it; may be empty.
    pub code: String,
    /// In its words to people; may be empty.
    pub reason: String,
}

impl From<Fault> for Problem {
    fn from(fault: Fault) -> Problem {
        Problem::Fault(fault)
    }
}

impl fmt::Display for No {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [("status ", self.status.to_string()), ("code ", Foreign(&self.code).to_string())];
        let parts: Vec<_> = parts.iter().filter(|(_, text)| !["", "0"].contains(&text.as_str())).collect();
        for (index, (what, text)) in parts.iter().enumerate() {
            write!(f, "{}{what}{text}", if index == 0 { "" } else { ", " })?;
        }
        if !self.reason.is_empty() {
            write!(f, ": {}", Foreign(&self.reason))?;
        }
        Ok(())
    }
}

/// For APIs that say by the HTTP status how it went.
pub fn by_status(api: &Api, answer: Answer, changes: bool) -> Result<Answer, Problem> {
    let (title, base) = (api.profile.title, &api.base);
    match answer.status {
        200..=299 => Ok(answer),
        300..=399 | 405 => {
            let text = format!("{base} answers with status {}; is DNSAPI_URL right?", answer.status);
            Err(Fault::Refused(text).into())
        }
        429 => {
            let text = format!("{title} at {base} wants fewer calls (status 429)");
            Err(Fault::Busy(text, answer.retry_after()).into())
        }
        503 => {
            let text = format!("{title} at {base} is out of service (status 503)");
            Err(Fault::Busy(text, answer.retry_after()).into())
        }
        status @ 400..=499 => {
            let (code, reason) = (api.profile.reason)(&answer.body);
            Err(Problem::No(No { status, code, reason }))
        }
        status => Err(api.strange(&format!("status {status}"), changes)),
    }
}

impl Api {
    /// Something came, but nobody knows what it means; after a change nobody knows whether it was made.
    pub fn strange(&self, what: &str, changes: bool) -> Problem {
        let text = format!("{} at {} answered strangely ({what})", self.profile.title, self.base);
        if changes { Fault::Unknown(text).into() } else { Fault::Busy(text, None).into() }
    }

    /// What a problem means, and what to do about it; `place` where something was to be changed.
    pub fn fault(&self, problem: Problem, place: Option<&Place>) -> Fault {
        let no = match problem {
            Problem::Fault(fault) => return fault,
            Problem::No(no) => no,
        };
        let (title, remedy, base) = (self.profile.title, self.profile.remedy, &self.base);
        match (no.status, place) {
            (401, _) => Fault::Auth(format!("{title} at {base} does not take the credentials ({no}); {remedy}")),
            // Not Auth: other zones may be open to the same credentials.
            (403, Some(place)) => {
                Fault::Refused(format!("{title} forbids the change at {} ({no}); {remedy}", place.owner))
            }
            (403, None) => Fault::Refused(format!("{title} at {base} forbids it ({no}); {remedy}")),
            (404, Some(place)) => {
                Fault::NoZone(format!("{title} does not know the zone {} any more ({no}); was it removed?", place.zone))
            }
            (404, None) => Fault::NoZone(format!("{title} at {base} does not know it ({no}); is DNSAPI_URL right?")),
            (status, Some(place)) if self.profile.conflicts.contains(&status) => {
                Fault::Conflict(format!("somebody else changes {} at {title} just now ({no})", place.owner))
            }
            (_, Some(place)) => Fault::Refused(format!(
                "{title} does not take the change at {} ({no}); where a CNAME is at the name, remove it or let \
                 acmegw write where it points",
                place.owner
            )),
            (_, None) => Fault::Refused(format!("{title} at {base} refuses to answer ({no})")),
        }
    }
}

/// [`super::Profile::reason`] for JSON: where the machine's word is and where the human's, as JSON
/// pointers (RFC 6901); a number is as good as a text. Without either, the beginning of the body.
pub fn reason(body: &[u8], code: &[&str], text: &[&str]) -> (String, String) {
    let Ok(json) = serde_json::from_slice::<Json>(body) else { return (String::new(), "not JSON".to_string()) };
    let first = |pointers: &[&str]| {
        pointers.iter().find_map(|pointer| match json.pointer(pointer)? {
            Json::String(text) => Some(text.clone()),
            Json::Number(number) => Some(number.to_string()),
            _ => None,
        })
    };
    let said = first(text).unwrap_or_else(|| json.to_string());
    (first(code).unwrap_or_default(), said)
}
