use super::*;

const ID: [u8; 2] = [0x12, 0x34];
const TXT: u16 = 16;
const SOA: u16 = 6;

/// Two domains, a zone for CNAMEs, two values at one name and one at another.
pub(super) fn zones() -> Zones {
    let name = |text| Name::owner(text).unwrap();
    let value = |letter: &str| Value::parse(&letter.repeat(43)).unwrap();
    Zones::new(
        &[name("example.com"), name("example.net")],
        Some(&name("acme.example.org")),
        &[],
        vec!["192.0.2.1".parse().unwrap(), "2001:db8::1".parse().unwrap()],
        move |owner| match owner.as_str() {
            "_acme-challenge.example.com" => vec![value("a"), value("b")],
            "_acme-challenge.www.example.com" => vec![value("c")],
            _ => Vec::new(),
        },
    )
}

/// As many values at every name as there are.
pub(super) fn full_zones(count: usize) -> Zones {
    let values = move |_: &Name| (0..count).map(|n| Value::parse(&format!("{n:043}")).unwrap()).collect();
    Zones::new(&[Name::owner("example.com").unwrap()], None, &[], Vec::new(), values)
}

pub(super) fn labels(name: &str) -> Vec<u8> {
    let labels = name.split('.').filter(|label| !label.is_empty());
    let mut octets: Vec<u8> = labels.flat_map(|label| [&[label.len() as u8], label.as_bytes()].concat()).collect();
    octets.push(0);
    octets
}

/// A query with RD, as a resolver writes it.
pub(super) fn query(name: &[u8], qtype: u16) -> Vec<u8> {
    [&ID[..], &[1, 0, 0, 1, 0, 0, 0, 0, 0, 0], name, &qtype.to_be_bytes(), &[0, 1]].concat()
}

pub(super) fn with_opt(mut query: Vec<u8>, size: u16, version: u8) -> Vec<u8> {
    query[11] += 1;
    [&query[..], &[0, 0, 41], &size.to_be_bytes(), &[0, version, 0, 0, 0, 0]].concat()
}

/// (flags, the four counts) of an answer.
fn head(answer: &[u8]) -> (u16, [u16; 4]) {
    let field = |index: usize| u16::from_be_bytes([answer[2 * index], answer[2 * index + 1]]);
    assert_eq!(answer[..2], ID);
    (field(1), [field(2), field(3), field(4), field(5)])
}

#[test]
fn what_is_answered_where() {
    const QR_RD: u16 = 0x8100;
    const QR_AA_RD: u16 = 0x8500;
    const NXDOMAIN: u16 = QR_AA_RD | 3;
    const REFUSED: u16 = QR_RD | 5;
    let (ns, a, aaaa, caa, ds, any, axfr, ixfr) = (2, 1, 28, 257, 43, 255, 252, 251);
    let zones = zones();
    for (name, qtype, flags, answers, authority) in [
        // The apex of a challenge name.
        ("_acme-challenge.example.com", TXT, QR_AA_RD, 2, 0),
        ("_AcMe-ChAlLeNgE.eXaMpLe.CoM", TXT, QR_AA_RD, 2, 0),
        ("_acme-challenge.www.example.com", TXT, QR_AA_RD, 1, 0),
        ("_acme-challenge.example.com", SOA, QR_AA_RD, 1, 0),
        ("_acme-challenge.example.com", ns, QR_AA_RD, 1, 0),
        // It exists: nothing of a type is NODATA, with the SOA. CAA above all, which CAs ask for.
        ("_acme-challenge.example.com", caa, QR_AA_RD, 0, 1),
        ("_acme-challenge.example.com", a, QR_AA_RD, 0, 1),
        ("_acme-challenge.example.com", ds, QR_AA_RD, 0, 1),
        ("_acme-challenge.example.net", TXT, QR_AA_RD, 0, 1),
        ("_acme-challenge.deep.below.example.net", TXT, QR_AA_RD, 0, 1),
        ("_acme-challenge.deep.below.example.net", SOA, QR_AA_RD, 1, 0),
        // ANY gives one type.
        ("_acme-challenge.example.com", any, QR_AA_RD, 2, 0),
        ("_acme-challenge.example.net", any, QR_AA_RD, 1, 0),
        ("x._acme-challenge.example.net", any, NXDOMAIN, 0, 1),
        // Below the apex there is only its name server.
        ("ns._acme-challenge.example.com", a, QR_AA_RD, 1, 0),
        ("ns._acme-challenge.example.com", aaaa, QR_AA_RD, 1, 0),
        ("ns._acme-challenge.example.com", TXT, QR_AA_RD, 0, 1),
        ("x._acme-challenge.example.com", TXT, NXDOMAIN, 0, 1),
        ("_acme-challenge._acme-challenge.example.com", TXT, NXDOMAIN, 0, 1),
        // Not ours.
        ("example.com", TXT, REFUSED, 0, 0),
        ("www.example.com", a, REFUSED, 0, 0),
        ("_acme-challenge.evilexample.com", TXT, REFUSED, 0, 0),
        ("_acme-challenge.com", TXT, REFUSED, 0, 0),
        ("_acme-challenge", TXT, REFUSED, 0, 0),
        ("", ns, REFUSED, 0, 0),
        // Zone transfers.
        ("_acme-challenge.example.com", axfr, REFUSED, 0, 0),
        ("_acme-challenge.example.com", ixfr, REFUSED, 0, 0),
        // DNS_ZONE.
        ("acme.example.org", SOA, QR_AA_RD, 1, 0),
        ("acme.example.org", ns, QR_AA_RD, 1, 0),
        ("acme.example.org", TXT, QR_AA_RD, 0, 1),
        ("ns.acme.example.org", a, QR_AA_RD, 1, 0),
        ("_acme-challenge.www.example.com.acme.example.org", TXT, QR_AA_RD, 1, 0),
        ("_acme-challenge.example.com.ACME.example.org", TXT, QR_AA_RD, 2, 0),
        ("_acme-challenge.example.net.acme.example.org", TXT, QR_AA_RD, 0, 1),
        ("example.com.acme.example.org", TXT, QR_AA_RD, 0, 1),
        ("com.acme.example.org", TXT, QR_AA_RD, 0, 1),
        ("org.acme.example.org", TXT, NXDOMAIN, 0, 1),
        ("evilexample.com.acme.example.org", TXT, NXDOMAIN, 0, 1),
        ("example.org", TXT, REFUSED, 0, 0),
    ] {
        let answer = zones.answer(&query(&labels(name), qtype), Transport::Udp).unwrap();
        assert_eq!(head(&answer), (flags, [1, answers, authority, 0]), "{name} {qtype}");
        let question = &query(&labels(name), qtype)[12..];
        assert_eq!(&answer[12..][..question.len()], question, "echoed byte for byte: {name}");
    }
}

#[test]
fn a_value_byte_for_byte() {
    let query = with_opt(query(&labels("_acme-CHALLENGE.www.Example.com"), TXT), 4096, 0);
    let expected = [
        &ID[..],
        &[0x85, 0, 0, 1, 0, 1, 0, 0, 0, 1],
        // The question, in its own case.
        &query[12..query.len() - 11],
        // Its name; TXT IN, TTL 1, one character-string of 43.
        &[0xc0, 12, 0, 16, 0, 1, 0, 0, 0, 1, 0, 44, 43],
        &[b'c'; 43],
        // OPT, 1232 bytes, version 0.
        &[0, 0, 41, 0x04, 0xd0, 0, 0, 0, 0, 0, 0],
    ];
    assert_eq!(zones().answer(&query, Transport::Udp).unwrap(), expected.concat());
}

#[test]
fn a_negative_answer_byte_for_byte() {
    let query = query(&labels("_acme-challenge.example.net"), TXT);
    let expected = [
        &ID[..],
        &[0x85, 0, 0, 1, 0, 0, 0, 1, 0, 0],
        &query[12..],
        // SOA IN, TTL 1; ns.<apex>, hostmaster.<apex>, serial, refresh, retry, expire, minimum 1.
        &[0xc0, 12, 0, 6, 0, 1, 0, 0, 0, 1, 0, 38],
        &[2, b'n', b's', 0xc0, 12],
        &[10],
        b"hostmaster",
        &[0xc0, 12],
        &[0, 0, 0, 1, 0, 0, 0x0e, 0x10, 0, 0, 0x0e, 0x10, 0, 1, 0x51, 0x80, 0, 0, 0, 1],
    ];
    assert_eq!(zones().answer(&query, Transport::Udp).unwrap(), expected.concat());
}

#[test]
fn name_servers_and_addresses_as_configured() {
    let name = |text| Name::owner(text).unwrap();
    let servers = [name("ns1.acme.example.org"), name("ns.elsewhere.example")];
    let addresses = vec!["192.0.2.7".parse().unwrap()];
    let zones =
        Zones::new(&[name("example.com")], Some(&name("acme.example.org")), &servers, addresses, |_| Vec::new());
    let ask = |text, qtype| zones.answer(&query(&labels(text), qtype), Transport::Udp).unwrap();
    let answer = ask("_acme-challenge.example.com", 2);
    assert_eq!(head(&answer), (0x8500, [1, 2, 0, 0]));
    assert!(answer.windows(20).any(|part| part == &labels("ns.elsewhere.example")[..20]));
    let answer = ask("ns1.acme.example.org", 1);
    assert_eq!(head(&answer), (0x8500, [1, 1, 0, 0]));
    assert!(answer.ends_with(&[0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 7]));
    assert_eq!(head(&ask("ns.acme.example.org", 1)), (0x8503, [1, 0, 1, 0]));
    assert_eq!(head(&ask("ns.elsewhere.example", 1)), (0x8105, [1, 0, 0, 0]));
}

#[test]
fn a_challenge_below_dns_zone_itself_is_found_both_ways_and_is_an_apex() {
    let name = |text| Name::owner(text).unwrap();
    let values = |_: &Name| vec![Value::parse(&"a".repeat(43)).unwrap()];
    let zones = Zones::new(&[name("example.com")], Some(&name("acme.example.com")), &[], Vec::new(), values);
    for text in ["_acme-challenge.acme.example.com", "_acme-challenge.example.com.acme.example.com"] {
        let (flags, counts) = head(&zones.answer(&query(&labels(text), TXT), Transport::Tcp).unwrap());
        assert_eq!((flags, counts[2]), (0x8500, 0), "{text}");
        let soa = zones.answer(&query(&labels(text), SOA), Transport::Tcp).unwrap();
        assert_eq!(head(&soa), (0x8500, [1, 1, 0, 0]), "{text}");
    }
}

#[test]
fn a_target_exists_before_it_has_a_value_and_is_an_apex_where_no_zone_of_ours_holds_it() {
    let name = |text| Name::owner(text).unwrap();
    let targets = [name("www.acme.example.org"), name("x.example.net"), name("_acme-challenge.example.org")];
    let values = |owner: &Name| match owner.as_str() {
        "x.example.net" => vec![Value::parse(&"a".repeat(43)).unwrap()],
        _ => Vec::new(),
    };
    let zones = Zones::new(&[name("example.com")], Some(&name("acme.example.org")), &[], Vec::new(), values);
    let zones = zones.and_targets(targets.iter());
    let ask = |text, qtype| head(&zones.answer(&query(&labels(text), qtype), Transport::Tcp).unwrap());
    let (answer, nodata, nxdomain, refused) = ([1, 1, 0, 0], [1, 0, 1, 0], [1, 0, 1, 0], [1, 0, 0, 0]);
    assert_eq!(ask("www.acme.example.org", TXT), (0x8500, nodata), "not NXDOMAIN, which would be remembered");
    assert_eq!(ask("www.acme.example.org", SOA), (0x8500, nodata), "in DNS_ZONE, and no zone of its own");
    assert_eq!(ask("x.www.acme.example.org", TXT), (0x8503, nxdomain));
    assert_eq!(ask("x.example.net", TXT), (0x8500, answer));
    assert_eq!(ask("X.example.net", SOA), (0x8500, answer));
    assert_eq!(ask("ns.x.example.net", 1), (0x8500, nodata));
    assert_eq!(ask("y.x.example.net", TXT), (0x8503, nxdomain));
    assert_eq!(ask("_acme-challenge.example.org", TXT), (0x8500, nodata));
    for foreign in ["example.net", "yx.example.net", "example.org"] {
        assert_eq!(ask(foreign, TXT), (0x8105, refused), "{foreign}");
    }
}

#[test]
fn a_label_with_a_dot_inside_is_not_two_labels() {
    let dotted = [&[19], &b"_acme-challenge.www"[..], &labels("example.com.acme.example.org")].concat();
    assert_eq!(head(&zones().answer(&query(&dotted, TXT), Transport::Udp).unwrap()), (0x8500, [1, 0, 1, 0]));
    let dotted = [&[15], &b"_acme-challenge"[..], &[11], b"example.com", &[0]].concat();
    assert_eq!(head(&zones().answer(&query(&dotted, TXT), Transport::Udp).unwrap()), (0x8105, [1, 0, 0, 0]));
}

#[test]
fn the_longest_name_has_room_for_no_name_server_label() {
    let name = format!("_acme-challenge.{}abc.example.com", "a.".repeat(111));
    assert_eq!(name.len(), 253);
    assert_eq!(head(&zones().answer(&query(&labels(&name), SOA), Transport::Tcp).unwrap()), (0x8500, [1, 1, 0, 0]));
}

#[test]
fn other_classes_are_refused() {
    for class in [3, 255] {
        let mut query = query(&labels("_acme-challenge.example.com"), TXT);
        *query.last_mut().unwrap() = class;
        assert_eq!(head(&zones().answer(&query, Transport::Udp).unwrap()), (0x8105, [1, 0, 0, 0]));
    }
}

#[test]
fn edns_is_answered_with_edns_and_other_versions_with_badvers() {
    let plain = query(&labels("_acme-challenge.example.net"), TXT);
    let ask = |query: &[u8]| zones().answer(query, Transport::Udp).unwrap();
    assert_eq!(head(&ask(&with_opt(plain.clone(), 1232, 0))), (0x8500, [1, 0, 1, 1]));
    let badvers = ask(&with_opt(plain.clone(), 1232, 1));
    assert_eq!(head(&badvers), (0x8100, [1, 0, 0, 1]));
    // The upper eight of the twelve bits of BADVERS (16), and the version that we do speak.
    assert!(badvers.ends_with(&[0, 0, 41, 0x04, 0xd0, 1, 0, 0, 0, 0, 0]));
    let twice = with_opt(with_opt(plain, 1232, 0), 1232, 0);
    assert_eq!(head(&ask(&twice)), (0x8101, [0, 0, 0, 0]), "two OPT are FORMERR");
}

#[test]
fn what_does_not_fit_a_datagram_is_cut_and_whole_over_tcp() {
    let plain = query(&labels("_acme-challenge.example.com"), TXT);
    let head_of = |zones: &Zones, query: &[u8], transport| head(&zones.answer(query, transport).unwrap());
    // 45 bytes of header and question, 56 a value, 11 for OPT: 8 values are 493, 9 are 549.
    let cut = (0x8700, [1, 0, 0, 0]);
    assert_eq!(head_of(&full_zones(8), &plain, Transport::Udp), (0x8500, [1, 8, 0, 0]));
    assert_eq!(head_of(&full_zones(9), &plain, Transport::Udp), cut);
    assert_eq!(head_of(&full_zones(9), &plain, Transport::Tcp), (0x8500, [1, 9, 0, 0]));
    // A client that says less than 512 means 512; one that says more than 1232 gets 1232.
    for (size, fits) in [(0, 8), (512, 8), (600, 9), (1232, 21), (4096, 21), (65535, 21)] {
        let query = with_opt(plain.clone(), size, 0);
        assert_eq!(head_of(&full_zones(fits), &query, Transport::Udp), (0x8500, [1, fits as u16, 0, 1]), "{size}");
        assert_eq!(head_of(&full_zones(fits + 1), &query, Transport::Udp), (0x8700, [1, 0, 0, 1]), "{size}");
    }
    assert_eq!(head_of(&full_zones(1000), &plain, Transport::Tcp), (0x8500, [1, 1000, 0, 0]));
    assert_eq!(head_of(&full_zones(2000), &plain, Transport::Tcp), cut, "more than a message can hold");
}

#[test]
fn answers_and_scraps_are_met_with_silence() {
    let zones = zones();
    let mut answer = query(&labels("_acme-challenge.example.com"), TXT);
    answer[2] |= 0x80;
    assert_eq!(zones.answer(&answer, Transport::Udp), None);
    for length in 0..12 {
        assert_eq!(zones.answer(&query(&[0], TXT)[..length], Transport::Udp), None);
    }
}

#[test]
fn other_opcodes_and_garbage_get_a_bare_header() {
    let good = query(&labels("_acme-challenge.example.com"), TXT);
    let changed = |index: usize, octet: u8| {
        let mut query = good.clone();
        query[index] = octet;
        query
    };
    let bare = |flags: u16| [&ID[..], &flags.to_be_bytes(), &[0; 8]].concat();
    for (what, packet, flags) in [
        ("NOTIFY", changed(2, 0x20), 0xa004),
        ("UPDATE", changed(2, 0x28), 0xa804),
        ("no question", changed(5, 0), 0x8101),
        ("two questions, of which one is there", changed(5, 2), 0x8101),
        ("an answer that is not there", changed(7, 1), 0x8101),
        ("an additional record that is not there", changed(11, 1), 0x8101),
        ("a label of an unknown kind", changed(12, 0x80), 0x8101),
        ("a name that points to the header", [&good[..12], &[0xc0, 10, 0, 16, 0, 1]].concat(), 0x8101),
        ("a name that points to itself", [&good[..12], &[0xc0, 12, 0, 16, 0, 1]].concat(), 0x8101),
        ("the header alone", good[..12].to_vec(), 0x8101),
        ("half a question", good[..20].to_vec(), 0x8101),
    ] {
        assert_eq!(zones().answer(&packet, Transport::Udp).unwrap(), bare(flags), "{what}");
    }
}
