//! Where the gateway listens: LISTEN and its two halves, and the sockets for them.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};

use crate::config::{Config, Setting};
use crate::failure::Failure;
use crate::mistake::Mistake;
use crate::sys;

pub const SETTINGS: &[Setting] = &[
    Setting::new("LISTEN", "*:8000", "IP:port, [v6]:port, port or IP; * is every address, IPv4 and IPv6"),
    Setting::new("LISTEN_IP", "", "the address, where LISTEN does not say it"),
    Setting::new("LISTEN_PORT", "", "the port, where LISTEN does not say it"),
];

/// How often another port is tried when the system's choice for IPv4 is taken for IPv6.
const PORT_TRIES: usize = 16;

/// An address to listen on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listen {
    /// None: every address of both families.
    ip: Option<IpAddr>,
    /// 0: any free one.
    port: u16,
}

impl Listen {
    /// LISTEN decides; what it leaves open the other two say, then its default.
    pub fn read(config: &Config) -> Result<Listen, Mistake> {
        let written = match config.is_set("LISTEN") {
            true => config.parse("LISTEN", halves)?.unwrap_or_default(),
            false => Halves::default(),
        };
        let ip = config.parse("LISTEN_IP", |text| ip(text).ok_or("write an IP address or *".to_string()))?;
        let port = config.number("LISTEN_PORT", 0..=65535)?;
        let preset = config.parse("LISTEN", |_| halves(DEFAULT))?.unwrap_or_default();
        Ok(Listen {
            ip: written.ip.or(ip).or(preset.ip).flatten(),
            port: written.port.or(port.map(|port| port as u16)).or(preset.port).unwrap_or(0),
        })
    }

    /// Where a client on this machine reaches it; None: at a port that the system has chosen.
    pub fn from_here(&self) -> Option<SocketAddr> {
        let ip = match self.ip {
            None | Some(IpAddr::V4(Ipv4Addr::UNSPECIFIED)) => Ipv4Addr::LOCALHOST.into(),
            Some(IpAddr::V6(Ipv6Addr::UNSPECIFIED)) => Ipv6Addr::LOCALHOST.into(),
            Some(ip) => ip,
        };
        (self.port != 0).then(|| SocketAddr::new(ip, self.port))
    }

    /// Is this machine alone to be let in, as far as the configuration says?
    pub fn is_loopback(&self) -> bool {
        self.ip.is_some_and(|ip| ip.to_canonical().is_loopback())
    }

    /// Binds one socket, or for `*` one for each family that the machine has, on the same port.
    pub fn bind(&self) -> Result<Vec<TcpListener>, Failure> {
        let failed = |address: SocketAddr, error: io::Error| {
            let remedy = match error.kind() {
                io::ErrorKind::AddrInUse => "another program has this port: stop it, or set LISTEN",
                io::ErrorKind::PermissionDenied => "ports below 1024 are for root: choose a higher one in LISTEN",
                _ => "set LISTEN to an address of this machine",
            };
            Failure::Failed(format!("cannot listen on {address} ({error}): {remedy}"))
        };
        match self.ip {
            Some(ip) => {
                let address = SocketAddr::new(ip, self.port);
                Ok(vec![sys::listen(address).map_err(|error| failed(address, error))?])
            }
            None => self.bind_both().map_err(|(address, error)| failed(address, error)),
        }
    }

    fn bind_both(&self) -> Result<Vec<TcpListener>, (SocketAddr, io::Error)> {
        let at = |ip: IpAddr, port| (SocketAddr::new(ip, port), sys::listen(SocketAddr::new(ip, port)));
        for tries in 1.. {
            let (v4_address, v4) = at(Ipv4Addr::UNSPECIFIED.into(), self.port);
            let port = v4.as_ref().ok().and_then(|socket| socket.local_addr().ok()).map_or(self.port, |own| own.port());
            let (v6_address, v6) = at(Ipv6Addr::UNSPECIFIED.into(), port);
            match (v4, v6) {
                (Ok(v4), Ok(v6)) => return Ok(vec![v4, v6]),
                (Ok(_), Err(error)) if is_taken(&error) && self.port == 0 && tries < PORT_TRIES => {}
                (_, Err(error)) if is_taken(&error) => return Err((v6_address, error)),
                (Err(error), _) if is_taken(&error) => return Err((v4_address, error)),
                // One family may be missing, or be forbidden to a jail.
                (Ok(one), Err(_)) | (Err(_), Ok(one)) => return Ok(vec![one]),
                (Err(error), Err(_)) => return Err((v4_address, error)),
            }
        }
        unreachable!("the last try returns")
    }
}

fn is_taken(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::AddrInUse | io::ErrorKind::PermissionDenied)
}

/// The default of LISTEN, which stands in [`SETTINGS`] too.
const DEFAULT: &str = SETTINGS[0].default;

#[derive(Debug, Default, PartialEq, Eq)]
struct Halves {
    /// Some(None) is `*`.
    ip: Option<Option<IpAddr>>,
    port: Option<u16>,
}

fn halves(text: &str) -> Result<Halves, String> {
    let remedy = || "write IP:port, [v6]:port, port or IP, such as *:8000 or 127.0.0.1:8000".to_string();
    if let Some(ip) = ip(text) {
        return Ok(Halves { ip: Some(ip), port: None });
    }
    let port = |text: &str| match text.bytes().all(|byte| byte.is_ascii_digit()) {
        true => text.parse::<u16>().map_err(|_| "write a port from 0 to 65535".to_string()),
        false => Err(remedy()),
    };
    match text.rsplit_once(':') {
        None => Ok(Halves { ip: None, port: Some(port(text)?) }),
        Some((address, number)) => {
            let bare = address.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
            let parsed = match bare {
                Some(v6) => v6.parse().ok().map(|v6| Some(IpAddr::V6(v6))),
                None => ip(address).filter(|ip| !matches!(ip, Some(IpAddr::V6(_)))),
            };
            Ok(Halves { ip: Some(parsed.ok_or_else(remedy)?), port: Some(port(number)?) })
        }
    }
}

/// An address, bare or in brackets; `*` is Some(None).
fn ip(text: &str) -> Option<Option<IpAddr>> {
    if text == "*" {
        return Some(None);
    }
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    bare.parse().ok().map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Search;

    fn listen(variables: &[(&str, &str)]) -> Result<Listen, Mistake> {
        let environment =
            |name: &str| variables.iter().find(|(one, _)| *one == name).map(|(_, value)| value.to_string());
        let search = Search { named: None, file_name: "no-such-file", last: None };
        let known = [crate::config::SETTINGS, SETTINGS].concat();
        Listen::read(&Config::load(&known, Vec::new(), environment, search).unwrap().0)
    }

    #[test]
    fn every_way_to_write_it() {
        let ip = |text: &str| Some(text.parse().unwrap());
        for (text, expected) in [
            ("*:8000", (None, 8000)),
            ("9000", (None, 9000)),
            ("127.0.0.1", (ip("127.0.0.1"), 8000)),
            ("127.0.0.1:0", (ip("127.0.0.1"), 0)),
            ("[::1]:81", (ip("::1"), 81)),
            ("::1", (ip("::1"), 8000)),
            ("[::]", (ip("::"), 8000)),
            ("*", (None, 8000)),
        ] {
            let listen = listen(&[("LISTEN", text)]).unwrap();
            assert_eq!((listen.ip, listen.port), expected, "{text}");
        }
        for wrong in ["65536", "localhost:80", "1.2.3.4:", ":80", "::1:80x", "1.2.3.4:-1", "[::1]80", "*:*"] {
            assert!(listen(&[("LISTEN", wrong)]).is_err(), "{wrong}");
        }
    }

    #[test]
    fn listen_decides_and_its_halves_fill_in() {
        let read = |variables: &[(&str, &str)]| {
            listen(variables).map(|listen| (listen.ip.map(|ip| ip.to_string()), listen.port))
        };
        assert_eq!(read(&[]), Ok((None, 8000)));
        assert_eq!(read(&[("LISTEN_IP", "127.0.0.1"), ("LISTEN_PORT", "1")]), Ok((Some("127.0.0.1".to_string()), 1)));
        assert_eq!(
            read(&[("LISTEN", "2"), ("LISTEN_IP", "::1"), ("LISTEN_PORT", "1")]),
            Ok((Some("::1".to_string()), 2))
        );
        assert!(read(&[("LISTEN_PORT", "65536")]).is_err());
    }

    #[test]
    fn from_here_it_is_reached_at_its_address_or_on_loopback() {
        let from_here = |text: &str| listen(&[("LISTEN", text)]).unwrap().from_here().map(|at| at.to_string());
        for (text, at) in [
            ("*:8000", "127.0.0.1:8000"),
            ("0.0.0.0:1", "127.0.0.1:1"),
            ("[::]:2", "[::1]:2"),
            ("192.0.2.1:3", "192.0.2.1:3"),
        ] {
            assert_eq!(from_here(text).as_deref(), Some(at));
        }
        assert_eq!(from_here("127.0.0.1:0"), None);
    }

    #[test]
    fn both_families_share_the_port_that_the_system_chose() {
        let sockets = Listen { ip: None, port: 0 }.bind().unwrap();
        let ports: Vec<_> = sockets.iter().map(|socket| socket.local_addr().unwrap().port()).collect();
        assert!(ports.iter().all(|port| *port == ports[0] && *port != 0), "{ports:?}");
        let again = Listen { ip: None, port: ports[0] };
        assert!(matches!(again.bind(), Err(Failure::Failed(text)) if text.contains("another program")));
    }
}
