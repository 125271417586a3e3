use std::io::Write;

use crate::support::{Gateway, Scratch, VALUE, body, reply};

const HOSTS: &str = "ALLOWED_HOSTS = 127.0.0.1";

#[test]
fn what_is_under_way_is_finished_after_sigterm() {
    for signal in ["TERM", "INT"] {
        let mut gateway = Gateway::start(HOSTS);
        let program = "#!/bin/sh\necho started >>\"${0%/*}/changes\"\nfor n in $(seq 600); do [ ! -e \"${0%/*}/go\" ] || exit 0; sleep 0.05; done\n";
        gateway.folder.file_mode("program", program, 0o700);
        let mut stream = gateway.connect();
        let text = body("setup", "example.com", VALUE);
        write!(stream, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{text}", text.len()).unwrap();
        gateway.wait_for_a_change();
        gateway.signal(signal);
        gateway.wait_for(&format!("SIG{signal}: ending, 1 requests are under way"));
        gateway.folder.file("go", "");
        assert_eq!(reply(&mut stream).status, 201);
        assert_eq!(gateway.ended(), Some(0));
        gateway.wait_for("ended");
    }
}

#[test]
fn without_anything_under_way_it_ends_at_once() {
    let mut gateway = Gateway::start(HOSTS);
    let _silent = gateway.connect();
    gateway.signal("TERM");
    assert_eq!(gateway.ended(), Some(0));
}

#[test]
fn what_nobody_removes_is_removed_when_its_time_is_over() {
    let gateway = Gateway::start(&format!("{HOSTS}\nCHALLENGE_TTL = 1"));
    assert_eq!(gateway.post(&body("setup", "www.example.com", VALUE)).status, 201);
    gateway.wait_for("action=recall name=_acme-challenge.www.example.com");
    assert_eq!(
        gateway.changes().lines().last(),
        Some(format!("teardown _acme-challenge.www.example.com {VALUE}").as_str())
    );
}

#[test]
fn a_canary_that_nobody_removes_goes_after_the_life_that_it_was_given() {
    let gateway = Gateway::start(HOSTS);
    let (canary, challenge) = ("c".repeat(43), body("setup", "www.example.com", VALUE));
    assert_eq!(gateway.post(&challenge).status, 201);
    let asked = serde_json::json!({"argument": "canary", "domain_name": "www.example.com",
        "challenge_content": canary, "lifetime": "1"});
    assert_eq!(gateway.post(&asked.to_string()).status, 201);
    gateway.wait_for("action=canary name=www.example.com status=201");
    gateway.wait_for("action=recall name=_acme-challenge.www.example.com");
    let name = "_acme-challenge.www.example.com";
    let changes = format!("setup {name} {VALUE}\nsetup {name} {canary}\nteardown {name} {canary}\n");
    assert_eq!(gateway.changes(), changes, "the challenge stays");
}

#[test]
fn a_star_listens_on_both_families_with_one_port() {
    let dotenv = "LISTEN = *:0\nSSL = off\nDNSAPI_DOMAINS = example.com\nDNS_LISTEN = 127.0.0.1:0\nALLOWED_HOSTS = 127.0.0.1, ::1\n";
    let gateway = Gateway::start_in(Scratch::new(), dotenv, &[]);
    let v4 = gateway.logged("listening on http://0.0.0.0:");
    let ask = |address: String| {
        let mut stream = std::net::TcpStream::connect(address).unwrap();
        let text = body("setup", "example.com", VALUE);
        write!(stream, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{text}", text.len()).unwrap();
        reply(&mut stream).status
    };
    assert_eq!(ask(format!("127.0.0.1:{v4}")), 201);
    if std::net::TcpListener::bind("[::1]:0").is_ok() {
        assert_eq!(gateway.logged("listening on http://[::]:"), v4);
        assert_eq!(ask(format!("[::1]:{v4}")), 201);
        gateway.wait_for("client=::1 ");
    }
}
