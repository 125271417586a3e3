//! What is read out of an answer comes from the network: whatever its bytes are, reading it ends and
//! gives what belongs to the question.

use super::*;
use crate::dns::Rtype;
use crate::dns::request::Request;
use crate::dns::stand_in::{Data, Reply, address, cname, name, ns, txt};
use crate::random::{Random, property};

const NAME: &str = "_acme-challenge.example.com";
const NAMES: [&str; 4] = [NAME, "example.com", "a.example.net", "ns.example.com"];

fn records(random: &mut Random) -> Vec<(Name, Data)> {
    random.some(4, |random| {
        let (value, target) = ("v".repeat(43), random.one_of(&NAMES));
        let all = [txt(&value), cname(target), ns(target), Data::Soa, address("192.0.9.1"), address("2001:500::1")];
        (name(random.one_of(&NAMES)), random.one_of(&all))
    })
}

#[test]
fn any_answer_is_read_to_its_end_and_only_for_the_name_that_was_asked_for() {
    let question = Request::question(&name(NAME), Rtype::TXT, false);
    property(|random| {
        let (answer, authority, additional) = (records(random), records(random), records(random));
        let authoritative = random.once_in(2);
        let reply = Reply { authoritative, truncated: false, rcode: Rcode::NOERROR, answer, authority, additional };
        let octets = reply.to_octets(question.as_slice());
        let packet = if random.once_in(3) { octets.clone() } else { random.mutated(&octets) };
        let Ok(read) = question.answered(&packet) else { return };
        let asked = name(NAME);
        assert!(read.zone_of(&asked).is_none_or(|zone| asked.is_within(&zone)), "{packet:?}");
        let _ = (read.negative_ttl(), read.servers(&asked), read.addresses(&asked), read.txt());
        if let Some(referral) = read.referral(&asked) {
            assert!(!read.is_authoritative() && asked.is_within(&referral.zone), "{packet:?}");
            assert!(referral.glue.iter().all(|(server, _)| referral.servers.contains(server)), "{packet:?}");
        }
        let values = read.txt_at(&asked);
        if packet == octets {
            // The naive twin: as many hops as there are records, each to the first CNAME at the name.
            let mut end = asked.clone();
            for _ in 0..ALIASES {
                let hop = reply.answer.iter().find(|(owner, data)| *owner == end && matches!(data, Data::Cname(_)));
                let Some((_, Data::Cname(target))) = hop else { break };
                end = target.clone();
            }
            let here = reply.answer.iter().filter(|(owner, data)| *owner == end && matches!(data, Data::Txt(_)));
            assert_eq!(values.len(), here.count(), "{:?}", reply.answer);
        }
    });
}
