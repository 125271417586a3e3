use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use acmegw::challenge::Name;
use acmegw::deadline::Deadline;
use acmegw::dns::Rtype;
use acmegw::dns::client::Client;

use crate::support::{Gateway, MANY_CLIENTS, PATIENCE, Scratch, VALUE, acmegw, body, post_for, send_for, stderr};

/// A service that keeps each value as a file; its answer takes a moment, as a service's does.
const SERVICE: &str =
    "cd \"${0%/*}/service\" || exit 1\ncase $1 in\nsetup) sleep 0.01; : >\"$3\" ;;\nteardown) rm -f \"$3\" ;;\nesac\n";

fn dotenv(folder: &Scratch, ttl: u32) -> String {
    folder.program("program", SERVICE);
    for name in ["service", "state"] {
        let _ = std::fs::create_dir(folder.join(name));
    }
    std::fs::set_permissions(folder.join("state"), std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    let (program, state) = (folder.join("program"), folder.join("state"));
    format!(
        "LISTEN = 127.0.0.1:0\nSSL = off\nDNSAPI_DOMAINS = example.com\nALLOWED_HOSTS = 127.0.0.1\nDNSAPI_MODULE = exec\n\
         DNSAPI_PROGRAM = {}\nSTATE_DIR = {}\nCHALLENGE_TTL = {ttl}\n",
        program.display(),
        state.display()
    )
}

fn held(service: &Path) -> usize {
    std::fs::read_dir(service).unwrap().count()
}

fn value(number: u32) -> String {
    format!("{number:043}")
}

/// What is at the service is always in the ledger too, wherever the gateway was killed; so that
/// what nobody wants any more goes in time.
#[test]
fn a_gateway_that_is_killed_at_any_point_forgets_no_record() {
    const ROUNDS: u32 = 150;
    let mut folder = std::sync::Arc::new(Scratch::new());
    let lines = dotenv(&folder, 3600) + MANY_CLIENTS;
    let service = folder.join("service");
    for round in 0..ROUNDS {
        let mut gateway = Gateway::start_in(folder, &lines, &[]);
        let address = gateway.address();
        let ask = |argument: &str, number: u32| {
            // Each round a client of its own, lest one have too many records.
            let _ = send_for(round as usize, address, &body(argument, "example.com", &value(number)));
        };
        ask("setup", round * 3);
        ask("setup", round * 3 + 1);
        ask("teardown", round * 3);
        // Not a random number but a sweep over the whole life of the three.
        thread::sleep(Duration::from_micros(u64::from(round) * 400));
        gateway.signal("KILL");
        gateway.ended();
        folder = gateway.into_folder();
    }
    let at_most = held(&service);
    assert!(at_most > 0, "no change was ever made: the sweep is too short");
    let gateway = Gateway::start_in(folder, &lines.replace("CHALLENGE_TTL = 3600", "CHALLENGE_TTL = 1"), &[]);
    let began = Instant::now();
    while held(&service) > 0 {
        assert!(began.elapsed() < PATIENCE, "{} of {at_most} records were forgotten", held(&service));
        thread::sleep(Duration::from_millis(20));
    }
    drop(gateway);
}

/// What clients were told is so after the next start; and what nobody wants any more goes in time.
#[test]
fn what_was_answered_is_so_wherever_the_gateway_was_killed_afterwards() {
    const ROUNDS: u32 = 100;
    let mut folder = std::sync::Arc::new(Scratch::new());
    let lines = embedded(&folder) + MANY_CLIENTS;
    let mut told = 0;
    let mut before: Option<(String, BTreeMap<String, bool>)> = None;
    for round in 0..ROUNDS {
        let mut gateway = Gateway::start_in(folder, &lines, &[]);
        if let Some((domain, answers)) = before {
            let held = asked(&gateway, &domain);
            for (value, is_set) in &answers {
                assert_eq!(held.contains(value), *is_set, "{value} at {domain} after {round} kills");
            }
            told += answers.len();
        }
        let (domain, address) = (format!("r{round}.example.com"), gateway.address());
        let client = thread::spawn({
            let domain = domain.clone();
            move || be_told(round as usize, address, &domain)
        });
        // Not a random number but a sweep over the whole life of some changes.
        thread::sleep(Duration::from_micros(1000 + u64::from(round) * 600));
        gateway.signal("KILL");
        gateway.ended();
        before = Some((domain, client.join().unwrap()));
        folder = gateway.into_folder();
    }
    assert!(told > 20, "only {told} answers: the sweep is too short");
    let gateway = Gateway::start_in(folder, &format!("{lines}CHALLENGE_TTL = 1\n"), &[]);
    let ledger = gateway.folder.join("ledger");
    let began = Instant::now();
    while held(&ledger) > 0 {
        assert!(began.elapsed() < PATIENCE, "{} names were forgotten", held(&ledger));
        thread::sleep(Duration::from_millis(20));
    }
}

/// Sets values and removes every second one again until the gateway is gone; says of each about
/// which there was an answer whether it is set.
fn be_told(client: usize, gateway: SocketAddr, domain: &str) -> BTreeMap<String, bool> {
    let mut answers = BTreeMap::new();
    // More than there is time for, and fewer than do not fit into one answer of the DNS server.
    for number in 0..200 {
        if post_for(client, gateway, &body("setup", domain, &value(number))).status != 201 {
            break;
        }
        answers.insert(value(number), true);
        if number % 2 == 0 {
            continue;
        }
        // Without an answer it may be gone or not.
        answers.remove(&value(number));
        if post_for(client, gateway, &body("teardown", domain, &value(number))).status != 200 {
            break;
        }
        answers.insert(value(number), false);
    }
    answers
}

/// The gateway's own DNS, in the folder's STATE_DIR.
fn embedded(folder: &Scratch) -> String {
    let state = folder.path().display();
    format!(
        "LISTEN = 127.0.0.1:0\nSSL = off\nDNSAPI_DOMAINS = example.com\nALLOWED_HOSTS = 127.0.0.1\n\
         DNS_LISTEN = 127.0.0.1:0\nSTATE_DIR = {state}\n"
    )
}

/// The values that a resolver sees.
fn asked(gateway: &Gateway, domain: &str) -> Vec<String> {
    let client = Client::new(gateway.logged("answering DNS on ").parse().unwrap(), None);
    let owner = Name::host(domain).unwrap().challenge();
    client.ask(&owner, Rtype::TXT, false, Deadline::after(PATIENCE)).unwrap().txt()
}

#[test]
fn after_a_restart_a_caller_can_still_remove_all_that_it_set() {
    let folder = Scratch::new();
    let lines = dotenv(&folder, 3600);
    let service = folder.join("service");
    let first = Gateway::start_in(folder, &lines, &[]);
    for number in 0..3 {
        assert_eq!(first.post(&body("setup", "example.com", &value(number))).status, 201);
    }
    let second = Gateway::start_in(first.into_folder(), &lines, &[]);
    second.wait_for("ledger, 3 records");
    assert_eq!(held(&service), 3);
    assert_eq!(second.post(&body("teardown", "example.com", "")).status, 200);
    assert_eq!(held(&service), 0);
}

#[test]
fn the_embedded_servers_records_survive_a_restart() {
    let folder = Scratch::new();
    let lines = embedded(&folder);
    let first = Gateway::start_in(folder, &lines, &[]);
    assert_eq!(first.post(&body("setup", "example.com", VALUE)).status, 201);
    let second = Gateway::start_in(first.into_folder(), &lines, &[]);
    assert_eq!(asked(&second, "example.com"), [VALUE]);
}

#[test]
fn two_gateways_do_not_share_a_ledger() {
    let folder = Scratch::new();
    let lines = dotenv(&folder, 3600);
    let gateway = Gateway::start_in(folder, &lines, &[]);
    let file = gateway.folder.join("dotenv");
    let output = acmegw(&["serve", "-e", file.to_str().unwrap()]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("another gateway uses"), "{}", stderr(&output));
}

#[test]
fn what_cannot_be_written_down_is_not_changed() {
    let folder = Scratch::new();
    let lines = dotenv(&folder, 3600);
    let service = folder.join("service");
    let gateway = Gateway::start_in(folder, &lines, &[]);
    assert_eq!(gateway.post(&body("setup", "example.com", &value(1))).status, 201);
    // A file where the folder was: not even root can write below it.
    std::fs::remove_dir_all(gateway.folder.join("state/ledger")).unwrap();
    gateway.folder.file("state/ledger", "");
    let reply = gateway.post(&body("setup", "example.com", &value(2)));
    assert_eq!(reply.status, 500);
    assert!(reply.detail().contains("STATE_DIR"), "{reply:?}");
    gateway.wait_for("_acme-challenge.example.com: the record cannot be written down in STATE_DIR");
    assert_eq!(held(&service), 1, "no change was made");
    assert_eq!(gateway.post(&body("teardown", "example.com", &value(1))).status, 200, "a removal is made all the same");
    assert_eq!(held(&service), 0);
}
