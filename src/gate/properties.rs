//! The gate's judgements against naive twins of theirs.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::access::Access;
use super::alias::Aliases;
use super::peer::{self, Proxies};
use super::scope::Scope;
use super::{auth::Caller, contains, network};
use crate::challenge::Name;
use crate::config::{Config, Search};
use crate::deadline::Deadline;
use crate::random::{Random, property};
use crate::scratch::Scratch;

/// An address as its family's length and its bits.
fn bits(address: IpAddr) -> (u32, u128) {
    match address {
        IpAddr::V4(v4) => (32, u32::from(v4).into()),
        IpAddr::V6(v6) if u128::from(v6) >> 32 == 0xffff => (32, u128::from(v6) & 0xffff_ffff),
        IpAddr::V6(v6) => (128, v6.into()),
    }
}

fn address((family, bits): (u32, u128), mapped: bool) -> IpAddr {
    match family {
        32 if !mapped => Ipv4Addr::from(bits as u32).into(),
        32 => Ipv4Addr::from(bits as u32).to_ipv6_mapped().into(),
        _ => Ipv6Addr::from(bits).into(),
    }
}

/// Few enough that networks hold addresses: some bits in front, some at the end.
fn some_address(random: &mut Random) -> (u32, u128) {
    let family = random.one_of(&[32, 128]);
    let front = u128::from(random.one_of(&[0u8, 1, 10, 0x20, 0x7f, 0x80, 0xff])) << (family - 8);
    (family, front | u128::from(random.number() as u8 & random.one_of(&[1, 3, 0x83, 0xff])))
}

#[test]
fn any_address_is_allowed_exactly_if_the_first_bits_of_a_network_are_its_own() {
    property(|random| {
        let written = random.some(4, |random| {
            let (family, bits) = some_address(random);
            let length = random.below(family as usize + 1) as u32;
            let host = if length == 0 { u128::MAX } else { (1 << (family - length)) - 1 };
            (family, bits & !host, length)
        });
        let networks: Vec<_> = written
            .iter()
            .map(|&(family, bits, length)| network(&format!("{}/{length}", address((family, bits), false))).unwrap())
            .collect();
        let (family, asked) = some_address(random);
        let is_in = |&(of, bits, length): &(u32, u128, u32)| {
            of == family && (0..length).all(|n| asked >> (family - 1 - n) & 1 == bits >> (family - 1 - n) & 1)
        };
        let client = address((family, asked), random.once_in(2));
        assert_eq!(contains(&networks, client), written.iter().any(is_in), "{client} in {networks:?}");
    });
}

const XFF: &[&str] = &[
    ",",
    ",",
    ", ",
    " ",
    "10.0.0.1",
    "10.9.9.9",
    "192.0.2.7",
    "198.51.100.7:4711",
    "2001:db8::7",
    "[2001:db8::7]",
    "[2001:db8::7]:80",
    "::ffff:10.0.0.3",
    "::ffff:192.0.2.9",
    "unknown",
    "_hidden",
    "127.0.0.1",
    "10.0.0.256",
    "\"",
    "[10.0.0.1]",
    "10.0.0.1:",
    ":80",
    "fe80::1%eth0",
];

/// The address that an item of the header names, taken apart by hand.
fn named(item: &str) -> Option<IpAddr> {
    let item = item.trim();
    let (host, port) = match item.strip_prefix('[') {
        Some(rest) => rest
            .split_once(']')
            .map(|(host, port)| (host, port.strip_prefix(':').or((!port.is_empty()).then_some("x"))))?,
        None if item.matches(':').count() == 1 => item.split_once(':').map(|(host, port)| (host, Some(port)))?,
        None => (item, None),
    };
    if port.is_some_and(|port| port.parse::<u16>().is_err() || port.starts_with('+')) {
        return None;
    }
    match item.starts_with('[') {
        true => host.parse().ok().map(IpAddr::V6),
        false => host.parse().ok(),
    }
}

#[test]
fn any_forwarded_header_names_the_last_address_that_is_no_proxy() {
    let trusted = vec![("ALLOWED_PROXIES", "test", "10.0.0.0/8".to_string())];
    let search = Search { named: None, file_name: "no such file", last: None };
    let (config, mut mistakes) = Config::load(peer::SETTINGS, trusted, |_| None, search).unwrap();
    let proxies = Proxies::read(&config, &mut mistakes).unwrap();
    let is_proxy = |address: &IpAddr| bits(*address).0 == 32 && bits(*address).1 >> 24 == 10;
    property(|random| {
        let lines = random.some(3, |random| random.text(XFF, 8));
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        let peer: IpAddr = random.one_of(&["10.0.0.1", "::ffff:10.0.0.1", "192.0.2.1", "2001:db8::1"]).parse().unwrap();
        let client = proxies.client(peer, &lines);
        let joined = lines.join(",");
        let items: Vec<_> = joined.split(',').map(named).collect();
        let first = items.iter().rposition(|item| item.is_none_or(|address| !is_proxy(&address)));
        let expected = match first.and_then(|first| items[first]) {
            _ if !is_proxy(&peer) => (peer, true),
            Some(address) => (address, true),
            None => (peer, false),
        };
        assert_eq!((client.address(), client.is_host()), (expected.0.to_canonical(), expected.1), "{peer} {lines:?}");
        // Whoever writes on the left, where the client itself may, changes nothing.
        let forged = random.text(XFF, 5);
        if client.is_host() {
            assert_eq!(
                proxies.client(peer, &[&[forged.as_str()], &lines[..]].concat()),
                client,
                "{forged:?} {lines:?}"
            );
        }
    });
}

#[test]
fn any_name_is_in_scope_exactly_if_its_last_labels_are_a_domain_of_ours() {
    let labels = ["example", "com", "org", "www", "evil", "a", "_acme-challenge"];
    let name = |random: &mut Random| {
        let count = 1 + random.below(4);
        let written: Vec<_> = (0..count).map(|_| random.one_of(&labels)).collect();
        // Now and then two labels become one: evilexample.com.
        written.join(".").replacen('.', random.one_of(&[".", ".", "", "-"]), 1)
    };
    let deadline = Deadline::after(std::time::Duration::from_secs(3600));
    let caller = Caller::for_tests("alice");
    property(|random| {
        let domains = random.some(3, name);
        let ours: Vec<_> = domains.iter().filter_map(|domain| Name::host(domain).ok()).collect();
        let Ok(asked) = Name::domain(&name(random)) else { return };
        let backwards = |name: &Name| name.as_str().split('.').rev().map(str::to_string).collect::<Vec<_>>();
        let expected = ours.iter().any(|domain| backwards(&asked).starts_with(&backwards(domain)));
        let granted = Scope::new(ours.clone()).challenge(&caller, &asked, deadline);
        assert_eq!(granted.is_ok(), expected, "{asked} within {ours:?}");
        if let Ok(grant) = granted {
            assert_eq!(grant.owner().as_str(), format!("_acme-challenge.{asked}"));
        }
    });
}

/// An address near the others, or a network around it, and whether an address is in it.
fn some_network(random: &mut Random) -> (String, impl Fn(IpAddr) -> bool + use<>) {
    let ((family, bits_), length) = (some_address(random), random.below(5) as u32);
    let first = bits_ >> length << length;
    let written = match length {
        0 => address((family, first), random.once_in(3)).to_string(),
        _ => format!("{}/{}", address((family, first), false), family - length),
    };
    (written, move |asked| bits(asked).0 == family && bits(asked).1 >> length == first >> length)
}

#[test]
fn any_caller_may_touch_exactly_what_some_rule_gives_to_it() {
    let users = ["alice", "bob", "alic"];
    let name = |random: &mut Random| {
        let labels: Vec<_> = (0..random.below(3)).map(|_| random.one_of(&["a", "b", "ab"])).collect();
        [labels, vec![random.one_of(&["a", "ab"]), "com"]].concat().join(".")
    };
    let labels = |name: &str| name.split('.').rev().map(str::to_string).collect::<Vec<_>>();
    let deadline = Deadline::after(std::time::Duration::from_secs(3600));
    let folder = Scratch::new();
    let file = folder.file("access", "");
    property(|random| {
        let (asked, mapped, is_host) = (some_address(random), random.once_in(2), !random.once_in(4));
        let client = address(asked, mapped);
        let user = Some(random.one_of(&users)).filter(|_| random.once_in(2));
        let domain = name(random);
        let mut expected = false;
        let rules = random.some(12, |random| {
            let (network, is_in) = some_network(random);
            let (who, is_caller) = match random.one_of(&users) {
                named if random.once_in(2) => (named.to_string(), user == Some(named)),
                _ => (network, is_host && is_in(client)),
            };
            let below = random.once_in(2);
            let given = name(random);
            let covers = if below { labels(&domain).starts_with(&labels(&given)) } else { domain == given };
            expected |= is_caller && covers;
            format!("{who} other.org {}{given}\n", if below { "." } else { "" })
        });
        std::fs::write(&file, rules.concat()).unwrap();
        let scope = Scope::ruled(vec![Name::host("com.").unwrap()], Access::of(&file));
        let caller = Caller::at(client, is_host, user);
        let granted = scope.challenge(&caller, &Name::host(&domain).unwrap(), deadline);
        assert_eq!(granted.is_ok(), expected, "{caller:?} at {domain} by\n{}", rules.concat());
    });
}

#[test]
fn any_record_is_granted_exactly_if_the_caller_may_touch_all_names_that_are_proved_there() {
    let names = ["a.com", "b.com", "b.a.com"].map(|name| Name::host(name).unwrap());
    let targets = ["t.net", "_acme-challenge.t.net", "_acme-challenge.d.com.z.net"];
    let deadline = Deadline::after(std::time::Duration::from_secs(3600));
    let (caller, folder) = (Caller::for_tests("alice"), Scratch::new());
    let file = folder.file("access", "");
    property(|random| {
        let mut pairs = Vec::new();
        for name in names.iter().filter(|_| !random.once_in(3)).collect::<Vec<_>>() {
            pairs.push((name.as_str(), random.one_of(&targets)));
        }
        let allowed: Vec<_> = names.iter().filter(|_| !random.once_in(4)).cloned().collect();
        let rules: Vec<_> = allowed.iter().map(|name| format!("alice {name}\n")).collect();
        std::fs::write(&file, rules.concat()).unwrap();
        let scope = Scope::ruled(names.to_vec(), Access::of(&file)).delegating(Aliases::of(&pairs));
        // Where the CA ends up that looks for a name's challenge.
        let ends = |name: &Name| {
            let target = pairs.iter().find(|(one, _)| *one == name.as_str()).map(|(_, target)| target.to_string());
            target.unwrap_or_else(|| format!("_acme-challenge.{name}"))
        };
        let asked = match random.below(3) {
            0 => random.one_of(&targets).to_string(),
            1 => random.one_of(&["t.net", "net", "a.com", "x.t.net", "_acme-challenge.net"]).to_string(),
            _ => format!("_acme-challenge.{}", random.one_of(&names)),
        };
        let named = names.iter().find(|name| asked == format!("_acme-challenge.{name}"));
        let owner = named.map_or_else(|| asked.clone(), ends);
        let proved: Vec<_> = names.iter().filter(|name| ends(name) == owner).collect();
        let expected = !proved.is_empty() && proved.iter().all(|name| allowed.contains(name));
        let granted = scope.record(&caller, &Name::owner(&asked).unwrap(), deadline);
        let shown = granted.as_ref().ok().map(|grant| grant.owner().as_str());
        assert_eq!(shown, expected.then_some(owner.as_str()), "{asked} with {pairs:?} for {allowed:?}");
    });
}
