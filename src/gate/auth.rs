//! Who is calling, and may they talk to us at all? The only place that makes a [`Caller`].
//!
//! The order of the checks: the address, which costs nothing; a password that was verified a moment
//! ago; the throttle; and a derivation last.

use std::fmt;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use ipnet::IpNet;

use crate::config::{Config, Mistakes, Setting};
use crate::foreign::Foreign;
use crate::gate::derivations::Derivations;
use crate::gate::peer::Client;
use crate::gate::remembered::Remembered;
use crate::gate::throttle::Throttle;
use crate::gate::{contains, household, network};
use crate::mistake::Mistake;
use crate::secret::Secret;
use crate::users::{self, UsersFile};

pub const SETTINGS: &[Setting] = &[
    Setting::new("BASIC_AUTH", "none", "none, disabled, sufficient (host or password) or required (both)"),
    Setting::new("ALLOWED_HOSTS", "", "clients by address: addresses and networks, by commas"),
];

/// The words of BASIC_AUTH.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Basic {
    /// Only the address counts.
    Off,
    /// An allowed address or a password.
    Sufficient,
    /// A password, and an allowed address where ALLOWED_HOSTS is set.
    Required,
}

/// The rules by which callers are admitted.
pub struct Auth {
    basic: Basic,
    hosts: Vec<IpNet>,
    users: Option<UsersFile>,
    remembered: Remembered,
    throttle: Throttle,
    derivations: Derivations,
}

/// Somebody who may talk to us: a user whose password was right, or an allowed host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    address: IpAddr,
    is_host: bool,
    user: Option<String>,
}

/// Why somebody is not admitted.
#[derive(Debug, PartialEq, Eq)]
pub enum Denied {
    /// The address is not in ALLOWED_HOSTS, and no password would change that.
    Host(IpAddr),
    /// A user name and password are needed.
    NoPassword,
    /// They were wrong.
    WrongPassword { user: String },
    /// Wrong too often: nothing is tried before this time is over.
    TooManyFailures { user: String, wait: Duration },
    /// Others are having their passwords verified.
    Busy,
    /// The users file cannot be used: nobody is admitted by password until it is mended.
    Closed(Mistake),
}

impl Auth {
    /// Reads the rules. To admit everybody is no rule: without any, this is a mistake.
    pub fn read(config: &Config, mistakes: &mut Mistakes) -> Option<Auth> {
        let words = [
            ("none", Basic::Off),
            ("disabled", Basic::Off),
            ("sufficient", Basic::Sufficient),
            ("required", Basic::Required),
        ];
        let basic = mistakes.note(config.required("BASIC_AUTH", config.choice("BASIC_AUTH", &words)));
        let hosts = mistakes.note(config.list("ALLOWED_HOSTS", network));
        let (basic, hosts) = (basic?, hosts?);
        let users = match basic {
            Basic::Off if hosts.is_empty() => {
                mistakes.push(nobody(config));
                return None;
            }
            Basic::Off => None,
            Basic::Sufficient | Basic::Required => {
                let nowhere = || config.mistake("PASSWD_FILE", "is not set", "name the users file");
                Some(UsersFile::at(mistakes.note(users::path(config).ok_or_else(nowhere))?))
            }
        };
        let (remembered, derivations) = (Remembered::default(), Derivations::new());
        Some(Auth { basic, hosts, users, remembered, throttle: Throttle::default(), derivations })
    }

    /// Are passwords taken? Then they must not travel in the clear.
    pub fn takes_passwords(&self) -> bool {
        self.basic != Basic::Off
    }

    /// The users file, to be looked at when the gateway starts.
    pub fn users(&self) -> Option<&UsersFile> {
        self.users.as_ref()
    }

    /// Admits or denies. `authorization` is the header as it came.
    ///
    /// Under `sufficient` an allowed host is the host's address; only a password that was
    /// verified makes it the user.
    pub fn admit(&self, client: &Client, authorization: Option<&str>) -> Result<Caller, Denied> {
        let allowed = client.is_host() && contains(&self.hosts, client.address());
        let host = Caller { address: client.address(), is_host: client.is_host(), user: None };
        let Some(users) = &self.users else {
            return if allowed { Ok(host) } else { Err(Denied::Host(client.address())) };
        };
        if self.basic == Basic::Required && !self.hosts.is_empty() && !allowed {
            return Err(Denied::Host(client.address()));
        }
        match self.user(users, client, authorization) {
            Ok(user) => Ok(Caller { user: Some(user), ..host }),
            Err(Denied::NoPassword) if allowed && self.basic == Basic::Sufficient => Ok(host),
            // Not yet known to be the user or not: who a caller is must not depend on how busy we are.
            Err(Denied::Busy) => Err(Denied::Busy),
            Err(denied) if allowed && self.basic == Basic::Sufficient => {
                log::warn!("client={} is admitted by its address only: {denied}", client.address());
                Ok(host)
            }
            Err(denied) => Err(denied),
        }
    }

    /// The order decides what a guess costs us: a password that was right a moment ago costs
    /// nothing, one that comes too often nothing either, and only then is one derived.
    fn user(&self, users: &UsersFile, client: &Client, authorization: Option<&str>) -> Result<String, Denied> {
        let (user, password) = authorization.and_then(credentials).ok_or(Denied::NoPassword)?;
        let (household, now) = (household(client.address()), Instant::now());
        let candidate = users.candidate(&user).map_err(|mistake| {
            log::error!("nobody is admitted by password: {mistake}");
            Denied::Closed(mistake)
        })?;
        let line = candidate.line();
        let knows = || line.as_ref().is_some_and(|line| self.remembered.knows(household, &user, &password, line, now));
        let too_many = |wait| Denied::TooManyFailures { user: user.clone(), wait };
        if !knows() {
            self.throttle.wait(household, &user, now).map_or(Ok(()), |wait| Err(too_many(wait)))?;
            let _place = self.derivations.take(household).ok_or(Denied::Busy)?;
            // Whoever had to wait may have been verified, or have failed, in the meantime.
            if !knows() {
                self.throttle.charge(household, &user, now).map_err(too_many)?;
                if !candidate.matches(&password) {
                    return Err(Denied::WrongPassword { user });
                }
                line.iter().for_each(|line| self.remembered.remember(household, &user, &password, line, now));
            }
        }
        self.throttle.succeeded(household, &user);
        Ok(user)
    }
}

impl Caller {
    /// As the ledger keeps it: the user's name, else the address.
    pub fn identity(&self) -> String {
        self.user.clone().unwrap_or_else(|| self.address.to_string())
    }

    /// The user whose password was verified.
    pub fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }

    /// The address, where the caller may be judged by it: not that of a proxy which did not say for
    /// whom it asks.
    pub fn host(&self) -> Option<IpAddr> {
        Some(self.address).filter(|_| self.is_host)
    }

    #[cfg(test)]
    pub fn for_tests(user: &str) -> Caller {
        Caller::at(IpAddr::from([127, 0, 0, 1]), true, Some(user))
    }

    #[cfg(test)]
    pub fn at(address: IpAddr, is_host: bool, user: Option<&str>) -> Caller {
        Caller { address, is_host, user: user.map(str::to_string) }
    }
}

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Denied::Host(address) => write!(f, "the address {address} is not in ALLOWED_HOSTS"),
            Denied::NoPassword => f.write_str("a user name and a password are needed"),
            Denied::WrongPassword { user } => {
                write!(f, "the password of '{}' is wrong, or there is no such user", Foreign(user))
            }
            Denied::TooManyFailures { user, wait } => {
                let seconds = wait.as_secs() + 1;
                write!(f, "too many wrong passwords of '{}' from this address: wait {seconds} s", Foreign(user))
            }
            Denied::Busy => f.write_str("too many passwords are being verified"),
            Denied::Closed(reason) => write!(f, "nobody is admitted by password: {reason}"),
        }
    }
}

/// User and password out of a header of the Basic scheme (RFC 7617): the first colon separates
/// them, the password may hold more.
fn credentials(header: &str) -> Option<(String, Secret)> {
    let (scheme, encoded) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = Secret::new(String::from_utf8(BASE64_STANDARD.decode(encoded.trim()).ok()?).ok()?);
    let (user, password) = decoded.reveal().split_once(':')?;
    Some((user.to_string(), Secret::new(password.to_string())))
}

fn nobody(config: &Config) -> Mistake {
    config.mistake(
        "BASIC_AUTH",
        "is off and ALLOWED_HOSTS is empty, so that nobody could be told from anybody",
        "list the web servers in ALLOWED_HOSTS, or set BASIC_AUTH = required and add users with acmegw passwd",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Search;
    use crate::gate::peer::Proxies;
    use crate::scratch::Scratch;

    /// alice's password is `secret` (made with Python's hashlib: scrypt, n=16384, r=8, p=1, the salt 16 zero bytes).
    const USERS: &str = "alice:$8$AAAAAAAAAAAAAAAAAAAAAA$aLJr313a4S4tKM+skUSPwmGcnRd98oRU1CnCPv6T4/Q\n";

    fn auth(folder: &Scratch, settings: &[(&'static str, &str)]) -> Auth {
        let known = [crate::config::SETTINGS, SETTINGS, crate::gate::peer::SETTINGS, users::SETTINGS].concat();
        let file = folder.file("acmepasswd", USERS).display().to_string();
        let mut arguments = vec![("PASSWD_FILE", "test", file)];
        arguments.extend(settings.iter().map(|(name, value)| (*name, "test", value.to_string())));
        let search = Search { named: None, file_name: "no such file", last: None };
        let (config, mut mistakes) = Config::load(&known, arguments, |_| None, search).unwrap();
        let auth = Auth::read(&config, &mut mistakes);
        mistakes.finish(auth).unwrap()
    }

    fn client(address: &str) -> Client {
        let search = Search { named: None, file_name: "no such file", last: None };
        let config = Config::load(crate::gate::peer::SETTINGS, Vec::new(), |_| None, search).unwrap().0;
        Proxies::read(&config, &mut Mistakes::default()).unwrap().client(address.parse().unwrap(), &[])
    }

    fn basic(user: &str, password: &str) -> String {
        format!("Basic {}", BASE64_STANDARD.encode(format!("{user}:{password}")))
    }

    /// What an attempt gives, and how many derivations it costs.
    fn costs(auth: &Auth, address: &str, header: Option<&str>) -> (Result<Option<String>, Denied>, u64) {
        let before = auth.users().map_or(0, UsersFile::derivations);
        let outcome = auth.admit(&client(address), header).map(|caller| caller.user().map(str::to_string));
        (outcome, auth.users().map_or(0, UsersFile::derivations) - before)
    }

    const HERE: &str = "192.0.2.7";

    #[test]
    fn a_right_password_is_paid_for_once_and_a_wrong_one_each_time() {
        let folder = Scratch::new();
        let auth = auth(&folder, &[("BASIC_AUTH", "required")]);
        let alice = || Ok(Some("alice".to_string()));
        let right = basic("alice", "secret");
        assert_eq!(costs(&auth, HERE, Some(&right)), (alice(), 1));
        assert_eq!(costs(&auth, HERE, Some(&right)), (alice(), 0));
        assert_eq!(costs(&auth, "2001:db8::1", Some(&right)), (alice(), 1), "elsewhere it is verified again");
        assert_eq!(costs(&auth, "2001:db8::ffff:1", Some(&right)), (alice(), 0), "the same household");
        let wrong = |user: &str| Err(Denied::WrongPassword { user: user.to_string() });
        assert_eq!(costs(&auth, HERE, Some(&basic("alice", "Secret"))), (wrong("alice"), 1));
        assert_eq!(
            costs(&auth, HERE, Some(&basic("nobody", "secret"))),
            (wrong("nobody"), 1),
            "an unknown user costs too"
        );
        assert_eq!(costs(&auth, HERE, None), (Err(Denied::NoPassword), 0));
        folder.file("acmepasswd", &USERS.replace("alice", "bob"));
        assert_eq!(
            costs(&auth, HERE, Some(&right)),
            (wrong("alice"), 1),
            "a change of the file ends what is remembered"
        );
    }

    #[test]
    fn after_five_failures_nothing_is_derived_any_more_for_that_pair() {
        let folder = Scratch::new();
        let auth = auth(&folder, &[("BASIC_AUTH", "required")]);
        for _ in 0..5 {
            assert_eq!(costs(&auth, HERE, Some(&basic("alice", "wrong"))).1, 1);
        }
        for password in ["wrong", "secret"] {
            let (outcome, derivations) = costs(&auth, HERE, Some(&basic("alice", password)));
            assert!(matches!(outcome, Err(Denied::TooManyFailures { .. })), "{outcome:?}");
            assert_eq!(derivations, 0);
        }
        let right = basic("alice", "secret");
        assert!(costs(&auth, "192.0.2.8", Some(&right)).0.is_ok(), "not locked out from elsewhere");
    }

    /// The web server goes on while somebody behind its address guesses, and what is remembered is
    /// no way to guess past the throttle.
    #[test]
    fn a_remembered_password_is_good_while_its_pair_waits_but_not_to_be_guessed_at() {
        let folder = Scratch::new();
        let auth = auth(&folder, &[("BASIC_AUTH", "required")]);
        let (right, wrong) = (basic("alice", "secret"), basic("alice", "wrong"));
        assert!(costs(&auth, HERE, Some(&right)).0.is_ok());
        let guesses: u64 = (0..6).map(|_| costs(&auth, HERE, Some(&wrong)).1).sum();
        assert_eq!(guesses, 5);
        assert_eq!(costs(&auth, HERE, Some(&right)), (Ok(Some("alice".to_string())), 0));
        let guesses: u64 = (0..100).map(|_| costs(&auth, HERE, Some(&wrong)).1).sum();
        assert_eq!(guesses, 5, "its success cleared the five before");
        let (outcome, derivations) = costs(&auth, HERE, Some(&right));
        assert!(matches!(outcome, Err(Denied::TooManyFailures { .. })) && derivations == 0, "forgotten: {outcome:?}");
    }

    #[test]
    fn guesses_at_the_same_time_are_no_more_than_one_after_the_other() {
        let folder = Scratch::new();
        let auth = auth(&folder, &[("BASIC_AUTH", "required")]);
        let wrong = basic("alice", "wrong");
        let guess = || auth.admit(&client(HERE), Some(&wrong));
        // Whoever is told that we are busy tries again.
        std::thread::scope(|scope| {
            (0..8).for_each(|_| drop(scope.spawn(|| (0..20).for_each(|_| drop(guess())))));
        });
        (0..20).for_each(|_| drop(guess()));
        assert_eq!(auth.users().unwrap().derivations(), 5);
    }

    /// It was let past the throttle before, when there was nothing to wait for yet.
    #[test]
    fn a_guess_that_waited_for_its_turn_while_others_failed_is_not_derived() {
        let folder = Scratch::new();
        let auth = auth(&folder, &[("BASIC_AUTH", "required")]);
        let wrong = basic("alice", "wrong");
        let at_work = auth.derivations.occupy();
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| costs(&auth, HERE, Some(&wrong)));
            while auth.derivations.waiting() == 0 {
                std::thread::yield_now();
            }
            let household = household(HERE.parse().unwrap());
            (0..5).for_each(|_| auth.throttle.charge(household, "alice", Instant::now()).unwrap());
            drop(at_work);
            assert!(matches!(waiting.join().unwrap(), (Err(Denied::TooManyFailures { .. }), 0)));
        });
    }

    /// Else the same web server would be now its user and now its address.
    #[test]
    fn an_allowed_host_that_has_to_wait_is_not_taken_for_its_address() {
        let folder = Scratch::new();
        let auth = auth(&folder, &[("BASIC_AUTH", "sufficient"), ("ALLOWED_HOSTS", HERE)]);
        let right = basic("alice", "secret");
        let _full = auth.derivations.fill();
        assert_eq!(costs(&auth, HERE, Some(&right)), (Err(Denied::Busy), 0));
        assert_eq!(costs(&auth, HERE, None), (Ok(None), 0));
    }

    #[test]
    fn an_address_that_is_not_allowed_costs_nothing() {
        let folder = Scratch::new();
        let right = basic("alice", "secret");
        let required = auth(&folder, &[("BASIC_AUTH", "required"), ("ALLOWED_HOSTS", "192.0.2.8")]);
        assert_eq!(costs(&required, HERE, Some(&right)), (Err(Denied::Host(HERE.parse().unwrap())), 0));
        let sufficient = auth(&folder, &[("BASIC_AUTH", "sufficient"), ("ALLOWED_HOSTS", HERE)]);
        assert_eq!(costs(&sufficient, HERE, None), (Ok(None), 0));
        assert_eq!(costs(&sufficient, HERE, Some(&right)), (Ok(Some("alice".to_string())), 1));
    }
}
