//! OpenProvider's logins and the envelope of its answers.
//!
//! What counts is the envelope's `code`, not the HTTP status and not the content type: errors come
//! with statuses of all kinds, and as text/plain although they are JSON.

use serde_json::{Value as Json, json};

use crate::deadline::Deadline;
use crate::fault::Fault;
use crate::foreign::Foreign;
use crate::http::Answer;
use crate::provider::rest::credentials::{Credentials, Headers};
use crate::provider::rest::judge::{self, No, Problem};
use crate::provider::rest::session::{Session, Token};
use crate::provider::rest::{Api, Draft, Profile};
use crate::secret::Secret;

/// "Authentication/Authorization Failed": the token is over, or the credentials are wrong.
const NOT_LOGGED_IN: i64 = 196;
/// Too many logins or calls: only OpenProvider's support lifts it.
const BLOCKED: i64 = 10005;
/// The account holds no such zone.
const ZONE_UNKNOWN: [i64; 2] = [800, 872];

pub const PROFILE: Profile = Profile {
    title: "OpenProvider",
    remedy: "check DNSAPI_USERNAME and DNSAPI_PASSWORD, and allow this user the API, also from this address",
    conflicts: &[],
    judge: judged,
    reason: |body| judge::reason(body, &["/code"], &["/desc"]),
};

/// User and password, and the token that they give: logins are limited to 30 a minute.
pub struct Login {
    pub username: String,
    pub password: Secret,
    pub session: Session,
}

impl Credentials for Login {
    fn sign(&self, api: &Api, _: &Draft, deadline: Deadline) -> Result<Headers, Problem> {
        self.session.sign(deadline, |deadline| self.login(api, deadline))
    }

    fn renew(&self, refused: &Headers) -> bool {
        self.session.renew(refused);
        true
    }
}

impl Login {
    fn login(&self, api: &Api, deadline: Deadline) -> Result<Token, Problem> {
        // The address 0.0.0.0 binds the token to none.
        let body = json!({"ip": "0.0.0.0", "username": self.username, "password": self.password.reveal()});
        let answer = api.once(&Draft::new("POST", "/auth/login").json(&body), &Vec::new(), false, deadline);
        let answer = answer.map_err(|problem| match problem {
            Problem::No(no) => api.fault(Problem::No(no), None).into(),
            fault => fault,
        })?;
        let envelope: Json = serde_json::from_slice(&answer.body).unwrap_or_default();
        match envelope["data"]["token"].as_str() {
            Some(token) if !token.is_empty() => Ok(Token { secret: Secret::new(token.to_string()), lasts: None }),
            _ => Err(api.strange("the login gave no token", false)),
        }
    }
}

/// The answer as it is, if its code says that all went well.
fn judged(api: &Api, answer: Answer, changes: bool) -> Result<Answer, Problem> {
    let envelope: Json = serde_json::from_slice(&answer.body).unwrap_or_default();
    let desc = envelope["desc"].as_str().unwrap_or_default();
    let no = |status, code: i64| Err(Problem::No(No { status, code: code.to_string(), reason: desc.to_string() }));
    match (answer.status, envelope["code"].as_i64()) {
        (200..=299, Some(0)) => Ok(answer),
        (401, code) => no(401, code.unwrap_or(NOT_LOGGED_IN)),
        (_, Some(NOT_LOGGED_IN)) => no(401, NOT_LOGGED_IN),
        (_, Some(BLOCKED)) => {
            let text = format!(
                "OpenProvider has blocked the account (code {BLOCKED}: {}); only its support can lift that",
                Foreign(desc)
            );
            Err(Fault::Auth(text).into())
        }
        (_, Some(code)) if envelope["maintenance"] == true => {
            let text = format!("OpenProvider is under maintenance (code {code}: {})", Foreign(desc));
            Err(Fault::Busy(text, None).into())
        }
        (429 | 503, _) => judge::by_status(api, answer, changes),
        (_, Some(code)) if ZONE_UNKNOWN.contains(&code) => no(404, code),
        // Codes below 100 are in no list of its modules: they come from the frame around them.
        (_, Some(code)) if code >= 100 => no(0, code),
        (300..=399 | 404 | 405, _) => {
            let text = format!("{} answers with status {}; is DNSAPI_URL right?", api.base, answer.status);
            Err(Fault::Refused(text).into())
        }
        (status, Some(code)) => Err(api.strange(&format!("status {status}, code {code}: {}", Foreign(desc)), changes)),
        (status, None) => Err(api.strange(&format!("status {status}, not an answer of its API"), changes)),
    }
}
