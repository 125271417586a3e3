//! `exec`: any program as a DNS provider.
//!
//! It is called as `PROGRAM setup|teardown FQDN VALUE`, FQDN being the record's owner name without
//! trailing dot (`_acme-challenge.example.com`), in `/`, without input. Its environment holds PATH,
//! DNSAPI_USERNAME, DNSAPI_PASSWORD and DNSAPI_URL where they are set, and what DNSAPI_PASS names;
//! nothing else. Its stderr goes into the log, its stdout nowhere. Exit 0 says that the value is set
//! or gone; anything else that nothing was changed. It is never called twice at once.

use std::cmp::Reverse;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;

use crate::challenge::Name;
use crate::config::{Config, Setting};
use crate::deadline::Deadline;
use crate::failure::Failure;
use crate::fault::Fault;
use crate::foreign::Foreign;
use crate::gate::scope::Permit;
use crate::mistake::{Mistake, Origin};
use crate::program::{self, Ending};
use crate::provider::{Provider, Receipt, Row, Zone};
use crate::secret::Secret;
use crate::sys::{self, Refusal};

pub const ROW: Row = Row {
    name: "exec",
    predecessor: None,
    about: "any program, called as PROGRAM setup|teardown FQDN VALUE",
    experimental: false,
    documentation: None,
    settings: &[SETTINGS],
    build: |config, mistakes, _| mistakes.note(Exec::read(config)).map(|exec| Box::new(exec) as Box<dyn Provider>),
};

const SETTINGS: &[Setting] = &[
    Setting::new("DNSAPI_PROGRAM", "", "the program that sets and removes records, with its whole path").required(),
    Setting::names("DNSAPI_PASS", "the names of what else the program finds in its environment"),
    Setting::new("DNSAPI_USERNAME", "", "given to the program"),
    Setting::secret("DNSAPI_PASSWORD", "given to the program"),
    Setting::new("DNSAPI_URL", "", "given to the program"),
];

/// Lines of one run's stderr that are logged.
const LINES: usize = 50;

/// A shorter one is not blotted out of stderr: it would blot out half of the text.
const SECRET: usize = 4;

struct Exec {
    program: PathBuf,
    /// What the setting that names it is called in this account.
    setting: String,
    /// What is no secret: DNSAPI_USERNAME, DNSAPI_URL.
    open: Vec<(&'static str, String)>,
    /// DNSAPI_PASSWORD and what DNSAPI_PASS names.
    secret: Vec<(String, Secret)>,
}

impl Exec {
    fn read(config: &Config) -> Result<Exec, Mistake> {
        let program = config.required("DNSAPI_PROGRAM", Ok(config.path("DNSAPI_PROGRAM")))?;
        check(&program).map_err(|refusal| {
            config.mistake("DNSAPI_PROGRAM", format_args!("= {}: {}", program.display(), refusal.what), refusal.remedy)
        })?;
        let open = ["DNSAPI_USERNAME", "DNSAPI_URL"];
        let open = open.into_iter().filter_map(|name| Some((name, config.text(name)?.to_string()))).collect();
        let password = config.secret("DNSAPI_PASSWORD")?.map(|password| ("DNSAPI_PASSWORD".to_string(), password));
        let mut secret: Vec<_> = password.into_iter().chain(config.named("DNSAPI_PASS")?).collect();
        // The longest first: blotting out a part of it would leave the rest.
        secret.sort_by_key(|(_, secret)| Reverse(secret.reveal().len()));
        Ok(Exec { program, setting: config.real_name("DNSAPI_PROGRAM").into_owned(), open, secret })
    }

    fn run(&self, permit: &Permit, deadline: Deadline) -> Result<Receipt, Fault> {
        let program = self.program.display();
        // Asked each time: whoever may rename things in its folder could have put another one there.
        check(&self.program)
            .map_err(|refusal| Fault::Refused(format!("{program}: {}: {}", refusal.what, refusal.remedy)))?;
        if deadline.left().is_none() {
            return Err(Fault::Busy(format!("{program}: no time was left to start it"), None));
        }
        let (action, owner) = (permit.action().to_string(), permit.owner());
        let mut stderr = Stderr::default();
        let open = self.open.iter().map(|(name, value)| (*name, value.as_str()));
        let secret = self.secret.iter().map(|(name, value)| (name.as_str(), value.reveal()));
        let words = [action.as_str(), owner.as_str(), permit.value().as_str()];
        let ending = program::run(&self.program, &words, open.chain(secret), deadline, |line| {
            stderr.take(self.blotted(line), |line| log::info!("{program} {action} {owner}: {line}"));
        });
        let last = stderr.last.unwrap_or_else(|| "it gave no reason on stderr".to_string());
        match ending {
            Ok(Ending::Exited(status)) if status.success() => Ok(Receipt::default()),
            Ok(Ending::Exited(status)) => Err(verdict(&self.program, status, &last)),
            Ok(Ending::Killed(why)) => Err(Fault::Unknown(format!("{program} was killed {why}: {}", Foreign(&last)))),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::ExecutableFileBusy) => {
                Err(Fault::Busy(format!("{program} cannot be started now ({error})"), None))
            }
            Err(error) => {
                let remedy = "is it a binary of this machine, or a script whose first line names its interpreter?";
                Err(Fault::Refused(format!("{program} cannot be started ({error}): {remedy}")))
            }
        }
    }

    /// The line with the name in place of each secret: what a program says ends up in logs and answers.
    fn blotted(&self, line: &str) -> String {
        let secrets = self.secret.iter().filter(|(_, secret)| secret.reveal().len() >= SECRET);
        secrets.fold(line.to_string(), |line, (name, secret)| line.replace(secret.reveal(), &format!("[{name}]")))
    }
}

impl Provider for Exec {
    fn check(&self) -> Result<(), Failure> {
        check(&self.program).map_err(|refusal| {
            let what = format!("{} = {}: {}", self.setting, self.program.display(), refusal.what);
            Failure::Config(vec![Mistake::new(Origin::Default, what, refusal.remedy)])
        })
    }

    fn zone(&self, _owner: &Name, _deadline: Deadline) -> Result<Zone, Fault> {
        Ok(Zone { service: self.program.display().to_string(), name: None, key: String::new() })
    }

    fn apply(&self, _zone: &Zone, changes: &[Permit], deadline: Deadline) -> Vec<Result<Receipt, Fault>> {
        changes.iter().map(|permit| self.run(permit, deadline)).collect()
    }
}

/// A program that ended by a signal was in the middle of something.
fn verdict(program: &Path, status: ExitStatus, last: &str) -> Fault {
    let text = format!("{} failed ({status}): {}", program.display(), Foreign(last));
    match status.code() {
        Some(_) => Fault::Refused(text),
        None => Fault::Unknown(text),
    }
}

fn check(program: &Path) -> Result<(), Refusal> {
    if !program.is_absolute() {
        return Err(Refusal::new("not a whole path", "write it with a / in front"));
    }
    let metadata = program.metadata().map_err(|error| sys::unreadable(program, &error))?;
    if !metadata.is_file() {
        return Err(Refusal::new("not a regular file", "name a program"));
    }
    sys::trusted(program, &metadata)?;
    match metadata.mode() & 0o111 != 0 && sys::executable(program) {
        true => Ok(()),
        false => Err(Refusal::new("not executable for us", format!("chmod a+rx {}", program.display()))),
    }
}

/// What of a run's stderr is kept.
#[derive(Default)]
struct Stderr {
    count: usize,
    last: Option<String>,
}

impl Stderr {
    fn take(&mut self, line: String, log: impl Fn(&dyn std::fmt::Display)) {
        self.count += 1;
        match self.count {
            ..=LINES => log(&Foreign(&line)),
            _ if self.count == LINES + 1 => log(&"more lines than are logged"),
            _ => {}
        }
        self.last = Some(line);
    }
}

#[cfg(test)]
pub(super) mod tests;
