//! The embedded server stands in the open: what any packet gets.

use super::tests::{full_zones, labels, query, with_opt, zones};
use super::*;
use crate::random::{Random, property};

const NAMES: &[&str] = &[
    "_acme-challenge.example.com",
    "_ACME-challenge.www.Example.com",
    "ns._acme-challenge.example.net",
    "acme.example.org",
    "_acme-challenge.example.com.acme.example.org",
    "example.com",
    "",
];

/// A query as resolvers write it, or one that was changed a little, or nothing of the kind.
fn packet(random: &mut Random) -> Vec<u8> {
    let qtype = random.one_of(&[16, 16, 6, 2, 1, 28, 255, 252, 0, 0xffff]);
    let mut packet = query(&labels(random.one_of(NAMES)), qtype);
    if random.once_in(2) {
        packet = with_opt(packet, random.one_of(&[0, 512, 1232, 4096, 65535]), u8::from(random.once_in(8)));
    }
    match random.below(8) {
        0 => packet,
        7 => random.some(60, |random| random.number() as u8),
        _ => random.mutated(&packet),
    }
}

#[test]
fn any_packet_gets_a_bounded_answer_of_its_own_or_silence() {
    let all = [zones(), full_zones(9), full_zones(40)];
    property(|random| {
        let (packet, zones) = (packet(random), &all[random.below(3)]);
        let is_question = packet.len() >= 12 && packet[2] & 0x80 == 0;
        let answers =
            [Transport::Udp, Transport::Flooded, Transport::Tcp].map(|transport| zones.answer(&packet, transport));
        assert!(answers.iter().all(|answer| answer.is_some() == is_question), "{packet:?}");
        for answer in answers.iter().flatten() {
            assert!(answer[..2] == packet[..2] && answer[2] & 0x80 != 0, "{packet:?}");
            let parsed = Message::from_octets(answer.as_slice()).unwrap();
            assert!(parsed.iter().all(|record| record.is_ok()), "{packet:?} {answer:?}");
            assert!(!parsed.header().tc() || parsed.header_counts().ancount() == 0, "{packet:?}");
        }
        let [Some(udp), Some(flooded), Some(tcp)] = answers else { return };
        assert!(flooded.len() <= packet.len(), "nobody is sent more than he sent, in whosever name: {packet:?}");
        let has_edns = Message::from_octets(packet.as_slice()).unwrap().opt().is_some();
        assert!(udp.len() <= if has_edns { 1232 } else { 512 }, "{packet:?}");
        assert!(udp == tcp || udp[2] & 2 != 0, "cut, or the same: {packet:?}");
    });
}
