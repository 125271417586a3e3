//! A token for a time: asked for by one thread at a time, used by all as a bearer's (RFC 6750 section
//! 2.1), dropped when it is over.
//!
//! Services count logins and block accounts that log in too often.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::Headers;
use super::judge::Problem;
use crate::deadline::Deadline;
use crate::fault::Fault;
use crate::secret::Secret;

/// How long one login may take, so that nobody waits for somebody else's patience.
const LOGIN: Duration = Duration::from_secs(15);

/// A token is not used in its last minute: it may be over when the request arrives.
const MARGIN: Duration = Duration::from_secs(60);

/// A token and how long it lasts; None: until it is refused.
pub struct Token {
    pub secret: Secret,
    pub lasts: Option<Duration>,
}

#[derive(Default)]
pub struct Session {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
enum State {
    #[default]
    LoggedOut,
    LoggingIn,
    LoggedIn(Secret, Option<Instant>),
}

impl Session {
    /// What a request shows: the token at hand, or the one that `login` gets.
    pub fn sign(
        &self,
        deadline: Deadline,
        login: impl FnOnce(Deadline) -> Result<Token, Problem>,
    ) -> Result<Headers, Problem> {
        Ok(vec![("authorization", bearer(&self.token(deadline, login)?))])
    }

    /// Drops the token of a request that was refused, unless somebody has logged in again in between.
    pub fn renew(&self, refused: &Headers) {
        let was_shown = |token| refused.iter().any(|(_, value)| value.reveal() == bearer(token).reveal());
        let mut state = self.state();
        if matches!(&*state, State::LoggedIn(token, _) if was_shown(token)) {
            *state = State::LoggedOut;
        }
    }

    fn token(
        &self,
        deadline: Deadline,
        login: impl FnOnce(Deadline) -> Result<Token, Problem>,
    ) -> Result<Secret, Problem> {
        let mut state = self.state();
        loop {
            match &*state {
                State::LoggedIn(token, until) if until.is_none_or(|until| Instant::now() < until) => {
                    return Ok(token.clone());
                }
                State::LoggedOut | State::LoggedIn(..) => break,
                State::LoggingIn => {
                    let Some(left) = deadline.left() else {
                        return Err(Fault::Busy("another login takes too long".into(), None).into());
                    };
                    state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
                }
            }
        }
        *state = State::LoggingIn;
        drop(state);
        let outcome = login(deadline.at_most(LOGIN));
        let mut state = self.state();
        *state = match &outcome {
            Ok(token) => {
                let until = token.lasts.map(|lasts| Instant::now() + lasts.saturating_sub(MARGIN));
                State::LoggedIn(token.secret.clone(), until)
            }
            Err(_) => State::LoggedOut,
        };
        self.changed.notify_all();
        outcome.map(|token| token.secret)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Each change of the state is one assignment.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn bearer(token: &Secret) -> Secret {
    Secret::new(format!("Bearer {}", token.reveal()))
}
