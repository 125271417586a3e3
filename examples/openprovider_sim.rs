//! The simulation of OpenProvider's API as a server, for end-to-end tests with real parts.
//!
//! Prints `listening on …` first, then a line for each request; ends on SIGTERM.

#[path = "../tests/support/openprovider.rs"]
#[allow(dead_code, reason = "tests use the rest of it")]
mod simulation;
#[path = "../tests/support/simulator.rs"]
#[allow(dead_code, reason = "tests use the rest of it")]
mod simulator;

use std::error::Error;
use std::io::Write;
use std::net::TcpListener;
use std::sync::Arc;
use std::thread;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use simulator::Asked;

const USAGE: &str = "usage: openprovider_sim [--cert FILE --key FILE]";

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<_> = std::env::args().skip(1).collect();
    let tls = match words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [] => None,
        ["--cert", cert, "--key", key] => Some(server_config(cert, key)?),
        _ => return Err(USAGE.into()),
    };
    let service = simulation::OpenProvider::new(&["example.test", "example.com"]);
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    let scheme = if tls.is_some() { "https" } else { "http" };
    say(&format!("listening on {scheme}://{}", listener.local_addr()?));
    for stream in listener.incoming() {
        let (stream, service, tls) = (stream?, service.clone(), tls.clone());
        thread::spawn(move || match tls {
            None => service.converse(stream, tell),
            Some(config) => match ServerConnection::new(config) {
                Ok(connection) => service.converse(StreamOwned::new(connection, stream), tell),
                Err(error) => say(&format!("no TLS: {error}")),
            },
        });
    }
    Ok(())
}

fn server_config(cert: &str, key: &str) -> Result<Arc<ServerConfig>, Box<dyn Error>> {
    let chain = CertificateDer::pem_file_iter(cert)?.collect::<Result<Vec<_>, _>>()?;
    let crypto = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(crypto).with_safe_default_protocol_versions()?;
    Ok(Arc::new(config.with_no_client_auth().with_single_cert(chain, PrivateKeyDer::from_pem_file(key)?)?))
}

/// `METHOD target status body`, without passwords: those are in the bodies of logins only.
fn tell(asked: &Asked) {
    let body = if asked.request.method == "POST" { "" } else { &asked.request.text };
    say(format!("{} {body}", asked.line()).trim_end());
}

/// One line, at once: whoever reads it through a pipe waits for it.
fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    // A reader that is gone is no reason to stop serving.
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}
