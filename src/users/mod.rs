//! Who has a password: the users file, one `name:$8$salt$digest` a line.
//!
//! The gateway reads it anew for every password, so that it sees changes without a restart. A
//! file that is missing, empty, malformed or not to be trusted lets nobody in, and says why.

pub mod edit;
pub mod hash;

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::config::{Config, FILE_LIMIT, Mistake, Origin, Setting};
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

    /// Is it this user's password? Costs one derivation, also for a user who is not there.
    ///
    /// An error says that nobody's password can be judged, and what to do about it.
    pub fn verify(&self, user: &str, password: &Secret) -> Result<bool, Mistake> {
        let users = self.read()?;
        self.derivations.fetch_add(1, Ordering::Relaxed);
        Ok(users.verify(user, password))
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
        let text = sys::read_trusted(&self.path, FILE_LIMIT).map_err(|refusal| mistake(&self.path, 0, refusal))?;
        let users = Users::parse(&text).map_err(|(line, refusal)| mistake(&self.path, line, refusal))?;
        match users.is_empty() {
            false => Ok(users),
            true => Err(mistake(
                &self.path,
                0,
                Refusal::new("holds no user", format!("acmegw passwd -f {} add USER", self.path.display())),
            )),
        }
    }
}

/// The users file is at fault, in the line with this number; 0: as a whole.
fn mistake(path: &Path, line: usize, refusal: Refusal) -> Mistake {
    Mistake::new(Origin::File { path: Arc::from(path), line }, refusal.what, refusal.remedy)
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

    /// Is it this user's password? For a user who is not there the derivation is the first user's,
    /// so that the time does not tell (as long as all lines have the same number).
    fn verify(&self, user: &str, password: &Secret) -> bool {
        let found = self.find(user);
        let judged = found.or_else(|| self.users().next().map(|(_, hash)| hash));
        let matches = judged.is_some_and(|hash| hash.matches(password));
        found.is_some() && matches
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
