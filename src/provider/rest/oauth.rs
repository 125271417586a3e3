//! Tokens as OAuth 2.0 gives them to machines (RFC 6749 section 4.4, RFC 7523 section 2.1): a form is
//! posted to the service's own address for that, and the token lasts for about an hour.

use std::fmt::Write;
use std::time::Duration;

use serde_json::Value as Json;

use super::credentials::{Credentials, Headers};
use super::judge::Problem;
use super::session::{Session, Token};
use super::{Api, Draft};
use crate::deadline::Deadline;
use crate::fault::Fault;
use crate::http::BaseUrl;
use crate::secret::Secret;

/// What the form holds, made anew for each login.
pub trait Form: Send + Sync {
    fn fields(&self) -> Vec<(&'static str, Secret)>;
}

pub struct OAuth<F> {
    /// Where tokens are asked for.
    pub address: BaseUrl,
    pub form: F,
    pub session: Session,
}

impl<F: Form> Credentials for OAuth<F> {
    fn sign(&self, api: &Api, _: &Draft, deadline: Deadline) -> Result<Headers, Problem> {
        self.session.sign(deadline, |deadline| self.login(api, deadline))
    }

    fn renew(&self, refused: &Headers) -> bool {
        self.session.renew(refused);
        true
    }
}

impl<F: Form> OAuth<F> {
    fn login(&self, api: &Api, deadline: Deadline) -> Result<Token, Problem> {
        let pairs = self.form.fields().into_iter().map(|(name, value)| format!("{name}={}", encoded(value.reveal())));
        let body = pairs.collect::<Vec<_>>().join("&");
        let draft = Draft::new("POST", self.address.as_str());
        let draft = draft.header("content-type", "application/x-www-form-urlencoded");
        let draft = Draft { body: Some(body), ..draft };
        let answer = api.once(&draft, &Vec::new(), false, deadline).map_err(|problem| match problem {
            // RFC 6749 section 5.2: 400 or 401, and a word.
            Problem::No(no) => Fault::Auth(format!(
                "{} gives no token for {} ({no}); {}",
                self.address, api.profile.title, api.profile.remedy
            ))
            .into(),
            fault => fault,
        })?;
        let answer: Json = serde_json::from_slice(&answer.body).unwrap_or_default();
        match (answer["access_token"].as_str(), answer["expires_in"].as_u64()) {
            (Some(token), lasts) if !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic()) => {
                let lasts = lasts.map(Duration::from_secs);
                Ok(Token { secret: Secret::new(token.to_string()), lasts })
            }
            _ => Err(api.strange("the login gave no token", false)),
        }
    }
}

/// Percent-encoding of everything but unreserved characters (RFC 3986 section 2.3).
pub fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut encoded, byte| {
        match byte {
            b'-' | b'.' | b'_' | b'~' => encoded.push(byte.into()),
            byte if byte.is_ascii_alphanumeric() => encoded.push(byte.into()),
            byte => write!(encoded, "%{byte:02X}").expect("a string"),
        }
        encoded
    })
}
