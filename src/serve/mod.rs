//! `acmegw serve`: the gateway. From the outside inwards: [`lobby`], [`door`], [`engine`], [`request`].

mod answer;
mod certificate;
mod crew;
mod dialect;
mod door;
mod engine;
mod framing;
mod lobby;
mod privilege;
mod reaper;
mod request;
mod seats;
mod timed;
mod tls;
mod visible;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::account::{self, Accounts};
use crate::acmedns::store::Store;
use crate::config::{Config, Mistakes, Setting};
use crate::failure::Failure;
use crate::gate::access::{self, Access};
use crate::gate::alias::{self, Aliases};
use crate::gate::auth::{self, Auth};
use crate::gate::claim::HEADERS;
use crate::gate::peer::{self, Proxies};
use crate::gate::register::{self, Registration};
use crate::gate::scope::Scope;
use crate::ledger::Ledger;
use crate::limits::Limits;
use crate::listen::{self, Listen};
use crate::pair;
use crate::propagation::{Checks, Propagation};
use crate::state;
use crate::sys::{self, Refusal};
use door::{Door, Numbers};
use engine::Engine;
use lobby::Lobby;
use privilege::Rights;
use request::Gateway;
use seats::{Capacity, LEAST_FILES, Seats};
use tls::{Pair, Tls};

/// The settings of the gateway's own parts; those of accounts and providers are theirs.
pub const SETTINGS: &[&[Setting]] = &[
    privilege::SETTINGS,
    listen::SETTINGS,
    pair::SETTINGS,
    auth::SETTINGS,
    peer::SETTINGS,
    access::SETTINGS,
    alias::SETTINGS,
    register::SETTINGS,
];

/// Stacks of the door's threads and of the workers (bytes): ample for TLS and a provider's call.
const STACK: usize = 256 * 1024;
/// How long what is under way may take after SIGTERM.
const FAREWELL: Duration = Duration::from_secs(30);

const IN_THE_CLEAR: &str = "with BASIC_AUTH would send passwords in the clear";
const KEYS_IN_THE_CLEAR: &str = "with ACMEDNS_REGISTER would send keys in the clear";
const CLEAR_REMEDY: &str = "set SSL = on, or LISTEN to a loopback address";

/// How serve was called.
pub struct Call {
    pub configtest: bool,
    /// The program's folder, if it was called by the predecessor's name.
    pub called: Option<PathBuf>,
}

/// Everything that the configuration says, read and checked; nothing is started yet.
struct Plan {
    rights: Rights,
    listen: Listen,
    tls: Tls,
    proxies: Proxies,
    auth: Auth,
    registration: Option<Registration>,
    access: Access,
    aliases: Aliases,
    accounts: Accounts,
    propagation: Propagation,
    ledger: Arc<Ledger>,
    /// Where the ledger is kept; None: in memory only.
    state: Option<PathBuf>,
    ttl: Duration,
}

/// Serves until a signal ends it; with `configtest` only says whether it could.
pub fn run(call: Call, config: &Config, mut mistakes: Mistakes) -> Result<(), Failure> {
    let plan = Plan::read(config, &mut mistakes, call.called.as_deref());
    let plan = mistakes.finish(plan)?;
    plan.report(config);
    privilege::keep_to_ourselves()?;
    if call.configtest {
        plan.settle()?;
        println!("the configuration is in order");
        return Ok(());
    }
    plan.serve()
}

impl Plan {
    fn read(config: &Config, mistakes: &mut Mistakes, called: Option<&Path>) -> Option<Plan> {
        let rights = mistakes.note(Rights::read(config));
        let ledger = Arc::<Ledger>::default();
        let listen = mistakes.note(Listen::read(config));
        let tls = Tls::read(config, mistakes, called);
        let proxies = Proxies::read(config, mistakes);
        let state = mistakes.note(state::folder(config));
        let accounts_of_clients = Store::within(state.clone().flatten());
        let auth = Auth::read(config, mistakes, accounts_of_clients.clone());
        let access = Access::read(config, mistakes);
        let accounts = Accounts::read(config, mistakes, &ledger);
        let zone = accounts.as_ref().and_then(Accounts::own_zone);
        let registration = Registration::read(config, mistakes, auth.as_ref(), accounts_of_clients, zone);
        let aliases = Aliases::read(config, mistakes, accounts.as_ref().map(Accounts::domains));
        let propagation = Propagation::read(config, mistakes);
        let ttl = mistakes.note(account::challenge_ttl(config));
        if let (Some(Tls::Plain), Some(auth), Some(listen)) = (&tls, &auth, &listen)
            && !listen.is_loopback()
        {
            let registers = registration.as_ref().is_some_and(Option::is_some);
            let secrets = [(auth.takes_passwords(), IN_THE_CLEAR), (registers, KEYS_IN_THE_CLEAR)];
            for (_, what) in secrets.into_iter().filter(|(is_so, _)| *is_so) {
                mistakes.push(config.mistake("SSL", format_args!("= off {what}"), CLEAR_REMEDY));
            }
        }
        Some(Plan {
            rights: rights?,
            listen: listen?,
            tls: tls?,
            proxies: proxies?,
            auth: auth?,
            registration: registration?,
            access: access?,
            aliases: aliases?,
            accounts: accounts?,
            propagation: propagation?,
            ledger,
            state: state?,
            ttl: ttl?,
        })
    }

    /// What an administrator wants to see before anything else, and what is legal but unwise.
    fn report(&self, config: &Config) {
        match config.file() {
            Some(file) => log::info!("configuration file {}", file.display()),
            None => log::info!("no configuration file"),
        }
        self.accounts.report();
        for (name, target) in self.aliases.pairs() {
            log::info!("the challenge of {name} is written at {target}");
        }
        if let Tls::SelfSigned(folder) = &self.tls {
            log::info!("no certificate is configured: a self-signed pair is kept in {}", folder.display());
        }
    }

    fn open_ledger(&self) -> Result<(), Failure> {
        let Some(state) = &self.state else {
            log::warn!("no STATE_DIR: what is set is kept in mind in memory only, and forgotten at the end");
            return Ok(());
        };
        let place = self.ledger.keep_in(state);
        let place = place.map_err(|Refusal { what, remedy }| Failure::Failed(format!("{what}: {remedy}")))?;
        log::info!("ledger {place}");
        Ok(())
    }

    /// Takes on the rights to serve with, and looks with them at what is read later, request by request.
    fn settle(&self) -> Result<(), Failure> {
        self.rights.settle()?;
        if let Some(Err(mistake)) = self.auth.users().map(|users| users.check()) {
            log::warn!("nobody is admitted by password: {mistake}");
        }
        self.access.readable().map_err(|mistake| Failure::Config(vec![mistake]))?;
        self.accounts.check()
    }

    fn serve(mut self) -> Result<(), Failure> {
        let files =
            sys::raise_open_files().map_err(|error| Failure::Failed(format!("no limit of open files: {error}")))?;
        let capacity = Capacity::for_files(files).ok_or_else(|| too_few_files(files))?;
        // Before any thread, so that none of them can miss it.
        let mut signals = Signals::new([SIGTERM, SIGINT]).map_err(|error| start_failed("signals", &error))?;
        // Root's rights are good for the sockets, and for what Plan::read has read; for nothing after.
        let listeners = self.listen.bind()?;
        self.accounts.bind()?;
        self.settle()?;
        self.open_ledger()?;
        let addresses = listeners.iter().map(TcpListener::local_addr).collect::<io::Result<Vec<SocketAddr>>>();
        let addresses = addresses.map_err(|error| start_failed("listening sockets", &error))?;
        let pair = self.tls.ready(&addresses.iter().map(SocketAddr::ip).collect::<Vec<_>>())?;
        if pair.is_none() {
            keep_secrets_off(&addresses, &mut self.auth, self.registration.is_some())?;
        }
        self.accounts.start()?;
        let forwarded = HEADERS.into_iter().chain([self.proxies.header.as_str()]).map(str::to_string).collect();
        let scope = Scope::ruled(self.accounts.domains(), self.access)
            .delegating(self.aliases)
            .with_zone(self.accounts.own_zone().cloned());
        let proxies = Arc::new(self.proxies);
        let checks = self.propagation.checks(self.ledger.clone(), files);
        checks.as_ref().map_or(Ok(()), Checks::start).map_err(|error| start_failed("a thread", &error))?;
        let gateway = Gateway {
            proxies: proxies.clone(),
            auth: self.auth,
            registration: self.registration,
            scope,
            limits: Limits::default(),
            ledger: self.ledger,
            accounts: self.accounts,
            checks,
        };
        let gateway = Arc::new(gateway);
        let handler = gateway.clone();
        let engine = Engine::start(forwarded, move |ask| handler.handle(ask))
            .map_err(|error| start_failed("the HTTP engine", &error))?;
        for account in 0..gateway.accounts.count() {
            let gateway = gateway.clone();
            spawn("reaper", move || reaper::reap(&gateway, account, self.ttl))?;
        }
        let door = Door {
            tls: pair.as_ref().map(|pair| pair.config.clone()),
            engine,
            seats: Seats::new(capacity),
            proxies,
            patience: dialect::patience,
            numbers: Numbers::new().map_err(|error| start_failed("random numbers", &error))?,
            closing: AtomicBool::new(false),
        };
        let door = Arc::new(door);
        announce(&addresses, pair.as_ref());
        let lobby = Lobby::new(door.clone(), listeners).map_err(|error| start_failed("the door", &error))?;
        spawn("lobby", move || lobby.attend())?;
        if let Some(signal) = signals.forever().next() {
            farewell(&door, signal);
        }
        Ok(())
    }
}

fn announce(addresses: &[SocketAddr], pair: Option<&Pair>) {
    if let Some(pair) = pair {
        log::info!("certificate {} API_PIN = {}", pair.shown.certificate().display(), pair.shown.pin());
    }
    let scheme = if pair.is_some() { "https" } else { "http" };
    for address in addresses {
        log::info!("listening on {scheme}://{address}");
    }
}

/// The configuration was judged before; this judges the addresses that the sockets really have,
/// since a jail may turn 127.0.0.1 into something else.
fn keep_secrets_off(addresses: &[SocketAddr], auth: &mut Auth, registers: bool) -> Result<(), Failure> {
    let Some(open) = open_address(addresses) else { return Ok(()) };
    let secrets = [(auth.takes_passwords(), IN_THE_CLEAR), (registers, KEYS_IN_THE_CLEAR)];
    if let Some((_, what)) = secrets.into_iter().find(|(is_so, _)| *is_so) {
        return Err(Failure::Usage(format!("SSL = off on {open} {what}: {CLEAR_REMEDY}")));
    }
    // Whether there are accounts, now or later, is not known: their keys are of no use.
    auth.take_no_keys();
    Ok(())
}

/// The address, if any, at which what is sent in the clear can be read on the way.
fn open_address(addresses: &[SocketAddr]) -> Option<&SocketAddr> {
    addresses.iter().find(|address| !address.ip().to_canonical().is_loopback())
}

/// Takes no new connection, and gives what is under way time to end.
fn farewell(door: &Door, signal: i32) {
    door.closing.store(true, Ordering::SeqCst);
    let name = if signal == SIGTERM { "SIGTERM" } else { "SIGINT" };
    log::info!("{name}: ending, {} requests are under way", door.seats.in_flight());
    let began = Instant::now();
    while door.seats.in_flight() > 0 && began.elapsed() < FAREWELL {
        thread::sleep(Duration::from_millis(20));
    }
    match door.seats.in_flight() {
        0 => log::info!("ended"),
        left => log::warn!("ended with {left} requests under way"),
    }
    door.engine.clean_up();
}

fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> Result<(), Failure> {
    let thread = thread::Builder::new().name(name.to_string()).spawn(run);
    thread.map(drop).map_err(|error| start_failed("a thread", &error))
}

fn too_few_files(files: u64) -> Failure {
    Failure::Failed(format!(
        "only {files} open files are allowed: at least {LEAST_FILES} are needed, raise the limit (ulimit -n, LimitNOFILE)"
    ))
}

fn start_failed(what: &str, error: &io::Error) -> Failure {
    Failure::Failed(format!("{what} cannot be had: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_addresses_that_the_sockets_really_have_decide() {
        let judged = |text: &str| open_address(&[text.parse().unwrap()]).is_none();
        assert!(judged("127.0.0.2:80") && judged("[::1]:80") && judged("[::ffff:127.0.0.1]:80"));
        assert!(!judged("192.0.2.1:80") && !judged("0.0.0.0:80") && !judged("[::]:80"));
    }

    #[test]
    fn in_the_clear_passwords_and_registration_stop_the_start_and_keys_are_of_no_use() {
        let open = ["192.0.2.1:80".parse().unwrap()];
        let of = |mode: &str| {
            let settings = [crate::config::SETTINGS, auth::SETTINGS, crate::users::SETTINGS].concat();
            let written = [("BASIC_AUTH", mode), ("ALLOWED_HOSTS", "127.0.0.1"), ("PASSWD_FILE", "none")];
            let arguments = written.iter().map(|&(name, value)| (name, "test", value.to_string())).collect();
            let search = crate::config::Search { named: None, file_name: "no such file", last: None };
            let (config, mut mistakes) = Config::load(&settings, arguments, |_| None, search).unwrap();
            Auth::read(&config, &mut mistakes, Store::default()).unwrap()
        };
        assert!(keep_secrets_off(&open, &mut of("required"), false).is_err());
        assert!(keep_secrets_off(&open, &mut of("none"), true).is_err());
        assert!(keep_secrets_off(&["127.0.0.1:80".parse().unwrap()], &mut of("required"), true).is_ok());
        let mut auth = of("none");
        keep_secrets_off(&open, &mut auth, false).unwrap();
        assert!(!auth.takes_keys());
    }
}
