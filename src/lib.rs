//! acmegw: web servers get their ACME dns-01 certificates without the credentials of the DNS account.
//!
//! Five tools in one executable: [`serve`] is the gateway, [`hook`] what web servers run, [`passwd`]
//! keeps the users, [`enrol`] the accounts of acme-dns clients, and [`probe`] proves domains. They share
//! what lies below them and never import each other.
#![forbid(unsafe_code)]

pub mod account;
pub mod acmedns;
pub mod challenge;
pub mod cli;
pub mod clock;
pub mod config;
pub mod deadline;
pub mod dns;
pub mod enrol;
pub mod failure;
pub mod fault;
pub mod folder;
pub mod foreign;
pub mod gate;
pub mod gateway;
pub mod hook;
pub mod http;
pub mod ledger;
pub mod limits;
pub mod listen;
pub mod mistake;
mod nearest;
pub mod pair;
pub mod passwd;
pub mod probe;
pub mod program;
pub mod propagation;
pub mod provider;
#[cfg(test)]
mod random;
#[cfg(test)]
mod scratch;
pub mod secret;
pub mod serve;
pub mod settings;
pub mod state;
pub mod sys;
pub mod users;

use std::ffi::OsString;
use std::io::{ErrorKind, Write};
use std::path::Path;
use std::process::ExitCode;

use cli::{Invocation, Tool};
use config::{Config, Mistakes, Search};
use failure::Failure;

/// Does what the words say. The one place where a failure becomes an exit status.
pub fn run(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let invocation = match cli::parse(arguments) {
        Ok(invocation) => invocation,
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(error.exit_code() as u8);
        }
    };
    match dispatch(invocation) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // Nobody may be reading any more; that is no reason to panic.
            let stderr = std::io::stderr();
            for line in failure.to_string().lines() {
                let _ = writeln!(stderr.lock(), "acmegw: {line}");
            }
            failure.status()
        }
    }
}

fn dispatch(invocation: Invocation) -> Result<(), Failure> {
    let Invocation { dotenv, settings: arguments, tool } = invocation;
    let load = |file_name, last| {
        let search = Search { named: dotenv, file_name, last };
        // What is no UTF-8 is not passed over: its reader says what is wrong with it.
        let environment = |name: &str| std::env::var_os(name).map(|value| value.to_string_lossy().into_owned());
        Config::load(&settings::all(), arguments, environment, search)
    };
    match tool {
        Tool::Serve { configtest, called } => {
            let (config, mut mistakes) = load("dotenv", Some(Path::new("./.env")))?;
            start_log(&config, &mut mistakes);
            serve::run(serve::Call { configtest, called }, &config, mistakes)
        }
        Tool::Hook(call) => hook::run(call, load("acmegw-hook.conf", None)),
        Tool::Probe(call) => {
            // On the web server the hook's file is there, on the gateway its own.
            let is_web_server = config::is_there("acmegw-hook.conf");
            probe::run(call, load(if is_web_server { "acmegw-hook.conf" } else { "dotenv" }, None))
        }
        Tool::Acmedns(call) => enrol::run(call, load("dotenv", Some(Path::new("./.env")))),
        Tool::Providers(name) => print(&provider::list::list(name.as_deref())?),
        Tool::Passwd(call) => passwd::run(call, load("dotenv", Some(Path::new("./.env")))),
    }
}

/// Whoever reads no further than the first lines (head) is no failure.
fn print(text: &str) -> Result<(), Failure> {
    match std::io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Failure::Failed(format!("standard output: {error}")))
        }
        _ => Ok(()),
    }
}

/// The gateway's log: to stdout, one line an event; whoever supervises us keeps it.
fn start_log(config: &Config, mistakes: &mut Mistakes) {
    let words = ["error", "warn", "info", "debug", "trace"].map(|word| (word, word.parse().expect("a level's name")));
    let level = mistakes.note(config.required("LOG_LEVEL", config.choice("LOG_LEVEL", &words)));
    env_logger::Builder::new()
        .filter_level(log::LevelFilter::Warn)
        .filter_module("acmegw", level.unwrap_or(log::LevelFilter::Info))
        .target(env_logger::Target::Stdout)
        .format(|line, record| writeln!(line, "{} {:5} {}", clock::now(), record.level(), record.args()))
        .init();
}
