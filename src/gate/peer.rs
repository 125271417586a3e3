//! Which client is at the other end, proxies taken into account. The only place that makes a [`Client`].

use std::net::IpAddr;

use ipnet::IpNet;

use crate::config::{Config, Mistakes, Setting};
use crate::gate::{contains, household, network};

pub const SETTINGS: &[Setting] = &[
    Setting::new(
        "ALLOWED_PROXIES",
        "",
        "reverse proxies that may name their client: addresses and networks, by commas",
    ),
    Setting::new("PROXY_XFF", "X-Forwarded-For", "the header in which those proxies name it"),
];

/// The proxies that are believed, and where they say who their client is.
pub struct Proxies {
    trusted: Vec<IpNet>,
    pub header: String,
}

/// The client's address, and whether it counts as a host at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Client {
    address: IpAddr,
    is_host: bool,
}

impl Proxies {
    pub fn read(config: &Config, mistakes: &mut Mistakes) -> Option<Proxies> {
        let trusted = mistakes.note(config.list("ALLOWED_PROXIES", network));
        let header = mistakes.note(config.required("PROXY_XFF", config.parse("PROXY_XFF", header_name)));
        Some(Proxies { trusted: trusted?, header: header? })
    }

    /// Whose connection it is; None: a trusted proxy, which brings those of many.
    pub fn household(&self, peer: IpAddr) -> Option<IpAddr> {
        (!contains(&self.trusted, peer)).then(|| household(peer))
    }

    /// Reads all lines of the header from the right to the first address that is not a trusted proxy.
    ///
    /// A trusted proxy that names nobody, or whose list is malformed on the way, is the client
    /// itself, without the rights of an allowed host.
    pub fn client(&self, peer: IpAddr, forwarded: &[&str]) -> Client {
        let peer = peer.to_canonical();
        if !contains(&self.trusted, peer) {
            return Client { address: peer, is_host: true };
        }
        let joined = forwarded.join(",");
        for item in joined.rsplit(',') {
            match named(item.trim()) {
                Some(address) if contains(&self.trusted, address) => continue,
                Some(address) => return Client { address, is_host: true },
                None => break,
            }
        }
        Client { address: peer, is_host: false }
    }
}

impl Client {
    pub fn address(&self) -> IpAddr {
        self.address
    }

    /// May this client be judged by its address? Not a proxy that did not say for whom it asks.
    pub fn is_host(&self) -> bool {
        self.is_host
    }
}

/// An address as proxies write it: bare, with a port, or in brackets.
fn named(item: &str) -> Option<IpAddr> {
    let address = item.parse().ok();
    let with_port = || item.parse::<std::net::SocketAddr>().ok().map(|socket| socket.ip());
    let in_brackets = || item.strip_prefix('[')?.strip_suffix(']')?.parse().ok().map(IpAddr::V6);
    address.or_else(with_port).or_else(in_brackets).map(|address: IpAddr| address.to_canonical())
}

fn header_name(text: &str) -> Result<String, String> {
    let token = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    match !text.is_empty() && text.len() <= 64 && text.bytes().all(token) {
        true => Ok(text.to_string()),
        false => Err("write the name of a header, such as X-Forwarded-For".to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(peer: &str, forwarded: &[&str]) -> (String, bool) {
        let trusted = vec![network("10.0.0.0/8").unwrap(), network("::1").unwrap()];
        let proxies = Proxies { trusted, header: "X-Forwarded-For".to_string() };
        let client = proxies.client(peer.parse().unwrap(), forwarded);
        (client.address().to_string(), client.is_host())
    }

    fn host(address: &str) -> (String, bool) {
        (address.to_string(), true)
    }

    #[test]
    fn only_a_trusted_proxy_is_believed() {
        assert_eq!(client("192.0.2.1", &["198.51.100.7"]), host("192.0.2.1"));
        assert_eq!(client("10.0.0.1", &["198.51.100.7"]), host("198.51.100.7"));
        assert_eq!(client("::ffff:10.0.0.1", &["198.51.100.7"]), host("198.51.100.7"));
    }

    #[test]
    fn the_list_is_read_from_the_right_over_all_lines() {
        assert_eq!(client("10.0.0.1", &["127.0.0.1, 198.51.100.7, 10.0.0.2"]), host("198.51.100.7"));
        assert_eq!(client("10.0.0.1", &["127.0.0.1", "198.51.100.7", "10.0.0.3, 10.0.0.2"]), host("198.51.100.7"));
        assert_eq!(client("::1", &["[2001:db8::7]:4711"]), host("2001:db8::7"));
        assert_eq!(client("::1", &["198.51.100.7:80"]), host("198.51.100.7"));
        assert_eq!(client("::1", &["[2001:db8::7]"]), host("2001:db8::7"));
    }

    #[test]
    fn a_proxy_that_names_nobody_has_no_host_right() {
        for forwarded in [&[][..], &[""], &["unknown"], &["10.0.0.2"], &["127.0.0.1, garbage"], &["127.0.0.1,"]] {
            assert_eq!(client("10.0.0.1", forwarded), ("10.0.0.1".to_string(), false), "{forwarded:?}");
        }
    }
}
