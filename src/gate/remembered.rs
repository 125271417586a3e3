//! Passwords that were right a moment ago, so that a web server pays for one derivation and not for
//! one a request. What is kept is no password: an HMAC under a key that lives as long as the process.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ring::hmac::{Context, HMAC_SHA256, Key, Tag};
use ring::rand::SystemRandom;

use crate::secret::{Secret, same};

/// How long a password is remembered after it was verified.
const MEMORY: Duration = Duration::from_secs(300);
/// Wrong ones after which it is forgotten: to compare costs nothing and comes before the throttle,
/// and must not be the way to guess.
const GUESSES: u32 = 20;
/// How many are remembered. Whoever finds no room pays a derivation each time.
const MOST: usize = 4096;

/// The passwords, each for the household that it came from: elsewhere it has to be verified again.
pub(super) struct Remembered {
    key: Key,
    passwords: Mutex<HashMap<(IpAddr, String), Password>>,
}

struct Password {
    tag: Tag,
    until: Instant,
    guesses: u32,
}

impl Default for Remembered {
    fn default() -> Remembered {
        let key = Key::generate(HMAC_SHA256, &SystemRandom::new()).expect("the system gives random bytes");
        Remembered { key, passwords: Mutex::default() }
    }
}

impl Remembered {
    /// Was this verified lately? `hash` is what the users file says now: a line that was changed
    /// ends what was remembered of the one before.
    pub(super) fn knows(&self, household: IpAddr, user: &str, password: &Secret, hash: &str, now: Instant) -> bool {
        let tag = self.tag(user, password, hash);
        let mut passwords = self.passwords();
        let key = (household, user.to_string());
        let Some(known) = passwords.get_mut(&key).filter(|known| now < known.until) else { return false };
        if same(known.tag.as_ref(), tag.as_ref()) {
            return true;
        }
        known.guesses += 1;
        if known.guesses >= GUESSES {
            passwords.remove(&key);
        }
        false
    }

    /// This was verified just now.
    pub(super) fn remember(&self, household: IpAddr, user: &str, password: &Secret, hash: &str, now: Instant) {
        let tag = self.tag(user, password, hash);
        let mut passwords = self.passwords();
        passwords.retain(|_, known| now < known.until);
        let key = (household, user.to_string());
        if passwords.len() < MOST || passwords.contains_key(&key) {
            passwords.insert(key, Password { tag, until: now + MEMORY, guesses: 0 });
        }
    }

    fn tag(&self, user: &str, password: &Secret, hash: &str) -> Tag {
        let mut context = Context::with_key(&self.key);
        for part in [user, password.reveal(), hash] {
            // With the lengths, so that no two ways to part a text are the same.
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part.as_bytes());
        }
        context.sign()
    }

    fn passwords(&self) -> MutexGuard<'_, HashMap<(IpAddr, String), Password>> {
        // No change of the map can panic half-way.
        self.passwords.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 7));
    const ELSEWHERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 8));

    fn secret(text: &str) -> Secret {
        Secret::new(text.to_string())
    }

    fn remembering(now: Instant) -> Remembered {
        let remembered = Remembered::default();
        remembered.remember(HERE, "alice", &secret("right"), "$8$a$b", now);
        remembered
    }

    #[test]
    fn for_five_minutes_this_user_this_password_this_line_from_here() {
        let now = Instant::now();
        let remembered = remembering(now);
        let knows = |household, user, password, hash, seconds| {
            remembered.knows(household, user, &secret(password), hash, now + Duration::from_secs(seconds))
        };
        assert!(knows(HERE, "alice", "right", "$8$a$b", 0) && knows(HERE, "alice", "right", "$8$a$b", 299));
        assert!(!knows(HERE, "alice", "right", "$8$a$b", 300), "five minutes are over");
        assert!(!knows(HERE, "alice", "wrong", "$8$a$b", 0));
        assert!(!knows(HERE, "bob", "right", "$8$a$b", 0));
        assert!(!knows(HERE, "alice", "right", "$8$a$c", 0), "the line was changed");
        assert!(!knows(HERE, "alice", "right$8", "$a$b", 0), "parted elsewhere");
        assert!(!knows(ELSEWHERE, "alice", "right", "$8$a$b", 0));
    }

    #[test]
    fn what_is_guessed_at_is_forgotten() {
        let now = Instant::now();
        let remembered = remembering(now);
        let knows = |password| remembered.knows(HERE, "alice", &secret(password), "$8$a$b", now);
        for _ in 1..GUESSES {
            assert!(!knows("wrong"));
        }
        assert!(knows("right"));
        assert!(!knows("wrong") && !knows("right"));
    }

    #[test]
    fn the_memory_is_bounded() {
        let now = Instant::now();
        let remembered = remembering(now);
        for number in 0..MOST + 10 {
            remembered.remember(HERE, &number.to_string(), &secret("right"), "$8$a$b", now);
        }
        assert_eq!(remembered.passwords().len(), MOST);
        let later = now + MEMORY;
        remembered.remember(HERE, "bob", &secret("right"), "$8$a$b", later);
        assert_eq!(remembered.passwords().len(), 1);
    }

    #[test]
    fn each_process_has_a_key_of_its_own() {
        let tags = [Remembered::default(), Remembered::default()].map(|one| one.tag("alice", &secret("right"), ""));
        assert_ne!(tags[0].as_ref(), tags[1].as_ref());
    }
}
