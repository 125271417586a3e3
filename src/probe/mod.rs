//! `acmegw probe`: proves domains end to end through the running gateway, where accounts, locks and
//! ledger are: a canary is set, seen at the name servers, and removed.
//!
//! On the web server it goes by the hook's configuration, beside the gateway by the gateway's own.
//! The gateway removes a canary by itself when we are ended before we could.

mod beside;
mod progress;
mod prove;
mod report;

use std::io::{self, Write};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use crate::challenge::{CANARY_LIFE, Name};
use crate::config::{Config, Mistakes};
use crate::failure::Failure;
use crate::foreign::Foreign;
use crate::gateway::{Address, Gateway};
use crate::http::Trust;
use progress::Progress;
use prove::{Patient, Proof};
use report::Report;

/// How many domains are proved side by side.
const SIDE_BY_SIDE: usize = 8;

/// How long a canary lives after the time that it may take to be seen (seconds): for its removal.
const MARGIN: u64 = 10;

/// The longest time that a canary may be given to be seen (seconds).
pub const LONGEST: u64 = CANARY_LIFE.as_secs() - MARGIN;

/// The command line, as it was written.
pub struct Call {
    pub domains: Vec<String>,
    pub json: bool,
    /// How long a canary may take to be seen (seconds, 1 to [`LONGEST`]).
    pub timeout: u64,
}

/// Proves the domains and says on stdout how it went; the failure says how many are not in order.
pub fn run(call: Call, config: Result<(Config, Mistakes), Failure>) -> Result<(), Failure> {
    let named = names(&call.domains)?;
    let (config, mut mistakes) = config?;
    let target = target(&config, &mut mistakes);
    let (address, known) = mistakes.finish(target)?;
    let domains = if named.is_empty() { known } else { named };
    if domains.is_empty() {
        return Err(Failure::Usage(
            "which domain? Name one, acmegw probe DOMAIN; only beside the gateway (-e its dotenv) are they known"
                .to_string(),
        ));
    }
    if let Trust::Anything = address.trust {
        eprintln!("acmegw probe: warning: API_INSECURE = yes: whoever answers is taken for the gateway");
    }
    let uri = address.uri.to_string();
    let patient = Patient::new(Duration::from_secs(call.timeout), Duration::from_secs(MARGIN));
    let proofs = all(&Gateway::new(address), domains, &patient, &Progress::on_terminal());
    let report = Report { uri, proofs };
    let text = if call.json { report.json() } else { report.table() };
    // Whoever closed stdout wants the exit status only.
    let _ = writeln!(io::stdout(), "{text}");
    let failed = report.proofs.iter().filter(|proof| !proof.is_good()).count();
    match failed {
        0 => Ok(()),
        _ => Err(Failure::Failed(format!("{failed} of {} domains are not in order", report.proofs.len()))),
    }
}

/// The domains of the command line, each once.
fn names(words: &[String]) -> Result<Vec<Name>, Failure> {
    let mut names = Vec::new();
    for word in words {
        let name =
            Name::domain(word).map_err(|error| Failure::Usage(format!("the domain '{}' is {error}", Foreign(word))))?;
        if !names.contains(&name) {
            names.push(name);
        }
    }
    Ok(names)
}

/// Which gateway is asked, and the domains that the configuration knows.
fn target(config: &Config, mistakes: &mut Mistakes) -> Option<(Address, Vec<Name>)> {
    let is_gateways = !config.is_set("API_URI") && config.is_set("DNSAPI_DOMAINS");
    match is_gateways || config.is_set("DNSAPI_ACCOUNTS") && !config.is_set("API_URI") {
        true => beside::read(config, mistakes),
        false => Some((Address::read(config, mistakes)?, Vec::new())),
    }
}

/// Proves all of them, some at a time; in their order.
fn all(gateway: &Gateway, domains: Vec<Name>, patient: &Patient, progress: &Progress) -> Vec<Proof> {
    // Wrong credentials are asked about once: as often as there are domains, they would be guessing.
    if let Err(fault) = prove::knock(gateway) {
        return domains.into_iter().map(|domain| Proof::unasked(domain, fault.clone())).collect();
    }
    let (next, done) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let work = || {
        while let Some((index, domain)) =
            Some(next.fetch_add(1, Ordering::SeqCst)).and_then(|n| Some((n, domains.get(n)?)))
        {
            let proof = prove::prove(gateway, domain, patient, &|what| progress.say(domain, what));
            let mut done = done.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            done.push((index, proof));
            progress.done(done.len(), domains.len());
        }
    };
    thread::scope(|scope| (0..SIDE_BY_SIDE.min(domains.len())).for_each(|_| drop(scope.spawn(work))));
    progress.clear();
    let mut done = done.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    done.sort_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, proof)| proof).collect()
}
