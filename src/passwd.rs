//! `acmegw passwd`: adds, changes, deletes, verifies and lists the users of the gateway.
//!
//! What a script may want (names, a generated password) goes to stdout and nothing else does;
//! what happened, and to which file, goes to stderr.

use std::io::{self, BufRead, Write};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::{SecureRandom, SystemRandom};
use zeroize::Zeroizing;

use crate::config::{Config, Mistakes};
use crate::failure::Failure;
use crate::foreign::Foreign;
use crate::mistake::Mistake;
use crate::secret::Secret;
use crate::users::edit::{Edit, look};
use crate::users::hash::Hash;
use crate::users::{self, check_name};

/// The longest password (bytes); the gateway's door takes no longer header line than this fits in.
const PASSWORD_LIMIT: usize = 1024;

/// Bytes of a generated password: 256 bits, which nobody guesses.
const GENERATED: usize = 32;

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    Add,
    Change,
    Delete,
    Verify,
    List,
}

/// The command line, as it was written.
#[derive(Debug)]
pub struct Call {
    pub action: Action,
    pub user: Option<String>,
    /// `-f`: the users file. No configuration is needed then.
    pub file: Option<PathBuf>,
    /// `-i`: the password is the first line of stdin.
    pub stdin: bool,
    /// `-g`: the password is made up and printed.
    pub generate: bool,
}

/// Does what was asked. `config` is looked at only where `-f` names no file.
pub fn run(call: Call, config: Result<(Config, Mistakes), Failure>) -> Result<(), Failure> {
    check(&call)?;
    let place = place(&call, config)?;
    let user = call.user.as_deref().unwrap_or_default();
    match call.action {
        Action::Add => set(&place, user, false, || password(&call), &mut io::stdout()),
        Action::Change => set(&place, user, true, || password(&call), &mut io::stdout()),
        Action::Delete => delete(&place.path, user),
        Action::Verify => verify(&place.path, user, || password(&call)),
        Action::List => list(&place.path, &mut io::stdout()),
    }
}

/// Which words and options go together.
fn check(call: &Call) -> Result<(), Failure> {
    let usage = |bad: bool, text: &str| if bad { Err(Failure::Usage(text.to_string())) } else { Ok(()) };
    let takes_password = matches!(call.action, Action::Add | Action::Change | Action::Verify);
    usage(call.action == Action::List && call.user.is_some(), "passwd list takes no user: it lists them all")?;
    usage(call.action != Action::List && call.user.is_none(), "name a user: acmegw passwd ACTION USER")?;
    usage(call.stdin && call.generate, "-i and -g exclude each other: read the password or make one up")?;
    usage(call.stdin && !takes_password, "-i goes with add, change and verify only: the others need no password")?;
    usage(
        call.generate && !matches!(call.action, Action::Add | Action::Change),
        "-g goes with add and change only: the others set no password",
    )?;
    match call.user.as_deref().filter(|_| call.action == Action::Add) {
        Some(name) => check_name(name)
            .map_err(|reason| Failure::Usage(format!("the name '{}' is {reason}: choose another one", Foreign(name)))),
        None => Ok(()),
    }
}

/// The users file, and whether somebody named it, so that it may be created.
struct Place {
    path: PathBuf,
    is_named: bool,
}

fn place(call: &Call, config: Result<(Config, Mistakes), Failure>) -> Result<Place, Failure> {
    if let Some(path) = &call.file {
        return Ok(Place { path: path.clone(), is_named: true });
    }
    let (config, mistakes) = config?;
    // A mistyped PASSWD_FILE would lead to another file than the gateway's.
    mistakes.finish(Some(()))?;
    let nowhere = || Failure::Usage("no configuration file was found: name the users file with -f FILE".to_string());
    let path = users::path(&config).ok_or_else(nowhere)?;
    Ok(Place { path, is_named: config.is_set("PASSWD_FILE") })
}

/// Adds a user, or changes the password of one.
fn set(
    place: &Place,
    user: &str,
    change: bool,
    password: impl FnOnce() -> Result<Password, Failure>,
    output: &mut impl Write,
) -> Result<(), Failure> {
    let path = place.path.display();
    if !place.is_named && !change && !place.path.exists() {
        return Err(Failure::Usage(format!(
            "{path} does not exist: to create it, name it with -f {path} or set PASSWD_FILE"
        )));
    }
    let mut edit = Edit::begin(&place.path, !change).map_err(failed)?;
    match edit.users.find(user) {
        Some(_) if !change => return Err(fault(&place.path, user, "is there already: use acmegw passwd change")),
        None if change => return Err(fault(&place.path, user, "is not there: use acmegw passwd add")),
        _ => {}
    }
    let password = password()?;
    edit.users.set(user, Hash::of(password.secret()));
    let created = edit.created();
    edit.save().map_err(failed)?;
    if let Some(attributes) = created {
        eprintln!(
            "created {path}, owner {}, mode {:04o}: the user that the gateway runs as has to be able to read it",
            attributes.owner, attributes.mode
        );
    }
    eprintln!("{} {} in {path}", if change { "changed the password of" } else { "added" }, Foreign(user));
    if let Password::Generated(secret) = password {
        writeln!(output, "{}", secret.reveal()).and_then(|()| output.flush()).map_err(|error| {
            Failure::Failed(format!("the password was set, but cannot be shown ({error}): use acmegw passwd change -g"))
        })?;
    }
    Ok(())
}

fn delete(path: &Path, user: &str) -> Result<(), Failure> {
    let mut edit = Edit::begin(path, false).map_err(failed)?;
    if edit.users.find(user).is_none() {
        return Err(fault(path, user, "is not there: acmegw passwd list shows who is"));
    }
    edit.users.remove(user);
    edit.save().map_err(failed)?;
    eprintln!("deleted {} from {}", Foreign(user), path.display());
    Ok(())
}

fn verify(path: &Path, user: &str, password: impl FnOnce() -> Result<Password, Failure>) -> Result<(), Failure> {
    let users = look(path).map_err(failed)?;
    let Some(hash) = users.find(user) else {
        return Err(fault(path, user, "is not there: acmegw passwd list shows who is"));
    };
    match hash.matches(password()?.secret()) {
        true => eprintln!("the password of {} in {} is right", Foreign(user), path.display()),
        false => return Err(fault(path, user, "has another password")),
    }
    Ok(())
}

fn list(path: &Path, output: &mut impl Write) -> Result<(), Failure> {
    let users = look(path).map_err(failed)?;
    users
        .names()
        .try_for_each(|name| writeln!(output, "{}", Foreign(name)))
        .and_then(|()| output.flush())
        .map_err(|error| Failure::Failed(format!("the names cannot be shown ({error})")))
}

/// A password, and whether its user knows it yet.
enum Password {
    Chosen(Secret),
    Generated(Secret),
}

impl Password {
    fn secret(&self) -> &Secret {
        match self {
            Password::Chosen(secret) | Password::Generated(secret) => secret,
        }
    }
}

/// From where the call says: made up, one line of stdin, or asked for at the terminal.
fn password(call: &Call) -> Result<Password, Failure> {
    if call.generate {
        return Ok(Password::Generated(generate()));
    }
    let secret = match call.stdin {
        true => first_line(io::stdin().lock())?,
        false => ask(call.action != Action::Verify, |prompt| rpassword::prompt_password(prompt))?,
    };
    check_password(&secret)?;
    Ok(Password::Chosen(secret))
}

fn generate() -> Secret {
    let mut bytes = Zeroizing::new([0; GENERATED]);
    SystemRandom::new().fill(&mut *bytes).expect("the system gives random bytes");
    Secret::new(URL_SAFE_NO_PAD.encode(*bytes))
}

/// The first line without its line feed; what follows it is not read.
fn first_line(input: impl BufRead) -> Result<Secret, Failure> {
    let mut line = Zeroizing::new(Vec::with_capacity(PASSWORD_LIMIT + 2));
    input
        .take(PASSWORD_LIMIT as u64 + 2)
        .read_until(b'\n', &mut line)
        .map_err(|error| Failure::Failed(format!("stdin cannot be read ({error})")))?;
    let text = std::str::from_utf8(line.strip_suffix(b"\n").unwrap_or(&line));
    match text {
        Ok(text) => Ok(Secret::new(text.to_string())),
        Err(_) => Err(Failure::Failed("the password on stdin is not UTF-8 text: write it in UTF-8".to_string())),
    }
}

/// Asks at the terminal, without echo; a new password twice.
fn ask(is_new: bool, mut prompt: impl FnMut(&str) -> io::Result<String>) -> Result<Secret, Failure> {
    let mut prompt = |text| {
        prompt(text).map(Secret::new).map_err(|error| {
            let remedy = if is_new { "-i reads it from stdin, -g makes one up" } else { "-i reads it from stdin" };
            Failure::Failed(format!("the terminal cannot be asked for the password ({error}): {remedy}"))
        })
    };
    if !is_new {
        return prompt("Password: ");
    }
    let password = prompt("New password: ")?;
    match password.reveal() == prompt("The same again: ")?.reveal() {
        true => Ok(password),
        false => Err(Failure::Failed("the two are not the same: nothing was changed, try again".to_string())),
    }
}

/// Basic authentication cannot carry control characters (RFC 7617 section 2).
fn check_password(password: &Secret) -> Result<(), Failure> {
    let text = password.reveal();
    let reason = if text.is_empty() {
        "is empty: choose one, or let -g make one up"
    } else if text.len() > PASSWORD_LIMIT {
        "is longer than 1024 bytes: choose a shorter one"
    } else if text.ends_with('\r') {
        "ends in a carriage return, as lines of DOS text do: write the line without it"
    } else if text.chars().any(char::is_control) {
        "holds a control character: choose one without"
    } else {
        return Ok(());
    };
    Err(Failure::Failed(format!("the password {reason}")))
}

fn fault(path: &Path, user: &str, what: &str) -> Failure {
    Failure::Failed(format!("{}: user {} {what}", path.display(), Foreign(user)))
}

fn failed(mistake: Mistake) -> Failure {
    Failure::Failed(mistake.to_string())
}

#[cfg(test)]
mod tests;
