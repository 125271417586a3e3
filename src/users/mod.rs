//! Who has a password: the users file, one `name:$8$salt$digest` a line.
//!
//! The gateway reads it anew for every password, so that it sees changes without a restart. A
//! file that is missing, empty, malformed or not to be trusted lets nobody in, and says why.

pub mod edit;
pub mod hash;
mod thread;

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::config::{Config, FILE_LIMIT, Setting};
use crate::mistake::Mistake;
use crate::secret::Secret;
use crate::sys::{self, Refusal};
use hash::Hash;

/// Where the users file is.
pub const SETTINGS: &[Setting] =
    &[Setting::new("PASSWD_FILE", "", "the users file; not set: acmepasswd beside the configuration file")];

/// The longest line (bytes). Names have at most [`NAME_LIMIT`], hashes about 70.
const LINE_LIMIT: usize = 1024;

/// The longest name of a new user (bytes).
pub const NAME_LIMIT: usize = 64;

/// Where `serve` and `passwd` look for the users file. None: there is neither PASSWD_FILE nor a
/// configuration file beside which it could be.
pub fn path(config: &Config) -> Option<PathBuf> {
    config.path("PASSWD_FILE").or_else(|| Some(config.folder()?.join("acmepasswd")))
}

/// Why a text cannot be the name of a new user; reads on after "… is".
pub fn check_name(name: &str) -> Result<(), &'static str> {
    let fault = |bad: bool, reason| if bad { Err(reason) } else { Ok(()) };
    fault(name.is_empty(), "empty")?;
    fault(name.len() > NAME_LIMIT, "longer than 64 characters")?;
    // Basic authentication has no character set of its own (RFC 7617 section 2.1).
    fault(!name.bytes().all(|b| b.is_ascii_graphic()), "not made of visible ASCII characters, without blanks, alone")?;
    fault(name.contains([':', '$']), "not possible with a ':' or a '$', which part the fields of the users file")?;
    fault(name.starts_with('#'), "not possible with a '#' in front, which begins comments")
}

/// The users file, as the gateway asks it.
pub struct UsersFile {
    path: PathBuf,
    derivations: AtomicU64,
}

impl UsersFile {
    pub fn at(path: PathBuf) -> UsersFile {
        UsersFile { path, derivations: AtomicU64::new(0) }
    }

    /// The user as the file has it now, for a password to be judged.
    ///
    /// An error says that nobody's password can be judged, and what to do about it.
    pub fn candidate(&self, user: &str) -> Result<Candidate<'_>, Mistake> {
        let users = self.read()?;
        let found = users.find(user);
        let is_user = found.is_some();
        // For a user who is not there the first one's hash is tried, so that the time does not tell
        // (as long as all lines have the same number).
        let tried = found.or_else(|| users.users().next().map(|(_, hash)| hash)).cloned();
        Ok(Candidate { file: self, is_user, tried })
    }

    /// Can passwords be judged? For the start of the gateway and `-n`.
    pub fn check(&self) -> Result<(), Mistake> {
        self.read().map(drop)
    }

    /// How many derivations were paid for so far.
    pub fn derivations(&self) -> u64 {
        self.derivations.load(Ordering::Relaxed)
    }

    fn read(&self) -> Result<Users, Mistake> {
        if !self.path.exists() {
            let remedy = format!("acmegw passwd -f {} add USER", self.path.display());
            return Err(Refusal::new("does not exist", remedy).at(&self.path, 0));
        }
        let text = sys::read_trusted(&self.path, FILE_LIMIT).map_err(|refusal| refusal.at(&self.path, 0))?;
        let users = Users::parse(&text).map_err(|(line, refusal)| refusal.at(&self.path, line))?;
        match users.is_empty() {
            false => Ok(users),
            true => Err(Refusal::new("holds no user", format!("acmegw passwd -f {} add USER", self.path.display()))
                .at(&self.path, 0)),
        }
    }
}

/// Somebody who says to be a user.
pub struct Candidate<'a> {
    file: &'a UsersFile,
    is_user: bool,
    tried: Option<Hash>,
}

impl Candidate<'_> {
    /// Is it this user's password? Costs one derivation, also for a user who is not there.
    pub fn matches(&self, password: &Secret) -> bool {
        self.file.derivations.fetch_add(1, Ordering::Relaxed);
        self.tried.as_ref().is_some_and(|hash| hash.matches(password)) && self.is_user
    }

    /// The hash in the user's own line; None for a user who is not there.
    pub fn line(&self) -> Option<String> {
        self.tried.as_ref().filter(|_| self.is_user).map(Hash::to_string)
    }
}

/// What is in a users file: its users, and the comments and blank lines around them.
#[derive(Default)]
pub struct Users {
    lines: Vec<Line>,
}

/// A line as it is written, and the user in it, if it is not a comment or blank.
struct Line {
    text: String,
    user: Option<(String, Hash)>,
}

impl Users {
    /// Reads it; what is neither user, comment nor blank is refused with its line number.
    fn parse(text: &str) -> Result<Users, (usize, Refusal)> {
        let mut users = Users::default();
        let mut names = HashSet::new();
        for (index, text) in text.split_terminator('\n').enumerate() {
            let line = Line::parse(text).map_err(|refusal| (index + 1, refusal))?;
            if let Some((name, _)) = &line.user
                && !names.insert(name.clone())
            {
                return Err((index + 1, Refusal::new("this user is there twice", "keep one of the two lines")));
            }
            users.lines.push(line);
        }
        Ok(users)
    }

    /// The names, in the order of the file.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.users().map(|(name, _)| name)
    }

    pub fn find(&self, user: &str) -> Option<&Hash> {
        self.users().find(|(name, _)| *name == user).map(|(_, hash)| hash)
    }

    /// Gives the user this password: in the user's own line, or in a new one at the end.
    pub fn set(&mut self, user: &str, hash: Hash) {
        let line = Line { text: format!("{user}:{hash}"), user: Some((user.to_string(), hash)) };
        match self.lines.iter_mut().find(|line| line.is_of(user)) {
            Some(old) => *old = line,
            None => self.lines.push(line),
        }
    }

    pub fn remove(&mut self, user: &str) {
        self.lines.retain(|line| !line.is_of(user));
    }

    fn is_empty(&self) -> bool {
        self.users().next().is_none()
    }

    fn users(&self) -> impl Iterator<Item = (&str, &Hash)> {
        self.lines.iter().filter_map(|line| line.user.as_ref()).map(|(name, hash)| (name.as_str(), hash))
    }

    /// The file's text: what was not changed stays byte for byte.
    fn text(&self) -> String {
        self.lines.iter().flat_map(|line| [line.text.as_str(), "\n"]).collect()
    }
}

impl Line {
    fn parse(text: &str) -> Result<Line, Refusal> {
        // The line itself is never shown: it holds a hash, or is the rest of some other file's secret.
        let remedy = "write user:$8$salt$digest as acmegw passwd does, or begin comments with #";
        if text.len() > LINE_LIMIT {
            return Err(Refusal::new(format!("longer than {LINE_LIMIT} bytes"), remedy));
        }
        let content = text.strip_suffix('\r').unwrap_or(text);
        if content.trim().is_empty() || content.starts_with('#') {
            return Ok(Line { text: text.to_string(), user: None });
        }
        let (name, hash) = match content.split_once(':') {
            Some((name, hash)) if !name.is_empty() && !name.contains('$') => (name, hash),
            _ => return Err(Refusal::new("not a line of the form user:$8$salt$digest", remedy)),
        };
        let hash = Hash::parse(hash).map_err(|error| Refusal::new(error.to_string(), remedy))?;
        Ok(Line { text: text.to_string(), user: Some((name.to_string(), hash)) })
    }

    fn is_of(&self, user: &str) -> bool {
        self.user.as_ref().is_some_and(|(name, _)| name == user)
    }
}

#[cfg(test)]
mod properties;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;
    use std::os::unix::fs::PermissionsExt;

    // Made with Python 3.11, as in hash.rs: the password is "pässword: $with everything".
    const ALICE: &str = "alice:$8$AAECAwQFBgcICQoLDA0ODw$MzOOhrUHOP8zkhzDYswqN99FKYAcDOCwUaGU8yyqMF8";

    fn secret(text: &str) -> Secret {
        Secret::new(text.to_string())
    }

    fn right() -> Secret {
        secret("pässword: $with everything")
    }

    fn verify(file: &UsersFile, user: &str, password: &Secret) -> Result<bool, Mistake> {
        Ok(file.candidate(user)?.matches(password))
    }

    #[test]
    fn an_unknown_user_costs_a_derivation_too() {
        let scratch = Scratch::new();
        let file = UsersFile::at(scratch.file("acmepasswd", &format!("{ALICE}\n")));
        assert_eq!(verify(&file, "alice", &right()), Ok(true));
        assert_eq!(verify(&file, "alice", &secret("wrong")), Ok(false));
        assert_eq!(file.derivations(), 2);
        // The first user's password does not open the door for anybody else.
        for unknown in ["bob", "", "Alice", "alice:", "alic"] {
            assert_eq!(verify(&file, unknown, &right()), Ok(false), "{unknown:?}");
        }
        assert_eq!(file.derivations(), 7);
    }

    #[test]
    fn changes_are_seen_without_a_restart() {
        let scratch = Scratch::new();
        let file = UsersFile::at(scratch.file("acmepasswd", &format!("{ALICE}\n")));
        assert_eq!(verify(&file, "alice", &right()), Ok(true));
        scratch.file("acmepasswd", &ALICE.replace("alice", "bob"));
        assert_eq!(verify(&file, "alice", &right()), Ok(false));
        assert_eq!(verify(&file, "bob", &right()), Ok(true));
    }

    #[test]
    fn a_file_that_is_not_in_order_closes_the_gate_and_says_where() {
        let scratch = Scratch::new();
        let path = scratch.path().join("acmepasswd");
        let fault = |text: &str| {
            scratch.file("acmepasswd", text);
            let file = UsersFile::at(path.clone());
            let fault = verify(&file, "alice", &right()).unwrap_err().to_string();
            assert_eq!(file.check().unwrap_err().to_string(), fault);
            assert_eq!(file.derivations(), 0, "nothing is derived for nothing");
            fault.strip_prefix(&path.display().to_string()).unwrap().to_string()
        };
        assert!(fault("").contains(": holds no user: acmegw passwd -f "));
        assert!(fault("# alice:\n\n").contains("holds no user"));
        assert!(fault(&format!("{ALICE}\nhunter2\n")).starts_with(":2: not a line of the form"));
        assert!(!fault(&format!("{ALICE}\nhunter2\n")).contains("hunter2"));
        assert!(fault(&format!("{ALICE}\nbob:$1$abc$def\n")).starts_with(":2: neither $8$"));
        assert!(fault(&format!("{ALICE}\n:{}\n", &ALICE[6..])).starts_with(":2: not a line"));
        assert!(fault(&format!("#\n{ALICE}\n{ALICE}\n")).starts_with(":3: this user is there twice"));
        assert!(fault(&format!("{ALICE}\n#{}\n", "x".repeat(LINE_LIMIT))).starts_with(":2: longer than 1024"));
        assert!(fault(&format!("{ALICE}\n{}", "#\n".repeat(1 << 19))).contains("longer than 1048576 bytes"));
        scratch.file("acmepasswd", ALICE);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o660)).unwrap();
        assert!(UsersFile::at(path.clone()).check().unwrap_err().to_string().contains("chmod go-w"));
        std::fs::remove_file(&path).unwrap();
        assert!(verify(&UsersFile::at(path), "alice", &right()).is_err());
    }

    #[test]
    fn the_gateway_takes_no_file_of_a_third_user() {
        if !nix::unistd::geteuid().is_root() {
            eprintln!("SKIPPED: only root can try a file of another user");
            return;
        }
        let scratch = Scratch::new();
        let path = scratch.file("acmepasswd", ALICE);
        std::os::unix::fs::chown(&path, Some(12345), None).unwrap();
        assert!(UsersFile::at(path).check().unwrap_err().to_string().contains("belongs to user 12345"));
    }

    #[test]
    fn what_is_not_changed_stays_byte_for_byte() {
        let text = format!("# who\r\n\n{ALICE}\r\nbob smith{}\n  \n", &ALICE[5..]);
        let mut users = Users::parse(&text).unwrap_or_else(|(line, _)| panic!("line {line}"));
        assert_eq!(users.names().collect::<Vec<_>>(), ["alice", "bob smith"]);
        assert_eq!(users.text(), text);
        let hash = || Hash::parse(&ALICE[6..]).ok().unwrap();
        users.set("carol", hash());
        users.set("bob smith", hash());
        users.remove("alice");
        let carol = ALICE.replace("alice", "carol");
        assert_eq!(users.text(), format!("# who\r\n\nbob smith{}\n  \n{carol}\n", &ALICE[5..]));
    }

    #[test]
    fn names_of_new_users_fit_the_file_and_the_header() {
        let long = "x".repeat(NAME_LIMIT + 1);
        for bad in ["", "a:b", "a$b", "a b", " a", "a\t", "a\n", "\u{7f}", "jörg", "#a", &long] {
            assert!(check_name(bad).is_err(), "{bad:?}");
        }
        for good in ["alice", "a@example.com", "a-b_c.d", "-", &long[1..]] {
            assert_eq!(check_name(good), Ok(()), "{good:?}");
        }
    }
}
