//! A DNS account: a provider with its domains and its zones. [`Accounts`] is all of them.
//!
//! Under the lock of a zone: the ledger writes the change down, the provider makes it, the ledger
//! hears how it went. Waiting for the service's own status happens after the lock is given back.

#[cfg(test)]
mod concurrency;
mod read;
mod set;
mod zone_lock;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::challenge::{Action, Name};
use crate::config::{AccountName, Config, Setting};
use crate::fault::Fault;
use crate::gate::scope::Permit;
use crate::ledger::Ledger;
use crate::mistake::Mistake;
use crate::provider::{Provider, Receipt, Row, Zone};
use zone_lock::ZoneLocks;

pub use read::Overview;
pub use set::Accounts;

pub const SETTINGS: &[Setting] = &[
    Setting::accounts(
        "DNSAPI_ACCOUNTS",
        "names of further accounts; the settings of X are DNSAPI_X_MODULE, DNSAPI_X_DOMAINS, …",
    ),
    Setting::new("DNSAPI_MODULE", "", "the provider's name (embedded where a DNS_ name is set)"),
    Setting::new("DNSAPI_CLASS", "", "the predecessor's second half of the provider's name"),
    Setting::new("DNSAPI_USERNAME", "", "the user, key or account name at the DNS service"),
    Setting::secret("DNSAPI_PASSWORD", "the password, token or key at the DNS service"),
    Setting::new("DNSAPI_URL", "", "the service's address instead of the built-in one"),
    Setting::new("DNSAPI_DOMAINS", "", "the domains that may be touched, with all below them, by commas"),
    Setting::new("CHALLENGE_TTL", "86400", "seconds after which a record that nobody removed is removed"),
];

/// How long a zone once found is taken for granted.
const ZONE_CACHE: Duration = Duration::from_secs(600);
/// How long no login is tried after the service refused our credentials: services block accounts
/// that keep failing.
const AUTH_PAUSE: Duration = Duration::from_secs(900);
/// How often a change is tried that met somebody else's.
const CONFLICT_TRIES: usize = 5;
/// The pauses between questions for the service's own status.
const LANDED_PAUSE: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(8));

/// The account and what belongs to it, ready to serve.
pub struct Account {
    /// None: the account without a name.
    name: Option<AccountName>,
    pub row: &'static Row,
    pub domains: Vec<Name>,
    /// DNS_ZONE, where this account's provider serves it.
    own_zone: Option<Name>,
    provider: Box<dyn Provider>,
    ledger: Arc<Ledger>,
    /// Those of all accounts, since two of them may edit one zone.
    locks: Arc<ZoneLocks>,
    zones: Mutex<HashMap<Name, (Zone, Instant)>>,
    refused: Mutex<Option<(Instant, String)>>,
}

impl Account {
    fn new(row: &'static Row, domains: Vec<Name>, provider: Box<dyn Provider>, ledger: Arc<Ledger>) -> Account {
        let (locks, zones, refused) = (Arc::default(), Mutex::default(), Mutex::default());
        Account { name: None, row, domains, own_zone: None, provider, ledger, locks, zones, refused }
    }

    /// Carries out changes at one owner name: one result for each, in their order.
    ///
    /// Returns when the service says that its name servers were told, or at the permits' deadline.
    pub fn carry_out(&self, permits: &[Permit]) -> Vec<Result<(), Fault>> {
        let Some(first) = permits.first() else { return Vec::new() };
        let outcomes = match self.zone(first) {
            Ok(zone) => self.change(&zone, permits),
            Err(fault) => self.failed(permits, fault),
        };
        let landed = outcomes.into_iter().zip(permits).map(|(outcome, permit)| self.landed(outcome?, permit));
        landed.map(|outcome| outcome.map_err(|fault| self.told(fault))).collect()
    }

    /// Of several accounts one has to know which one it was, and how its settings are called.
    fn told(&self, fault: Fault) -> Fault {
        match &self.name {
            Some(name) => fault.told(|text| format!("account {name}: {}", name.told(text))),
            None => fault,
        }
    }

    /// Before the lock nothing was tried; what was to be removed is written down all the same.
    fn failed(&self, permits: &[Permit], fault: Fault) -> Vec<Result<Receipt, Fault>> {
        let fail = |permit: &Permit| {
            if permit.action() == Action::Teardown {
                self.ledger.untried(permit);
            }
            Err(fault.clone())
        };
        permits.iter().map(fail).collect()
    }

    fn change(&self, zone: &Zone, permits: &[Permit]) -> Vec<Result<Receipt, Fault>> {
        let deadline = permits[0].deadline();
        let _lock = match self.locks.lock(zone, deadline) {
            Ok(lock) => lock,
            Err(fault) => return self.failed(permits, fault),
        };
        permits.iter().map(|permit| self.change_one(zone, permit)).collect()
    }

    fn change_one(&self, zone: &Zone, permit: &Permit) -> Result<Receipt, Fault> {
        let entry = self.ledger.intend(permit).inspect_err(|fault| log::error!("{}: {fault}", permit.owner()))?;
        let Some(entry) = entry else { return Ok(Receipt::default()) };
        let outcome = self.tried(zone, permit);
        entry.settle(&outcome);
        match &outcome {
            Err(Fault::Auth(text)) => self.pause_logins(text),
            Err(Fault::NoZone(_)) => drop(self.zones().remove(permit.owner())),
            _ => {}
        }
        outcome
    }

    fn tried(&self, zone: &Zone, permit: &Permit) -> Result<Receipt, Fault> {
        let deadline = permit.deadline();
        let mut outcome = Err(Fault::Busy("the time was over before the DNS service could be asked".to_string(), None));
        for _ in 0..CONFLICT_TRIES {
            if deadline.left().is_none() {
                break;
            }
            let mut results = self.provider.apply(zone, std::slice::from_ref(permit), deadline);
            outcome = results.pop().unwrap_or_else(|| Err(Fault::Unknown("the provider gave no result".to_string())));
            if !matches!(outcome, Err(Fault::Conflict(_))) {
                break;
            }
        }
        outcome
    }

    fn zone(&self, permit: &Permit) -> Result<Zone, Fault> {
        self.check_logins()?;
        let owner = permit.owner();
        if let Some((zone, since)) = self.zones().get(owner)
            && since.elapsed() < ZONE_CACHE
        {
            return Ok(zone.clone());
        }
        let found = self.provider.zone(owner, permit.deadline());
        match &found {
            Ok(zone) => {
                let mut zones = self.zones();
                zones.retain(|_, (_, since)| since.elapsed() < ZONE_CACHE);
                zones.insert(owner.clone(), (zone.clone(), Instant::now()));
            }
            Err(Fault::Auth(text)) => self.pause_logins(text),
            Err(_) => {}
        }
        found
    }

    fn landed(&self, receipt: Receipt, permit: &Permit) -> Result<(), Fault> {
        let (mut pause, longest) = LANDED_PAUSE;
        let deadline = permit.deadline();
        while !self.provider.landed(&receipt, deadline)? {
            let late = || Fault::Unknown("the DNS service took the change, but has not yet published it".to_string());
            let left = deadline.left().ok_or_else(late)?;
            thread::sleep(pause.min(left));
            pause = (pause * 2).min(longest);
        }
        Ok(())
    }

    fn pause_logins(&self, text: &str) {
        *self.refused.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), text.to_string()));
    }

    fn check_logins(&self) -> Result<(), Fault> {
        match &*self.refused.lock().unwrap_or_else(PoisonError::into_inner) {
            Some((since, text)) if since.elapsed() < AUTH_PAUSE => Err(Fault::Auth(format!(
                "{text}; not tried again for {} s, lest the account be blocked (a restart tries at once)",
                (AUTH_PAUSE - since.elapsed()).as_secs()
            ))),
            _ => Ok(()),
        }
    }

    fn zones(&self) -> MutexGuard<'_, HashMap<Name, (Zone, Instant)>> {
        self.zones.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The lifetime of a record that nobody removes.
pub fn challenge_ttl(config: &Config) -> Result<Duration, Mistake> {
    let seconds = config.number("CHALLENGE_TTL", 1..=31_536_000);
    config.required("CHALLENGE_TTL", seconds).map(Duration::from_secs)
}

#[cfg(test)]
mod tests;
