//! How a request shows who asks: by a key in a header, or by what is asked for and signed anew.

use super::judge::Problem;
use super::{Api, Draft};
use crate::deadline::Deadline;
use crate::secret::Secret;

/// Headers that hold secrets.
pub type Headers = Vec<(&'static str, Secret)>;

pub trait Credentials: Send + Sync {
    /// The headers for this request; may have to ask for a token first.
    fn sign(&self, api: &Api, draft: &Draft, deadline: Deadline) -> Result<Headers, Problem>;

    /// The service did not take these (status 401). May a second try, signed anew, go better?
    fn renew(&self, _refused: &Headers) -> bool {
        false
    }
}

/// The same header each time.
pub struct Fixed(Headers);

impl Fixed {
    pub fn header(name: &'static str, value: &Secret) -> Fixed {
        Fixed(vec![(name, value.clone())])
    }

    /// `Authorization: SCHEME SECRET`.
    pub fn authorization(scheme: &str, secret: &Secret) -> Fixed {
        Fixed::header("authorization", &Secret::new(format!("{scheme} {}", secret.reveal())))
    }
}

impl Credentials for Fixed {
    fn sign(&self, _: &Api, _: &Draft, _: Deadline) -> Result<Headers, Problem> {
        Ok(self.0.clone())
    }
}
