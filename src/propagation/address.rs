//! Which addresses of name servers may be asked. They come out of the DNS, so that whoever owns a
//! zone could have us send packets into networks that only we can reach.
//!
//! What is not an address of the internet (IANA's special-purpose registries, RFC 6890) is asked
//! only where PROPAGATION_NETS lists it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

use crate::gate::contains;

/// IPv4 blocks that nobody on the internet has: this network, private, shared (CGNAT), loopback,
/// link-local, protocol assignments, documentation, 6to4 relays, benchmarks, multicast, reserved.
const NOT_GLOBAL: [([u8; 4], u32); 16] = [
    ([0, 0, 0, 0], 8),
    ([10, 0, 0, 0], 8),
    ([100, 64, 0, 0], 10),
    ([127, 0, 0, 0], 8),
    ([169, 254, 0, 0], 16),
    ([172, 16, 0, 0], 12),
    ([192, 0, 0, 0], 24),
    ([192, 0, 2, 0], 24),
    ([192, 88, 99, 0], 24),
    ([192, 168, 0, 0], 16),
    ([198, 18, 0, 0], 15),
    ([198, 51, 100, 0], 24),
    ([203, 0, 113, 0], 24),
    ([224, 0, 0, 0], 4),
    ([240, 0, 0, 0], 4),
    ([255, 255, 255, 255], 32),
];

/// The gate, with the networks that the administrator lists.
#[derive(Debug, Clone, Default)]
pub struct Gate {
    listed: Vec<IpNet>,
}

impl Gate {
    pub fn new(listed: Vec<IpNet>) -> Gate {
        Gate { listed }
    }

    /// May a name server be asked at this address?
    pub fn lets(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        contains(&self.listed, address)
            || match address {
                IpAddr::V4(v4) => is_global_v4(v4),
                IpAddr::V6(v6) => is_global_v6(v6),
            }
    }
}

fn is_global_v4(address: Ipv4Addr) -> bool {
    let bits = address.to_bits();
    NOT_GLOBAL.iter().all(|(block, length)| bits >> (32 - length) != u32::from_be_bytes(*block) >> (32 - length))
}

/// Of 2000::/3, which is all that is given out, without protocol assignments (Teredo among them)
/// and documentation. An address that leads to an IPv4 one (NAT64, 6to4) is judged by that one.
fn is_global_v6(address: Ipv6Addr) -> bool {
    match address.segments() {
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => is_global_v4(embedded(high, low)),
        [0x2002, high, low, ..] => is_global_v4(embedded(high, low)),
        [0x2001, second, ..] => second >= 0x200 && second != 0xdb8,
        [0x3fff, second, ..] => second >= 0x1000,
        [first, ..] => first >> 13 == 1,
    }
}

fn embedded(high: u16, low: u16) -> Ipv4Addr {
    Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low))
}

#[cfg(test)]
mod properties;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::network;

    #[test]
    fn addresses_that_are_none_of_the_internet_are_asked_only_where_they_are_listed() {
        let (open, listed) =
            (Gate::default(), Gate::new(vec![network("127.0.0.0/8").unwrap(), network("fd00::/8").unwrap()]));
        let lets = |gate: &Gate, text: &str| gate.lets(text.parse().unwrap());
        for global in
            ["192.0.9.1", "8.8.8.8", "100.128.0.1", "172.32.0.1", "2001:500:2::c", "2a00::53", "64:ff9b::808:808"]
        {
            assert!(lets(&open, global), "{global}");
        }
        for (inner, now) in [
            ("127.0.0.53", true),
            ("::ffff:127.0.0.1", true),
            ("fd12::1", true),
            ("::1", false),
            ("0.0.0.0", false),
            ("::", false),
            ("10.1.2.3", false),
            ("192.168.1.1", false),
            ("172.31.255.255", false),
            ("100.64.0.1", false),
            ("169.254.169.254", false),
            ("224.0.0.251", false),
            ("255.255.255.255", false),
            ("fe80::1", false),
            ("fec0::1", false),
            ("ff02::fb", false),
            ("64:ff9b::7f00:1", false),
            ("64:ff9b:1::1", false),
            ("2002:a00:1::1", false),
            ("2001::1", false),
            ("2001:db8::1", false),
            ("::127.0.0.1", false),
        ] {
            assert!(!lets(&open, inner), "{inner}");
            assert_eq!(lets(&listed, inner), now, "{inner}");
        }
    }
}
