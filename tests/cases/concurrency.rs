use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use acmegw::challenge::Name;
use acmegw::deadline::Deadline;
use acmegw::dns::Rtype;
use acmegw::dns::client::Client;

use crate::support::openprovider::{OpenProvider, PASSWORD, USERNAME};
use crate::support::{Gateway, MANY_CLIENTS, PATIENCE, Scratch, body, post_for};

/// Clients that start at once.
const CLIENTS: usize = 200;
/// Names that they share, each among many.
const NAMES: usize = 10;
/// How long one client goes on asking: much longer than all of them together need.
const ENDURANCE: Duration = Duration::from_secs(120);

/// What is at the service, by domain.
type Held = BTreeMap<String, BTreeSet<String>>;

/// Each client sets two values at a name that many share and one at another that few share, and removes the first
/// again. What is there afterwards?
fn after_the_rush(name: &str, gateway: &Gateway, held: impl Fn(&str) -> BTreeSet<String>) {
    let (address, told_to_wait, began) = (gateway.address(), AtomicUsize::new(0), Instant::now());
    thread::scope(|scope| {
        for client in 0..CLIENTS {
            let told_to_wait = &told_to_wait;
            let work = move || {
                for (argument, domain, value) in changes(client) {
                    insist(address, &body(argument, &domain, &value), client, told_to_wait);
                }
            };
            thread::Builder::new().stack_size(128 * 1024).spawn_scoped(scope, work).unwrap();
        }
    });
    println!(
        "{name}: {} changes by {CLIENTS} clients in {} ms, {} answers 503",
        CLIENTS * 4,
        began.elapsed().as_millis(),
        told_to_wait.load(Ordering::Relaxed)
    );
    let expected = expected();
    let found: Held = expected.keys().map(|domain| (domain.clone(), held(domain))).collect();
    assert_eq!(found, expected, "{name}");
}

fn changes(client: usize) -> [(&'static str, String, String); 4] {
    let (shared, own) = (format!("n{}.example.com", client % NAMES), format!("c{}.example.com", client / 10));
    let value = |number: usize| format!("{number:04}{client:039}");
    [
        ("setup", shared.clone(), value(0)),
        ("setup", shared.clone(), value(1)),
        ("setup", own, value(2)),
        ("teardown", shared, value(0)),
    ]
}

fn expected() -> Held {
    let mut held = Held::new();
    for (argument, domain, value) in (0..CLIENTS).flat_map(changes) {
        let here = held.entry(domain).or_default();
        match argument {
            "setup" => here.insert(value),
            _ => here.remove(&value),
        };
    }
    held
}

/// Asks until it is done, as the hook does, which waits longer in between.
fn insist(gateway: SocketAddr, body: &str, client: usize, told_to_wait: &AtomicUsize) {
    let began = Instant::now();
    for tries in 0_u32.. {
        let reply = post_for(client, gateway, body);
        match reply.status {
            200 | 201 => return,
            // Sent away at the door, or told to come again.
            0 => {}
            503 => assert!(reply.header("retry-after").parse::<u64>().is_ok(), "{reply:?}"),
            _ => panic!("{body}: {reply:?}"),
        }
        assert!(began.elapsed() < ENDURANCE, "{body}: {reply:?}");
        told_to_wait.fetch_add(1, Ordering::Relaxed);
        // All of them at once again would gain nobody anything.
        thread::sleep(Duration::from_millis((100 << tries.min(4)) + client as u64 % 100));
    }
}

fn lines(folder: &Scratch, provider: &str) -> String {
    let state = folder.path().display();
    format!(
        "LISTEN = 127.0.0.1:0\nSSL = off\nDNSAPI_DOMAINS = example.com\n\
         {MANY_CLIENTS}STATE_DIR = {state}\n{provider}\n"
    )
}

#[test]
fn exactly_what_should_be_there_is_there_embedded() {
    let folder = Scratch::new();
    let lines = lines(&folder, "DNS_LISTEN = 127.0.0.1:0");
    let gateway = Gateway::start_in(folder, &lines, &[]);
    let server = gateway.logged("answering DNS on ").parse().unwrap();
    after_the_rush("embedded", &gateway, |domain| {
        let owner = Name::host(domain).unwrap().challenge();
        let answer = Client::new(server, None).ask(&owner, Rtype::TXT, false, Deadline::after(PATIENCE));
        answer.unwrap().txt().into_iter().collect()
    });
}

/// The program reads and writes a whole RRset, as services do: two at a time would lose values.
#[test]
fn exactly_what_should_be_there_is_there_exec() {
    let folder = Scratch::new();
    let program = folder.program(
        "program",
        "f=${0%/*}/rrset.$2; touch \"$f\"; grep -v \"^$3$\" \"$f\" >\"$f.new\"\n\
         [ \"$1\" = teardown ] || echo \"$3\" >>\"$f.new\"\nmv \"$f.new\" \"$f\"\n",
    );
    let lines = lines(&folder, &format!("DNSAPI_MODULE = exec\nDNSAPI_PROGRAM = {}", program.display()));
    let gateway = Gateway::start_in(folder, &lines, &[]);
    after_the_rush("exec", &gateway, |domain| {
        let rrset = std::fs::read_to_string(gateway.folder.join(&format!("rrset._acme-challenge.{domain}")));
        rrset.unwrap().lines().map(str::to_string).collect()
    });
}

#[test]
fn exactly_what_should_be_there_is_there_openprovider() {
    let folder = Scratch::new();
    let service: Arc<OpenProvider> = OpenProvider::new(&["example.com"]);
    let account = format!(
        "DNSAPI_MODULE = openprovider\nDNSAPI_USERNAME = {USERNAME}\nDNSAPI_PASSWORD = {PASSWORD}\n\
         DNSAPI_URL = http://{}/v1beta",
        service.listen()
    );
    let lines = lines(&folder, &account);
    let gateway = Gateway::start_in(folder, &lines, &[]);
    after_the_rush("openprovider", &gateway, |domain| {
        service.txt(&format!("_acme-challenge.{domain}")).into_iter().collect()
    });
}
