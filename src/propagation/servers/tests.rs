//! Against stand-ins for name servers and a resolver: which servers are found, and what each says.

use std::collections::HashMap;
use std::net::{TcpListener, UdpSocket};

use super::*;
use crate::challenge::Value;
use crate::dns::address::Address;
use crate::dns::stand_in::{Asked, Reply, StandIn, Zone, address, authority, cname, name, ns, txt};
use crate::gate::network;
use crate::propagation::judge::{Said, Verdict, verdict};

const NAME: &str = "_acme-challenge.www.example.com";

/// Servers by the addresses at which the world has them; nobody is at any other.
struct World {
    resolver: StandIn,
    places: HashMap<IpAddr, SocketAddr>,
}

impl World {
    fn new(resolver: StandIn, servers: &[(&str, &StandIn)]) -> World {
        let places = servers.iter().map(|(address, server)| (address.parse().unwrap(), server.address)).collect();
        World { resolver, places }
    }

    fn finder(&self) -> Finder {
        self.finder_with(Gate::default())
    }

    fn finder_with(&self, gate: Gate) -> Finder {
        let (places, nobody) = (self.places.clone(), closed());
        Finder {
            resolvers: Resolvers::new(vec![Address::Ip(self.resolver.address)]),
            gate,
            places: Places::new(64),
            reach: Arc::new(move |address| places.get(&address).copied().unwrap_or(nobody)),
        }
    }
}

/// A port at which nobody listens.
fn closed() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

fn soon() -> Deadline {
    Deadline::after(Duration::from_secs(20))
}

fn value(letter: &str) -> Value {
    Value::parse(&letter.repeat(43)).unwrap()
}

fn found(finder: &Finder, asked: &str) -> (String, String, Vec<String>) {
    let found = finder.find(&name(asked), soon()).unwrap();
    (found.name.to_string(), found.zone.to_string(), found.servers.iter().map(ToString::to_string).collect())
}

/// What each server says, and whether it is enough.
fn looked(finder: &Finder, letter: &str) -> (Verdict, Vec<(String, Said)>) {
    let found = finder.find(&name(NAME), soon()).unwrap();
    let heard = finder.look(&found, soon());
    (verdict(&value(letter), &heard), heard)
}

fn zone(values: &[&str]) -> Zone {
    let zone = Zone::new(
        "example.com",
        &[
            ("example.com", ns("ns1.example.com")),
            ("example.com", ns("ns2.example.net")),
            ("ns1.example.com", address("192.0.9.1")),
            ("ns1.example.com", address("2001:500::1")),
            ("www.example.com", address("192.0.9.80")),
        ],
    );
    values.iter().for_each(|letter| zone.add(NAME, txt(&letter.repeat(43))));
    zone
}

fn elsewhere() -> Zone {
    Zone::new("example.net", &[("ns2.example.net", address("192.0.9.2"))])
}

#[test]
fn all_servers_of_the_zone_are_found_at_all_addresses_and_the_resolver_never_hears_of_the_name() {
    let zone = zone(&[]);
    let server = StandIn::authority(&[&zone]);
    let world =
        World::new(StandIn::resolver(&[&zone, &elsewhere()]), &[("192.0.9.1", &server), ("192.0.9.2", &server)]);
    let servers = ["ns1.example.com/192.0.9.1", "ns1.example.com/2001:500::1", "ns2.example.net/192.0.9.2"];
    let expected = (NAME.to_string(), "example.com".to_string(), servers.map(str::to_string).to_vec());
    assert_eq!(found(&world.finder(), NAME), expected);
    let asked = world.resolver.asked();
    assert!(!asked.is_empty() && asked.iter().all(|one| one.name != name(NAME)), "{asked:?}");
    assert!(server.asked().iter().all(|one| !one.recursion));
}

#[test]
fn visible_is_what_every_server_that_can_be_reached_shows() {
    let (first, second) = (zone(&["a", "b"]), zone(&["a"]));
    let servers = [StandIn::authority(&[&first]), StandIn::authority(&[&second])];
    let resolver = StandIn::resolver(&[&first, &elsewhere()]);
    // Nobody is at the IPv6 address, as on a machine that has only IPv4.
    let world = World::new(resolver, &[("192.0.9.1", &servers[0]), ("192.0.9.2", &servers[1])]);
    let finder = world.finder();
    assert_eq!(looked(&finder, "a").0, Verdict::Shown, "beside another value");
    let (verdict, heard) = looked(&finder, "b");
    assert_eq!(verdict, Verdict::NotYet, "one server of two does not have it: {heard:?}");
    assert!(matches!(&heard[1].1, Said::Nothing(why) if why.contains("reached")), "{heard:?}");
    second.add(NAME, txt(&"b".repeat(43)));
    assert_eq!(looked(&finder, "b").0, Verdict::Shown);
}

#[test]
fn a_value_in_pieces_is_found_beside_another() {
    let zone = zone(&["w"]);
    zone.add(NAME, crate::dns::stand_in::Data::Txt(vec!["p".repeat(40), "ppp".to_string()]));
    let server = StandIn::authority(&[&zone]);
    let world =
        World::new(StandIn::resolver(&[&zone, &elsewhere()]), &[("192.0.9.1", &server), ("192.0.9.2", &server)]);
    assert_eq!(looked(&world.finder(), "p").0, Verdict::Shown);
}

/// NS at the challenge name itself, as to the embedded server, with glue or without.
#[test]
fn a_challenge_name_that_is_delegated_by_itself_is_asked_for_at_its_own_servers() {
    for with_glue in [true, false] {
        let parent = zone(&[]);
        let (server, at) = if with_glue {
            ("ns._acme-challenge.www.example.com", &parent)
        } else {
            ("acme.example.net", &elsewhere())
        };
        parent.add(NAME, ns(server));
        at.add(server, address("192.0.9.9"));
        let child =
            Zone::new(NAME, &[(NAME, ns(server)), (server, address("192.0.9.9")), (NAME, txt(&"a".repeat(43)))]);
        let (above, below) = (StandIn::authority(&[&parent]), StandIn::authority(&[&child]));
        let resolver = StandIn::resolver(&[&parent, at]);
        let world = World::new(resolver, &[("192.0.9.1", &above), ("192.0.9.2", &above), ("192.0.9.9", &below)]);
        let (_, zone, servers) = found(&world.finder(), NAME);
        assert_eq!((zone.as_str(), servers), (NAME, vec![format!("{server}/192.0.9.9")]));
        assert_eq!(looked(&world.finder(), "a").0, Verdict::Shown);
    }
}

/// No referral leads from a server to itself: the SOA tells that there is a zone below.
#[test]
fn a_zone_below_on_the_same_server_is_seen_by_its_soa() {
    let parent = zone(&[]);
    let child = Zone::new(NAME, &[(NAME, ns("ns3.example.com")), (NAME, ns("ns1.example.com"))]);
    parent.add("ns3.example.com", address("192.0.9.3"));
    let both = StandIn::authority(&[&parent, &child]);
    let world = World::new(StandIn::resolver(&[&parent, &elsewhere()]), &[("192.0.9.1", &both), ("192.0.9.3", &both)]);
    let (_, zone, servers) = found(&world.finder(), NAME);
    assert_eq!(zone, NAME);
    assert!(servers.contains(&"ns3.example.com/192.0.9.3".to_string()), "{servers:?}");
    assert!(!servers.iter().any(|server| server.contains("ns2")), "{servers:?}");
}

#[test]
fn cnames_are_followed_into_the_zone_where_they_end() {
    let zone = zone(&[]);
    zone.add(NAME, cname("hop.example.com"));
    zone.add("hop.example.com", cname("www.acme.example.net"));
    let target = Zone::new(
        "acme.example.net",
        &[
            ("acme.example.net", ns("ns.acme.example.net")),
            ("ns.acme.example.net", address("192.0.9.5")),
            ("www.acme.example.net", txt(&"a".repeat(43))),
        ],
    );
    let (first, last) = (StandIn::authority(&[&zone]), StandIn::authority(&[&target]));
    let resolver = StandIn::resolver(&[&zone, &elsewhere(), &target]);
    let world = World::new(resolver, &[("192.0.9.1", &first), ("192.0.9.2", &first), ("192.0.9.5", &last)]);
    let (end, zone, servers) = found(&world.finder(), NAME);
    assert_eq!((end.as_str(), zone.as_str()), ("www.acme.example.net", "acme.example.net"));
    assert_eq!(servers, ["ns.acme.example.net/192.0.9.5"]);
    assert_eq!(looked(&world.finder(), "a").0, Verdict::Shown);
    assert!(world.resolver.asked().iter().all(|one| one.name != name("www.acme.example.net")));
}

#[test]
fn cnames_in_a_circle_and_chains_without_end_are_refused_with_the_way() {
    let zone = zone(&[]);
    zone.add(NAME, cname("a.example.com"));
    zone.add("a.example.com", cname("b.example.com"));
    zone.add("b.example.com", cname("a.example.com"));
    (0..12)
        .for_each(|number| zone.add(&format!("c{number}.example.com"), cname(&format!("c{}.example.com", number + 1))));
    let server = StandIn::authority(&[&zone]);
    let world = World::new(StandIn::resolver(&[&zone, &elsewhere()]), &[("192.0.9.1", &server)]);
    let refused = |asked: &str| match world.finder().find(&name(asked), soon()) {
        Err(NotFound::Wrong(reason)) => reason,
        other => panic!("{other:?}"),
    };
    let circle = refused(NAME);
    assert!(
        circle.contains("circle") && circle.contains("a.example.com -> b.example.com -> a.example.com"),
        "{circle}"
    );
    assert!(refused("c0.example.com").contains("more than 8 CNAMEs"));
}

/// The same server sends down and down, to itself.
#[test]
fn a_delegation_without_end_is_refused() {
    let (top, deep) = (zone(&[]), "1.2.3.4.5.6.7.8.9.10.example.com");
    let server = StandIn::start(move |asked: &Asked| {
        // One label more each time.
        let labels = asked.name.as_str().split('.').count();
        let zone: Vec<_> = asked.name.as_str().split('.').collect();
        static CUTS: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
        let cut = 3 + CUTS.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        let zone = name(&zone[labels.saturating_sub(cut)..].join("."));
        let authority = vec![(zone, ns("ns1.example.com"))];
        Some(Reply { authoritative: false, authority, ..Reply::new(Rcode::NOERROR) })
    });
    let world = World::new(StandIn::resolver(&[&top, &elsewhere()]), &[("192.0.9.1", &server)]);
    match world.finder().find(&name(deep), soon()) {
        Err(NotFound::Wrong(reason)) => assert!(reason.contains("delegated more than 8 times"), "{reason}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn thirteen_servers_at_twenty_six_addresses_are_asked_and_more_is_cut_aloud() {
    for (count, notes) in [(13, 0), (14, 1)] {
        let zone =
            Zone::new("example.com", &[("www.example.com", address("192.0.9.80")), (NAME, txt(&"a".repeat(43)))]);
        let mut at = Vec::new();
        for number in 1..=count {
            let server = format!("ns{number:02}.example.com");
            zone.add("example.com", ns(&server));
            for text in [format!("192.0.9.{number}"), format!("2001:500::{number}")] {
                zone.add(&server, address(&text));
                at.push(text);
            }
        }
        let server = StandIn::authority(&[&zone]);
        let servers: Vec<_> = at.iter().map(|text| (text.as_str(), &server)).collect();
        let world = World::new(StandIn::resolver(&[&zone]), &servers);
        let found = world.finder().find(&name(NAME), soon()).unwrap();
        assert_eq!((found.servers.len(), found.notes.len()), (26, notes), "{:?}", found.notes);
        let heard = world.finder().look(&found, soon());
        assert_eq!((heard.len(), verdict(&value("a"), &heard)), (26, Verdict::Shown));
    }
}

#[test]
fn whoever_refuses_fails_or_is_not_in_charge_is_not_sure_and_is_told() {
    let zone = zone(&["a"]);
    let good = StandIn::authority(&[&zone]);
    for (rcode, authoritative, why) in [
        (Rcode::REFUSED, false, "does not serve"),
        (Rcode::SERVFAIL, false, "cannot serve"),
        (Rcode::NOERROR, false, "without authority"),
        (Rcode::FORMERR, true, "does not answer the question"),
    ] {
        let answer = Reply { authoritative, ..Reply::new(rcode) };
        let bad = StandIn::start(move |_| Some(answer.clone()));
        let world = World::new(StandIn::resolver(&[&zone, &elsewhere()]), &[("192.0.9.1", &good), ("192.0.9.2", &bad)]);
        let (verdict, heard) = looked(&world.finder(), "a");
        assert_eq!(verdict, Verdict::NotYet, "{rcode}");
        assert!(
            heard.iter().any(|(_, said)| matches!(said, Said::NotSure(_, text) if text.contains(why))),
            "{heard:?}"
        );
        // With nobody else it is said what each did, and worth trying again.
        let world = World::new(StandIn::resolver(&[&zone, &elsewhere()]), &[("192.0.9.1", &bad), ("192.0.9.2", &bad)]);
        match world.finder().find(&name(NAME), soon()) {
            Err(NotFound::Unknown(reason)) => assert!(reason.contains("ns2.example.net/192.0.9.2: "), "{reason}"),
            // Without an SOA it is taken to be in the zone all the same, and says so when it is asked.
            Ok(_) if authoritative => {}
            other => panic!("{rcode}: {other:?}"),
        }
    }
}

#[test]
fn a_cut_answer_is_fetched_over_tcp() {
    let data = zone(&["a"]);
    let zones = vec![data.clone()];
    let server = StandIn::start(move |asked| Some(Reply { truncated: !asked.by_tcp, ..authority(&zones, asked) }));
    let world =
        World::new(StandIn::resolver(&[&data, &elsewhere()]), &[("192.0.9.1", &server), ("192.0.9.2", &server)]);
    assert_eq!(looked(&world.finder(), "a").0, Verdict::Shown);
    assert!(server.asked().iter().any(|one| one.by_tcp && one.rtype == Rtype::TXT));
}

#[test]
fn addresses_that_are_none_of_the_internet_are_asked_only_where_they_are_listed() {
    let data = zone(&["a"]);
    data.add("ns1.example.com", address("127.0.0.1"));
    let inner = Zone::new("example.net", &[("ns2.example.net", address("10.0.0.2"))]);
    let (outer, hidden) = (StandIn::authority(&[&data]), StandIn::authority(&[&data]));
    let places = [("192.0.9.1", &outer), ("10.0.0.2", &hidden), ("127.0.0.1", &hidden)];
    let world = World::new(StandIn::resolver(&[&data, &inner]), &places);
    let (verdict, heard) = looked(&world.finder(), "a");
    assert_eq!((verdict, hidden.asked()), (Verdict::Shown, vec![]));
    let told = heard.iter().filter(|(_, said)| matches!(said, Said::Nothing(why) if why.contains("PROPAGATION_NETS")));
    assert_eq!(
        told.map(|(server, _)| server.as_str()).collect::<Vec<_>>(),
        ["ns1.example.com/127.0.0.1", "ns2.example.net/10.0.0.2"]
    );
    let gate = Gate::new(vec![network("10.0.0.0/8").unwrap()]);
    let finder = world.finder_with(gate);
    let found = finder.find(&name(NAME), soon()).unwrap();
    assert!(found.servers.iter().any(|server| server.to_string() == "ns2.example.net/10.0.0.2"));
    assert_eq!(found.barred.len(), 1);
    // Finding ends with the first who knows, which need not be this one; looking asks all of them.
    finder.look(&found, soon());
    assert!(!hidden.asked().is_empty());
}

#[test]
fn a_parent_that_is_a_cname_is_no_zone_and_one_that_is_missing_is_in_its_own() {
    let zone = Zone::new(
        "example.com",
        &[
            ("example.com", ns("ns1.example.com")),
            ("ns1.example.com", address("192.0.9.1")),
            ("www.example.com", cname("cdn.example.org")),
        ],
    );
    let other = Zone::new("example.org", &[("cdn.example.org", address("192.0.9.81"))]);
    let server = StandIn::authority(&[&zone]);
    let world = World::new(StandIn::resolver(&[&zone, &other]), &[("192.0.9.1", &server)]);
    for asked in [NAME, "_acme-challenge.not.there.example.com"] {
        assert_eq!(found(&world.finder(), asked).1, "example.com", "{asked}");
    }
}

/// Silence and a byte now and then end at the deadline; the others are not held up by them.
#[test]
fn who_is_silent_or_slow_is_passed_over_when_the_time_is_over() {
    let data = zone(&["a"]);
    let good = StandIn::authority(&[&data]);
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut world = World::new(StandIn::resolver(&[&data, &elsewhere()]), &[("192.0.9.1", &good)]);
    world.places.insert("192.0.9.2".parse().unwrap(), silent.local_addr().unwrap());
    let finder = world.finder();
    let found = finder.find(&name(NAME), soon()).unwrap();
    let heard = finder.look(&found, Deadline::after(Duration::from_millis(300)));
    assert_eq!(verdict(&value("a"), &heard), Verdict::Shown);
    assert_eq!(heard.last().unwrap().1, Said::Nothing("it does not answer".to_string()));
}

#[test]
fn without_an_answer_of_any_resolver_it_is_said_what_each_did() {
    let refuses = StandIn::start(|_| Some(Reply::new(Rcode::REFUSED)));
    let world = World::new(refuses, &[]);
    match world.finder().find(&name(NAME), soon()) {
        Err(NotFound::Unknown(reason)) => {
            assert!(reason.contains("REFUSED") && reason.contains("RESOLVERS"), "{reason}")
        }
        other => panic!("{other:?}"),
    }
}
