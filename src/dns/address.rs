//! Where a name server is, as people write it, and what that is as an IP address.

use std::fmt;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::mpsc;
use std::thread;

use crate::challenge::Name;
use crate::deadline::Deadline;

/// The port of DNS (RFC 1035 section 4.2).
const PORT: u16 = 53;

/// A name server: `192.0.2.53`, `192.0.2.53:5353`, `2001:db8::1`, `[2001:db8::1]:53`,
/// `ns.example.net` or `ns.example.net:5353`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    Ip(SocketAddr),
    Host(Name, u16),
}

impl Address {
    /// The error is the remedy ("write …").
    pub fn parse(text: &str) -> Result<Address, String> {
        if let Ok(address) = text.parse() {
            return Ok(Address::Ip(address));
        }
        if let Ok(ip) = text.parse::<IpAddr>() {
            return Ok(Address::Ip(SocketAddr::new(ip, PORT)));
        }
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) => (host, port.parse().ok()),
            None => (text, Some(PORT)),
        };
        match (Name::host(host), port) {
            (Ok(host), Some(port)) => Ok(Address::Host(host, port)),
            _ => Err("write the name server's address as IP, IP:port, [v6]:port, host or host:port".to_string()),
        }
    }

    /// Its IP addresses, best first; a host is looked up as the system does it.
    ///
    /// Errors say what is wrong and what to check.
    pub fn resolve(&self, deadline: Deadline) -> Result<Vec<SocketAddr>, String> {
        let (host, port) = match self {
            Address::Ip(address) => return Ok(vec![*address]),
            Address::Host(host, port) => (host.clone(), *port),
        };
        // The system's look-up knows no deadline, so it gets a thread that may be left behind.
        let (sender, receiver) = mpsc::channel();
        let look_up = move || {
            let found = (host.as_str(), port).to_socket_addrs().map(Iterator::collect::<Vec<_>>);
            let _ = sender.send(found);
        };
        let failed =
            |why: String| format!("{self} cannot be looked up ({why}): check the name, or write its IP address");
        thread::Builder::new().name("look-up".to_string()).spawn(look_up).map_err(|error| failed(error.to_string()))?;
        match receiver.recv_timeout(deadline.left().unwrap_or_default()) {
            Ok(Ok(found)) if found.is_empty() => Err(failed("it has no address".to_string())),
            Ok(found) => found.map_err(|error| failed(error.to_string())),
            Err(_) => Err(failed("the system's resolver does not answer".to_string())),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Ip(address) => write!(f, "{address}"),
            Address::Host(host, port) => write!(f, "{host}:{port}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn addresses_with_and_without_port() {
        for (text, shown) in [
            ("192.0.2.53", "192.0.2.53:53"),
            ("192.0.2.53:5353", "192.0.2.53:5353"),
            ("2001:db8::1", "[2001:db8::1]:53"),
            ("[2001:db8::1]:54", "[2001:db8::1]:54"),
            ("NS.example.net", "ns.example.net:53"),
            ("ns.example.net:5353", "ns.example.net:5353"),
        ] {
            assert_eq!(Address::parse(text).map(|address| address.to_string()), Ok(shown.to_string()));
        }
        for wrong in ["", ":53", "ns:", "ns:65536", "https://ns.example.net", "192.0.2.256", "[::1]", "a b"] {
            assert!(Address::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_host_is_looked_up_by_the_system() {
        let found = Address::parse("localhost:7").unwrap().resolve(Deadline::after(Duration::from_secs(20))).unwrap();
        assert!(found.iter().all(|address| address.ip().is_loopback() && address.port() == 7), "{found:?}");
    }
}
