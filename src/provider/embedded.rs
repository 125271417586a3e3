//! No DNS account at all: the challenge names are delegated to the gateway, which answers for them.
//!
//! The ledger is the zone. What it has written down as made is what the server shows, so that
//! there is nothing left to apply.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Provider, Receipt, Row, Surroundings, Zone};
use crate::challenge::Name;
use crate::config::{Config, Mistakes, Setting};
use crate::deadline::Deadline;
use crate::dns::server::{Listener, RATE, Zones};
use crate::failure::Failure;
use crate::fault::Fault;
use crate::gate::alias::Aliases;
use crate::gate::scope::Permit;
use crate::ledger::Ledger;
use crate::mistake::Mistake;

pub const ROW: Row = Row {
    name: "embedded",
    predecessor: None,
    about: "answers DNS itself; _acme-challenge names are delegated to it by NS or CNAME",
    experimental: false,
    documentation: None,
    settings: &[SETTINGS],
    build,
};

const SETTINGS: &[Setting] = &[
    Setting::new(
        "DNS_LISTEN",
        "127.0.0.1:8053",
        "addresses on which DNS is answered, each IP:port or [v6]:port; UDP and TCP",
    ),
    Setting::new("DNS_ZONE", "", "zone for delegation by CNAME: _acme-challenge.D to _acme-challenge.D.DNS_ZONE"),
    Setting::new(
        "DNS_NS",
        "",
        "names of the name servers, as the parent zones' NS records have them; unset: ns in each zone",
    ),
    Setting::new(
        "DNS_ADDRESS",
        "",
        "addresses of those of the name servers that lie within the served zones; unset: those of DNS_LISTEN",
    ),
];

/// The server.
struct Embedded {
    listen: Vec<SocketAddr>,
    delegation: Option<Name>,
    servers: Vec<Name>,
    addresses: Vec<IpAddr>,
    domains: Vec<Name>,
    aliases: Aliases,
    ledger: Arc<Ledger>,
    /// Bound, and not yet answering.
    bound: Mutex<Option<Listener>>,
}

fn build(config: &Config, mistakes: &mut Mistakes, surroundings: &Surroundings) -> Option<Box<dyn Provider>> {
    let listen = mistakes.note(config.list("DNS_LISTEN", listening_address));
    let delegation = mistakes.note(own_zone(config));
    let servers = mistakes.note(config.list("DNS_NS", name));
    let addresses = mistakes.note(config.list("DNS_ADDRESS", server_address));
    let aliases = Aliases::written(config);
    if let Some(Some(zone)) = &delegation {
        refuse_foreign_copies(config, mistakes, zone, &aliases);
    }
    let (listen, addresses) = (listen?, addresses?);
    Some(Box::new(Embedded {
        addresses: if addresses.is_empty() { listen.iter().map(SocketAddr::ip).collect() } else { addresses },
        listen,
        delegation: delegation?,
        servers: servers?,
        domains: surroundings.domains.clone(),
        aliases,
        ledger: surroundings.ledger.clone(),
        bound: Mutex::default(),
    }))
}

/// DNS_ZONE, in which acme-dns accounts have their names too.
pub fn own_zone(config: &Config) -> Result<Option<Name>, Mistake> {
    config.parse("DNS_ZONE", name)
}

fn name(text: &str) -> Result<Name, String> {
    Name::owner(text).map_err(|error| format!("that is {error}"))
}

/// `_acme-challenge.D.DNS_ZONE` is D's by another name: whoever may write there may prove D.
fn refuse_foreign_copies(config: &Config, mistakes: &mut Mistakes, zone: &Name, aliases: &Aliases) {
    for (name, target) in aliases.pairs() {
        let copied = target.relative_to(zone).and_then(|relative| Name::owner(relative).ok()?.challenged());
        if let Some(domain) = copied.filter(|domain| domain != name) {
            let what = format!("has '{name}={target}': there DNS_ZONE holds the challenge of {domain}");
            mistakes.push(config.mistake("DNS_ALIAS", what, format!("write another target within {zone}")));
        }
    }
}

fn listening_address(text: &str) -> Result<SocketAddr, String> {
    let wildcard = text.starts_with('*');
    match text.parse::<SocketAddr>() {
        Ok(address) if !address.ip().is_unspecified() => Ok(address),
        Err(_) if !wildcard => Err("write IP:port or [v6]:port".to_string()),
        // A socket bound to the wildcard answers from whichever address the route prefers, and
        // resolvers drop answers that come from another address than they asked.
        _ => Err("write each address that is to answer, by commas".to_string()),
    }
}

fn server_address(text: &str) -> Result<IpAddr, String> {
    let address = text.parse().ok().filter(|ip: &IpAddr| !ip.is_unspecified() && !ip.is_multicast());
    address.ok_or_else(|| "write the IP addresses under which resolvers reach this server".to_string())
}

impl Embedded {
    fn bound(&self) -> MutexGuard<'_, Option<Listener>> {
        self.bound.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn zones(&self) -> Zones {
        let ledger = self.ledger.clone();
        let values = move |owner: &Name| ledger.visible(owner);
        let zones = Zones::new(&self.domains, self.delegation.as_ref(), &self.servers, self.addresses.clone(), values);
        zones.and_targets(self.aliases.pairs().map(|(_, target)| target))
    }
}

impl Provider for Embedded {
    fn bind(&self) -> Result<(), Failure> {
        let listener = Listener::bind(&self.listen);
        *self.bound() = Some(listener.map_err(|error| Failure::Failed(format!("DNS_LISTEN: {error}")))?);
        Ok(())
    }

    fn start(&self) -> Result<(), Failure> {
        let listener = self.bound().take().expect("bound before it is started");
        let failed = |error| Failure::Failed(format!("the DNS server cannot start: {error}"));
        let addresses = listener.addresses().map_err(failed)?;
        listener.serve(self.zones(), RATE).map_err(failed)?;
        for address in addresses {
            log::info!("answering DNS on {address}");
        }
        Ok(())
    }

    fn zone(&self, owner: &Name, _deadline: Deadline) -> Result<Zone, Fault> {
        Ok(Zone { service: ROW.name.to_string(), name: Some(owner.clone()), key: String::new() })
    }

    fn apply(&self, _zone: &Zone, changes: &[Permit], _deadline: Deadline) -> Vec<Result<Receipt, Fault>> {
        changes.iter().map(|_| Ok(Receipt::default())).collect()
    }
}

#[cfg(test)]
pub(super) mod tests;
