//! Answers come from the network, and from whoever gets a datagram in first.

use super::*;
use crate::dns::stand_in::question;
use crate::dns::tsig::ALGORITHMS;
use crate::random::{Random, property};
use crate::secret::Secret;

const NAME: &str = "_acme-challenge.example.com";

/// A question for the TXT records at [`NAME`], with a key or without.
fn request(key: Option<&Key>) -> Request {
    let mut builder = message(Opcode::QUERY).question();
    builder.push((wire(&Name::owner(NAME).unwrap()), Rtype::TXT, Class::IN)).unwrap();
    let mut builder = builder.additional();
    let signed = key.map(|key| key.sign(&mut builder));
    Request { octets: builder.into_message(), signed }
}

/// The question's own answer with records of the kinds that are looked at, changed a little.
fn packet(random: &mut Random, request: &Request) -> Vec<u8> {
    let (header, question) = request.octets.as_slice().split_at(12);
    let question = &question[..labels() + 4];
    let mut packet = [&header[..2], &[0x84, 0, 0, 1, 0, 0, 0, 0, 0, 0], question].concat();
    let records = random.some(4, |random| {
        let txt = [&[0xc0, 12, 0, 16, 0, 1, 0, 0, 0, 1, 0, 44, 43][..], &[b'v'; 43]].concat();
        let soa = [&[0xc0, 28, 0, 6, 0, 1, 0, 0, 0, 1, 0, 24, 0xc0, 28, 0xc0, 28][..], &[0; 20]].concat();
        random.one_of(&[txt, soa])
    });
    packet[7] = records.len() as u8;
    packet.extend(records.concat());
    match random.below(8) {
        0 => packet,
        7 => [&header[..2], &random.some(60, |random| random.number() as u8)[..]].concat(),
        _ => random.mutated(&packet),
    }
}

/// Length of the name on the wire (octets).
fn labels() -> usize {
    NAME.len() + 2
}

#[test]
fn any_packet_is_an_answer_only_if_it_repeats_id_and_question() {
    let request = request(None);
    let asked = request.octets.as_slice()[12..12 + labels() + 4].to_vec();
    property(|random| {
        let packet = packet(random, &request);
        let Some(Heard::Answer(answer)) = request.judge(&packet) else { return };
        assert_eq!(packet[..2], request.octets.as_slice()[..2]);
        assert!(packet[2] & 0xfa == 0x80, "an answer to a query, and whole: {packet:?}");
        if packet[4..10] != [0; 6] {
            assert_eq!(question(&packet), asked, "{packet:?}");
        }
        // Whatever the records hold, reading them ends, and a zone is one that the name lies in.
        let _ = (answer.rcode(), answer.is_authoritative(), answer.txt());
        let name = Name::owner(NAME).unwrap();
        assert!(answer.zone_of(&name).is_none_or(|zone| name.is_within(&zone)), "{packet:?}");
    });
}

/// Found by the property above, when it took questions as written out.
#[test]
fn a_question_whose_name_ends_in_the_header_is_the_same_question() {
    let request = request(None);
    let (header, asked) = request.octets.as_slice().split_at(12);
    let name = &asked[..labels() - 1];
    let packet = [&header[..2], &[0x84, 0, 0, 1, 0, 0, 0, 0, 0, 0], name, &[0xc0, 10, 0, 16, 0, 1]].concat();
    assert!(matches!(request.judge(&packet), Some(Heard::Answer(_))));
    assert_eq!(question(&packet), asked[..labels() + 4]);
    let other = [&packet[..packet.len() - 6], &[0xc0, 2, 0, 16, 0, 1]].concat();
    assert!(request.judge(&other).is_none(), "there the header says something else");
}

#[test]
fn any_packet_without_the_keys_signature_is_no_answer() {
    let key = Key::new(&Name::owner("acmegw").unwrap(), &Secret::new("c2VjcmV0".to_string()), ALGORITHMS[0].1).unwrap();
    let request = request(Some(&key));
    // The request's own signature stands ready for whoever wants to send it back.
    let signature = request.octets.as_slice()[12 + labels() + 4..].to_vec();
    property(|random| {
        let mut packet = packet(random, &request);
        if random.once_in(2) && packet.len() > 12 {
            packet[11] = 1;
            let changed = random.mutated(&signature);
            packet.extend(random.one_of(&[&signature, &changed]));
        }
        assert!(!matches!(request.judge(&packet), Some(Heard::Answer(_))), "{packet:?}");
    });
}
