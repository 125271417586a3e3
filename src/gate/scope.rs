//! Is this name ours to touch? The only place that makes a [`Permit`].
//!
//! Its doors, each a function of [`Scope`]: a domain's challenge, a record by its own name, and the
//! recall of what the ledger wrote down.

use std::fmt;

use std::time::Duration;

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
        Scope { domains, access, aliases: Aliases::default() }
    }

    /// With these names delegated.
    pub fn delegating(self, aliases: Aliases) -> Scope {
        Scope { aliases, ..self }
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
        self.access.check(caller, &domain).map_err(OutOfScope::Caller)?;
        Ok(Grant { domain, owner: owner.clone(), caller: caller.identity(), deadline })
    }

    /// Whoever writes at a target proves every name whose challenge leads there, and has to be
    /// allowed all of them.
    fn at_target(&self, caller: &Caller, name: &Name, target: &Name, deadline: Deadline) -> Result<Grant, OutOfScope> {
        for proved in self.aliases.names(target) {
            self.check(proved)?;
            self.access.check(caller, proved).map_err(OutOfScope::Caller)?;
        }
        Ok(Grant { domain: name.clone(), owner: target.clone(), caller: caller.identity(), deadline })
    }

    /// The door for the ledger, which takes back what it wrote down: removal only, and only of
    /// what the configuration still covers. Whoever set it may have lost the right to it since: the
    /// more reason to remove it.
    pub fn recall(&self, record: &Record, deadline: Deadline) -> Result<Permit, OutOfScope> {
        self.check(&record.domain)?;
        let is_ours =
            record.owner == record.domain.challenge() || self.aliases.target(&record.domain) == Some(&record.owner);
        if !is_ours {
            return Err(OutOfScope::Elsewhere(record.owner.clone()));
        }
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
            OutOfScope::Elsewhere(name) => write!(f, "{name} is no longer a target in DNS_ALIAS"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;
    use std::time::Duration;

    fn name(text: &str) -> Name {
        Name::owner(text).unwrap()
    }

    fn soon() -> Deadline {
        Deadline::after(Duration::from_secs(1))
    }

    /// example.com, and of it two names with a target of their own and two with one together.
    fn delegating(access: Access) -> Scope {
        let pairs = [
            ("www.example.com", "www.acme.example.net"),
            ("example.com", "_acme-challenge.example.net"),
            ("a.example.com", "both.example.net"),
            ("b.example.com", "both.example.net"),
        ];
        Scope::ruled(vec![name("example.com")], access).delegating(Aliases::of(&pairs))
    }

    /// Who is asked for, and where the record is: `domain owner`.
    fn granted(grant: Result<Grant, OutOfScope>) -> Result<String, OutOfScope> {
        grant.map(|grant| format!("{} {}", grant.domain, grant.owner))
    }

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
        let record = Record { owner: domain.challenge(), domain, value, caller: "alice".to_string(), life: None };
        assert!(Scope::new(vec![Name::host("example.com").unwrap()]).recall(&record, deadline).is_err());
        let permit = Scope::new(vec![Name::host("example.net").unwrap()]).recall(&record, deadline).unwrap();
        assert_eq!(permit.action(), Action::Teardown);
    }

    #[test]
    fn the_record_of_a_delegated_name_is_at_its_target_whichever_of_the_two_is_asked_for() {
        let (scope, caller) = (delegating(Access::unlimited()), Caller::for_tests("alice"));
        let challenge = |text: &str| granted(scope.challenge(&caller, &name(text), soon()));
        let record = |text: &str| granted(scope.record(&caller, &name(text), soon()));
        let www = Ok("www.example.com www.acme.example.net".to_string());
        assert_eq!(challenge("www.example.com"), www);
        assert_eq!(challenge("www.acme.example.net"), www);
        assert_eq!(record("www.acme.example.net"), www);
        assert_eq!(record("_acme-challenge.www.example.com"), www);
        let apex = Ok("example.com _acme-challenge.example.net".to_string());
        assert_eq!(challenge("example.com"), apex);
        assert_eq!(challenge("example.net"), apex, "its challenge name is the target");
        assert_eq!(challenge("c.example.com"), Ok("c.example.com _acme-challenge.c.example.com".to_string()));
        for foreign in ["acme.example.net", "a.www.acme.example.net", "ww.acme.example.net"] {
            assert_eq!(challenge(foreign), Err(OutOfScope::Domains(name(foreign))));
        }
        let below = "_acme-challenge.www.acme.example.net";
        assert_eq!(record(below), Err(OutOfScope::Domains(name(&below[16..]))), "the target, and not its challenge");
        for other in ["example.net", "example.com", "www.example.com", "a.www.acme.example.net", "_acme-challenge"] {
            assert_eq!(record(other), Err(OutOfScope::NoChallenge(name(other))), "{other}");
        }
    }

    #[test]
    fn rights_to_a_target_are_the_rights_to_all_names_that_lead_there() {
        let scratch = Scratch::new();
        let rules = "alice www.example.com a.example.com\nbob .example.com\ncarol .example.net\n";
        let scope = delegating(Access::of(&scratch.file("access", rules)));
        let may = |user: &str, asked: &str| {
            let caller = Caller::for_tests(user);
            let doors = [Scope::challenge, Scope::record].map(|door| door(&scope, &caller, &name(asked), soon()));
            doors.iter().any(Result::is_ok)
        };
        let asked = ["www.example.com", "www.acme.example.net", "a.example.com", "b.example.com", "both.example.net"];
        assert_eq!(asked.map(|name| may("alice", name)), [true, true, false, false, false], "she may a, and not b");
        assert_eq!(asked.map(|name| may("bob", name)), [true; 5]);
        assert_eq!(asked.map(|name| may("carol", name)), [false; 5], "the target's own domain gives no right");
    }

    #[test]
    fn the_ledger_may_remove_at_a_target_only_as_long_as_it_is_one() {
        let record = |domain: &str, owner: &str| {
            let value = Value::parse(&"v".repeat(43)).unwrap();
            Record { domain: name(domain), owner: name(owner), value, caller: "alice".to_string(), life: None }
        };
        let www = record("www.example.com", "www.acme.example.net");
        let scope = delegating(Access::unlimited());
        assert_eq!(scope.recall(&www, soon()).unwrap().owner(), &www.owner);
        let before = record("www.example.com", "_acme-challenge.www.example.com");
        assert_eq!(scope.recall(&before, soon()).unwrap().owner(), &before.owner, "from before it was delegated");
        let without = Scope::new(vec![name("example.com")]);
        assert_eq!(without.recall(&www, soon()).unwrap_err(), OutOfScope::Elsewhere(www.owner.clone()));
        let others = record("www.example.com", "both.example.net");
        assert_eq!(scope.recall(&others, soon()).unwrap_err(), OutOfScope::Elsewhere(others.owner));
    }
}
