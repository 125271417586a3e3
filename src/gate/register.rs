//! Who may make acme-dns accounts by itself: nobody, unless ACMEDNS_REGISTER says who. Such an account
//! reaches its own name in DNS_ZONE, and nothing else.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ipnet::IpNet;

use crate::acmedns::store::Store;
use crate::acmedns::{Account, Id};
use crate::challenge::Name;
use crate::config::{Config, Mistakes, Setting};
use crate::gate::auth::{Auth, Caller};
use crate::gate::recent::Recent;
use crate::mistake::Mistake;
use crate::secret::Secret;
use crate::sys::Refusal;

pub const SETTINGS: &[Setting] = &[Setting::new(
    "ACMEDNS_REGISTER",
    "off",
    "who may register acme-dns accounts: off, hosts (of ALLOWED_HOSTS) or users (with a password)",
)];

/// Accounts that registered themselves, at a time.
const ACCOUNTS: usize = 100;
/// Registrations of all callers in a minute.
const REGISTRATIONS: usize = 10;

/// Registration, open to some.
pub struct Registration {
    open_to: OpenTo,
    store: Store,
    zone: Name,
    /// Held while one registers, so that the accounts are counted one after another.
    recent: Mutex<Recent>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum OpenTo {
    Nobody,
    Hosts,
    Users,
}

/// Why there is no account.
#[derive(Debug, PartialEq, Eq)]
pub enum NotRegistered {
    Closed,
    /// Not for this caller.
    Caller,
    /// There is room for one after this.
    TooMany(Duration),
    Full,
    /// It could not be written down; the log says why.
    Unwritten,
}

impl Registration {
    /// Reads to whom it is open; None within: to nobody. `zone` is the one that we serve.
    pub fn read(
        config: &Config,
        mistakes: &mut Mistakes,
        auth: Option<&Auth>,
        store: Store,
        zone: Option<&Name>,
    ) -> Option<Option<Registration>> {
        let words = [("off", OpenTo::Nobody), ("hosts", OpenTo::Hosts), ("users", OpenTo::Users)];
        let open_to = mistakes.note(config.required("ACMEDNS_REGISTER", config.choice("ACMEDNS_REGISTER", &words)))?;
        if open_to == OpenTo::Nobody {
            return Some(None);
        }
        let mistake = |what, remedy: &str| config.mistake("ACMEDNS_REGISTER", what, remedy);
        let wrong: Vec<Mistake> = [
            zone.is_none().then(|| {
                mistake(
                    "needs a zone in which those who register have a name",
                    "use the provider embedded and set DNS_ZONE, or make the accounts with acmegw acmedns add",
                )
            }),
            (zone.is_some_and(|zone| !has_room(zone))).then(|| {
                mistake("needs a DNS_ZONE of host names with room for 37 characters", "choose another DNS_ZONE")
            }),
            store.is_nowhere().then(|| mistake("needs a place to keep the accounts", "set STATE_DIR")),
            auth.is_some_and(|auth| open_to == OpenTo::Hosts && !auth.knows_hosts())
                .then(|| mistake("= hosts needs ALLOWED_HOSTS", "set ALLOWED_HOSTS")),
            auth.is_some_and(|auth| open_to == OpenTo::Users && !auth.takes_passwords())
                .then(|| mistake("= users needs passwords", "set BASIC_AUTH = sufficient or required")),
        ]
        .into_iter()
        .flatten()
        .collect();
        let is_right = wrong.is_empty();
        wrong.into_iter().for_each(|mistake| mistakes.push(mistake));
        let zone = zone.filter(|_| is_right)?.clone();
        Some(Some(Registration { open_to, store, zone, recent: Mutex::default() }))
    }

    /// Makes an account for this caller, that may be used from these networks (none: from everywhere).
    pub fn register(&self, caller: &Caller, allow_from: Vec<IpNet>) -> Result<(Account, Secret), NotRegistered> {
        self.register_at(caller, allow_from, Instant::now())
    }

    fn register_at(
        &self,
        caller: &Caller,
        allow_from: Vec<IpNet>,
        now: Instant,
    ) -> Result<(Account, Secret), NotRegistered> {
        let may = match self.open_to {
            OpenTo::Nobody => false,
            OpenTo::Hosts => caller.is_allowed_host(),
            OpenTo::Users => caller.user().is_some() && caller.account().is_none(),
        };
        if !may {
            return Err(NotRegistered::Caller);
        }
        let unwritten = |Refusal { what, remedy }| {
            log::error!("no account can be registered: {what}: {remedy}");
            NotRegistered::Unwritten
        };
        let mut recent = self.recent();
        // First, so that nobody has us read all accounts more often.
        recent.add(1, REGISTRATIONS, now).map_err(NotRegistered::TooMany)?;
        let all = self.store.all().map_err(unwritten)?;
        if all.iter().filter(|account| account.by.is_some()).count() >= ACCOUNTS {
            return Err(NotRegistered::Full);
        }
        let made = Account::registered(&self.zone, allow_from, &caller.identity());
        let (account, key) = made.ok_or(NotRegistered::Unwritten)?;
        self.store.add(&account).map_err(unwritten)?;
        Ok((account, key))
    }

    fn recent(&self) -> MutexGuard<'_, Recent> {
        // Every change of it is one call.
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Is there room for an account's name in front, and is that a host name, as the ledger keeps it?
fn has_room(zone: &Name) -> bool {
    Name::host(&format!("{}.{zone}", Id::random())).is_ok()
}

impl fmt::Display for NotRegistered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NotRegistered::Closed => f.write_str("registration is closed"),
            NotRegistered::Caller => f.write_str("registration is not open to this caller, by ACMEDNS_REGISTER"),
            NotRegistered::TooMany(_) => {
                write!(f, "more than {REGISTRATIONS} registrations in a minute: try again after Retry-After")
            }
            NotRegistered::Full => write!(
                f,
                "{ACCOUNTS} accounts have registered: delete those that are no longer used (acmegw acmedns list)"
            ),
            NotRegistered::Unwritten => f.write_str("the account cannot be kept"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;
    use std::net::IpAddr;

    fn registration(scratch: &Scratch, open_to: OpenTo) -> Registration {
        let store = Store::within(Some(scratch.path().to_path_buf()));
        Registration { open_to, store, zone: Name::owner("acme.example.net").unwrap(), recent: Mutex::default() }
    }

    fn host(is_allowed: bool) -> Caller {
        Caller::of_host(IpAddr::from([192, 0, 2, 7]), is_allowed)
    }

    #[test]
    fn it_is_open_to_whom_it_says_and_to_nobody_else() {
        let scratch = Scratch::new();
        let (registered, _) = registration(&scratch, OpenTo::Hosts)
            .register(&host(true), Vec::new())
            .unwrap_or_else(|not| panic!("{not}"));
        let callers = [host(true), host(false), Caller::for_tests("alice"), Caller::of_account(&registered)];
        for (open_to, expected) in [
            (OpenTo::Hosts, [true, false, false, false]),
            (OpenTo::Users, [false, false, true, false]),
            (OpenTo::Nobody, [false; 4]),
        ] {
            let registration = registration(&scratch, open_to);
            let may = callers.each_ref().map(|caller| registration.register(caller, Vec::new()).is_ok());
            assert_eq!(may, expected, "{open_to:?}");
        }
        assert_eq!(registered.by.as_deref(), Some("192.0.2.7"));
    }

    #[test]
    fn ten_a_minute_and_a_hundred_in_all_beside_those_that_were_made() {
        let scratch = Scratch::new();
        let (registration, start) = (registration(&scratch, OpenTo::Users), Instant::now());
        let (made, _) = Account::new(vec![Name::host("example.com").unwrap()], None, Vec::new()).unwrap();
        registration.store.add(&made).unwrap();
        let register = |minute: u64| {
            let now = start + Duration::from_secs(60 * minute);
            registration.register_at(&Caller::for_tests("alice"), Vec::new(), now).map(|(account, _)| account.username)
        };
        let mut first = None;
        for minute in 0..10 {
            for _ in 0..REGISTRATIONS {
                first.get_or_insert(register(minute).unwrap_or_else(|not| panic!("{not}")));
            }
            assert_eq!(register(minute), Err(NotRegistered::TooMany(Duration::from_secs(60))));
        }
        assert_eq!(register(20), Err(NotRegistered::Full));
        registration.store.delete(&first.unwrap()).unwrap();
        assert!(register(20).is_ok());
    }
}
