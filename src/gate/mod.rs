//! Who may do what. Each check makes the value that the next one needs, and only that check can
//! make it: [`peer`] a Client, [`auth`] a Caller, [`scope`] a Grant and its Permits. A check that
//! is forgotten does not compile.

pub mod access;
pub mod alias;
pub mod auth;
pub mod claim;
mod derivations;
pub mod peer;
pub mod recent;
pub mod register;
mod remembered;
pub mod scope;
mod throttle;

use std::net::{IpAddr, Ipv6Addr};

use ipnet::IpNet;

/// An address or a network, as it is written in lists; host bits that are set are refused, since
/// `192.0.2.77/24` does not say which of the two was meant.
pub fn network(text: &str) -> Result<IpNet, String> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok(IpNet::from(address.to_canonical()));
    }
    let network: IpNet =
        text.parse().map_err(|_| "write an address or a network, such as 192.0.2.7 or 192.0.2.0/24")?;
    // It would hold nobody: an address of that form counts as the IPv4 address that it is.
    if let IpAddr::V6(v6) = network.addr()
        && v6.to_ipv4_mapped().is_some()
    {
        return Err("write an IPv4 network without ::ffff: in front, such as 192.0.2.0/24".to_string());
    }
    match network.trunc() == network {
        true => Ok(network),
        false => Err(format!("write {} for the network or {} for the one address", network.trunc(), network.addr())),
    }
}

/// The address as far as one client has it to itself: IPv6 by /64, since a client can change within it.
pub fn household(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => Ipv6Addr::from(u128::from(v6) >> 64 << 64).into(),
        v4 => v4,
    }
}

/// Is the address in one of the networks? IPv4-mapped IPv6 addresses count as IPv4.
pub fn contains(networks: &[IpNet], address: IpAddr) -> bool {
    networks.iter().any(|network| network.contains(&address.to_canonical()))
}

#[cfg(test)]
mod properties;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_networks_are_read_strictly() {
        for good in ["127.0.0.1", "192.0.2.0/24", "::1", "2001:db8::/32", "::ffff:192.0.2.7", "0.0.0.0/0"] {
            assert!(network(good).is_ok(), "{good}");
        }
        for wrong in [
            "",
            "localhost",
            "192.0.2.0/33",
            "192.0.2",
            "192.0.2.77/24",
            "2001:db8::1/32",
            "1.2.3.4:80",
            "::ffff:192.0.2.0/120",
        ] {
            assert!(network(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_household_is_an_ipv4_address_or_a_64() {
        let of = |text: &str| household(text.parse().unwrap()).to_string();
        assert_eq!(of("192.0.2.7"), "192.0.2.7");
        assert_eq!(of("::ffff:192.0.2.7"), "192.0.2.7");
        assert_eq!(of("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
    }

    #[test]
    fn mapped_addresses_are_ipv4() {
        let networks = [network("192.0.2.0/24").unwrap()];
        assert!(contains(&networks, "::ffff:192.0.2.7".parse().unwrap()));
        assert!(!contains(&networks, "192.0.3.7".parse().unwrap()));
    }
}
