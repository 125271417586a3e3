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
