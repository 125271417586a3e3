//! Passwords that were verified a moment ago, so that a web server with twenty names does not pay
//! for twenty derivations.
//!
//! Kept is an HMAC under a key of this process, over user, password and the user's line of the
//! users file: a change of the line ends it by itself, and the memory of the process gives no
//! password away.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use ring::hmac::{Context, HMAC_SHA256, Key};
use ring::rand::SystemRandom;

use crate::secret::Secret;

/// How long a verified password is good.
const LIFE: Duration = Duration::from_secs(300);
/// How many are kept.
const MOST: usize = 1024;

pub(super) struct Remembered {
    key: Key,
    until: Mutex<HashMap<Tag, Instant>>,
}

/// A user with a password and a line of the users file.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Tag([u8; 32]);

impl Remembered {
    pub(super) fn new() -> Remembered {
        let key = Key::generate(HMAC_SHA256, &SystemRandom::new()).expect("the system gives random bytes");
        Remembered { key, until: Mutex::default() }
    }

    pub(super) fn tag(&self, user: &str, password: &Secret, line: &str) -> Tag {
        let mut context = Context::with_key(&self.key);
        for part in [user, password.reveal(), line] {
            // With its length, so that no two triples read alike.
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part.as_bytes());
        }
        let mut tag = [0; 32];
        tag.copy_from_slice(context.sign().as_ref());
        Tag(tag)
    }

    pub(super) fn knows(&self, tag: &Tag, now: Instant) -> bool {
        let until = self.until.lock().unwrap_or_else(PoisonError::into_inner);
        until.get(tag).is_some_and(|until| now < *until)
    }

    pub(super) fn remember(&self, tag: Tag, now: Instant) {
        let mut until = self.until.lock().unwrap_or_else(PoisonError::into_inner);
        until.retain(|_, until| now < *until);
        if until.len() < MOST {
            until.insert(tag, now + LIFE);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verified_password_is_good_for_five_minutes_and_for_its_line_only() {
        let (remembered, now) = (Remembered::new(), Instant::now());
        let tag =
            |user: &str, password: &str, line: &str| remembered.tag(user, &Secret::new(password.to_string()), line);
        let known = tag("alice", "secret", "$8$salt$digest");
        assert!(!remembered.knows(&known, now));
        remembered.remember(known, now);
        assert!(remembered.knows(&tag("alice", "secret", "$8$salt$digest"), now + LIFE - Duration::from_secs(1)));
        assert!(!remembered.knows(&known, now + LIFE));
        for other in [
            tag("alice", "secret", "$8$salt$other"),
            tag("alice", "Secret", "$8$salt$digest"),
            tag("alic", "esecret", "$8$salt$digest"),
            tag("bob", "secret", "$8$salt$digest"),
        ] {
            assert!(!remembered.knows(&other, now));
        }
        let restarted = Remembered::new();
        assert!(restarted.tag("alice", &Secret::new("secret".to_string()), "$8$salt$digest") != known);
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let (remembered, now) = (Remembered::new(), Instant::now());
        for number in 0..MOST * 2 {
            remembered.remember(remembered.tag(&number.to_string(), &Secret::new(String::new()), ""), now);
        }
        assert_eq!(remembered.until.lock().unwrap().len(), MOST);
    }
}
