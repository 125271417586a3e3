//! acmegw: web servers get their ACME dns-01 certificates without the credentials of the DNS account.
#![forbid(unsafe_code)]

pub mod challenge;
pub mod config;
pub mod deadline;
pub mod dns;
pub mod failure;
pub mod folder;
pub mod foreign;
pub mod gate;
pub mod ledger;
pub mod passwd;
pub mod program;
pub mod provider;
#[cfg(test)]
mod scratch;
pub mod secret;
pub mod sys;
pub mod users;

use std::ffi::OsString;
use std::process::ExitCode;

pub fn run(_arguments: impl Iterator<Item = OsString>) -> ExitCode {
    ExitCode::SUCCESS
}
