//! Reads DNSAPI_*: which accounts there are, each with its provider and its domains.

use std::sync::Arc;

use super::set::Accounts;
use super::{Account, SETTINGS};
use crate::challenge::Name;
use crate::config::{AccountName, Config, Lists, Mistakes, Setting};
use crate::foreign::Foreign;
use crate::ledger::Ledger;
use crate::mistake::Mistake;
use crate::nearest::nearest;
use crate::provider::{self, PROVIDERS, Row, Surroundings};

/// The setting that lists the further accounts.
fn list() -> &'static Setting {
    SETTINGS.iter().find(|setting| setting.lists == Some(Lists::Accounts)).expect("one of them is the list")
}

impl Accounts {
    /// Reads all accounts. The one without a name may be absent where there are others.
    pub fn read(config: &Config, mistakes: &mut Mistakes, ledger: &Arc<Ledger>) -> Option<Accounts> {
        let further = mistakes.note(config.accounts(list().name))?;
        let mut read = Vec::new();
        if further.is_empty() || config.has_unnamed_account() {
            read.push(Read::new(config, None, mistakes, ledger));
        }
        for name in further {
            read.push(Read::new(&config.of_account(&name), Some(name), mistakes, ledger));
        }
        for (index, later) in read.iter().enumerate() {
            read[..index].iter().for_each(|earlier| later.compare(earlier, mistakes));
        }
        let accounts: Option<Vec<Account>> = read.into_iter().map(|one| one.account).collect();
        accounts.map(Accounts::new)
    }
}

/// What a tool has to know about all accounts, which needs none of their secrets.
pub struct Overview {
    pub domains: Vec<Name>,
    /// DNS_ZONE, if the embedded server serves it.
    pub own_zone: Option<Name>,
}

impl Overview {
    pub fn read(config: &Config, mistakes: &mut Mistakes) -> Option<Overview> {
        let further = mistakes.note(config.accounts(list().name))?;
        let mut overview = Overview { domains: Vec::new(), own_zone: None };
        let unnamed = further.is_empty() || config.has_unnamed_account();
        let configs = unnamed.then(|| (config.clone(), true)).into_iter();
        for (config, is_unnamed) in configs.chain(further.iter().map(|name| (config.of_account(name), false))) {
            overview.domains.extend(mistakes.note(domains(&config))?);
            let row = mistakes.note(choose(&config, is_unnamed))?;
            overview.own_zone = overview.own_zone.or(mistakes.note(own_zone(&config, row))?);
        }
        Some(overview)
    }
}

/// DNS_ZONE, where the embedded server serves it.
fn own_zone(config: &Config, row: &Row) -> Result<Option<Name>, Mistake> {
    match row.name == provider::embedded::ROW.name {
        true => provider::embedded::own_zone(config),
        false => Ok(None),
    }
}

/// What is written about one account, as far as it is right.
struct Read {
    config: Config,
    row: Option<&'static Row>,
    domains: Vec<Name>,
    account: Option<Account>,
}

impl Read {
    fn new(config: &Config, name: Option<AccountName>, mistakes: &mut Mistakes, ledger: &Arc<Ledger>) -> Read {
        let domains = mistakes.note(domains(config));
        let row = mistakes.note(choose(config, name.is_none()));
        let surroundings = Surroundings { ledger: ledger.clone(), domains: domains.clone().unwrap_or_default() };
        let provider = row.and_then(|row| (row.build)(config, mistakes, &surroundings));
        let account = match (row, &domains, provider) {
            (Some(row), Some(domains), Some(provider)) => {
                // A wrong one is the provider's mistake already.
                let own_zone = own_zone(config, row).unwrap_or_default();
                Some(Account { name, own_zone, ..Account::new(row, domains.clone(), provider, ledger.clone()) })
            }
            _ => None,
        };
        Read { config: config.clone(), row, domains: domains.unwrap_or_default(), account }
    }

    /// What no two accounts may have in common.
    fn compare(&self, earlier: &Read, mistakes: &mut Mistakes) {
        let mut both = |setting, what: String, remedy| {
            let (here, there) = (self.config.real_name(setting), earlier.config.real_name(setting));
            let (at, where_else) = (self.config.origin(setting), earlier.config.origin(setting));
            mistakes.push(Mistake::new(at, format!("{here} {what} {there} ({where_else})"), remedy));
        };
        for domain in self.domains.iter().filter(|domain| earlier.domains.contains(domain)) {
            both("DNSAPI_DOMAINS", format!("has the domain {domain}, as has"), "leave each domain to one account");
        }
        let is_embedded = |read: &Read| read.row.is_some_and(|row| row.name == provider::embedded::ROW.name);
        if is_embedded(self) && is_embedded(earlier) {
            let what = "is embedded, and there is one embedded DNS server only, that of".to_string();
            both("DNSAPI_MODULE", what, "put the domains of both into one account");
        }
    }
}

fn domains(config: &Config) -> Result<Vec<Name>, Mistake> {
    let domains = config.list("DNSAPI_DOMAINS", |item| {
        Name::host(item).map_err(|error| format!("this is {error}; write domains such as example.com"))
    })?;
    match domains.is_empty() {
        true => config.required("DNSAPI_DOMAINS", Ok(None)),
        false => Ok(domains),
    }
}

/// The provider's row: by name, as the predecessor named it, or, where `may_be_embedded`, by a
/// DNS_ name that is set.
fn choose(config: &Config, may_be_embedded: bool) -> Result<&'static Row, Mistake> {
    let names: Vec<_> = PROVIDERS.iter().map(|row| row.name).collect();
    let list = format!("set DNSAPI_MODULE to one of {}", names.join(", "));
    let Some(module) = config.text("DNSAPI_MODULE") else {
        let embedded = || provider::embedded::ROW.settings().any(|setting| config.is_set(setting.name));
        return match may_be_embedded && embedded() {
            true => Ok(&provider::embedded::ROW),
            false => Err(config.mistake("DNSAPI_MODULE", "is not set", list)),
        };
    };
    let class = config.text("DNSAPI_CLASS");
    let row = match (provider::find(module), class) {
        (None, Some(_)) => provider::find_class(module),
        (found, _) => found,
    };
    let row = row.ok_or_else(|| {
        let meant = nearest(module, names.into_iter()).map(|name| format!("did you mean {name}? Otherwise "));
        let what = format_args!("names no provider, '{}'", Foreign(module)).to_string();
        let class = provider::find_class(module).map(|_| "; a Python class needs DNSAPI_CLASS");
        config.mistake("DNSAPI_MODULE", what, meant.unwrap_or_default() + &list + class.unwrap_or_default())
    })?;
    let expected = row.predecessor.filter(|(name, _)| *name == module).map(|(_, class)| class);
    match (class, expected) {
        (Some(class), Some(expected)) if class == expected => Ok(row),
        (None, _) => Ok(row),
        (Some(_), Some(expected)) => {
            Err(config.mistake("DNSAPI_CLASS", "does not fit DNSAPI_MODULE", format!("write {expected}")))
        }
        // Which class it may be is its own to say.
        (Some(_), None) if provider::find_class(module).is_some() => Ok(row),
        (Some(_), None) => {
            Err(config.mistake("DNSAPI_CLASS", format_args!("does not go with the provider {}", row.name), "remove it"))
        }
    }
}
