//! All DNS accounts of a gateway. The longest of their domains that holds a record's name decides
//! which one changes it.

use std::sync::Arc;

use super::Account;
use super::zone_lock::ZoneLocks;
use crate::challenge::Name;
use crate::failure::Failure;
use crate::fault::Fault;
use crate::gate::scope::Permit;
use crate::provider::PROVIDERS;

/// At least one account; no domain is in two of them.
pub struct Accounts(Vec<Account>);

impl Accounts {
    /// Makes them share the locks of zones: two of them may edit one.
    pub(super) fn new(accounts: Vec<Account>) -> Accounts {
        assert!(!accounts.is_empty(), "a gateway has an account");
        let locks = Arc::<ZoneLocks>::default();
        Accounts(accounts.into_iter().map(|account| Account { locks: locks.clone(), ..account }).collect())
    }

    /// The domains of all accounts.
    pub fn domains(&self) -> Vec<Name> {
        self.0.iter().flat_map(|account| account.domains.clone()).collect()
    }

    /// DNS_ZONE, if the embedded server serves it.
    pub fn own_zone(&self) -> Option<&Name> {
        self.0.iter().find_map(|account| account.own_zone.as_ref())
    }

    /// Which account changes the record at `owner`. Where no account names it, as with a delegated
    /// name in a zone of its own, it is the account of the domain that was asked for.
    pub fn responsible(&self, owner: &Name, domain: &Name) -> usize {
        let holder = |name: &Name| {
            let longest = |account: &Account| {
                let holding = account.domains.iter().chain(&account.own_zone).filter(|ours| name.is_within(ours));
                holding.map(|ours| ours.as_str().len()).max()
            };
            let holding = self.0.iter().enumerate().filter_map(|(index, account)| Some((longest(account)?, index)));
            holding.max().map(|(_, index)| index)
        };
        holder(owner).or_else(|| holder(domain)).unwrap_or_default()
    }

    /// How many there are: [`Accounts::responsible`] is less.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// The name of the provider that changes the record at `owner`.
    pub fn provider(&self, owner: &Name, domain: &Name) -> &'static str {
        self.0[self.responsible(owner, domain)].row.name
    }

    /// Carries out changes at one owner name; see [`Account::carry_out`].
    pub fn carry_out(&self, permits: &[Permit]) -> Vec<Result<(), Fault>> {
        let Some(first) = permits.first() else { return Vec::new() };
        self.0[self.responsible(first.owner(), first.domain())].carry_out(permits)
    }

    /// Takes the providers' own addresses, while we may still be root.
    pub fn bind(&self) -> Result<(), Failure> {
        self.each(|account| account.provider.bind())
    }

    /// Can the providers work with the rights that we have now?
    pub fn check(&self) -> Result<(), Failure> {
        self.each(|account| account.provider.check())
    }

    /// Starts what the providers serve by themselves.
    pub fn start(&self) -> Result<(), Failure> {
        self.each(|account| account.provider.start())
    }

    /// Says in the log which account has which domains.
    pub fn report(&self) {
        for account in &self.0 {
            let domains: Vec<_> = account.domains.iter().map(|name| name.as_str()).collect();
            let who = account.name.as_ref().map(|name| format!("account {name}: ")).unwrap_or_default();
            log::info!("{who}provider {} for {}", account.row.name, domains.join(", "));
            account.provider.warnings().iter().for_each(|warning| log::warn!("{who}{warning}"));
        }
        for row in PROVIDERS.iter().filter(|row| row.experimental) {
            if self.0.iter().any(|account| account.row.name == row.name) {
                log::warn!("the provider {} is experimental: tested against a simulated service only", row.name);
            }
        }
    }

    fn each(&self, act: impl Fn(&Account) -> Result<(), Failure>) -> Result<(), Failure> {
        self.0.iter().try_for_each(act)
    }
}

#[cfg(test)]
mod tests;
