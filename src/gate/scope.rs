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

    fn names(names: &[&str]) -> Vec<Name> {
        names.iter().map(|name| Name::host(name).unwrap()).collect()
    }

    /// What an account may set, by what it asks for.
    fn set(scope: &Scope, account: &Account, asked: &str) -> Result<(String, String), OutOfScope> {
        let (caller, asked) = (Caller::of_account(account), name(asked));
        let door = if asked.as_str() == account.subdomain.as_str() { Scope::place } else { Scope::challenge };
        let grant = door(scope, &caller, &asked, soon())?;
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
        let caller = Caller::of_account(&account);
        for asked in foreign.into_iter().chain([account.username.as_str(), "acme.example.net", "example.net"]) {
            for door in [Scope::place, Scope::challenge, Scope::record] {
                assert!(door(&scope, &caller, &name(asked), soon()).is_err(), "{asked}");
                assert!(door(&scope, &caller, &name(asked).challenge(), soon()).is_err(), "{asked}");
            }
        }
        assert_eq!(set(&scope, &account, "mail.example.com"), Err(OutOfScope::Account(name("mail.example.com"))));
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
        let grant = scope.place(&Caller::of_account(&account), &name(account.subdomain.as_str()), soon());
        let record = grant.unwrap().setup(Value::parse(&"v".repeat(43)).unwrap()).record();
        assert!(scope.recall(&record, soon()).is_ok());
        assert!(Scope::new(names(&["example.com"])).recall(&record, soon()).is_err());
        let apart = Record { domain: name("example.org"), ..record };
        assert!(scope.recall(&apart, soon()).is_err());
    }

    /// Its names may lead elsewhere, with others, whom it has to be allowed too.
    #[test]
    fn an_accounts_place_at_a_delegated_name_is_at_its_target() {
        let scope = delegating(Access::unlimited());
        let of = |domains: &[&str]| Account::new(names(domains), None, Vec::new()).unwrap().0;
        let (www, a) = (of(&["www.example.com"]), of(&["a.example.com"]));
        let target = ("www.example.com".to_string(), "www.acme.example.net".to_string());
        assert_eq!(set(&scope, &www, www.subdomain.as_str()), Ok(target));
        let shared = OutOfScope::Account(name("b.example.com"));
        assert_eq!(set(&scope, &a, a.subdomain.as_str()), Err(shared), "b.example.com leads there too");
        let both = of(&["a.example.com", "b.example.com"]);
        assert!(set(&scope, &both, both.subdomain.as_str()).is_ok());
    }

    #[test]
    fn no_other_caller_reaches_an_accounts_place() {
        let zone = Name::owner("acme.example.net").unwrap();
        let scope = Scope::new(names(&["example.com"])).with_zone(Some(zone.clone()));
        let (account, _) = Account::registered(&zone, Vec::new(), "192.0.2.7").unwrap();
        for asked in [account.subdomain.as_str(), account.fulldomain.as_str()].map(name) {
            for door in [Scope::place, Scope::challenge, Scope::record] {
                assert!(door(&scope, &Caller::for_tests("alice"), &asked, soon()).is_err(), "{asked}");
            }
        }
    }
}
