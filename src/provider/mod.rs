//! The DNS services: one trait, one table, one row and one file each.
//!
//! A provider takes nothing but [`Permit`]s, which only the scope check makes, so that no code
//! path reaches a DNS account without it. Adding one touches two places: its own file here and
//! its row in [`PROVIDERS`].

use std::sync::Arc;

use crate::challenge::Name;
use crate::config::{Config, Mistakes, Setting};
use crate::deadline::Deadline;
use crate::failure::Failure;
use crate::fault::Fault;
use crate::gate::scope::Permit;
use crate::ledger::Ledger;

pub mod azure;
pub mod cloudflare;
#[cfg(test)]
pub(crate) mod conformance;
pub mod desec;
pub mod digitalocean;
pub mod embedded;
pub mod exec;
pub mod gandi;
pub mod googlecloud;
pub mod hetzner;
pub mod list;
pub mod openprovider;
pub mod ovh;
pub mod powerdns;
pub mod rest;
pub mod rfc2136;
pub mod route53;
#[cfg(test)]
mod rows;

/// One DNS account at a service.
///
/// Both actions are idempotent, touch TXT records at the permit's owner name only, and never
/// touch another value there. A record is found again by name and value, never by an id kept in
/// memory. No method outlives the deadline by more than a moment.
pub trait Provider: Send + Sync {
    /// Takes the addresses that it serves at by itself (the embedded DNS server). Called once, while
    /// we may still be root; starts no thread.
    ///
    /// Errors name the setting and the address, and say what to do.
    fn bind(&self) -> Result<(), Failure> {
        Ok(())
    }

    /// Can it work with the rights that we have now, for good?
    fn check(&self) -> Result<(), Failure> {
        Ok(())
    }

    /// Starts what serves by itself. Called once, after [`Provider::bind`], before the first request.
    fn start(&self) -> Result<(), Failure> {
        Ok(())
    }

    /// What is legal but unwise about how it is configured; said at the start and by `-n`.
    fn warnings(&self) -> &[String] {
        &[]
    }

    /// The zone that holds `owner`: the longest match; a child zone beats its parent.
    fn zone(&self, owner: &Name, deadline: Deadline) -> Result<Zone, Fault>;

    /// Carries out changes of one zone, under its lock; one result for each, in their order.
    fn apply(&self, zone: &Zone, changes: &[Permit], deadline: Deadline) -> Vec<Result<Receipt, Fault>>;

    /// The service's own status: are the name servers told? Asked outside the lock.
    fn landed(&self, _receipt: &Receipt, _deadline: Deadline) -> Result<bool, Fault> {
        Ok(true)
    }
}

/// A zone at a service; what is changed in it one after another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone {
    /// The service's address: two accounts of one service may edit one zone.
    pub service: String,
    /// None: the provider knows no zones, and all its changes are serialised.
    pub name: Option<Name>,
    /// What the service itself calls it, or what else of it the provider has to know; empty where
    /// its name is enough.
    pub key: String,
}

/// What the service gave for a change, to ask for its status; empty where it has none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Receipt(pub String);

/// A row of the table: everything that the rest of acmegw knows about a provider.
pub struct Row {
    pub name: &'static str,
    /// (DNSAPI_MODULE, DNSAPI_CLASS) under which the predecessor's configurations name it.
    pub predecessor: Option<(&'static str, &'static str)>,
    /// One line for lists and manuals.
    pub about: &'static str,
    /// Only tested against a simulated service.
    pub experimental: bool,
    /// The address of the service's documentation, or of the standard; None: acmegw-providers(7) says all.
    pub documentation: Option<&'static str>,
    /// All that it reads, with what it means here, in the order of lists and manuals. What the
    /// provider cannot do without is [`Setting::required`].
    pub settings: &'static [&'static [Setting]],
    /// Reads the settings; touches neither network nor disk beyond the files that they name.
    pub build: fn(&Config, &mut Mistakes, &Surroundings) -> Option<Box<dyn Provider>>,
}

impl Row {
    pub fn settings(&self) -> impl Iterator<Item = &'static Setting> {
        self.settings.iter().copied().flatten()
    }
}

/// What a provider may need besides its settings.
pub struct Surroundings {
    pub ledger: Arc<Ledger>,
    /// The domains of DNSAPI_DOMAINS.
    pub domains: Vec<Name>,
}

/// All providers.
pub const PROVIDERS: &[Row] = &[
    embedded::ROW,
    azure::ROW,
    cloudflare::ROW,
    desec::ROW,
    digitalocean::ROW,
    gandi::ROW,
    googlecloud::ROW,
    hetzner::ROW,
    openprovider::ROW,
    ovh::ROW,
    powerdns::ROW,
    rfc2136::ROW,
    route53::ROW,
    exec::ROW,
];

/// The row of a name as it is written in DNSAPI_MODULE.
pub fn find(name: &str) -> Option<&'static Row> {
    let wanted =
        |row: &&Row| row.name.eq_ignore_ascii_case(name) || row.predecessor.is_some_and(|(module, _)| module == name);
    PROVIDERS.iter().find(wanted).or_else(|| exec::is_script(name).then_some(&exec::ROW))
}

/// The row of a name that stands beside a DNSAPI_CLASS which is no provider's of the predecessor: a
/// class of the administrator's own.
pub fn find_class(name: &str) -> Option<&'static Row> {
    exec::is_class(name).then_some(&exec::ROW)
}
