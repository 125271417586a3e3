//! Who is calling, and may they talk to us at all? The only place that makes a [`Caller`].
//!
//! The order of the checks: the address, which costs nothing; a password that was verified a moment
//! ago; the throttle; and a derivation last. The key of an acme-dns account costs no derivation.

use std::fmt;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use ipnet::IpNet;

use crate::acmedns::store::Store;
use crate::acmedns::{Account, Digest, Id};
use crate::config::{Config, Mistakes, Setting};
use crate::foreign::Foreign;
use crate::gate::claim::Claim;
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
    accounts: Store,
    /// Do requests come in the clear from anywhere? No key is taken then.
    in_the_clear: bool,
    remembered: Remembered,
    throttle: Throttle,
    derivations: Derivations,
}

/// Somebody who may talk to us: a user whose password was right, an acme-dns account whose key was
/// right, or an allowed host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    address: IpAddr,
    is_host: bool,
    is_allowed_host: bool,
    who: Who,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Who {
    Host,
    User(String),
    Account(Box<Account>),
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
    /// The account's key was wrong, or there is no such account.
    WrongKey { user: String },
    /// The account's key is right, and is not to be used from this address.
    Elsewhere { user: String, address: IpAddr },
    /// Keys are not taken where they could be read on the way.
    InTheClear,
    /// Wrong too often: nothing is tried before this time is over.
    TooManyFailures { user: String, wait: Duration },
    /// Others are having their passwords verified.
    Busy,
    /// The users file cannot be used: nobody is admitted by password until it is mended.
    Closed(Mistake),
}

impl Auth {
    /// Reads the rules. To admit everybody is no rule: without any, this is a mistake.
    pub fn read(config: &Config, mistakes: &mut Mistakes, accounts: Store) -> Option<Auth> {
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
        let (throttle, in_the_clear) = (Throttle::default(), false);
        Some(Auth { basic, hosts, users, accounts, in_the_clear, remembered, throttle, derivations })
    }

    /// Are passwords taken? Then they must not travel in the clear.
    pub fn takes_passwords(&self) -> bool {
        self.basic != Basic::Off
    }

    /// Are there addresses that could be told from others?
    pub fn knows_hosts(&self) -> bool {
        !self.hosts.is_empty()
    }

    /// Is any acme-dns account admitted?
    #[cfg(test)]
    pub fn takes_keys(&self) -> bool {
        !self.in_the_clear
    }

    /// From now on no acme-dns account is admitted: its key could be read on the way.
    pub fn take_no_keys(&mut self) {
        self.in_the_clear = true;
    }

    /// The users file, to be looked at when the gateway starts.
    pub fn users(&self) -> Option<&UsersFile> {
        self.users.as_ref()
    }

    /// Admits or denies.
    ///
    /// Under `sufficient` an allowed host is the host's address; only a password that was
    /// verified makes it the user. An account is never less than that: its key is right, or not.
    pub fn admit(&self, client: &Client, claim: Claim) -> Result<Caller, Denied> {
        let allowed = client.is_host() && contains(&self.hosts, client.address());
        let host =
            Caller { address: client.address(), is_host: client.is_host(), is_allowed_host: allowed, who: Who::Host };
        let needs_host = match self.basic {
            Basic::Off => true,
            Basic::Sufficient => false,
            Basic::Required => !self.hosts.is_empty(),
        };
        if needs_host && !allowed {
            return Err(Denied::Host(client.address()));
        }
        if let Claim::Account(username, key) = claim {
            return Ok(Caller { who: Who::Account(Box::new(self.account(client, &username, &key)?)), ..host });
        }
        let Some(users) = &self.users else { return Ok(host) };
        match self.user(users, client, claim) {
            Ok(user) => Ok(Caller { who: Who::User(user), ..host }),
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

    /// A key is compared at once, in constant time, and only wrong ones count: clients ask with the
    /// right one many times at the same moment, and how many wrong ones they can try is bounded by
    /// their requests in flight, which is nothing against 240 bits.
    fn account(&self, client: &Client, username: &Id, key: &Secret) -> Result<Account, Denied> {
        if self.in_the_clear {
            return Err(Denied::InTheClear);
        }
        let (user, household, now) = (username.to_string(), household(client.address()), Instant::now());
        if let Some(wait) = self.throttle.wait(household, &user, now) {
            return Err(Denied::TooManyFailures { user, wait });
        }
        let found = self.accounts.find(username);
        // Where there is no account the work is the same.
        let digest = found.as_ref().map_or_else(|| Digest::of(&Secret::new(String::new())), |found| found.key.clone());
        let Some(account) = found.filter(|_| digest.is_of(key)) else {
            let charged = self.throttle.charge(household, &user, now);
            return Err(match charged {
                Ok(()) => Denied::WrongKey { user },
                Err(wait) => Denied::TooManyFailures { user, wait },
            });
        };
        self.throttle.succeeded(household, &user);
        let is_at_home = client.is_host() && contains(&account.allow_from, client.address());
        match account.allow_from.is_empty() || is_at_home {
            true => Ok(account),
            false => Err(Denied::Elsewhere { user, address: client.address() }),
        }
    }

    /// The order decides what a guess costs us: a password that was right a moment ago costs
    /// nothing, one that comes too often nothing either, and only then is one derived.
    fn user(&self, users: &UsersFile, client: &Client, claim: Claim) -> Result<String, Denied> {
        let Claim::User(user, password) = claim else { return Err(Denied::NoPassword) };
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
    /// As the ledger keeps it: the user's name, that of the account, else the address.
    pub fn identity(&self) -> String {
        self.user().map_or_else(|| self.address.to_string(), str::to_string)
    }

    /// The user whose password was verified, or the account whose key was.
    pub fn user(&self) -> Option<&str> {
        match &self.who {
            Who::Host => None,
            Who::User(user) => Some(user),
            Who::Account(account) => Some(account.username.as_str()),
        }
    }

    /// The acme-dns account that asks, which may touch its own names only.
    pub fn account(&self) -> Option<&Account> {
        match &self.who {
            Who::Account(account) => Some(account),
            Who::Host | Who::User(_) => None,
        }
    }

    /// Is its address in ALLOWED_HOSTS, whoever asks from there?
    pub fn is_allowed_host(&self) -> bool {
        self.is_allowed_host
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
        let who = user.map_or(Who::Host, |user| Who::User(user.to_string()));
        Caller { address, is_host, is_allowed_host: false, who }
    }

    #[cfg(test)]
    pub fn of_host(address: IpAddr, is_allowed_host: bool) -> Caller {
        Caller { is_allowed_host, ..Caller::at(address, true, None) }
    }

    #[cfg(test)]
    pub fn of_account(account: &Account) -> Caller {
        let host = Caller::at(IpAddr::from([127, 0, 0, 1]), true, None);
        Caller { who: Who::Account(Box::new(account.clone())), ..host }
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
            Denied::WrongKey { user } => {
                write!(f, "the key of the account {} is wrong, or there is no such account", Foreign(user))
            }
            Denied::Elsewhere { user, address } => {
                write!(f, "the account {} is not to be used from {address}, by its allowfrom", Foreign(user))
            }
            Denied::InTheClear => f.write_str("no key of an account is taken over plain HTTP that is not on loopback"),
            Denied::TooManyFailures { user, wait } => {
                let seconds = wait.as_secs() + 1;
                write!(f, "too many wrong passwords of '{}' from this address: wait {seconds} s", Foreign(user))
            }
            Denied::Busy => f.write_str("too many passwords are being verified"),
            Denied::Closed(reason) => write!(f, "nobody is admitted by password: {reason}"),
        }
    }
}

fn nobody(config: &Config) -> Mistake {
    config.mistake(
        "BASIC_AUTH",
        "is off and ALLOWED_HOSTS is empty, so that nobody could be told from anybody",
        "list the web servers in ALLOWED_HOSTS, or set BASIC_AUTH = required and add users with acmegw passwd",
    )
}

#[cfg(test)]
mod tests;
