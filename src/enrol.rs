//! `acmegw acmedns`: makes, lists and deletes accounts for acme-dns clients.
//!
//! What a client needs, its key included, goes to stdout and nothing else does; what was done, and
//! what is left to do in the DNS, goes to stderr. A running gateway sees every change at once.

use std::io::{self, Write};

use ipnet::IpNet;

use crate::account;
use crate::acmedns::store::Store;
use crate::acmedns::{Account, Id, NAMES, NETWORKS, network};
use crate::challenge::Name;
use crate::clock;
use crate::config::{Config, Mistakes};
use crate::failure::Failure;
use crate::foreign::Foreign;
use crate::secret::Secret;
use crate::state;
use crate::sys::Refusal;

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    Add,
    List,
    Delete,
}

/// The command line, as it was written.
#[derive(Debug)]
pub struct Call {
    pub action: Action,
    /// To add: domains. To delete: users.
    pub names: Vec<String>,
    /// `-s`: one account for all names.
    pub shared: bool,
    /// `-a`: the networks from which it may be used.
    pub allow_from: Vec<String>,
}

/// A new account, and its key, which is nowhere else.
type New = (Account, Secret);

/// Does what was asked.
pub fn run(call: Call, config: Result<(Config, Mistakes), Failure>) -> Result<(), Failure> {
    check(&call)?;
    let (config, mistakes) = config?;
    let (config, folder) = Mistakes::finish_with(mistakes, config)?;
    Ok(())
}
