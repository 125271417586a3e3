//! `acmegw hook`: what an ACME client runs to have a challenge's TXT record set and removed.
//!
//! Its life under httpd, as measured: every catchable signal is blocked, stdin is closed, the
//! folder is `/`, and httpd reads stderr to its end. So it never leaves a child behind, and
//! stdout stays empty, but for what certbot has to read. An event always succeeds: mod_md would
//! take a failure for a veto.

mod carry_out;
mod check;
pub mod dialect;
mod logfile;
mod settings;
mod settle;

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::PathBuf;

use crate::config::{Config, Mistakes};
use crate::failure::Failure;
use crate::foreign::Foreign;
use crate::gateway::Gateway;
use crate::http::Trust;
use crate::sys;
use dialect::{Change, Order, Row};
use logfile::Logfile;
use settings::Settings;
use settle::Terms;

pub use settings::SETTINGS;

/// How the hook was called, options taken off.
pub struct Call {
    pub words: Vec<OsString>,
    /// Who calls, where the words do not say it (`--as`).
    pub client: Option<&'static Row>,
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
    // What is no UTF-8 is no domain and no value: its reader says so.
    let environment = |name: &str| std::env::var_os(name).map(|value| value.to_string_lossy().into_owned());
    let outcome = obey(&call, &environment, config, &log, &mut io::stdout());
    if let Err(failure) = &outcome {
        log.note(failure);
    }
    outcome
}

/// Where to log is known even when the rest of the configuration is wrong.
fn logfile_path(config: &Result<(Config, Mistakes), Failure>) -> Option<PathBuf> {
    config.as_ref().ok().and_then(|(config, _)| config.path("LOGFILE"))
}

fn obey(
    call: &Call,
    environment: &dyn Fn(&str) -> Option<String>,
    config: Result<(Config, Mistakes), Failure>,
    log: &Logfile,
    out: &mut impl Write,
) -> Result<(), Failure> {
    match dialect::read(call.client, &call.words, environment)? {
        Order::Change(wanted) => change(&wanted, config, log, out)?,
        Order::Event(text) => log.note(format_args!("event {}", Foreign(&text))),
        Order::Decline(why) => return Err(Failure::Failed(why)),
        Order::Unknown(verb) => log.warn(format_args!("nothing is done for '{}', which is not known", Foreign(&verb))),
    }
    Ok(())
}

fn change(
    change: &Change,
    config: Result<(Config, Mistakes), Failure>,
    log: &Logfile,
    out: &mut impl Write,
) -> Result<(), Failure> {
    if let Some(marker) = &change.marker {
        // Whoever does not listen does not need it.
        let _ = writeln!(out, "{marker}").and_then(|()| out.flush());
    }
    let (config, mut mistakes) = config?;
    let settings = Settings::read(&config, &mut mistakes);
    let Settings { address, delay, unconfirmed } = mistakes.finish(settings)?;
    if let Trust::Anything = address.trust {
        log.warn("API_INSECURE = yes: whoever answers is taken for the gateway and sees the password");
    }
    let gateway = Gateway::new(address);
    carry_out::carry_out(change, &gateway, &Terms::new(delay, unconfirmed), log)
}

#[cfg(test)]
mod tests;
