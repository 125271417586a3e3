//! What a client gets back: an [`Answer`], which for errors is made of a [`Problem`] (RFC 9457).
//!
//! The only place where an error of any kind becomes an HTTP status.

use std::time::Duration;

use crate::fault::Fault;
use crate::foreign::Foreign;
use crate::gate::auth::Denied;
use crate::gate::register::NotRegistered;
use crate::gate::scope::OutOfScope;
use crate::limits::Exceeded;
use crate::serve::framing::Malformed;

/// An HTTP answer, before it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    /// Beside those that the door gives to every answer.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn text(status: u16, body: &str) -> Answer {
        Answer::new(status, "text/plain; charset=utf-8", body.as_bytes().to_vec())
    }

    pub fn json(status: u16, body: &serde_json::Value) -> Answer {
        Answer::new(status, "application/json", body.to_string().into_bytes())
    }

    fn new(status: u16, content_type: &str, body: Vec<u8>) -> Answer {
        Answer { status, headers: vec![("Content-Type".to_string(), content_type.to_string())], body }
    }

    /// With these headers besides.
    pub fn with(mut self, headers: &[(&'static str, String)]) -> Answer {
        self.headers.extend(headers.iter().map(|(name, value)| (name.to_string(), value.clone())));
        self
    }

    /// As it goes over the wire, at the end of a connection that has had its one request.
    pub fn to_http(&self, number: &str) -> Vec<u8> {
        let mut head = format!("HTTP/1.1 {} {}\r\n", self.status, reason(self.status));
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        let length = self.body.len();
        head.push_str(&format!("X-Request-Id: {number}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"));
        [head.as_bytes(), &self.body].concat()
    }
}

/// An error as the client is told: what is wrong and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    pub status: u16,
    pub detail: String,
    /// What a dialect that has a fixed word for this error says instead.
    pub word: Option<&'static str>,
    pub headers: Vec<(&'static str, String)>,
    /// Of which kind the DNS service's fault is, for programs; None: it is not about the service.
    pub fault: Option<&'static str>,
}

impl Problem {
    pub fn new(status: u16, detail: impl Into<String>) -> Problem {
        Problem { status, detail: detail.into(), word: None, headers: Vec::new(), fault: None }
    }

    pub fn word(self, word: &'static str) -> Problem {
        Problem { word: Some(word), ..self }
    }

    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Problem {
        self.headers.push((name, value.into()));
        self
    }

    /// The problem document; `number` lets the client's administrator find the line in our log.
    pub fn answer(&self, number: &str) -> Answer {
        let mut document = serde_json::json!({
            "type": "about:blank",
            "title": reason(self.status),
            "status": self.status,
            "detail": self.detail,
            "request": number,
        });
        if let Some(fault) = self.fault {
            document["fault"] = fault.into();
        }
        let body = document.to_string().into_bytes();
        Answer::new(self.status, "application/problem+json", body).with(&self.headers)
    }
}

impl From<Malformed> for Problem {
    fn from(malformed: Malformed) -> Problem {
        Problem::new(malformed.status, malformed.what)
    }
}

impl From<Denied> for Problem {
    fn from(denied: Denied) -> Problem {
        let detail = denied.to_string();
        match denied {
            // 401 is about who asks, 403 about what is asked for.
            Denied::Host(_) => challenge(format!("{detail} of the gateway")),
            Denied::NoPassword => challenge(format!(
                "{detail}: give them to the client (API_USER and API_PASSWD of acmegw hook), or ask for an entry in \
                     ALLOWED_HOSTS"
            )),
            // The name that was sent is known to the client; it is not told which half was wrong.
            Denied::WrongPassword { .. } => challenge(format!("{detail}: see acmegw-passwd(8)")),
            Denied::WrongKey { .. } | Denied::Elsewhere { .. } => challenge(format!("{detail}: see acmegw-acmedns(8)")),
            Denied::InTheClear => challenge(format!("{detail}: set SSL = on at the gateway")),
            Denied::TooManyFailures { wait, .. } => {
                Problem::new(429, detail).with("Retry-After", (wait.as_secs() + 1).to_string())
            }
            Denied::Busy => busy(detail, Some(Duration::from_secs(1))),
            // What is wrong with the file is for the log, not for the network.
            Denied::Closed(_) => {
                Problem::new(503, "the gateway cannot read its users file; its log says why").with("Retry-After", "60")
            }
        }
    }
}

fn challenge(detail: String) -> Problem {
    Problem::new(401, detail).with("WWW-Authenticate", "Basic realm=\"acmegw\", charset=\"UTF-8\"")
}

impl From<OutOfScope> for Problem {
    fn from(out: OutOfScope) -> Problem {
        Problem::new(403, out.to_string())
    }
}

impl From<NotRegistered> for Problem {
    fn from(not: NotRegistered) -> Problem {
        let detail = not.to_string();
        match not {
            NotRegistered::Closed => Problem::new(403, format!("{detail}: see ACMEDNS_REGISTER"))
                .word("registration is closed: ask the gateway's administrator for an account"),
            NotRegistered::Caller => Problem::new(403, detail),
            NotRegistered::TooMany(wait) => {
                Problem::new(429, detail).with("Retry-After", (wait.as_secs() + 1).to_string())
            }
            NotRegistered::Full => Problem::new(429, detail),
            NotRegistered::Unwritten => Problem::new(500, format!("{detail}; the gateway's log says why")),
        }
    }
}

impl From<Exceeded> for Problem {
    fn from(exceeded: Exceeded) -> Problem {
        let problem = Problem::new(429, exceeded.to_string());
        match exceeded {
            Exceeded::Changes(wait) => problem.with("Retry-After", (wait.as_secs() + 1).to_string()),
            // Nobody knows when the caller will clean up.
            Exceeded::Records | Exceeded::Values(_) => problem,
        }
    }
}

impl From<Fault> for Problem {
    fn from(fault: Fault) -> Problem {
        let (detail, kind) = (Foreign(&fault.to_string()).to_string(), fault.kind());
        let problem = match fault {
            Fault::Refused(_) => Problem::new(502, format!("the DNS service refused: {detail}")),
            Fault::Auth(_) => {
                Problem::new(502, format!("the DNS service does not take the gateway's credentials: {detail}"))
            }
            Fault::NoZone(_) => Problem::new(502, format!("the DNS account holds no zone for this name: {detail}")),
            Fault::Conflict(_) => busy(format!("the DNS zone is being changed by others: {detail}"), None),
            Fault::Busy(_, after) => busy(format!("the DNS service cannot be used just now: {detail}"), after),
            // Which folder it is and why is for the log.
            Fault::Unwritten { is_full: true, .. } => {
                Problem::new(507, "the gateway's disk is full: nothing was changed")
            }
            Fault::Unwritten { .. } => {
                Problem::new(500, "the gateway cannot write to its STATE_DIR, its log says why: nothing was changed")
            }
            Fault::Unknown(_) => {
                Problem::new(504, format!("the DNS service did not say whether it was done: {detail}"))
            }
        };
        Problem { fault: Some(kind), ..problem }
    }
}

fn busy(detail: String, after: Option<Duration>) -> Problem {
    let seconds = after.unwrap_or(Duration::from_secs(10)).as_secs().clamp(1, 3600);
    Problem::new(503, detail).with("Retry-After", seconds.to_string())
}

/// The reason phrase of the statuses that we send (RFC 9110 section 15).
pub fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        201 => "Created",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        411 => "Length Required",
        413 => "Content Too Large",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        505 => "HTTP Version Not Supported",
        507 => "Insufficient Storage",
        _ => "Internal Server Error",
    }
}
