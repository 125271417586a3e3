//! Who is calling, and may they talk to us at all? The only place that makes a [`Caller`].
//!
//! The order of the checks: the address first, which costs nothing; the password after it.

use std::fmt;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use ipnet::IpNet;

use crate::config::{Config, Mistakes, Setting};
use crate::foreign::Foreign;
use crate::gate::peer::Client;
use crate::gate::{contains, network};
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
    /// One derivation at a time: each takes 16 MiB and a core for some 50 ms.
    derivation: Mutex<()>,
}

/// Somebody who may talk to us: a user whose password was right, or an allowed host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    address: IpAddr,
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
        Some(Auth { basic, hosts, users, derivation: Mutex::default() })
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
        let host = Caller { address: client.address(), user: None };
        let Some(users) = &self.users else {
            return if allowed { Ok(host) } else { Err(Denied::Host(client.address())) };
        };
        if self.basic == Basic::Required && !self.hosts.is_empty() && !allowed {
            return Err(Denied::Host(client.address()));
        }
        match self.user(users, authorization) {
            Ok(user) => Ok(Caller { user: Some(user), ..host }),
            Err(Denied::NoPassword) if allowed && self.basic == Basic::Sufficient => Ok(host),
            Err(denied) if allowed && self.basic == Basic::Sufficient => {
                log::warn!("client={} is admitted by its address only: {denied}", client.address());
                Ok(host)
            }
            Err(denied) => Err(denied),
        }
    }

    fn user(&self, users: &UsersFile, authorization: Option<&str>) -> Result<String, Denied> {
        let (user, password) = authorization.and_then(credentials).ok_or(Denied::NoPassword)?;
        let _turn = self.derivation.lock().unwrap_or_else(PoisonError::into_inner);
        match users.verify(&user, &password) {
            Ok(true) => Ok(user),
            Ok(false) => Err(Denied::WrongPassword { user }),
            Err(mistake) => Err(Denied::Closed(mistake)),
        }
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

    #[cfg(test)]
    pub fn for_tests(user: &str) -> Caller {
        Caller { address: IpAddr::from([127, 0, 0, 1]), user: Some(user.to_string()) }
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
