//! How much is answered over UDP, where anybody can ask in somebody else's name.
//!
//! Each network gets its answers up to a rate. Past it every second answer is only the request to
//! come again over TCP, which a resolver behind the flood can follow and a forged address cannot;
//! the others are silence.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::{Duration, Instant};

/// Answers a second to one network, of those who really ask: resolvers forget a value after a
/// second, and a CA asks from a handful of places.
pub const RATE: u32 = 20;

const SECOND: Duration = Duration::from_secs(1);

/// Networks that are told apart within one second; all others together are one more.
const NETWORKS: usize = 4096;

/// Counts the queries of one socket.
pub struct Flood {
    rate: u32,
    second: Instant,
    /// Queries of the running second.
    asked: HashMap<Network, u32>,
}

/// An IPv4 network of 24 bits or an IPv6 one of 56, the most that one customer usually has. None:
/// all that came when the table was full.
type Network = Option<IpAddr>;

/// What a query gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Share {
    Answer,
    /// Only the flag TC.
    Cut,
    Silence,
}

impl Flood {
    /// `rate`: answers a second to one network.
    pub fn new(rate: u32, now: Instant) -> Flood {
        Flood { rate, second: now, asked: HashMap::new() }
    }

    /// What one more query from this address gets.
    pub fn share(&mut self, peer: IpAddr, now: Instant) -> Share {
        if now.saturating_duration_since(self.second) >= SECOND {
            self.second = now;
            self.asked.clear();
        }
        let network = Some(network(peer));
        let known = self.asked.contains_key(&network) || self.asked.len() < NETWORKS;
        let asked = self.asked.entry(network.filter(|_| known)).or_default();
        let excess = asked.checked_sub(self.rate);
        *asked = asked.saturating_add(1);
        match excess {
            None => Share::Answer,
            Some(excess) if excess % 2 == 0 => Share::Cut,
            Some(_) => Share::Silence,
        }
    }
}

fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(v4) => Ipv4Addr::from_bits(v4.to_bits() & !0xff).into(),
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() >> 72 << 72).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What so many queries from one address get: answers, cut ones, silence.
    fn shares(flood: &mut Flood, peer: &str, count: usize, now: Instant) -> [usize; 3] {
        let got: Vec<_> = (0..count).map(|_| flood.share(peer.parse().unwrap(), now)).collect();
        [Share::Answer, Share::Cut, Share::Silence].map(|share| got.iter().filter(|one| **one == share).count())
    }

    #[test]
    fn past_the_rate_every_second_answer_is_cut_and_the_others_are_silence() {
        let start = Instant::now();
        let mut flood = Flood::new(RATE, start);
        assert_eq!(shares(&mut flood, "192.0.2.1", 20, start), [20, 0, 0]);
        assert_eq!(shares(&mut flood, "192.0.2.1", 1, start + SECOND / 2), [0, 1, 0], "the first excess comes by TCP");
        assert_eq!(shares(&mut flood, "192.0.2.1", 99, start + SECOND / 2), [0, 49, 50]);
        assert_eq!(shares(&mut flood, "192.0.2.1", 30, start + SECOND), [20, 5, 5], "each second anew");
    }

    #[test]
    fn a_network_shares_one_rate_and_its_neighbour_has_its_own() {
        for (one, same, other) in [
            ("192.0.2.1", "192.0.2.255", "192.0.3.1"),
            ("192.0.2.1", "::ffff:192.0.2.9", "::ffff:192.0.3.9"),
            ("2001:db8:0:100::1", "2001:db8:0:1ff:ffff::1", "2001:db8:0:200::1"),
        ] {
            let start = Instant::now();
            let mut flood = Flood::new(3, start);
            assert_eq!(shares(&mut flood, one, 2, start), [2, 0, 0]);
            assert_eq!(shares(&mut flood, same, 2, start), [1, 1, 0], "{same}");
            assert_eq!(shares(&mut flood, other, 2, start), [2, 0, 0], "{other}");
        }
    }

    #[test]
    fn forged_networks_without_end_share_one_place_and_take_none_from_those_who_were_there() {
        let start = Instant::now();
        let mut flood = Flood::new(3, start);
        assert_eq!(shares(&mut flood, "192.0.2.1", 1, start), [1, 0, 0]);
        let forged = (0..100_000_u32).map(|n| IpAddr::from(Ipv4Addr::from_bits(n << 8)));
        let answered = forged.filter(|peer| flood.share(*peer, start) == Share::Answer).count();
        assert_eq!((answered, flood.asked.len()), (NETWORKS - 1 + 3, NETWORKS + 1));
        assert_eq!(shares(&mut flood, "192.0.2.1", 3, start), [2, 1, 0]);
        assert_eq!(shares(&mut flood, "198.51.100.1", 1, start + SECOND), [1, 0, 0]);
    }
}
