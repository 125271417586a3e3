//! Is a record visible? The check that replaces a blind wait before the CA looks.
//!
//! [`servers`] finds the name servers that the CA will end up at, [`direct`] asks all of them,
//! [`doh`] asks resolvers where those cannot be reached, [`judge`] says whether it is enough, and
//! [`checks`] runs one check a name until it is. The record is never touched, whatever is seen.

mod address;
mod check;
mod checks;
mod direct;
mod doh;
mod judge;
mod places;
mod resolvers;
mod servers;
#[cfg(test)]
mod stand_in;
mod ways;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::config::{Config, Mistakes, Setting};
use crate::dns::address::Address;
use crate::gate::network;
use crate::http;
use crate::ledger::Ledger;
use crate::mistake::Mistake;
use address::Gate;
use check::Pace;
use doh::{Doh, Resolver};
use places::Places;
use resolvers::Resolvers;
use servers::Finder;
use ways::Ways;

pub use check::{Report, Seen, State};
pub use checks::Checks;

pub const SETTINGS: &[Setting] = &[
    Setting::new("PROPAGATION", "off", "is a new record seen at all name servers? off, direct, doh or auto"),
    Setting::new("PROPAGATION_TIMEOUT", "300", "seconds after which a record that is not seen is unconfirmed"),
    Setting::new("PROPAGATION_SETTLE", "0", "seconds between the first time that all show it and the second look"),
    Setting::new("PROPAGATION_NETS", "", "networks that are not of the internet, in which name servers may be asked"),
    Setting::new("RESOLVERS", "", "resolvers that find the name servers, as IP:port or host:port; unset: the system's"),
    Setting::new("DOH_URLS", "", "two or more resolvers over HTTPS, as https://HOST/dns-query, by commas"),
];

/// The port of DNS (RFC 1035 section 4.2).
const PORT: u16 = 53;

/// Questions under way at the same time: as many as the open files allow, one in so many, up to this.
const QUESTIONS: usize = 256;
const FILES: u64 = 32;

/// The words of PROPAGATION.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Off,
    Direct,
    Doh,
    Auto,
}

/// What the configuration says; nothing has been asked yet.
pub struct Propagation {
    mode: Mode,
    pace: Pace,
    resolvers: Resolvers,
    gate: Gate,
    doh: Vec<Resolver>,
}

impl Propagation {
    pub fn read(config: &Config, mistakes: &mut Mistakes) -> Option<Propagation> {
        let words = [("off", Mode::Off), ("direct", Mode::Direct), ("doh", Mode::Doh), ("auto", Mode::Auto)];
        let mode = mistakes.note(config.required("PROPAGATION", config.choice("PROPAGATION", &words)));
        let seconds = |name, range| config.required(name, config.number(name, range)).map(Duration::from_secs);
        let timeout = mistakes.note(seconds("PROPAGATION_TIMEOUT", 1..=86_400));
        let settle = mistakes.note(seconds("PROPAGATION_SETTLE", 0..=30));
        let nets = mistakes.note(config.list("PROPAGATION_NETS", network));
        let resolvers = mistakes.note(config.list("RESOLVERS", Address::parse));
        let doh = mistakes.note(doh_resolvers(config, mode == Some(Mode::Doh)));
        let doh = doh?.into_iter().map(|url| Resolver::new(config, mistakes, url)).collect();
        let pace = Pace { timeout: timeout?, settle: settle? };
        Some(Propagation { mode: mode?, pace, resolvers: Resolvers::new(resolvers?), gate: Gate::new(nets?), doh })
    }

    /// None: nothing is checked (`PROPAGATION = off`). `files`: how many may be open.
    pub fn checks(self, ledger: Arc<Ledger>, files: u64) -> Option<Arc<Checks>> {
        let places = Places::new(QUESTIONS.min((files / FILES) as usize));
        let doh = Doh::new(self.doh, places.clone());
        let reach = Arc::new(|address| SocketAddr::new(address, PORT));
        let finder = Finder { resolvers: self.resolvers, gate: self.gate, places, reach };
        let ways = match self.mode {
            Mode::Off => return None,
            Mode::Direct => Ways::Direct(finder),
            Mode::Doh => Ways::Doh(doh),
            Mode::Auto if doh.is_empty() => Ways::Direct(finder),
            Mode::Auto => Ways::Auto(finder, doh),
        };
        Some(Arc::new(Checks::new(Box::new(ways), self.pace, ledger)))
    }
}

/// One resolver alone may be behind for reasons of its own.
fn doh_resolvers(config: &Config, needed: bool) -> Result<Vec<http::BaseUrl>, Mistake> {
    let remedy = "write two or more, such as https://dns.example.net/dns-query, https://dns.example.org/dns-query";
    let urls = config.list("DOH_URLS", http::base_url)?;
    let is_twice = (1..urls.len()).any(|index| urls[..index].contains(&urls[index]));
    match urls.len() {
        0 if needed => Err(config.mistake("DOH_URLS", "is not set, and PROPAGATION = doh needs it", remedy)),
        1 => Err(config.mistake("DOH_URLS", "names one resolver only", remedy)),
        _ if is_twice => Err(config.mistake("DOH_URLS", "names a resolver twice", remedy)),
        _ => Ok(urls),
    }
}
