use super::*;
use crate::challenge::Value;
use crate::config::Search;
use crate::dns::Rtype;
use crate::dns::client::Client;
use crate::gate::auth::Caller;
use crate::gate::scope::Scope;
use crate::provider::conformance::{Fixture, Stand};
use std::net::{TcpListener, UdpSocket};
use std::time::Duration;

fn built(written: &[(&'static str, &str)], ledger: &Arc<Ledger>) -> Result<Box<dyn Provider>, String> {
    let known = [SETTINGS, crate::gate::alias::SETTINGS].concat();
    let arguments = written.iter().map(|&(name, value)| (name, "test", value.to_string())).collect();
    let search = Search { named: None, file_name: "no such file", last: None };
    let (config, mut mistakes) = Config::load(&known, arguments, |_| None, search).unwrap();
    let surroundings = Surroundings { ledger: ledger.clone(), domains: vec![Name::host("example.com").unwrap()] };
    let provider = (ROW.build)(&config, &mut mistakes, &surroundings);
    mistakes.finish(provider).map_err(|failure| failure.to_string())
}

/// What the suite for all providers runs on: the ledger is the service, a resolver its owner.
pub(in crate::provider) fn fixture() -> Fixture {
    let (provider, ledger, resolver) = served();
    let zones = &[
        ("example.com", Some("_acme-challenge.example.com")),
        ("www.example.com", Some("_acme-challenge.www.example.com")),
    ];
    let domains = &["example.com", "www.example.com", "a.b.c.example.com"];
    Fixture {
        provider,
        ledger,
        stand: Box::new(resolver),
        domains,
        zones,
        foreign: 0,
        troubles: &[],
        settings: &[],
        recorded: "",
        files: None,
    }
}

/// The provider, its ledger, through which a change has to go to be seen, and a resolver.
fn served() -> (Box<dyn Provider>, Arc<Ledger>, Client) {
    let ledger = Arc::new(Ledger::default());
    let embedded = Embedded {
        listen: vec![SocketAddr::from(([127, 0, 0, 1], 0))],
        delegation: Some(Name::owner("acme.example.org").unwrap()),
        servers: Vec::new(),
        addresses: vec![IpAddr::from([127, 0, 0, 1])],
        domains: vec![Name::host("example.com").unwrap()],
        aliases: Aliases::of(&[("www.example.com", "www.acme.example.net")]),
        ledger: ledger.clone(),
        bound: Mutex::default(),
    };
    embedded.bind().unwrap();
    let listener = embedded.bound().take().unwrap();
    let client = Client::new(listener.addresses().unwrap()[0], None);
    // The suite asks more often than a resolver would.
    listener.serve(embedded.zones(), u32::MAX).unwrap();
    (Box::new(embedded), ledger, client)
}

impl Stand for Client {
    fn held(&self, owner: &Name) -> Vec<String> {
        self.ask(owner, Rtype::TXT, true, deadline()).unwrap().txt()
    }
}

fn deadline() -> Deadline {
    Deadline::after(Duration::from_secs(20))
}

#[test]
fn what_the_ledger_has_as_made_is_what_a_resolver_sees() {
    let (provider, ledger, resolver) = served();
    let seen = |owner: &Name| resolver.held(owner);
    let scope = Scope::new(vec![Name::host("example.com").unwrap()]);
    let domain = Name::host("www.example.com").unwrap();
    let grant = scope.challenge(&Caller::for_tests("alice"), &domain, deadline()).unwrap();
    let value = |letter: &str| Value::parse(&letter.repeat(43)).unwrap();
    let carry_out = |permit: Permit| {
        let zone = provider.zone(permit.owner(), permit.deadline()).unwrap();
        let entry = ledger.intend(&permit).unwrap().unwrap();
        let before = seen(permit.owner());
        entry.settle(&provider.apply(&zone, std::slice::from_ref(&permit), permit.deadline()).remove(0));
        before
    };
    assert_eq!(carry_out(grant.setup(value("a"))), [""; 0], "not before it is made");
    carry_out(grant.setup(value("b")));
    assert_eq!(seen(grant.owner()), ["a".repeat(43), "b".repeat(43)]);
    let by_cname = Name::owner("_acme-challenge.www.example.com.acme.example.org").unwrap();
    assert_eq!(seen(&by_cname).len(), 2);
    carry_out(grant.teardown(value("a")));
    assert_eq!(seen(grant.owner()), ["b".repeat(43)]);
}

#[test]
fn wildcards_and_half_addresses_are_refused_with_the_remedy() {
    let refused = |name, value| built(&[(name, value)], &Arc::default()).err().unwrap();
    for wildcard in ["0.0.0.0:53", "[::]:53", "*:53", "127.0.0.1:8053, 0.0.0.0:8053"] {
        assert!(refused("DNS_LISTEN", wildcard).contains("write each address"), "{wildcard}");
    }
    for half in ["192.0.2.1", "53", "::1", "localhost:53", "192.0.2.1:65536"] {
        assert!(refused("DNS_LISTEN", half).contains("IP:port"), "{half}");
    }
    for address in ["0.0.0.0", "ns.example.com", "192.0.2.1:53", "224.0.0.1"] {
        assert!(refused("DNS_ADDRESS", address).contains("IP addresses"), "{address}");
    }
    assert!(refused("DNS_NS", "ns1.example.com, ns2..example.com").contains("ns2..example.com"));
    assert!(refused("DNS_ZONE", "*.example.com").contains("wildcard"));
    let good = [("DNS_LISTEN", "127.0.0.1:0, [::1]:0"), ("DNS_NS", "ns1.example.com, ns2.example.com")];
    assert!(built(&good, &Arc::default()).is_ok() && built(&[], &Arc::default()).is_ok());
}

#[test]
fn an_address_that_is_taken_stops_the_start_and_is_named() {
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = tcp.local_addr().unwrap().to_string();
    let text = built(&[("DNS_LISTEN", &address)], &Arc::default()).unwrap().bind().unwrap_err().to_string();
    assert!(text.starts_with("DNS_LISTEN: ") && text.contains(&address), "{text}");
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = udp.local_addr().unwrap().to_string();
    assert!(built(&[("DNS_LISTEN", &address)], &Arc::default()).unwrap().bind().is_err());
}

#[test]
fn the_record_of_a_delegated_name_is_seen_at_its_target_and_there_alone() {
    let (provider, ledger, resolver) = served();
    let aliases = Aliases::of(&[("www.example.com", "www.acme.example.net")]);
    let scope = Scope::new(vec![Name::host("example.com").unwrap()]).delegating(aliases);
    let domain = Name::host("www.example.com").unwrap();
    let grant = scope.challenge(&Caller::for_tests("alice"), &domain, deadline()).unwrap();
    let permit = grant.setup(Value::parse(&"a".repeat(43)).unwrap());
    let zone = provider.zone(permit.owner(), permit.deadline()).unwrap();
    let entry = ledger.intend(&permit).unwrap().unwrap();
    entry.settle(&provider.apply(&zone, std::slice::from_ref(&permit), permit.deadline()).remove(0));
    assert_eq!(resolver.held(&Name::owner("www.acme.example.net").unwrap()), ["a".repeat(43)]);
    assert_eq!(resolver.held(&domain.challenge()), [""; 0]);
}

#[test]
fn a_target_where_dns_zone_holds_another_names_challenge_is_refused() {
    let with = |alias| built(&[("DNS_ZONE", "acme.example.net"), ("DNS_ALIAS", alias)], &Arc::default());
    let refused = with("www.example.com=_acme-challenge.example.com.acme.example.net").err().unwrap();
    assert!(refused.contains("there DNS_ZONE holds the challenge of example.com: write another target"), "{refused}");
    for good in [
        "www.example.com=_acme-challenge.www.example.com.acme.example.net",
        "www.example.com=www.acme.example.net",
        "www.example.com=_acme-challenge.example.com.acme.example.org",
    ] {
        assert!(with(good).is_ok(), "{good}");
    }
}
