//! `acmegw hook`: what an ACME client runs to have a challenge's TXT record set and removed.
//!
//! Its life under httpd, as measured: every catchable signal is blocked, stdin is closed, the
//! folder is `/`, and httpd reads stderr to its end. So it never leaves a child behind, and
//! stdout stays empty. An event always succeeds: mod_md would take a failure for a veto.

mod answer;
mod check;
pub mod dialect;
mod gateway;
mod logfile;
mod settings;

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use crate::challenge::{Action, Challenge};
use crate::config::{Config, Mistakes};
use crate::failure::Failure;
use crate::foreign::Foreign;
use crate::sys;
use dialect::Order;
use gateway::{Gateway, Patience};
use logfile::Logfile;
use settings::Settings;

pub use settings::SETTINGS;

/// How the hook was called, options taken off.
pub struct Call {
    pub words: Vec<OsString>,
    /// Prove the hook's side and change nothing (`-n`).
    pub configtest: bool,
}

/// Does what the words say. `config` may be missing or wrong: that is for each order to judge.
pub fn run(call: Call, config: Result<(Config, Mistakes), Failure>) -> Result<(), Failure> {
    // The only error of the call is a wrong argument, and there is none.
    let _ = sys::unblock_signals();
    if call.configtest {
        return check::run(&call.words, config, &mut io::stdout());
    }
    let log = Logfile::open(logfile_path(&config).as_deref());
    let outcome = obey(&call.words, config, &log);
    if let Err(failure) = &outcome {
        log.note(failure);
    }
    outcome
}

/// Where to log is known even when the rest of the configuration is wrong.
fn logfile_path(config: &Result<(Config, Mistakes), Failure>) -> Option<PathBuf> {
    config.as_ref().ok().and_then(|(config, _)| config.path("LOGFILE"))
}

fn obey(words: &[OsString], config: Result<(Config, Mistakes), Failure>, log: &Logfile) -> Result<(), Failure> {
    match dialect::read(words)? {
        Order::Change(challenges) => change(&challenges, config, log)?,
        Order::Event(text) => log.note(format_args!("event {}", Foreign(&text))),
        Order::Unknown(verb) => log.warn(format_args!("nothing is done for '{}', which is not known", Foreign(&verb))),
    }
    Ok(())
}

fn change(challenges: &[Challenge], config: Result<(Config, Mistakes), Failure>, log: &Logfile) -> Result<(), Failure> {
    let (config, mut mistakes) = config?;
    let settings = Settings::read(&config, &mut mistakes);
    let Settings { address, delay } = mistakes.finish(settings)?;
    let gateway = Gateway::new(address, log);
    for challenge in challenges {
        let answer = gateway.change(challenge, Patience::default())?;
        let request = answer::request(&answer);
        log.note(format_args!("{} {}: done{request}", challenge.action(), challenge.domain()));
    }
    if let Some(delay) = settling(challenges, delay) {
        log.note(format_args!("waiting {} seconds until the record is seen everywhere (DNS_DELAY)", delay.as_secs()));
        thread::sleep(delay);
    }
    Ok(())
}

/// How long to wait before the CA may look: only for what was set.
fn settling(challenges: &[Challenge], delay: Duration) -> Option<Duration> {
    let set = challenges.iter().any(|challenge| challenge.action() == Action::Setup);
    Some(delay).filter(|delay| set && !delay.is_zero())
}

#[cfg(test)]
mod tests;
