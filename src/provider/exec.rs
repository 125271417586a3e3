//! `exec`: any program as a DNS provider.
//!
//! It is called as `PROGRAM setup|teardown FQDN VALUE`, FQDN being the record's owner name without
//! trailing dot (`_acme-challenge.example.com`), in `/`, without input. Its environment holds PATH,
//! DNSAPI_USERNAME, DNSAPI_PASSWORD and DNSAPI_URL where they are set, and what DNSAPI_PASS names;
//! nothing else. Its stderr goes into the log, its stdout nowhere. Exit 0 says that the value is set
//! or gone, 75 that nobody knows, anything else that nothing was changed. It is never called twice at once.
//!
//! `acme.sh:dns_xxx` and `python:MODULE` are the same with a shipped script filled in ([`script`]).

mod acmesh;
mod home;
mod python;
mod script;

use std::cmp::Reverse;
use std::io::{self, ErrorKind};
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
use home::Home;
use script::Script;

pub(super) use script::{is_class, is_one as is_script};

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
    Setting::new("ACMESH_HOME", "", "with acme.sh:dns_xxx: the folder that holds acme.sh and dnsapi/"),
    Setting::new(
        "DNSAPI_PYTHONPATH",
        "",
        "with python:MODULE: the folder of your modules (default: python beside the file)",
    ),
];

/// Lines of one run's stderr that are logged.
const LINES: usize = 50;

/// A shorter one is not blotted out of stderr: it would blot out half of the text.
const SECRET: usize = 4;

/// No number of <sysexits.h> that a program gives by chance: EX_TEMPFAIL.
const NOT_KNOWN: i32 = 75;

struct Exec {
    program: PathBuf,
    /// What the setting that names it is called in this account.
    setting: String,
    /// What else has to be there, and be nobody's to change but root's and ours.
    trusted: Vec<PathBuf>,
    /// Whose changes are serialised: the program's, or those of the script that it runs.
    service: String,
    /// What is no secret: DNSAPI_USERNAME, DNSAPI_URL.
    open: Vec<(&'static str, String)>,
    /// DNSAPI_PASSWORD and what DNSAPI_PASS names.
    secret: Vec<(String, Secret)>,
    /// What it finds on its input.
    input: Option<Secret>,
    /// What is in there and is not to be seen in its words either.
    blotted: Option<(String, Secret)>,
    /// Under which name it is told of a folder for this one run.
    home: Option<&'static str>,
    /// What is legal but unwise.
    warnings: Vec<String>,
}

impl Exec {
    fn read(config: &Config) -> Result<Exec, Mistake> {
        let exec = match script::of(config)? {
            None => Exec::own(config),
            Some(Script::AcmeSh(name)) => acmesh::read(config, &name),
            Some(Script::Python { module, class }) => python::read(config, &module, &class),
        }?;
        exec.look().map_err(|Unfit { path, refusal }| {
            let what = format!("= {}: {}", path.display(), refusal.what);
            config.mistake(if path == exec.program { "DNSAPI_PROGRAM" } else { "DNSAPI_MODULE" }, what, refusal.remedy)
        })?;
        Ok(exec)
    }

    /// The administrator's own program.
    fn own(config: &Config) -> Result<Exec, Mistake> {
        let program = config.required("DNSAPI_PROGRAM", Ok(config.path("DNSAPI_PROGRAM")))?;
        let open = ["DNSAPI_USERNAME", "DNSAPI_URL"];
        let open = open.into_iter().filter_map(|name| Some((name, config.text(name)?.to_string()))).collect();
        let password = config.secret("DNSAPI_PASSWORD")?.map(|password| ("DNSAPI_PASSWORD".to_string(), password));
        let secret = password.into_iter().chain(config.named("DNSAPI_PASS")?).collect();
        Ok(Exec { open, ..Exec::running(config, program, secret) })
    }

    /// A program with just these secrets in its environment.
    fn running(config: &Config, program: PathBuf, mut secret: Vec<(String, Secret)>) -> Exec {
        // The longest first: blotting out a part of it would leave the rest.
        secret.sort_by_key(|(_, secret)| Reverse(secret.reveal().len()));
        Exec {
            setting: config.real_name("DNSAPI_PROGRAM").into_owned(),
            service: program.display().to_string(),
            program,
            secret,
            trusted: Vec::new(),
            open: Vec::new(),
            input: None,
            blotted: None,
            home: None,
            warnings: Vec::new(),
        }
    }

    /// May what is run be run? Asked each time: whoever may rename things in its folder could have
    /// put another one there.
    fn look(&self) -> Result<(), Unfit> {
        check(&self.program).map_err(|refusal| Unfit { path: self.program.clone(), refusal })?;
        let wrong = |path: &PathBuf| Some(Unfit { path: path.clone(), refusal: script::check(path).err()? });
        self.trusted.iter().find_map(wrong).map_or(Ok(()), Err)
    }

    fn run(&self, permit: &Permit, deadline: Deadline) -> Result<Receipt, Fault> {
        let program = self.program.display();
        self.look().map_err(|Unfit { path, refusal }| {
            Fault::Refused(format!("{}: {}: {}", path.display(), refusal.what, refusal.remedy))
        })?;
        if deadline.left().is_none() {
            return Err(Fault::Busy(format!("{program}: no time was left to start it"), None));
        }
        let (action, owner) = (permit.action().to_string(), permit.owner());
        let mut stderr = Stderr::default();
        let home = self.home.map(|name| Ok((name, Home::new()?))).transpose();
        let home = home.map_err(|error: io::Error| {
            Fault::Busy(format!("{program} cannot be given a folder for temporary files ({error})"), None)
        })?;
        let own = home.iter().map(|(name, home)| (*name, home.as_str()));
        let open = self.open.iter().map(|(name, value)| (*name, value.as_str()));
        let secret = self.secret.iter().map(|(name, value)| (name.as_str(), value.reveal()));
        let words = [action.as_str(), owner.as_str(), permit.value().as_str()];
        let ending =
            program::run(&self.program, &words, secret.chain(open).chain(own), self.input.as_ref(), deadline, |line| {
                stderr.take(self.without_secrets(line), |line| log::info!("{program} {action} {owner}: {line}"));
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
    fn without_secrets(&self, line: &str) -> String {
        let secrets = self.secret.iter().chain(&self.blotted).filter(|(_, secret)| secret.reveal().len() >= SECRET);
        secrets.fold(line.to_string(), |line, (name, secret)| line.replace(secret.reveal(), &format!("[{name}]")))
    }
}

impl Provider for Exec {
    fn check(&self) -> Result<(), Failure> {
        self.look().map_err(|Unfit { path, refusal }| {
            let setting = if path == self.program { format!("{} = ", self.setting) } else { String::new() };
            let what = format!("{setting}{}: {}", path.display(), refusal.what);
            Failure::Config(vec![Mistake::new(Origin::Default, what, refusal.remedy)])
        })
    }

    fn start(&self) -> Result<(), Failure> {
        if self.home.is_some() {
            home::remove_stale();
        }
        Ok(())
    }

    fn warnings(&self) -> &[String] {
        &self.warnings
    }

    fn zone(&self, _owner: &Name, _deadline: Deadline) -> Result<Zone, Fault> {
        Ok(Zone { service: self.service.clone(), name: None, key: String::new() })
    }

    fn apply(&self, _zone: &Zone, changes: &[Permit], deadline: Deadline) -> Vec<Result<Receipt, Fault>> {
        changes.iter().map(|permit| self.run(permit, deadline)).collect()
    }
}

/// What may not be run, and why.
struct Unfit {
    path: PathBuf,
    refusal: Refusal,
}

/// A program that ended by a signal was in the middle of something.
fn verdict(program: &Path, status: ExitStatus, last: &str) -> Fault {
    let text = format!("{} failed ({status}): {}", program.display(), Foreign(last));
    match status.code() {
        Some(NOT_KNOWN) | None => Fault::Unknown(text),
        Some(_) => Fault::Refused(text),
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
pub(super) mod store;
#[cfg(test)]
mod tests;
