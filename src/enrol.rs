//! `acmegw acmedns`: makes, lists and deletes accounts for acme-dns clients.
//!
//! What a client needs, its key included, goes to stdout and nothing else does; what was done, and
//! what is left to do in the DNS, goes to stderr. A running gateway sees every change at once.

use std::io::{self, Write};

use ipnet::IpNet;

use crate::account::Overview;
use crate::acmedns::store::Store;
use crate::acmedns::{Account, Id, NAMES, NETWORKS, network};
use crate::challenge::Name;
use crate::clock;
use crate::config::{Config, Mistakes};
use crate::failure::Failure;
use crate::foreign::Foreign;
use crate::secret::Secret;
use crate::state;
use crate::sys::Refusal;

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    Add,
    List,
    Delete,
}

/// The command line, as it was written.
#[derive(Debug)]
pub struct Call {
    pub action: Action,
    /// To add: domains. To delete: users.
    pub names: Vec<String>,
    /// `-s`: one account for all domains.
    pub shared: bool,
    /// `-a`: the networks from which the accounts may be used.
    pub allow_from: Vec<String>,
}

/// A new account and its key, which is kept nowhere.
type New = (Account, Secret);

/// Does what was asked.
pub fn run(call: Call, config: Result<(Config, Mistakes), Failure>) -> Result<(), Failure> {
    check(&call)?;
    let (config, mut mistakes) = config?;
    let state = mistakes.note(state::of_gateway(&config));
    let overview = Overview::read(&config, &mut mistakes);
    let (state, overview) = mistakes.finish(state.zip(overview))?;
    let store = Store::within(Some(state));
    match call.action {
        Action::Add => add(&call, &overview, &store, config.path("ACCESS_FILE").is_some(), &mut io::stdout()),
        Action::List => list(&store, &mut io::stdout()),
        Action::Delete => delete(&call, &store),
    }
}

/// Which words and options go together.
fn check(call: &Call) -> Result<(), Failure> {
    let usage = |bad: bool, text: &str| if bad { Err(Failure::Usage(text.to_string())) } else { Ok(()) };
    let (is_add, is_list) = (call.action == Action::Add, call.action == Action::List);
    usage(is_list && !call.names.is_empty(), "acmedns list takes no names: it lists all accounts")?;
    usage(is_add && call.names.is_empty(), "name the domains: acmegw acmedns add NAME...")?;
    usage(call.action == Action::Delete && call.names.is_empty(), "name the users: acmegw acmedns delete USER...")?;
    usage(!is_add && call.shared, "-s goes with add only")?;
    usage(!is_add && !call.allow_from.is_empty(), "-a goes with add only")?;
    usage(call.names.len() > NAMES, "at most 100 names at a time: no certificate holds more")?;
    usage(call.allow_from.len() > NETWORKS, "at most 32 networks: write larger ones")
}

/// Makes an account for each domain, or one for all.
fn add(
    call: &Call,
    overview: &Overview,
    store: &Store,
    has_rules: bool,
    output: &mut impl Write,
) -> Result<(), Failure> {
    let domains = domains(&call.names, overview)?;
    let networks = networks(&call.allow_from)?;
    let groups: Vec<_> = match call.shared {
        true => vec![domains],
        false => domains.into_iter().map(|domain| vec![domain]).collect(),
    };
    let mut made: Vec<New> = Vec::new();
    for names in groups {
        let new = Account::new(names, overview.own_zone.as_ref(), networks.clone());
        let too_long =
            || Failure::Failed("a name in DNS_ZONE would be too long: choose a shorter DNS_ZONE".to_string());
        let added = new.ok_or_else(too_long).and_then(|new| store.add(&new.0).map(|()| new).map_err(failed));
        match added {
            Ok(new) => made.push(new),
            // All or none: nobody would know the keys of some.
            Err(failure) => {
                withdraw(&made, store);
                return Err(failure);
            }
        }
    }
    writeln!(output, "{}", storage(&made).reveal()).and_then(|()| output.flush()).map_err(|error| {
        withdraw(&made, store);
        Failure::Failed(format!("the keys cannot be shown ({error}): no account was made"))
    })?;
    for (account, _) in &made {
        tell(account, has_rules);
    }
    eprintln!("the keys are shown this once; lego, cert-manager and certbot-dns-acmedns take standard output as it is");
    Ok(())
}

fn domains(names: &[String], overview: &Overview) -> Result<Vec<Name>, Failure> {
    let mut domains: Vec<Name> = Vec::new();
    for text in names {
        let domain = Name::domain(text)
            .map_err(|error| Failure::Usage(format!("'{}' is {error}: write it as example.com", Foreign(text))))?;
        if !overview.domains.iter().any(|ours| domain.is_within(ours)) {
            return Err(Failure::Usage(format!(
                "{domain} is not within DNSAPI_DOMAINS: add it there, or correct the name"
            )));
        }
        if !domains.contains(&domain) {
            domains.push(domain);
        }
    }
    Ok(domains)
}

fn networks(texts: &[String]) -> Result<Vec<IpNet>, Failure> {
    let wrong = |text: &str| Failure::Usage(format!("'{}' is no network: write it as 192.0.2.0/24", Foreign(text)));
    texts.iter().map(|text| network(text).ok_or_else(|| wrong(text))).collect()
}

fn withdraw(made: &[New], store: &Store) {
    for (account, _) in made {
        if let Err(Refusal { what, remedy }) = store.delete(&account.username) {
            eprintln!("{} was made and cannot be deleted: {what}: {remedy}", account.username);
        }
    }
}

/// The accounts by domain: the form in which goacmedns (lego, cert-manager) and certbot-dns-acmedns
/// keep them.
fn storage(made: &[New]) -> Secret {
    let mut lines = Vec::new();
    for (account, key) in made {
        // Neither names nor accounts hold what JSON would escape.
        lines.extend(account.names.iter().map(|name| format!("  \"{name}\": {}", account.json(key).reveal())));
    }
    Secret::new(format!("{{\n{}\n}}", lines.join(",\n")))
}

/// What was made, and what is to be done in the DNS and elsewhere.
fn tell(account: &Account, has_rules: bool) {
    let Account { username, fulldomain, .. } = account;
    eprintln!("made the account {username}, whose values are set at {fulldomain}");
    for name in &account.names {
        let challenge = name.challenge();
        match challenge == *fulldomain {
            true => eprintln!("  {name}: nothing is to be changed in the DNS"),
            false => eprintln!("  {name}: put into its zone: {challenge}. CNAME {fulldomain}."),
        }
        if has_rules {
            eprintln!("  {name}: put into ACCESS_FILE: {username} {name}");
        }
    }
}

/// An account a line: user, place, since when, and the domains, or who registered it.
fn list(store: &Store, output: &mut impl Write) -> Result<(), Failure> {
    for account in store.all().map_err(failed)? {
        let Account { username, fulldomain, names, by, since, .. } = &account;
        let names: Vec<_> = names.iter().map(Name::as_str).collect();
        let whom = by.as_ref().map_or_else(|| names.join(" "), |by| format!("registered by {}", Foreign(by)));
        writeln!(output, "{username} {fulldomain} {} {whom}", clock::day(*since)).map_err(unshown)?;
    }
    output.flush().map_err(unshown)
}

fn delete(call: &Call, store: &Store) -> Result<(), Failure> {
    let not_there = |text: &str| {
        Failure::Failed(format!("there is no account {}: acmegw acmedns list shows which there are", Foreign(text)))
    };
    for text in &call.names {
        let username = Id::parse(text).ok_or_else(|| not_there(text))?;
        if !store.delete(&username).map_err(failed)? {
            return Err(not_there(text));
        }
        eprintln!("deleted the account {username}; what it has set goes after CHALLENGE_TTL");
    }
    Ok(())
}

fn unshown(error: io::Error) -> Failure {
    Failure::Failed(format!("the accounts cannot be shown ({error})"))
}

fn failed(Refusal { what, remedy }: Refusal) -> Failure {
    Failure::Failed(format!("{what}: {remedy}"))
}
