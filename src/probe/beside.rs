//! Beside the gateway, where only its own configuration is known: it is asked at LISTEN from this
//! machine, and known by the certificate that it serves with.

use crate::account::Overview;
use crate::challenge::Name;
use crate::config::{Config, Mistakes};
use crate::gateway::{self, Address};
use crate::http::{self, Trust};
use crate::listen::Listen;
use crate::mistake::Mistake;
use crate::pair::names_in;
use crate::state;

/// The address of the running gateway, and the domains that it has.
pub fn read(config: &Config, mistakes: &mut Mistakes) -> Option<(Address, Vec<Name>)> {
    let domains = Overview::read(config, mistakes).map(|overview| overview.domains);
    let tls = mistakes.note(config.required("SSL", config.switch("SSL")));
    let listen = mistakes.note(Listen::read(config));
    let trust = match tls? {
        true if Address::names_trust(config) => mistakes.note(gateway::trust(config)),
        true => mistakes.note(pinned(config)),
        false => Some(Trust::System),
    };
    let scheme = if tls? { "https" } else { "http" };
    let Some(socket) = listen?.from_here() else {
        let remedy = "set API_URI to the address that the gateway logged at its start";
        mistakes.push(config.mistake("LISTEN", "leaves the port to the system", remedy));
        return None;
    };
    let uri = http::address(&format!("{scheme}://{socket}")).ok()?;
    Some((Address::known(uri, trust?, config, mistakes)?, domains?))
}

/// Whoever holds the key of the gateway's certificate is the gateway, whatever names are in it.
fn pinned(config: &Config) -> Result<Trust, Mistake> {
    let named = config.path("SSL_CERT");
    let usual = || {
        let folders = config.folder().map(Into::into).into_iter().chain(state::of_gateway(config).ok());
        folders.map(|folder| names_in(&folder).0).find(|certificate| certificate.exists())
    };
    let Some(certificate) = named.or_else(usual) else {
        let remedy = "run this as root or as the gateway's user, or set API_PIN to the pin that it logged at its start";
        return Err(config.mistake("SSL_CERT", "is not set, and no certificate was found", remedy));
    };
    let wrong = |reason: crate::sys::Refusal| {
        config.mistake("SSL_CERT", format_args!("= {}: {}", certificate.display(), reason.what), reason.remedy)
    };
    http::pin_from_pem(&certificate).map(Trust::Pin).map_err(wrong)
}
