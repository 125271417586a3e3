use super::*;
use crate::dns::Rcode;
use crate::dns::primary::{Fault, Primary};
use crate::dns::server::{Listener, Zones};
use crate::dns::tsig::ALGORITHMS;
use crate::secret::Secret;
use std::net::TcpListener;
use std::thread;

const SHORT: Duration = Duration::from_millis(200);
const GENEROUS: Duration = Duration::from_secs(20);

fn name(text: &str) -> Name {
    Name::owner(text).unwrap()
}

fn key(secret: &str) -> Key {
    Key::new(&name("acmegw"), &Secret::new(secret.to_string()), ALGORITHMS[0].1).unwrap()
}

fn update(client: &Client, action: Action, letter: &str, patience: Duration) -> Result<Rcode, NoAnswer> {
    let (owner, value) = (name("_acme-challenge.example.com"), Value::parse(&letter.repeat(43)).unwrap());
    let change = (action, &owner, &value);
    client.update(&name("example.com"), change, Deadline::after(patience)).map(|answer| answer.rcode())
}

fn doubt<T>(result: Result<T, NoAnswer>) -> Doubt {
    match result {
        Err(NoAnswer::Doubtful(doubt)) => doubt,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("answered"),
    }
}

/// A server that answers one datagram with what `script` makes of it.
fn scripted(script: impl Fn(&[u8]) -> Vec<Vec<u8>> + Send + Sync + Copy + 'static) -> SocketAddr {
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = udp.local_addr().unwrap();
    thread::spawn(move || {
        let mut packet = [0; 4096];
        let (length, peer) = udp.recv_from(&mut packet).unwrap();
        script(&packet[..length])
            .iter()
            .for_each(|answer| assert_eq!(udp.send_to(answer, peer).unwrap(), answer.len()));
    });
    address
}

/// The query as its own answer, with one TXT record of two character-strings at its name.
fn answered(query: &[u8], text: &str) -> Vec<u8> {
    let opt = query.len() - 11;
    let mut answer = query[..opt].to_vec();
    answer[2] |= 0x84;
    answer[7] = 1;
    answer[11] = 0;
    let (first, second) = text.split_at(1);
    answer.extend([0xc0, 12, 0, 16, 0, 1, 0, 0, 0, 1, 0, text.len() as u8 + 2, 1]);
    [&answer, first.as_bytes(), &[second.len() as u8], second.as_bytes()].concat()
}

fn txt(server: SocketAddr, patience: Duration) -> Result<Answer, NoAnswer> {
    Client::new(server, None).ask(&name("_acme-challenge.example.com"), Rtype::TXT, true, Deadline::after(patience))
}

#[test]
fn the_strings_of_a_value_are_joined() {
    let answer = txt(scripted(|query| vec![answered(query, "value")]), GENEROUS).unwrap();
    assert_eq!((answer.rcode(), answer.is_authoritative(), answer.txt()), (Rcode::NOERROR, true, vec!["value".into()]));
}

#[test]
fn only_the_answer_to_this_question_counts() {
    let server = scripted(|query| {
        let changed = |index: usize, bit: u8| {
            let mut answer = answered(query, "wrong");
            answer[index] ^= bit;
            answer
        };
        vec![
            b"scrap".to_vec(),
            // An error without a question, to another id.
            vec![query[0] ^ 1, query[1], 0x80, 5, 0, 0, 0, 0, 0, 0, 0, 0],
            query.to_vec(),
            // Another id; a query; another opcode; another name, type and class; records, but no question.
            changed(0, 1),
            changed(2, 0x80),
            changed(2, 0x20),
            changed(13, 1),
            changed(12 + 29 + 1, 1),
            changed(12 + 29 + 3, 2),
            changed(5, 1),
            answered(query, "right"),
        ]
    });
    assert_eq!(txt(server, GENEROUS).unwrap().txt(), ["right"]);
}

#[test]
fn an_answer_from_another_port_is_not_heard() {
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    let server = udp.local_addr().unwrap();
    thread::spawn(move || {
        let mut packet = [0; 4096];
        let (length, peer) = udp.recv_from(&mut packet).unwrap();
        let other = UdpSocket::bind("127.0.0.1:0").unwrap();
        other.send_to(&answered(&packet[..length], "wrong"), peer).unwrap();
        udp.send_to(&answered(&packet[..length], "right"), peer).unwrap();
    });
    assert_eq!(txt(server, GENEROUS).unwrap().txt(), ["right"]);
}

#[test]
fn a_lost_datagram_is_sent_again_and_is_the_same() {
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    let server = udp.local_addr().unwrap();
    let heard = thread::spawn(move || {
        let (mut first, mut second) = ([0; 512], [0; 512]);
        udp.recv_from(&mut first).unwrap();
        let (length, peer) = udp.recv_from(&mut second).unwrap();
        udp.send_to(&answered(&second[..length], "value"), peer).unwrap();
        first == second
    });
    assert_eq!(txt(server, GENEROUS).unwrap().txt(), ["value"]);
    assert!(heard.join().unwrap());
}

#[test]
fn silence_ends_at_the_deadline_and_a_closed_port_at_once() {
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    assert!(matches!(txt(silent.local_addr().unwrap(), SHORT), Err(NoAnswer::Silent)));
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    assert!(matches!(txt(closed, GENEROUS), Err(NoAnswer::Unreachable(_))));
}

#[test]
fn a_long_answer_is_fetched_whole_over_tcp() {
    let listener = Listener::bind(&["127.0.0.1:0".parse().unwrap()]).unwrap();
    let server = listener.addresses().unwrap()[0];
    let values = |_: &Name| (0..30).map(|n| Value::parse(&format!("{n:043}")).unwrap()).collect();
    listener.serve(Zones::new(&[name("example.com")], None, &[], Vec::new(), values), u32::MAX).unwrap();
    assert_eq!(txt(server, GENEROUS).unwrap().txt().len(), 30);
}

#[test]
fn a_cut_answer_to_a_signed_request_is_fetched_over_tcp() {
    let primary = Primary::start("example.com", &[], key("c2VjcmV0"), Fault::Truncating);
    let client = Client::new(primary.address, Some(key("c2VjcmV0")));
    assert_eq!(update(&client, Action::Setup, "a", GENEROUS).unwrap(), Rcode::NOERROR);
    assert_eq!(primary.values(&name("_acme-challenge.example.com")), ["a".repeat(43)]);
}

#[test]
fn every_algorithm_signs() {
    for (word, algorithm) in ALGORITHMS {
        let key = || Key::new(&name("acmegw"), &Secret::new("c2VjcmV0".to_string()), algorithm).unwrap();
        let primary = Primary::start("example.com", &[], key(), Fault::None);
        let client = Client::new(primary.address, Some(key()));
        assert_eq!(update(&client, Action::Setup, "a", GENEROUS).unwrap(), Rcode::NOERROR, "{word}");
    }
}

#[test]
fn the_server_says_what_is_wrong_with_the_key() {
    let against = |fault| Primary::start("example.com", &[], key("c2VjcmV0"), fault).address;
    let ask = |server, key| doubt(update(&Client::new(server, Some(key)), Action::Setup, "a", GENEROUS));
    let other_name = Key::new(&name("other"), &Secret::new("c2VjcmV0".to_string()), ALGORITHMS[0].1).unwrap();
    assert_eq!(ask(against(Fault::None), other_name), Doubt::UnknownKey);
    let other_algorithm = Key::new(&name("acmegw"), &Secret::new("c2VjcmV0".to_string()), ALGORITHMS[1].1).unwrap();
    assert_eq!(ask(against(Fault::None), other_algorithm), Doubt::UnknownKey);
    assert_eq!(ask(against(Fault::BadSignature), key("b3RoZXI=")), Doubt::OtherSecret);
    assert!(
        matches!(ask(against(Fault::Clock(-1000)), key("c2VjcmV0")), Doubt::Clock(ahead) if (990..1010).contains(&ahead))
    );
}

#[test]
fn unsigned_and_altered_answers_do_not_count() {
    for (fault, expected) in [(Fault::Stripped, Doubt::Unsigned), (Fault::Altered, Doubt::Forged)] {
        let primary = Primary::start("example.com", &[], key("c2VjcmV0"), fault);
        let client = Client::new(primary.address, Some(key("c2VjcmV0")));
        assert_eq!(doubt(update(&client, Action::Setup, "a", GENEROUS)), expected);
    }
}

#[test]
fn a_forger_who_is_faster_is_not_believed() {
    let primary = Primary::start("example.com", &[], key("c2VjcmV0"), Fault::ForgedFirst);
    let client = Client::new(primary.address, Some(key("c2VjcmV0")));
    assert_eq!(update(&client, Action::Setup, "a", GENEROUS).unwrap(), Rcode::NOERROR);
}

#[test]
fn a_key_is_base64_with_or_without_padding() {
    let make = |secret: &str| Key::new(&name("acmegw"), &Secret::new(secret.to_string()), ALGORITHMS[0].1);
    assert!(make("b3RoZXI=").is_some() && make("b3RoZXI").is_some());
    assert!(make("").is_none() && make("not base64").is_none() && make("b3Ro_XI=").is_none());
}
