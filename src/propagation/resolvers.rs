//! The resolvers that find name servers and their addresses for us: RESOLVERS, or the system's.
//! They are never asked for a name at which a TXT record is awaited.

use std::fs::File;
use std::io::Read;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use crate::challenge::Name;
use crate::deadline::Deadline;
use crate::dns::address::Address;
use crate::dns::answer::Answer;
use crate::dns::client::Client;
use crate::dns::{Rcode, Rtype};

/// Where the system names its resolvers (resolv.conf(5)), how much of it is read (bytes), and how
/// many of them count.
const SYSTEM: &str = "/etc/resolv.conf";
const SYSTEM_LIMIT: u64 = 64 * 1024;
const SYSTEM_COUNT: usize = 3;

/// How long one of them may take: two datagrams.
const PATIENCE: Duration = Duration::from_secs(3);

/// Asked in their order, the next where one does not know.
#[derive(Clone)]
pub struct Resolvers(Vec<Address>);

impl Resolvers {
    /// Empty: the system's, as they are at each question.
    pub fn new(configured: Vec<Address>) -> Resolvers {
        Resolvers(configured)
    }

    /// Asks for records. That there are none is an answer; the error says what each resolver did.
    pub fn ask(&self, name: &Name, rtype: Rtype, deadline: Deadline) -> Result<Answer, String> {
        let mut said = Vec::new();
        for (shown, address) in self.addresses(deadline) {
            let answer = address.and_then(|address| {
                let answer = Client::new(address, None).ask(name, rtype, true, deadline.at_most(PATIENCE));
                answer.map_err(|error| error.to_string())
            });
            match answer {
                Ok(answer) if matches!(answer.rcode(), Rcode::NOERROR | Rcode::NXDOMAIN) => return Ok(answer),
                Ok(answer) => said.push(format!("{shown}: {}", answer.rcode())),
                Err(why) => said.push(format!("{shown}: {why}")),
            }
        }
        Err(format!("no resolver finds {name} {rtype} ({}); see to RESOLVERS", said.join("; ")))
    }

    fn addresses(&self, deadline: Deadline) -> Vec<(String, Result<SocketAddr, String>)> {
        if self.0.is_empty() {
            return system().into_iter().map(|address| (address.to_string(), Ok(address))).collect();
        }
        let first = |address: &Address| Ok(address.resolve(deadline)?.remove(0));
        self.0.iter().map(|address| (address.to_string(), first(address))).collect()
    }
}

fn system() -> Vec<SocketAddr> {
    let mut text = String::new();
    let read = File::open(SYSTEM).and_then(|file| file.take(SYSTEM_LIMIT).read_to_string(&mut text));
    // Without the file it is the one on this machine (resolv.conf(5)).
    let addresses = read.map(|_| listed(&text)).unwrap_or_default();
    if addresses.is_empty() { vec![(Ipv4Addr::LOCALHOST, 53).into()] } else { addresses }
}

/// The addresses of its lines `nameserver …`.
fn listed(text: &str) -> Vec<SocketAddr> {
    let named = text.lines().filter_map(|line| {
        let mut words = line.split_ascii_whitespace();
        words.next().filter(|word| *word == "nameserver")?;
        Some(SocketAddr::new(words.next()?.parse::<IpAddr>().ok()?, 53))
    });
    named.take(SYSTEM_COUNT).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_s_resolvers_are_the_first_three_of_resolv_conf() {
        let text = "# nameserver 192.0.2.9\nsearch example.com\nnameserver 192.0.2.1\n\tnameserver\t2001:db8::1 # one\n\
                    nameserver fe80::1%eth0\nnameserver\nnameserverx 192.0.2.8\nnameserver 192.0.2.2\nnameserver 192.0.2.3\n";
        let found: Vec<_> = listed(text).iter().map(ToString::to_string).collect();
        assert_eq!(found, ["192.0.2.1:53", "[2001:db8::1]:53", "192.0.2.2:53"]);
    }
}
