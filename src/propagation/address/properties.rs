//! The gate against a twin that compares bits as text, written from IANA's registries.

use super::*;
use crate::gate::network;
use crate::random::{Random, property};

/// What is not global, and within it what is all the same judged by an IPv4 address in it.
const V4: &str = "0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.0.2.0/24 \
                  192.88.99.0/24 192.168.0.0/16 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 224.0.0.0/4 240.0.0.0/4";
const V6: &str = "0000::/3 4000::/2 8000::/1 2001::/23 2001:db8::/32 3fff::/20";

fn bits(address: IpAddr) -> String {
    match address {
        IpAddr::V4(v4) => v4.octets().iter().map(|octet| format!("{octet:08b}")).collect(),
        IpAddr::V6(v6) => v6.octets().iter().map(|octet| format!("{octet:08b}")).collect(),
    }
}

fn is_in(address: IpAddr, network: &str) -> bool {
    let (base, length) = network.split_once('/').unwrap();
    let (ours, base) = (bits(address), bits(base.parse().unwrap()));
    ours.len() == base.len() && ours[..length.parse::<usize>().unwrap()] == base[..length.parse::<usize>().unwrap()]
}

fn naive(address: IpAddr, listed: &[&str]) -> bool {
    let inner = |from: usize| {
        let octet = |index: usize| u8::from_str_radix(&bits(address)[from + index * 8..][..8], 2).unwrap();
        IpAddr::from([octet(0), octet(1), octet(2), octet(3)])
    };
    if is_in(address, "::ffff:0:0/96") {
        return naive(inner(96), listed);
    }
    if listed.iter().any(|network| is_in(address, network)) {
        return true;
    }
    let leads_to = if is_in(address, "64:ff9b::/96") {
        inner(96)
    } else if is_in(address, "2002::/16") {
        inner(16)
    } else {
        address
    };
    let table = if leads_to.is_ipv4() { V4 } else { V6 };
    !table.split_whitespace().any(|network| is_in(leads_to, network))
}

/// Most often near the border of a block.
fn address(random: &mut Random) -> IpAddr {
    let near = format!("{V4} {V6} 64:ff9b::/96 64:ff9b:1::/48 2002::/16 2000::/3 ::ffff:0:0/96 8.8.8.8/32");
    let blocks: Vec<&str> = near.split_whitespace().collect();
    let (base, _) = random.one_of(&blocks).split_once('/').unwrap();
    let (some, any) = (random.below(1 << 16) as u128, u128::from(random.number()) << random.below(64));
    let step = random.one_of(&[0, 1, u128::MAX, some, any]);
    match base.parse().unwrap() {
        IpAddr::V4(v4) => {
            let scaled = (step as u32) << random.below(24);
            IpAddr::from(v4.to_bits().wrapping_add(scaled).to_be_bytes())
        }
        IpAddr::V6(v6) => {
            let any = random.number() as u32;
            let v4 = u128::from(random.one_of(&[0x7f00_0001, 0x0a00_0001, 0x0808_0808, any]));
            let embedded = random.one_of(&[0, v4, v4 << 80]);
            Ipv6Addr::from_bits((v6.to_bits() | embedded).wrapping_add(step << random.below(64))).into()
        }
    }
}

#[test]
fn any_address_is_asked_exactly_if_it_is_of_the_internet_or_listed() {
    let networks = ["127.0.0.0/8", "10.1.0.0/16", "fd00::/8", "2001:db8::/32", "192.168.1.1/32"];
    property(|random| {
        let listed = random.some(3, |random| random.one_of(&networks));
        let gate = Gate::new(listed.iter().map(|text| network(text).unwrap()).collect());
        let address = address(random);
        assert_eq!(gate.lets(address), naive(address, &listed), "{address}, listed {listed:?}");
    });
}
