//! Talking to OpenProvider's API: the session, the envelope of its answers, its codes.
//!
//! What counts is the envelope's `code`, not the HTTP status and not the content type: errors come
//! with statuses of all kinds, and as text/plain although they are JSON.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};

use crate::deadline::Deadline;
use crate::fault::Fault;
use crate::foreign::Foreign;
use crate::http::{Agent, Answer, BaseUrl, Request, Unanswered};
use crate::secret::Secret;

/// "Authentication/Authorization Failed": the token is over, or the credentials are wrong.
const NOT_LOGGED_IN: i64 = 196;
/// Too many logins or calls: only OpenProvider's support lifts it.
const BLOCKED: i64 = 10005;

/// How long one login may take, so that nobody waits for somebody else's patience.
const LOGIN: Duration = Duration::from_secs(15);

/// The pauses before a call that certainly changed nothing is tried again.
pub(super) const PAUSES: &[Duration] = &[Duration::from_millis(500), Duration::from_secs(2)];

/// One account at the service.
pub(super) struct Api {
    pub agent: Agent,
    pub base: BaseUrl,
    pub username: String,
    pub password: Secret,
    pub pauses: &'static [Duration],
    pub session: Session,
}

/// The token, asked for by one thread at a time: logins are limited to 30 a minute.
#[derive(Default)]
pub(super) struct Session {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
enum State {
    #[default]
    LoggedOut,
    LoggingIn,
    LoggedIn(Secret),
}

/// Why a call gave no data.
#[derive(Debug)]
pub(super) enum Problem {
    /// The API said no, with a code of its own.
    Code(i64, String),
    /// Everything that is no matter of the call itself.
    Fault(Fault),
    SessionOver,
}

impl From<Fault> for Problem {
    fn from(fault: Fault) -> Problem {
        Problem::Fault(fault)
    }
}

impl Api {
    /// Reads something; whatever goes wrong, nothing was changed.
    pub fn get(&self, path: &str, deadline: Deadline) -> Result<Value, Problem> {
        self.patiently(deadline, || {
            self.logged_in(deadline, |token| self.call("GET", path, None, Some(token), deadline))
        })
    }

    /// Changes something.
    pub fn put(&self, path: &str, body: &Value, deadline: Deadline) -> Result<Value, Problem> {
        self.patiently(deadline, || {
            self.logged_in(deadline, |token| self.call("PUT", path, Some(body), Some(token), deadline))
        })
    }

    /// Tries again while the service is busy, which means that nothing was changed, and time is left.
    fn patiently<T>(&self, deadline: Deadline, call: impl Fn() -> Result<T, Problem>) -> Result<T, Problem> {
        for pause in self.pauses {
            let outcome = call();
            let Err(Problem::Fault(Fault::Busy(_, wanted))) = &outcome else { return outcome };
            let pause = jittered(*pause).max(wanted.unwrap_or_default());
            if deadline.left().is_none_or(|left| left <= pause) {
                return outcome;
            }
            std::thread::sleep(pause);
        }
        call()
    }

    /// Calls with the token at hand; where that is over, once more with a new one.
    fn logged_in<T>(&self, deadline: Deadline, call: impl Fn(&Secret) -> Result<T, Problem>) -> Result<T, Problem> {
        let token = self.token(deadline)?;
        match call(&token) {
            Err(Problem::SessionOver) => self.forget(&token),
            outcome => return outcome,
        }
        match call(&self.token(deadline)?) {
            Err(Problem::SessionOver) => Err(Fault::Auth(format!(
                "OpenProvider at {} ends every session at once; may this user use the API from this address?",
                self.base
            ))
            .into()),
            outcome => outcome,
        }
    }

    fn token(&self, deadline: Deadline) -> Result<Secret, Problem> {
        let mut state = self.session.state();
        loop {
            match &*state {
                State::LoggedIn(token) => return Ok(token.clone()),
                State::LoggedOut => break,
                State::LoggingIn => {
                    let Some(left) = deadline.left() else {
                        return Err(Fault::Busy("another login at OpenProvider takes too long".into(), None).into());
                    };
                    state = self.session.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
                }
            }
        }
        *state = State::LoggingIn;
        drop(state);
        let outcome = self.login(deadline.at_most(LOGIN));
        let mut state = self.session.state();
        *state = outcome.as_ref().map_or(State::LoggedOut, |token| State::LoggedIn(token.clone()));
        self.session.changed.notify_all();
        outcome
    }

    /// Drops a token that is over, unless somebody has logged in again in between.
    fn forget(&self, token: &Secret) {
        let mut state = self.session.state();
        if matches!(&*state, State::LoggedIn(known) if known.reveal() == token.reveal()) {
            *state = State::LoggedOut;
        }
    }

    fn login(&self, deadline: Deadline) -> Result<Secret, Problem> {
        // The address 0.0.0.0 binds the token to none.
        let body = json!({"ip": "0.0.0.0", "username": self.username, "password": self.password.reveal()});
        match self.call("POST", "/auth/login", Some(&body), None, deadline) {
            Ok(data) => match data["token"].as_str() {
                Some(token) if !token.is_empty() => Ok(Secret::new(token.to_string())),
                _ => Err(self.no_answer("the login gave no token", false).into()),
            },
            Err(Problem::SessionOver) => Err(Fault::Auth(format!(
                "OpenProvider at {} does not take DNSAPI_USERNAME and DNSAPI_PASSWORD; \
                 correct them, and allow this user the API",
                self.base
            ))
            .into()),
            Err(problem) => Err(problem),
        }
    }

    fn call(
        &self,
        method: &str,
        path: &str,
        body: Option<&Value>,
        token: Option<&Secret>,
        deadline: Deadline,
    ) -> Result<Value, Problem> {
        let changes = method == "PUT";
        let request = Request::builder().method(method).uri(format!("{}{path}", self.base));
        let mut request = request.header("accept", "application/json");
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {}", token.reveal()));
        }
        if body.is_some() {
            request = request.header("content-type", "application/json");
        }
        let body = body.map(Value::to_string);
        match self.agent.send(request, body.as_deref(), deadline) {
            Ok(answer) => self.judge(&answer, changes),
            Err(Unanswered::Late(text) | Unanswered::Broken(text)) if changes => Err(Fault::Unknown(text).into()),
            Err(unanswered) => Err(Fault::Busy(unanswered.to_string(), None).into()),
        }
    }

    /// The envelope's data, if all went well.
    fn judge(&self, answer: &Answer, changes: bool) -> Result<Value, Problem> {
        let mut envelope: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let code = envelope["code"].as_i64();
        let desc = Foreign(envelope["desc"].as_str().unwrap_or_default()).to_string();
        match (answer.status, code) {
            (200..=299, Some(0)) => Ok(envelope["data"].take()),
            (401, _) | (_, Some(NOT_LOGGED_IN)) => Err(Problem::SessionOver),
            (429, _) => {
                let text = format!("OpenProvider at {} wants fewer calls (status 429)", self.base);
                Err(Fault::Busy(text, answer.retry_after()).into())
            }
            (_, Some(BLOCKED)) => Err(Fault::Auth(format!(
                "OpenProvider has blocked the account (code {BLOCKED}: {desc}); only its support can lift that"
            ))
            .into()),
            (_, Some(code)) if envelope["maintenance"] == true => {
                Err(Fault::Busy(format!("OpenProvider is under maintenance (code {code}: {desc})"), None).into())
            }
            // Codes below 100 are in no list of its modules: they come from the frame around them.
            (status, Some(code)) if code >= 100 && status != 503 => Err(Problem::Code(code, desc)),
            (300..=399 | 404 | 405, _) => {
                let text = format!("{} answers with status {}; is DNSAPI_URL right?", self.base, answer.status);
                Err(Fault::Refused(text).into())
            }
            (503, _) => {
                Err(Fault::Busy(format!("{} is out of service (status 503)", self.base), answer.retry_after()).into())
            }
            (status, Some(code)) => {
                Err(self.no_answer(&format!("status {status}, code {code}: {desc}"), changes).into())
            }
            (status, None) => {
                Err(self.no_answer(&format!("status {status}, not an answer of its API"), changes).into())
            }
        }
    }

    /// Something came, but nobody knows what it means; after a change nobody knows whether it was made.
    pub fn no_answer(&self, what: &str, changes: bool) -> Fault {
        let text = format!("OpenProvider at {} answered strangely ({what})", self.base);
        if changes { Fault::Unknown(text) } else { Fault::Busy(text, None) }
    }
}

impl Session {
    fn state(&self) -> MutexGuard<'_, State> {
        // Each change of the state is one assignment.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Up to half as much again, so that gateways that failed together do not come back together.
fn jittered(pause: Duration) -> Duration {
    let mut random = [0; 1];
    // Without random bytes the pause is merely not jittered.
    let _ = ring::rand::SecureRandom::fill(&ring::rand::SystemRandom::new(), &mut random);
    pause + pause * u32::from(random[0]) / 512
}
