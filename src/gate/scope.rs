//! Is this name ours to touch? The only place that makes a [`Permit`].
//!
//! Its doors, each a function of [`Scope`]: a domain's challenge, a record by its own name, the place of
//! an acme-dns account, and the recall of what the ledger wrote down.

use std::fmt;
use std::time::Duration;

use crate::acmedns::Account;
use crate::challenge::{Action, Name, Value};
use crate::deadline::Deadline;
use crate::gate::access::{Access, NotAllowed};
use crate::gate::alias::Aliases;
use crate::gate::auth::Caller;

/// The domains that may be touched, each with all that lies below it, and by whom.
pub struct Scope {
    domains: Vec<Name>,
    access: Access,
    aliases: Aliases,
    /// DNS_ZONE, in which acme-dns accounts have places of their own.
    zone: Option<Name>,
}

/// A caller may act at one owner name until a deadline. Gives [`Permit`]s.
#[derive(Debug, Clone)]
pub struct Grant {
    domain: Name,
    owner: Name,
    caller: String,
    /// See [`Grant::rolls`].
    rolls: Option<usize>,
    deadline: Deadline,
}

/// Leave to set or remove one TXT value at one owner name. Nothing else reaches a provider.
#[derive(Debug, Clone)]
pub struct Permit {
    grant: Grant,
    action: Action,
    value: Value,
    life: Option<Duration>,
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
    /// How long it lives if nobody removes it, where that is less than CHALLENGE_TTL: a canary.
    pub life: Option<Duration>,
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
    /// The acme-dns account's place was in a DNS_ZONE that is not served any more.
    Place(Name),
    /// A record's name that is neither a challenge's nor the target of a delegated name.
    NoChallenge(Name),
    /// The record of that name, which was set there before the configuration was changed.
    Elsewhere(Name),
}

impl Scope {
    /// These domains for every caller.
    pub fn new(domains: Vec<Name>) -> Scope {
        Scope::ruled(domains, Access::unlimited())
    }

    /// Of these domains to each caller what the rules allow.
    pub fn ruled(domains: Vec<Name>, access: Access) -> Scope {
        Scope { domains, access, aliases: Aliases::default(), zone: None }
    }

    /// With these names delegated.
    pub fn delegating(self, aliases: Aliases) -> Scope {
        Scope { aliases, ..self }
    }

    /// And with the places of acme-dns accounts in this zone, to each account its own.
    pub fn with_zone(self, zone: Option<Name>) -> Scope {
        Scope { zone, ..self }
    }

    /// The door for a client's challenge.
    ///
    /// A client that follows CNAMEs may know no dialect in which to say so, and name the target of a
    /// delegated name instead.
    pub fn challenge(&self, caller: &Caller, domain: &Name, deadline: Deadline) -> Result<Grant, OutOfScope> {
        let owner = if self.aliases.names(domain).is_empty() { &domain.challenge() } else { domain };
        self.record(caller, owner, deadline)
    }

    /// The door for who names the record itself: the target of a delegated name, by whose rights it
    /// is judged, or the challenge name of a domain, whose record may be at a target.
    pub fn record(&self, caller: &Caller, owner: &Name, deadline: Deadline) -> Result<Grant, OutOfScope> {
        if let Some(name) = self.aliases.names(owner).first() {
            return self.at_target(caller, name, owner, deadline);
        }
        let domain = owner.challenged().ok_or_else(|| OutOfScope::NoChallenge(owner.clone()))?;
        self.check(&domain)?;
        if let Some(target) = self.aliases.target(&domain) {
            return self.at_target(caller, &domain, target, deadline);
        }
        self.allow(caller, &domain)?;
        Ok(self.grant(caller, &domain, owner, deadline))
    }

    /// Whoever writes at a target proves every name whose challenge leads there, and has to be
    /// allowed all of them.
    fn at_target(&self, caller: &Caller, name: &Name, target: &Name, deadline: Deadline) -> Result<Grant, OutOfScope> {
        self.aliases.names(target).into_iter().try_for_each(|proved| self.allow(caller, proved))?;
        Ok(self.grant(caller, name, target, deadline))
    }

    /// The door for an acme-dns account, which asks for its place by its subdomain. What is set there
    /// is for all of its names, and it has to be allowed each. Whoever registered it is allowed the
    /// place alone: somebody who may change a zone has to point there first.
    pub fn place(&self, caller: &Caller, subdomain: &Name, deadline: Deadline) -> Result<Grant, OutOfScope> {
        let own = caller.account().filter(|account| account.subdomain.as_str() == subdomain.as_str());
        let account = own.ok_or_else(|| OutOfScope::Account(subdomain.clone()))?;
        account.names.iter().try_for_each(|name| self.allow(caller, name))?;
        let (place, first) = (&account.fulldomain, account.names.first());
        if self.zone.as_ref().is_some_and(|zone| account.is_in(zone)) {
            return Ok(self.grant(caller, first.unwrap_or(place), place, deadline));
        }
        match first.is_some_and(|name| name.challenge() == *place) {
            true => self.record(caller, place, deadline),
            false => Err(OutOfScope::Place(place.clone())),
        }
    }

    /// The one place that makes a [`Grant`] for a caller.
    fn grant(&self, caller: &Caller, domain: &Name, owner: &Name, deadline: Deadline) -> Grant {
        let rolls = caller.account().map(Account::values);
        Grant { domain: domain.clone(), owner: owner.clone(), caller: caller.identity(), rolls, deadline }
    }

    /// May this caller prove that domain? An acme-dns account only one of its names.
    fn allow(&self, caller: &Caller, domain: &Name) -> Result<(), OutOfScope> {
        if caller.account().is_some_and(|account| !account.names.contains(domain)) {
            return Err(OutOfScope::Account(domain.clone()));
        }
        self.check(domain)?;
        self.access.check(caller, domain).map_err(OutOfScope::Caller)
    }

    /// The door for the ledger, which takes back what it wrote down: removal only, and only of
    /// what the configuration still covers. Whoever set it may have lost the right to it since: the
    /// more reason to remove it.
    pub fn recall(&self, record: &Record, deadline: Deadline) -> Result<Permit, OutOfScope> {
        let is_place = self.zone.as_ref().is_some_and(|zone| record.owner.is_within(zone));
        // An account that was registered was asked for nothing but its place.
        if !(is_place && record.owner == record.domain) {
            self.check(&record.domain)?;
        }
        let is_target = self.aliases.target(&record.domain) == Some(&record.owner);
        if !(is_place || is_target || record.owner == record.domain.challenge()) {
            return Err(OutOfScope::Elsewhere(record.owner.clone()));
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

impl Record {
    /// Where the CA looks, which a CNAME may lead from there to the record.
    pub fn seen_at(&self) -> Name {
        seen_at(&self.domain, &self.owner)
    }
}

/// What was asked for by the record's own name is looked for there.
fn seen_at(domain: &Name, owner: &Name) -> Name {
    if owner == domain { owner.clone() } else { domain.challenge() }
}

impl Grant {
    /// Where the CA looks for what is set by this.
    pub fn seen_at(&self) -> Name {
        seen_at(&self.domain, &self.owner)
    }

    /// The owner name of the record.
    pub fn owner(&self) -> &Name {
        &self.owner
    }

    /// Who asked, as the ledger keeps it.
    pub fn caller(&self) -> &str {
        &self.caller
    }

    /// Does its caller leave values behind for good, as acme-dns clients do? Then the oldest make room
    /// for new ones, and this is how many it may want at a time.
    pub fn rolls(&self) -> Option<usize> {
        self.rolls
    }

    pub fn deadline(&self) -> Deadline {
        self.deadline
    }

    pub fn setup(&self, value: Value) -> Permit {
        Permit { grant: self.clone(), action: Action::Setup, value, life: None, recall: false }
    }

    /// A canary: set with the rights and by the road of a challenge, and gone after `life` at the latest.
    pub fn canary(&self, value: Value, life: Duration) -> Permit {
        Permit { life: Some(life), ..self.setup(value) }
    }

    pub fn teardown(&self, value: Value) -> Permit {
        Permit { grant: self.clone(), action: Action::Teardown, value, life: None, recall: false }
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

    /// See [`Grant::rolls`].
    pub fn rolls(&self) -> Option<usize> {
        self.grant.rolls
    }

    /// What the permit is about, to be written down.
    pub fn record(&self) -> Record {
        let Grant { domain, owner, caller, .. } = self.grant.clone();
        Record { domain, owner, value: self.value.clone(), caller, life: self.life }
    }

    /// Does the ledger ask, and not a client? Then only what is still due is removed.
    pub fn is_recall(&self) -> bool {
        self.recall
    }
}

impl fmt::Display for OutOfScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OutOfScope::Domains(name) => write!(
                f,
                "{name} is not within the domains of this gateway: add it to DNSAPI_DOMAINS, name it in DNS_ALIAS if \
                 a CNAME led there, or correct the name"
            ),
            OutOfScope::Caller(not_allowed) => not_allowed.fmt(f),
            OutOfScope::NoChallenge(name) => write!(
                f,
                "{name} does not begin with _acme-challenge, and is no target in DNS_ALIAS of the gateway: add it there \
                 if a CNAME led there, or correct the name"
            ),
            OutOfScope::Account(name) => {
                write!(f, "{name} is neither the account's subdomain nor one of its names: see acmegw acmedns list")
            }
            OutOfScope::Place(name) => write!(
                f,
                "the account's place {name} is not in the DNS_ZONE that is served: set that as it was, or make the \
                 account anew"
            ),
            OutOfScope::Elsewhere(name) => write!(f, "{name} is no longer a target in DNS_ALIAS"),
        }
    }
}

#[cfg(test)]
mod tests;
