//! Is this name ours to touch? The only place that makes a [`Permit`].

use crate::challenge::{Action, Name, Value};
use crate::deadline::Deadline;
use crate::gate::access::{Access, NotAllowed};
use crate::gate::auth::Caller;

/// The domains that may be touched, each with all that lies below it, and by whom.
pub struct Scope {
    domains: Vec<Name>,
    access: Access,
}

/// A caller may act at one owner name until a deadline. Gives [`Permit`]s.
#[derive(Debug, Clone)]
pub struct Grant {
    domain: Name,
    owner: Name,
    caller: String,
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
}

impl Scope {
    /// These domains for every caller.
    pub fn new(domains: Vec<Name>) -> Scope {
        Scope::ruled(domains, Access::unlimited())
    }

    /// Of these domains to each caller what the rules allow.
    pub fn ruled(domains: Vec<Name>, access: Access) -> Scope {
        Scope { domains, access }
    }

    /// The door for a client's challenge.
    pub fn challenge(&self, caller: &Caller, domain: &Name, deadline: Deadline) -> Result<Grant, OutOfScope> {
        self.check(domain)?;
        self.access.check(caller, domain).map_err(OutOfScope::Caller)?;
        Ok(Grant { domain: domain.clone(), owner: domain.challenge(), caller: caller.identity(), deadline })
    }

    /// The door for the ledger, which takes back what it wrote down: removal only, and only of
    /// what the configuration still covers. Whoever set it may have lost the right to it since: the
    /// more reason to remove it.
    pub fn recall(&self, record: &Record, deadline: Deadline) -> Result<Permit, OutOfScope> {
        self.check(&record.domain)?;
        let grant = Grant {
            domain: record.domain.clone(),
            owner: record.owner.clone(),
            caller: record.caller.clone(),
            deadline,
        };
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
}
