//! Root's rights, given up before the first byte comes from the network.
//!
//! The gateway needs none of them but for its sockets, and perhaps to read a key that only root
//! may read. Started as root it takes these and becomes RUN_AS_USER for good, before there is any
//! thread; without RUN_AS_USER it does not start as root.

use std::fs;
use std::path::Path;

use nix::errno::Errno;
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::stat::{Mode, umask};
use nix::unistd::{Gid, Uid, getegid, geteuid, getgid, getgroups, getuid, setegid, seteuid, setgid, setgroups, setuid};

use crate::config::{Config, Setting};
use crate::failure::Failure;
use crate::mistake::Mistake;
use crate::sys;

pub const SETTINGS: &[Setting] = &[Setting::new(
    "RUN_AS_USER",
    "",
    "whom the gateway becomes if it is started as root: a user's name or number, or UID:GID",
)];

/// Where users are looked up. Read by ourselves: the C library would load modules to do so, which
/// a static program cannot be sure to have.
const USERS: &str = "/etc/passwd";

/// A user with the primary group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct User {
    user: Uid,
    group: Gid,
}

/// With whose rights the gateway works.
#[derive(Debug, PartialEq, Eq)]
pub enum Rights {
    /// Those that it was started with, which are not root's.
    Own,
    /// Root's, because RUN_AS_USER says so.
    Root,
    /// Root's, until they are given up for this user's.
    Lesser(User),
}

impl Rights {
    /// Decides who the gateway will be. To be called before files are judged by their owner: from
    /// here on RUN_AS_USER's files are ours.
    pub fn read(config: &Config) -> Result<Rights, Mistake> {
        let user = config.parse("RUN_AS_USER", |text| {
            let users = fs::read(Path::new(USERS)).unwrap_or_default();
            find(text, &String::from_utf8_lossy(&users))
        })?;
        let rights = decide(geteuid(), user).map_err(|(what, remedy)| config.mistake("RUN_AS_USER", what, remedy))?;
        if let Rights::Lesser(User { user, .. }) = rights {
            sys::will_be(user.as_raw());
        }
        Ok(rights)
    }

    /// Gives root's rights up, if there are any and they are not to be kept. Without a way back;
    /// that there is none is tried.
    pub fn settle(&self) -> Result<(), Failure> {
        match self {
            Rights::Own => Ok(()),
            Rights::Root => {
                log::warn!("running as root, because RUN_AS_USER says so: a user of its own would do");
                Ok(())
            }
            Rights::Lesser(User { user, group }) => {
                become_for_good(*user, *group).map_err(|why| {
                    Failure::Failed(format!(
                        "cannot become user {user}, group {group} ({why}): start it as that user, or set RUN_AS_USER to another"
                    ))
                })?;
                log::info!("running as user {user}, group {group}");
                Ok(())
            }
        }
    }
}

/// What we write is for us alone, and a crash leaves no image of our memory, which holds secrets.
pub fn keep_to_ourselves() -> Result<(), Failure> {
    umask(Mode::S_IRWXG | Mode::S_IRWXO);
    setrlimit(Resource::RLIMIT_CORE, 0, 0)
        .map_err(|error| Failure::Failed(format!("core files cannot be switched off: {error}")))
}

fn decide(us: Uid, wanted: Option<User>) -> Result<Rights, (&'static str, &'static str)> {
    match wanted {
        None if us.is_root() => Err((
            "is not set, and the gateway does not run as root",
            "set it to a user of the gateway's own, or start the gateway as such a user",
        )),
        Some(wanted) if us.is_root() && !wanted.user.is_root() => Ok(Rights::Lesser(wanted)),
        Some(wanted) if wanted.user != us => {
            Err(("is another user than the one that runs this", "run it as that user, or as root"))
        }
        _ if us.is_root() => Ok(Rights::Root),
        _ => Ok(Rights::Own),
    }
}

/// A name or number out of the text of /etc/passwd, or `UID:GID` for a user who is not there. The
/// error is the remedy.
fn find(text: &str, users: &str) -> Result<User, String> {
    let user = |user: &str, group: &str| {
        Some(User { user: user.parse().map(Uid::from_raw).ok()?, group: group.parse().map(Gid::from_raw).ok()? })
    };
    if let Some((number, group)) = text.split_once(':') {
        return user(number, group).ok_or_else(|| "write numbers, such as 1001:1001".to_string());
    }
    let lines = users.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let mut fields = lines.filter(|fields| fields.len() == 7 && (fields[0] == text || fields[2] == text));
    let found = fields.find_map(|fields| user(fields[2], fields[3]));
    found.ok_or_else(|| format!("name a user of {USERS}, or write UID:GID"))
}

/// setgroups, setgid and setuid in this order: each needs what the next one takes.
fn become_for_good(user: Uid, group: Gid) -> Result<(), String> {
    let failed = |what: &'static str| move |error: Errno| format!("{what}: {error}");
    setgroups(&[group]).map_err(failed("setgroups"))?;
    setgid(group).map_err(failed("setgid"))?;
    setuid(user).map_err(failed("setuid"))?;
    let others = getgroups().map_err(failed("getgroups"))?.into_iter().filter(|one| *one != group).count();
    if (getuid(), geteuid(), getgid(), getegid(), others) != (user, user, group, group, 0) {
        return Err("some of root's rights stayed".to_string());
    }
    let root = (Uid::from_raw(0), Gid::from_raw(0));
    let regained = [setuid(root.0), seteuid(root.0)].into_iter().any(|result| result.is_ok())
        || group != root.1 && [setgid(root.1), setegid(root.1)].into_iter().any(|result| result.is_ok());
    if regained { Err("root's rights could be had back".to_string()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:*:0:0:Charlie &:/root:/bin/csh\n# comment\n1001:x:7:7::/:/bin/sh\n\
                          _acme:*:1001:1002:ACME gateway:/nonexistent:/usr/sbin/nologin\n_half:*:1003\n";

    fn user(user: u32, group: u32) -> User {
        User { user: Uid::from_raw(user), group: Gid::from_raw(group) }
    }

    #[test]
    fn a_user_is_found_by_name_by_number_or_is_two_numbers() {
        for (text, found) in
            [("root", user(0, 0)), ("_acme", user(1001, 1002)), ("0", user(0, 0)), ("12:34", user(12, 34))]
        {
            assert_eq!(find(text, PASSWD), Ok(found), "{text}");
        }
        for text in ["", "_Acme", "_half", "#", "# comment", "1003", "-1", "1:", ":1", "a:b", "1:2:3", "4294967296:1"] {
            assert!(find(text, PASSWD).is_err(), "{text}");
        }
    }

    #[test]
    fn only_root_becomes_somebody_else_and_stays_root_only_where_that_is_written() {
        let (root, own) = (Uid::from_raw(0), Uid::from_raw(1001));
        assert!(decide(root, None).is_err());
        assert_eq!(decide(root, Some(user(0, 0))), Ok(Rights::Root));
        assert_eq!(decide(root, Some(user(1001, 1002))), Ok(Rights::Lesser(user(1001, 1002))));
        assert_eq!(decide(own, None), Ok(Rights::Own));
        assert_eq!(decide(own, Some(user(1001, 1002))), Ok(Rights::Own));
        assert!(decide(own, Some(user(1003, 1003))).is_err() && decide(own, Some(user(0, 0))).is_err());
    }
}
