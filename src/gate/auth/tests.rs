use super::*;
use crate::challenge::Name;
use crate::config::Search;
use crate::gate::peer::Proxies;
use crate::scratch::Scratch;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;

/// alice's password is `secret` (made with Python's hashlib: scrypt, n=16384, r=8, p=1, the salt 16 zero bytes).
const USERS: &str = "alice:$8$AAAAAAAAAAAAAAAAAAAAAA$aLJr313a4S4tKM+skUSPwmGcnRd98oRU1CnCPv6T4/Q\n";

fn auth(folder: &Scratch, settings: &[(&'static str, &str)]) -> Auth {
    let known = [crate::config::SETTINGS, SETTINGS, crate::gate::peer::SETTINGS, users::SETTINGS].concat();
    let file = folder.file("acmepasswd", USERS).display().to_string();
    let mut arguments = vec![("PASSWD_FILE", "test", file)];
    arguments.extend(settings.iter().map(|(name, value)| (*name, "test", value.to_string())));
    let search = Search { named: None, file_name: "no such file", last: None };
    let (config, mut mistakes) = Config::load(&known, arguments, |_| None, search).unwrap();
    let auth = Auth::read(&config, &mut mistakes, Store::within(Some(folder.path().to_path_buf())));
    mistakes.finish(auth).unwrap()
}

fn client(address: &str) -> Client {
    let search = Search { named: None, file_name: "no such file", last: None };
    let config = Config::load(crate::gate::peer::SETTINGS, Vec::new(), |_| None, search).unwrap().0;
    Proxies::read(&config, &mut Mistakes::default()).unwrap().client(address.parse().unwrap(), &[])
}

fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", BASE64_STANDARD.encode(format!("{user}:{password}")))
}

/// What an attempt gives, and how many derivations it costs.
fn costs(auth: &Auth, address: &str, header: Option<&str>) -> (Result<Option<String>, Denied>, u64) {
    let before = auth.users().map_or(0, UsersFile::derivations);
    let claim = Claim::of(|name| header.filter(|_| name == "Authorization"));
    let outcome = auth.admit(&client(address), claim).map(|caller| caller.user().map(str::to_string));
    (outcome, auth.users().map_or(0, UsersFile::derivations) - before)
}

const HERE: &str = "192.0.2.7";

#[test]
fn a_right_password_is_paid_for_once_and_a_wrong_one_each_time() {
    let folder = Scratch::new();
    let auth = auth(&folder, &[("BASIC_AUTH", "required")]);
    let alice = || Ok(Some("alice".to_string()));
    let right = basic("alice", "secret");
    assert_eq!(costs(&auth, HERE, Some(&right)), (alice(), 1));
    assert_eq!(costs(&auth, HERE, Some(&right)), (alice(), 0));
    assert_eq!(costs(&auth, "2001:db8::1", Some(&right)), (alice(), 1), "elsewhere it is verified again");
    assert_eq!(costs(&auth, "2001:db8::ffff:1", Some(&right)), (alice(), 0), "the same household");
    let wrong = |user: &str| Err(Denied::WrongPassword { user: user.to_string() });
    assert_eq!(costs(&auth, HERE, Some(&basic("alice", "Secret"))), (wrong("alice"), 1));
    assert_eq!(costs(&auth, HERE, Some(&basic("nobody", "secret"))), (wrong("nobody"), 1), "an unknown user costs too");
    assert_eq!(costs(&auth, HERE, None), (Err(Denied::NoPassword), 0));
    folder.file("acmepasswd", &USERS.replace("T4/Q", "T4/A"));
    assert_eq!(costs(&auth, HERE, Some(&right)), (wrong("alice"), 1), "a change of the line ends what is remembered");
    folder.file("acmepasswd", &USERS.replace("alice", "bob"));
    assert_eq!(costs(&auth, HERE, Some(&right)), (wrong("alice"), 1), "and so does its end");
}

#[test]
fn after_five_failures_nothing_is_derived_any_more_for_that_pair() {
    let folder = Scratch::new();
    let auth = auth(&folder, &[("BASIC_AUTH", "required")]);
    for _ in 0..5 {
        assert_eq!(costs(&auth, HERE, Some(&basic("alice", "wrong"))).1, 1);
    }
    for password in ["wrong", "secret"] {
        let (outcome, derivations) = costs(&auth, HERE, Some(&basic("alice", password)));
        assert!(matches!(outcome, Err(Denied::TooManyFailures { .. })), "{outcome:?}");
        assert_eq!(derivations, 0);
    }
    let right = basic("alice", "secret");
    assert!(costs(&auth, "192.0.2.8", Some(&right)).0.is_ok(), "not locked out from elsewhere");
}

/// The web server goes on while somebody behind its address guesses, and what is remembered is
/// no way to guess past the throttle.
#[test]
fn a_remembered_password_is_good_while_its_pair_waits_but_not_to_be_guessed_at() {
    let folder = Scratch::new();
    let auth = auth(&folder, &[("BASIC_AUTH", "required")]);
    let (right, wrong) = (basic("alice", "secret"), basic("alice", "wrong"));
    assert!(costs(&auth, HERE, Some(&right)).0.is_ok());
    let guesses: u64 = (0..6).map(|_| costs(&auth, HERE, Some(&wrong)).1).sum();
    assert_eq!(guesses, 5);
    assert_eq!(costs(&auth, HERE, Some(&right)), (Ok(Some("alice".to_string())), 0));
    let guesses: u64 = (0..100).map(|_| costs(&auth, HERE, Some(&wrong)).1).sum();
    assert_eq!(guesses, 5, "its success cleared the five before");
    let (outcome, derivations) = costs(&auth, HERE, Some(&right));
    assert!(matches!(outcome, Err(Denied::TooManyFailures { .. })) && derivations == 0, "forgotten: {outcome:?}");
}

#[test]
fn guesses_at_the_same_time_are_no_more_than_one_after_the_other() {
    let folder = Scratch::new();
    let auth = auth(&folder, &[("BASIC_AUTH", "required")]);
    let wrong = basic("alice", "wrong");
    let claim = || Claim::of(|name| Some(wrong.as_str()).filter(|_| name == "Authorization"));
    let guess = || auth.admit(&client(HERE), claim());
    // Whoever is told that we are busy tries again.
    std::thread::scope(|scope| {
        (0..8).for_each(|_| drop(scope.spawn(|| (0..20).for_each(|_| drop(guess())))));
    });
    (0..20).for_each(|_| drop(guess()));
    assert_eq!(auth.users().unwrap().derivations(), 5);
}

/// It was let past the throttle before, when there was nothing to wait for yet.
#[test]
fn a_guess_that_waited_for_its_turn_while_others_failed_is_not_derived() {
    let folder = Scratch::new();
    let auth = auth(&folder, &[("BASIC_AUTH", "required")]);
    let wrong = basic("alice", "wrong");
    let at_work = auth.derivations.occupy();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| costs(&auth, HERE, Some(&wrong)));
        while auth.derivations.waiting() == 0 {
            std::thread::yield_now();
        }
        let household = household(HERE.parse().unwrap());
        (0..5).for_each(|_| auth.throttle.charge(household, "alice", Instant::now()).unwrap());
        drop(at_work);
        assert!(matches!(waiting.join().unwrap(), (Err(Denied::TooManyFailures { .. }), 0)));
    });
}

/// Else the same web server would be now its user and now its address.
#[test]
fn an_allowed_host_that_has_to_wait_is_not_taken_for_its_address() {
    let folder = Scratch::new();
    let auth = auth(&folder, &[("BASIC_AUTH", "sufficient"), ("ALLOWED_HOSTS", HERE)]);
    let right = basic("alice", "secret");
    let _full = auth.derivations.fill();
    assert_eq!(costs(&auth, HERE, Some(&right)), (Err(Denied::Busy), 0));
    assert_eq!(costs(&auth, HERE, None), (Ok(None), 0));
}

#[test]
fn an_address_that_is_not_allowed_costs_nothing() {
    let folder = Scratch::new();
    let right = basic("alice", "secret");
    let required = auth(&folder, &[("BASIC_AUTH", "required"), ("ALLOWED_HOSTS", "192.0.2.8")]);
    assert_eq!(costs(&required, HERE, Some(&right)), (Err(Denied::Host(HERE.parse().unwrap())), 0));
    let sufficient = auth(&folder, &[("BASIC_AUTH", "sufficient"), ("ALLOWED_HOSTS", HERE)]);
    assert_eq!(costs(&sufficient, HERE, None), (Ok(None), 0));
    assert_eq!(costs(&sufficient, HERE, Some(&right)), (Ok(Some("alice".to_string())), 1));
}

/// An account that is kept, and its key.
fn account(folder: &Scratch, networks: &[&str]) -> (Account, String) {
    let networks = networks.iter().map(|text| crate::acmedns::network(text).unwrap()).collect();
    let (account, key) = Account::new(vec![Name::host("example.com").unwrap()], None, networks).unwrap();
    Store::within(Some(folder.path().to_path_buf())).add(&account).unwrap();
    (account, key.reveal().to_string())
}

/// What acme-dns's headers give, and how many derivations they cost.
fn with_key(auth: &Auth, address: &str, user: &str, key: &str) -> (Result<Option<String>, Denied>, u64) {
    let before = auth.users().map_or(0, UsersFile::derivations);
    let claim = Claim::of(|name| match name {
        "X-Api-User" => Some(user),
        "X-Api-Key" => Some(key),
        _ => None,
    });
    let outcome = auth.admit(&client(address), claim);
    let outcome = outcome.map(|caller| caller.account().map(|account| account.username.to_string()));
    (outcome, auth.users().map_or(0, UsersFile::derivations) - before)
}

#[test]
fn an_account_s_key_is_right_or_wrong_and_derives_nothing() {
    let folder = Scratch::new();
    let (account, key) = account(&folder, &[]);
    let user = account.username.to_string();
    let admitted = (Ok(Some(user.clone())), 0);
    let wrong = |user: &str| (Err(Denied::WrongKey { user: user.to_string() }), 0);
    for settings in [
        [("BASIC_AUTH", "required"), ("ALLOWED_HOSTS", "")],
        [("BASIC_AUTH", "sufficient"), ("ALLOWED_HOSTS", HERE)],
        [("BASIC_AUTH", "none"), ("ALLOWED_HOSTS", HERE)],
    ] {
        let auth = auth(&folder, &settings);
        assert_eq!(with_key(&auth, HERE, &user, &key), admitted);
        assert_eq!(with_key(&auth, HERE, &user.to_ascii_uppercase(), &key), admitted);
        for bad in ["", &key[1..], &key.to_ascii_uppercase()] {
            assert_eq!(with_key(&auth, HERE, &user, bad), wrong(&user), "an allowed host is not taken for less");
        }
        let unknown = account.subdomain.as_str();
        assert_eq!(with_key(&auth, HERE, unknown, &key), wrong(unknown));
        assert_eq!(with_key(&auth, HERE, unknown, ""), wrong(unknown), "no account has the empty key");
    }
    let auth = auth(&folder, &[("BASIC_AUTH", "required")]);
    Store::within(Some(folder.path().to_path_buf())).delete(&account.username).unwrap();
    assert_eq!(with_key(&auth, HERE, &user, &key), wrong(&user), "deleted, and no restart");
}

#[test]
fn allowed_hosts_and_allowfrom_still_count_for_an_account() {
    let folder = Scratch::new();
    let (account, key) = account(&folder, &["192.0.2.0/29", "2001:db8::/32"]);
    let from = |settings: &[(&'static str, &str)], address: &str| {
        with_key(&auth(&folder, settings), address, account.username.as_str(), &key).0
    };
    let host = |address: &str| Err(Denied::Host(address.parse().unwrap()));
    let elsewhere = |address: &str| {
        let (user, address) = (account.username.to_string(), address.parse().unwrap());
        Err(Denied::Elsewhere { user, address })
    };
    let good = Ok(Some(account.username.to_string()));
    let hosts = ("ALLOWED_HOSTS", "192.0.2.0/24");
    for mode in ["none", "required"] {
        assert_eq!(from(&[("BASIC_AUTH", mode), hosts], HERE), good);
        assert_eq!(from(&[("BASIC_AUTH", mode), hosts], "192.0.2.8"), elsewhere("192.0.2.8"));
        assert_eq!(from(&[("BASIC_AUTH", mode), hosts], "2001:db8::1"), host("2001:db8::1"));
    }
    assert_eq!(from(&[("BASIC_AUTH", "sufficient"), hosts], "2001:db8::1"), good, "host or key");
    assert_eq!(from(&[("BASIC_AUTH", "sufficient"), hosts], "192.0.2.8"), elsewhere("192.0.2.8"));
    assert_eq!(from(&[("BASIC_AUTH", "required")], "2001:db8::1"), good);
}

#[test]
fn guessing_keys_is_throttled_and_many_right_ones_at_once_are_not() {
    let folder = Scratch::new();
    let auth = auth(&folder, &[("BASIC_AUTH", "required")]);
    let (account, key) = account(&folder, &[]);
    let user = account.username.as_str();
    std::thread::scope(|scope| {
        (0..16).for_each(|_| drop(scope.spawn(|| assert!(with_key(&auth, HERE, user, &key).0.is_ok()))));
    });
    for _ in 0..5 {
        assert!(matches!(with_key(&auth, HERE, user, "guess").0, Err(Denied::WrongKey { .. })));
    }
    for key in ["guess", &key] {
        assert!(matches!(with_key(&auth, HERE, user, key).0, Err(Denied::TooManyFailures { .. })));
    }
    assert!(with_key(&auth, "192.0.2.8", user, &key).0.is_ok(), "not locked out from elsewhere");
}

#[test]
fn no_key_is_taken_where_it_came_in_the_clear() {
    let folder = Scratch::new();
    let mut auth = auth(&folder, &[("BASIC_AUTH", "none"), ("ALLOWED_HOSTS", HERE)]);
    let (account, key) = account(&folder, &[]);
    auth.take_no_keys();
    assert_eq!(with_key(&auth, HERE, account.username.as_str(), &key), (Err(Denied::InTheClear), 0));
}

#[test]
fn what_is_no_uuid_in_acme_dns_s_headers_is_a_user_as_with_basic() {
    let folder = Scratch::new();
    let auth = auth(&folder, &[("BASIC_AUTH", "required")]);
    let alice = Claim::of(|name| match name {
        "X-Api-User" => Some("alice"),
        "X-Api-Key" => Some("secret"),
        _ => Some("Basic Ym9iOng="),
    });
    assert_eq!(auth.admit(&client(HERE), alice).unwrap().user(), Some("alice"));
    let half = basic("alice", "secret");
    let half = Claim::of(|name| match name {
        "X-Api-User" => Some("bob"),
        "X-Api-Key" => None,
        _ => Some(half.as_str()),
    });
    assert_eq!(auth.admit(&client(HERE), half).unwrap().user(), Some("alice"), "half of them is none");
    assert_eq!(with_key(&auth, HERE, "alice", "wrong"), (Err(Denied::WrongPassword { user: "alice".to_string() }), 1));
}
