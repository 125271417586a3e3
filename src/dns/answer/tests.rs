use super::*;
use crate::dns::Rtype;
use crate::dns::request::Request;
use crate::dns::stand_in::{Data, Reply, TTL, address, cname, name, ns, txt};

const NAME: &str = "_acme-challenge.example.com";

/// What is read out of a reply that went over the wire.
fn read(reply: &Reply) -> Answer {
    let question = Request::question(&name(NAME), Rtype::TXT, false);
    question.answered(&reply.to_octets(question.as_slice())).unwrap()
}

fn answer(records: &[(&str, Data)]) -> Answer {
    let answer = records.iter().map(|(owner, data)| (name(owner), data.clone())).collect();
    read(&Reply { answer, ..Reply::new(Rcode::NOERROR) })
}

#[test]
fn values_count_at_the_name_and_where_its_cnames_lead_and_nowhere_else() {
    let records = [
        ("other.example.com", txt("stray")),
        (NAME, cname("a.example.net")),
        ("a.example.net", cname("B.example.net")),
        ("b.example.net", txt("one")),
        ("b.example.net", Data::Txt(vec!["t".to_string(), "wo".to_string()])),
    ];
    assert_eq!(answer(&records).txt_at(&name(NAME)), ["one", "two"]);
    assert_eq!(answer(&[("other.example.com", txt("stray"))]).txt_at(&name(NAME)), Vec::<String>::new());
    let circle = [(NAME, cname("a.example.net")), ("a.example.net", cname(NAME)), (NAME, txt("beside"))];
    assert!(answer(&circle).txt_at(&name(NAME)).len() <= 1, "it ends");
}

#[test]
fn a_referral_is_one_only_without_authority_and_without_an_answer() {
    let authority = vec![(name(NAME), ns("ns.example.net")), (name("other.example.com"), ns("x.example.net"))];
    let additional =
        vec![(name("ns.example.net"), address("192.0.9.9")), (name("y.example.net"), address("192.0.9.8"))];
    let reply = Reply { authoritative: false, authority, additional, ..Reply::new(Rcode::NOERROR) };
    let referral = read(&reply).referral(&name(NAME)).unwrap();
    let glue = vec![(name("ns.example.net"), "192.0.9.9".parse().unwrap())];
    assert_eq!(referral, Referral { zone: name(NAME), servers: vec![name("ns.example.net")], glue });
    assert_eq!(read(&reply).referral(&name("else.example.com")), None);
    for not in [
        Reply { authoritative: true, ..reply.clone() },
        Reply { rcode: Rcode::NXDOMAIN, ..reply.clone() },
        Reply { answer: vec![(name(NAME), txt("one"))], ..reply.clone() },
    ] {
        assert_eq!(read(&not).referral(&name(NAME)), None);
    }
}

#[test]
fn an_soa_says_how_long_there_is_nothing() {
    let authority = vec![(name("example.com"), Data::Soa)];
    let nothing = read(&Reply { authority, ..Reply::new(Rcode::NXDOMAIN) });
    assert_eq!((nothing.negative_ttl(), nothing.zone_of(&name(NAME))), (Some(TTL), Some(name("example.com"))));
    assert_eq!(answer(&[(NAME, txt("one"))]).negative_ttl(), None);
}
