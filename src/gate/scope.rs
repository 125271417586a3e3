//! Is this name ours to touch? The only place that makes a [`Permit`].

use crate::acmedns::Account;
use crate::challenge::{Action, Name, Value};
use crate::deadline::Deadline;
use crate::gate::access::{Access, NotAllowed};
use crate::gate::auth::Caller;

/// The domains that may be touched, each with all that lies below it, and by whom.
pub struct Scope {
    domains: Vec<Name>,
    access: Access,
    /// DNS_ZONE, in which acme-dns accounts have places of their own.
    zone: Option<Name>,
}

/// A caller may act at one owner name until a deadline. Gives [`Permit`]s.
#[derive(Debug, Clone)]
pub struct Grant {
    domain: Name,
    owner: Name,
    caller: String,
    /// See [`Permit::rolls`].
    rolls: Option<usize>,
    deadline: Deadline,
}

/// Leave to set or remove one TXT value at one owner name. Nothing else reaches a provider.
#[derive(Debug, Clone)]
pub struct Permit {
    grant: Grant,
    action: Action,
    value: Value,
    recall: bool,
}

/// One TXT value at one name, as the ledger keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The name that was asked for.
    pub domain: Name,
    /// Where the TXT value is.
    pub owner: Name,
    pub value: Value,
    /// Who set it: what [`Caller::identity`] said.
    pub caller: String,
}

/// Why a name may not be touched.
#[derive(Debug, PartialEq, Eq)]
pub enum OutOfScope {
    /// It is not within the configured domains.
    Domains(Name),
    /// Not by this caller.
    Caller(NotAllowed),
    /// Not by this acme-dns account: it is another one's, or none of its names.
    Account(Name),
    /// An acme-dns account's place was in a DNS_ZONE that is not served any more.
    Place(Name),
}

impl Scope {
    /// These domains for every caller.
    pub fn new(domains: Vec<Name>) -> Scope {
        Scope::ruled(domains, Access::unlimited())
    }

    /// Of these domains to each caller what the rules allow.
    pub fn ruled(domains: Vec<Name>, access: Access) -> Scope {
        Scope { domains, access, zone: None }
    }

    /// And the places of acme-dns accounts in this zone, to each account its own.
    pub fn with_zone(self, zone: Option<Name>) -> Scope {
        Scope { zone, ..self }
    }

    /// The door for a client's challenge. An acme-dns account asks for its place by its subdomain,
    /// or for one of its names.
    pub fn challenge(&self, caller: &Caller, domain: &Name, deadline: Deadline) -> Result<Grant, OutOfScope> {
        let (domain, owner, rolls) = match caller.account() {
            None => (self.checked(caller, domain)?, domain.challenge(), None),
            Some(account) => {
                let (domain, owner) = self.of_account(caller, account, domain)?;
                (domain, owner, Some(account.values()))
            }
        };
        Ok(Grant { domain: domain.clone(), owner, caller: caller.identity(), rolls, deadline })
    }

    /// What is set at an account's place is for all of its names, so that it has to have leave for
    /// each. Whoever registered it has leave for the place alone, to which somebody who may change
    /// a zone has to point first.
    fn of_account<'a>(
        &self,
        caller: &Caller,
        account: &'a Account,
        domain: &'a Name,
    ) -> Result<(&'a Name, Name), OutOfScope> {
        if account.names.contains(domain) {
            return Ok((self.checked(caller, domain)?, domain.challenge()));
        }
        if domain.as_str() != account.subdomain.as_str() {
            return Err(OutOfScope::Account(domain.clone()));
        }
        account.names.iter().try_for_each(|name| self.checked(caller, name).map(drop))?;
        let is_in_zone = self.zone.as_ref().is_some_and(|zone| account.is_in(zone));
        let first = account.names.first().filter(|name| is_in_zone || account.fulldomain == name.challenge());
        match (first, is_in_zone) {
            (Some(name), _) => Ok((name, account.fulldomain.clone())),
            (None, true) => Ok((&account.fulldomain, account.fulldomain.clone())),
            (None, false) => Err(OutOfScope::Place(account.fulldomain.clone())),
        }
    }

    fn checked<'a>(&self, caller: &Caller, domain: &'a Name) -> Result<&'a Name, OutOfScope> {
        self.check(domain)?;
        self.access.check(caller, domain).map_err(OutOfScope::Caller)?;
        Ok(domain)
    }

    /// The door for the ledger, which takes back what it wrote down: removal only, and only of
    /// what the configuration still covers. Whoever set it may have lost the right to it since: the
    /// more reason to remove it.
    pub fn recall(&self, record: &Record, deadline: Deadline) -> Result<Permit, OutOfScope> {
        // That of an account that registered itself was set at the name that was asked for.
        let is_place = self.zone.as_ref().is_some_and(|zone| record.owner.is_within(zone));
        if !(is_place && record.owner == record.domain) {
            self.check(&record.domain)?;
        }
        let Record { domain, owner, caller, .. } = record.clone();
        let grant = Grant { domain, owner, caller, rolls: None, deadline };
        Ok(Permit { recall: true, ..grant.teardown(record.value.clone()) })
    }

    fn check(&self, domain: &Name) -> Result<(), OutOfScope> {
        match self.domains.iter().any(|ours| domain.is_within(ours)) {
            true => Ok(()),
            false => Err(OutOfScope::Domains(domain.clone())),
        }
    }
}

impl Grant {
    /// The owner name of the record.
    pub fn owner(&self) -> &Name {
        &self.owner
    }

    /// Who asked, as the ledger keeps it.
    pub fn caller(&self) -> &str {
        &self.caller
    }

    /// See [`Permit::rolls`].
    pub fn rolls(&self) -> Option<usize> {
        self.rolls
    }

    pub fn setup(&self, value: Value) -> Permit {
        Permit { grant: self.clone(), action: Action::Setup, value, recall: false }
    }

    pub fn teardown(&self, value: Value) -> Permit {
        Permit { grant: self.clone(), action: Action::Teardown, value, recall: false }
    }
}

impl Permit {
    pub fn action(&self) -> Action {
        self.action
    }

    /// The name that was asked for, without `_acme-challenge`.
    pub fn domain(&self) -> &Name {
        &self.grant.domain
    }

    /// The owner name of the record.
    pub fn owner(&self) -> &Name {
        &self.grant.owner
    }

    pub fn value(&self) -> &Value {
        &self.value
    }

    pub fn deadline(&self) -> Deadline {
        self.grant.deadline
    }

    /// Does its caller leave values behind for good, as acme-dns clients do? Then the oldest make room
    /// for new ones, and this is how many it may want at a time.
    pub fn rolls(&self) -> Option<usize> {
        self.grant.rolls
    }

    /// What the permit is about, to be written down.
    pub fn record(&self) -> Record {
        let Grant { domain, owner, caller, .. } = self.grant.clone();
        Record { domain, owner, value: self.value.clone(), caller }
    }

    /// Does the ledger ask, and not a client? Then only what is still due is removed.
    pub fn is_recall(&self) -> bool {
        self.recall
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn only_names_within_the_domains_on_a_label_boundary() {
        let scope = Scope::new(vec![Name::host("example.com").unwrap(), Name::host("b.example.org").unwrap()]);
        let caller = Caller::for_tests("alice");
        let deadline = Deadline::after(Duration::from_secs(1));
        let granted =
            |text: &str| scope.challenge(&caller, &Name::host(text).unwrap(), deadline).map(|g| g.owner().to_string());
        assert_eq!(granted("Example.COM."), Ok("_acme-challenge.example.com".into()));
        assert_eq!(granted("x.b.example.org"), Ok("_acme-challenge.x.b.example.org".into()));
        for foreign in ["evilexample.com", "example.org", "com", "example.com.evil.org"] {
            assert_eq!(granted(foreign), Err(OutOfScope::Domains(Name::host(foreign).unwrap())));
        }
    }

    #[test]
    fn the_ledger_may_only_remove_and_only_what_is_still_ours() {
        let deadline = Deadline::after(Duration::from_secs(1));
        let domain = Name::host("gone.example.net").unwrap();
        let value = Value::parse(&"v".repeat(43)).unwrap();
        let record = Record { owner: domain.challenge(), domain, value, caller: "alice".to_string() };
        assert!(Scope::new(vec![Name::host("example.com").unwrap()]).recall(&record, deadline).is_err());
        let permit = Scope::new(vec![Name::host("example.net").unwrap()]).recall(&record, deadline).unwrap();
        assert_eq!(permit.action(), Action::Teardown);
    }

    fn names(names: &[&str]) -> Vec<Name> {
        names.iter().map(|name| Name::host(name).unwrap()).collect()
    }

    /// What an account may set, by what it asks for.
    fn set(scope: &Scope, account: &Account, asked: &str) -> Result<(String, String), OutOfScope> {
        let (caller, deadline) = (Caller::of_account(account), Deadline::after(Duration::from_secs(1)));
        let grant = scope.challenge(&caller, &Name::host(asked).unwrap(), deadline)?;
        Ok((grant.domain.to_string(), grant.owner.to_string()))
    }

    #[test]
    fn an_acme_dns_account_reaches_its_place_and_its_names_and_nothing_else() {
        let zone = Name::owner("acme.example.net").unwrap();
        let scope = Scope::new(names(&["example.com"])).with_zone(Some(zone.clone()));
        let (account, _) = Account::new(names(&["www.example.com", "example.com"]), Some(&zone), Vec::new()).unwrap();
        let (other, _) = Account::new(names(&["mail.example.com"]), None, Vec::new()).unwrap();
        let place = |account: &Account, domain: &str| Ok((domain.to_string(), account.fulldomain.to_string()));
        assert_eq!(set(&scope, &account, account.subdomain.as_str()), place(&account, "www.example.com"));
        assert_eq!(set(&scope, &other, other.subdomain.as_str()), place(&other, "mail.example.com"));
        let own = ("example.com".to_string(), "_acme-challenge.example.com".to_string());
        assert_eq!(set(&scope, &account, "example.com"), Ok(own));
        let foreign = ["a.example.com", "mail.example.com", other.subdomain.as_str(), account.fulldomain.as_str()];
        for asked in foreign.into_iter().chain([account.username.as_str(), "acme.example.net", "example.net"]) {
            assert_eq!(set(&scope, &account, asked), Err(OutOfScope::Account(Name::host(asked).unwrap())), "{asked}");
        }
        let other_zone = Scope::new(names(&["example.com"])).with_zone(Some(Name::owner("example.net").unwrap()));
        let gone = Err(OutOfScope::Place(account.fulldomain.clone()));
        assert_eq!(set(&other_zone, &account, account.subdomain.as_str()), gone);
        let lost = Scope::new(names(&["www.example.com"])).with_zone(Some(zone));
        let without = Err(OutOfScope::Domains(Name::host("example.com").unwrap()));
        assert_eq!(set(&lost, &account, account.subdomain.as_str()), without, "it is for all of its names");
    }

    #[test]
    fn whoever_registered_an_account_reaches_its_place_alone_as_long_as_there_is_a_zone() {
        let zone = Name::owner("acme.example.net").unwrap();
        let scope = Scope::new(names(&["example.com"])).with_zone(Some(zone.clone()));
        let (account, _) = Account::registered(&zone, Vec::new(), "192.0.2.7").unwrap();
        let place = account.fulldomain.to_string();
        assert_eq!(set(&scope, &account, account.subdomain.as_str()), Ok((place.clone(), place)));
        assert!(set(&scope, &account, "example.com").is_err());
        assert!(set(&Scope::new(names(&["example.com"])), &account, account.subdomain.as_str()).is_err());
        let deadline = Deadline::after(Duration::from_secs(1));
        let grant =
            scope.challenge(&Caller::of_account(&account), &Name::host(account.subdomain.as_str()).unwrap(), deadline);
        let record = grant.unwrap().setup(Value::parse(&"v".repeat(43)).unwrap()).record();
        assert!(scope.recall(&record, deadline).is_ok());
        assert!(Scope::new(names(&["example.com"])).recall(&record, deadline).is_err());
        let apart = Record { domain: Name::host("example.org").unwrap(), ..record };
        assert!(scope.recall(&apart, deadline).is_err());
    }

    #[test]
    fn no_other_caller_reaches_an_accounts_place() {
        let zone = Name::owner("acme.example.net").unwrap();
        let scope = Scope::new(names(&["example.com"])).with_zone(Some(zone.clone()));
        let (account, _) = Account::registered(&zone, Vec::new(), "192.0.2.7").unwrap();
        let deadline = Deadline::after(Duration::from_secs(1));
        for asked in [account.subdomain.as_str(), account.fulldomain.as_str()] {
            let asked = Name::host(asked).unwrap();
            assert!(scope.challenge(&Caller::for_tests("alice"), &asked, deadline).is_err(), "{asked}");
        }
    }
}
