//! The gateway's certificate and key: those that were configured, or a self-signed pair that is
//! made once and kept. Never a throw-away key, and never plain text in their place.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::net::IpAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::ServerConfig;

use crate::config::{Config, Mistakes};
use crate::failure::Failure;
use crate::mistake::Mistake;
use crate::pair::names_in;
use crate::serve::certificate::Shown;
use crate::state;
use crate::sys;

/// How the gateway's end of TLS is to be had.
pub enum Tls {
    /// SSL = off.
    Plain,
    /// A pair that is there.
    Pair(Pair),
    /// None was configured: a self-signed pair in this folder, made by [`Tls::ready`].
    SelfSigned(PathBuf),
}

/// A certificate that was read and fits its key.
pub struct Pair {
    pub shown: Arc<Shown>,
    pub config: Arc<ServerConfig>,
}

impl Tls {
    /// Finds the pair, without making one. `called` is the program's own folder if it was called
    /// as the predecessor, which also looked for its pair there.
    pub fn read(config: &Config, mistakes: &mut Mistakes, called: Option<&Path>) -> Option<Tls> {
        let on = mistakes.note(config.required("SSL", config.switch("SSL")))?;
        if !on {
            return Some(Tls::Plain);
        }
        mistakes.note(find(config, called))
    }

    /// The pair to serve with; a self-signed one is made on the way if it is not there yet.
    pub fn ready(self, addresses: &[IpAddr]) -> Result<Option<Pair>, Failure> {
        let failed = |mistake: Mistake| Failure::Config(vec![mistake]);
        match self {
            Tls::Plain => Ok(None),
            Tls::Pair(pair) => Ok(Some(pair)),
            Tls::SelfSigned(folder) => {
                make_pair(&folder, addresses).map_err(|error| {
                    Failure::Failed(format!("no self-signed pair in {}: {error}", folder.display()))
                })?;
                let (certificate, key) = names_in(&folder);
                read_pair(certificate, key).map(Some).map_err(failed)
            }
        }
    }
}

fn find(config: &Config, called: Option<&Path>) -> Result<Tls, Mistake> {
    match (config.path("SSL_CERT"), config.path("SSL_KEY")) {
        (Some(certificate), Some(key)) => {
            return read_pair(certificate, key).map(Tls::Pair).map_err(|m| placed(config, m));
        }
        (None, None) => {}
        (Some(_), None) => return Err(config.mistake("SSL_CERT", "is set but SSL_KEY is not", "set both, or neither")),
        (None, Some(_)) => return Err(config.mistake("SSL_KEY", "is set but SSL_CERT is not", "set both, or neither")),
    }
    let state = state::folder(config)?;
    for folder in [config.folder(), called, state.as_deref()].into_iter().flatten() {
        let (certificate, key) = names_in(folder);
        if certificate.exists() || key.exists() {
            return read_pair(certificate, key).map(Tls::Pair);
        }
    }
    let remedy = "set SSL_CERT and SSL_KEY, or STATE_DIR to a folder in which a self-signed pair can be kept";
    state.map(Tls::SelfSigned).ok_or_else(|| config.mistake("SSL_CERT", "is not set and no pair was found", remedy))
}

/// A pair that was named is cited with the line that names it.
fn placed(config: &Config, mistake: Mistake) -> Mistake {
    Mistake { origin: config.origin("SSL_CERT"), ..mistake }
}

fn read_pair(certificate: PathBuf, key: PathBuf) -> Result<Pair, Mistake> {
    let shown = Arc::new(Shown::read(certificate, key)?);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.expect("ring has what both versions of TLS need");
    let config = Arc::new(builder.with_no_client_auth().with_cert_resolver(shown.clone()));
    Ok(Pair { shown, config })
}

/// Makes key and certificate, each only if neither is there; the key first, so that a certificate
/// never stands without it.
fn make_pair(folder: &Path, addresses: &[IpAddr]) -> io::Result<()> {
    let (certificate, key) = names_in(folder);
    let mut names = vec!["localhost".to_string()];
    names.extend(sys::host_name());
    names.extend(addresses.iter().filter(|address| !address.is_unspecified()).map(IpAddr::to_string));
    let mut parameters = rcgen::CertificateParams::new(names).map_err(io::Error::other)?;
    parameters.distinguished_name.push(rcgen::DnType::CommonName, "acmegw");
    let secret = rcgen::KeyPair::generate().map_err(io::Error::other)?;
    let made = parameters.self_signed(&secret).map_err(io::Error::other)?;
    write_new(&key, 0o600, zeroize::Zeroizing::new(secret.serialize_pem()).as_bytes())?;
    write_new(&certificate, 0o644, made.pem().as_bytes()).inspect_err(|_| drop(fs::remove_file(&key)))?;
    File::open(folder)?.sync_all()
}

fn write_new(path: &Path, mode: u32, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}
