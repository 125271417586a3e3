use std::net::TcpListener;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value as Json;

use crate::support::resolver::Resolver;
use crate::support::{Gateway, PATIENCE, Reply, Scratch, VALUE, acmegw, base64, body, read, stderr};

/// What the gateway says of a value, as one of its users.
fn ask(gateway: &Gateway, who: &str, path: &str) -> Reply {
    gateway.request("GET", path, &format!("Authorization: Basic {}\r\n", base64(who)), "")
}

fn told(reply: &Reply) -> Json {
    assert_eq!(reply.status, 200, "{reply:?}");
    serde_json::from_str(&reply.body).unwrap()
}

/// Asks until it is no longer pending.
fn decided(gateway: &Gateway, who: &str, path: &str) -> Json {
    let began = Instant::now();
    loop {
        let report = told(&ask(gateway, who, path));
        if report["state"] != "pending" {
            return report;
        }
        assert!(began.elapsed() < PATIENCE, "{report}");
        thread::sleep(Duration::from_millis(50));
    }
}

fn with_users(dotenv: &str) -> Gateway {
    let gateway = Gateway::start(&format!("BASIC_AUTH = required\n{dotenv}"));
    gateway.add_user("alice", "a");
    gateway.add_user("bob", "b");
    gateway
}

fn resource(domain: &str, value: &str) -> String {
    format!("/challenges/{domain}/{value}")
}

#[test]
fn a_setup_says_where_to_ask_and_only_its_owner_is_told_when_it_is_visible() {
    let resolver = Resolver::start();
    let gateway = with_users(&resolver.settings());
    let reply = gateway.post_as(Some("alice:a"), &body("setup", "WWW.example.com", VALUE));
    let path = reply.header("location").to_string();
    assert_eq!((reply.status, path.as_str()), (201, resource("www.example.com", VALUE).as_str()));
    assert_eq!(reply.header("retry-after"), "1");
    let pending = ask(&gateway, "alice:a", &path);
    assert_eq!((told(&pending)["state"].as_str(), pending.header("retry-after")), (Some("pending"), "1"));
    let other = "B".repeat(43);
    for (who, path, status) in [
        ("bob:b", path.as_str(), 404),
        ("alice:a", &resource("www.example.com", &other), 404),
        ("alice:a", &resource("example.com", VALUE), 404),
        ("alice:a", &resource("example.net", VALUE), 403),
        ("alice:a", &resource("www.example.com", "short"), 400),
        ("alice:a", &format!("{path}/"), 400),
        ("alice:x", &path, 401),
    ] {
        assert_eq!(ask(&gateway, who, path).status, status, "{who} {path}");
    }
    resolver.show(VALUE);
    let visible = decided(&gateway, "alice:a", &path);
    assert_eq!(visible["state"], "visible", "{visible}");
    for (number, server) in visible["servers"].as_array().unwrap().iter().enumerate() {
        let url = format!("http://{}/{}", resolver.address, ["one", "two"][number]);
        assert_eq!(
            (&server["server"], &server["seen"], &server["rcode"]),
            (&url.into(), &true.into(), &"NOERROR".into())
        );
        assert!(server["after_ms"].as_u64() <= visible["waited_ms"].as_u64(), "{visible}");
    }
    assert_eq!(resolver.asked()[0], "_acme-challenge.www.example.com");
    assert_eq!(gateway.post_as(Some("alice:a"), &body("teardown", "www.example.com", VALUE)).status, 200);
    assert_eq!(told(&ask(&gateway, "alice:a", &path))["state"], "gone");
    assert_eq!(ask(&gateway, "bob:b", &path).status, 404);
}

#[test]
fn without_a_check_no_client_is_told_to_ask() {
    let gateway = with_users("");
    let reply = gateway.post_as(Some("alice:a"), &body("setup", "example.com", VALUE));
    assert_eq!((reply.status, reply.header("location"), reply.header("retry-after")), (201, "", ""));
    let reply = ask(&gateway, "alice:a", &resource("example.com", VALUE));
    assert!(reply.status == 404 && reply.detail().contains("PROPAGATION = off"), "{reply:?}");
}

#[test]
fn only_a_setup_that_was_carried_out_is_looked_for() {
    let resolver = Resolver::start();
    let gateway = with_users(&resolver.settings());
    gateway.folder.program("program", "exit 1\n");
    let reply = gateway.post_as(Some("alice:a"), &body("setup", "example.com", VALUE));
    assert_eq!((reply.status, reply.header("location")), (502, ""));
    assert_eq!(ask(&gateway, "alice:a", &resource("example.com", VALUE)).status, 404);
    thread::sleep(Duration::from_millis(2500));
    assert_eq!(resolver.asked(), Vec::<String>::new());
}

/// A resolver that is asked too early keeps in mind that there is nothing.
#[test]
fn nobody_is_asked_for_a_name_before_the_provider_is_done() {
    let folder = std::sync::Arc::new(Scratch::new());
    let (done, early) = (folder.join("done"), folder.join("early"));
    let resolver = Resolver::start_with(move |_| {
        if read(&done).is_empty() {
            std::fs::write(&early, "asked").unwrap();
        }
    });
    resolver.show(VALUE);
    let program = folder.program("program", "sleep 3\necho done >\"${0%/*}/done\"\n");
    let dotenv = format!(
        "LISTEN = 127.0.0.1:0\nSSL = off\nDNSAPI_MODULE = exec\nDNSAPI_PROGRAM = {}\nDNSAPI_DOMAINS = example.com\n\
         BASIC_AUTH = required\n{}",
        program.display(),
        resolver.settings()
    );
    let gateway = Gateway::start_in(folder, &dotenv, &[]);
    gateway.add_user("alice", "a");
    assert_eq!(gateway.post_as(Some("alice:a"), &body("setup", "example.com", VALUE)).status, 201);
    assert_eq!(decided(&gateway, "alice:a", &resource("example.com", VALUE))["state"], "visible");
    assert_eq!(read(&gateway.folder.join("early")), "");
}

#[test]
fn what_is_not_seen_in_time_is_unconfirmed_with_the_reason_and_stays_in_the_dns() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let settings = format!("PROPAGATION = auto\nPROPAGATION_TIMEOUT = 1\nRESOLVERS = {closed}\n");
    let gateway = with_users(&settings);
    assert_eq!(gateway.post_as(Some("alice:a"), &body("setup", "example.com", VALUE)).status, 201);
    let report = decided(&gateway, "alice:a", &resource("example.com", VALUE));
    assert_eq!((&report["state"], &report["servers"]), (&"unconfirmed".into(), &Json::Array(vec![])));
    let reason = report["reason"].as_str().unwrap();
    assert!(reason.contains(&closed.to_string()) && reason.contains("RESOLVERS"), "{reason}");
    assert!(!gateway.changes().contains("teardown"), "{}", gateway.changes());
}

/// lego's and acme.sh's clients cannot ask: they are answered when the record is visible.
#[test]
fn an_httpreq_client_is_answered_when_its_record_is_visible() {
    let resolver = Resolver::start();
    resolver.show(VALUE);
    let gateway = with_users(&resolver.settings());
    let request = format!(r#"{{"fqdn":"_acme-challenge.example.com.","value":"{VALUE}"}}"#);
    let header = format!("Authorization: Basic {}\r\n", base64("alice:a"));
    let reply = gateway.request("POST", "/present", &header, &request);
    assert_eq!((reply.status, reply.header("location")), (200, ""), "{reply:?}");
    assert_eq!(told(&ask(&gateway, "alice:a", &resource("example.com", VALUE)))["state"], "visible");
}

/// They give up after 30 seconds, as this test does.
#[test]
fn an_httpreq_client_is_answered_in_time_also_if_its_record_never_is() {
    let resolver = Resolver::start();
    let gateway = with_users(&resolver.settings());
    let request = format!(r#"{{"fqdn":"_acme-challenge.example.com.","value":"{VALUE}"}}"#);
    let header = format!("Authorization: Basic {}\r\n", base64("alice:a"));
    let reply = gateway.request("POST", "/present", &header, &request);
    assert!(reply.status == 200 && reply.body.contains(VALUE), "{reply:?}");
    assert_eq!(told(&ask(&gateway, "alice:a", &resource("example.com", VALUE)))["state"], "pending");
    // A removal waits for nothing.
    assert_eq!(gateway.request("POST", "/cleanup", &header, &request).status, 200);
    assert_eq!(told(&ask(&gateway, "alice:a", &resource("example.com", VALUE)))["state"], "gone");
}

#[test]
fn after_a_restart_a_check_begins_again_when_its_owner_asks() {
    let resolver = Resolver::start();
    let folder = Scratch::new();
    std::fs::create_dir(folder.join("state")).unwrap();
    std::fs::set_permissions(folder.join("state"), std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    let program = folder.program("program", "exit 0\n");
    let dotenv = format!(
        "LISTEN = 127.0.0.1:0\nSSL = off\nDNSAPI_MODULE = exec\nDNSAPI_PROGRAM = {}\nDNSAPI_DOMAINS = example.com\n\
         BASIC_AUTH = required\nSTATE_DIR = {}\n{}",
        program.display(),
        folder.join("state").display(),
        resolver.settings()
    );
    let gateway = Gateway::start_in(folder, &dotenv, &[]);
    gateway.add_user("alice", "a");
    gateway.add_user("bob", "b");
    assert_eq!(gateway.post_as(Some("alice:a"), &body("setup", "example.com", VALUE)).status, 201);
    let gateway = Gateway::start_in(gateway.into_folder(), &dotenv, &[]);
    resolver.show(VALUE);
    assert_eq!(ask(&gateway, "bob:b", &resource("example.com", VALUE)).status, 404);
    assert_eq!(decided(&gateway, "alice:a", &resource("example.com", VALUE))["state"], "visible");
}

#[test]
fn settings_that_cannot_work_are_refused_with_the_remedy() {
    let folder = Scratch::new();
    let own = "SSL = off\nALLOWED_HOSTS = ::1\nDNSAPI_DOMAINS = example.com\nDNS_LISTEN = 127.0.0.1:0\n";
    let two = "https://a.example/dns-query, https://b.example/dns-query";
    for (line, expected) in [
        ("PROPAGATION = on", "off, direct, doh, auto"),
        ("PROPAGATION = doh", "DOH_URLS is not set"),
        ("DOH_URLS = https://a.example/dns-query", "one resolver only"),
        ("DOH_URLS = https://a.example/, https://a.example", "twice"),
        ("DOH_URLS = http://a.example/, https://b.example", "https"),
        ("PROPAGATION_TIMEOUT = 0", "from 1 to 86400"),
        ("PROPAGATION_SETTLE = 31", "from 0 to 30"),
        ("PROPAGATION_NETS = 10.0.0.1/8", "10.0.0.0/8"),
        ("RESOLVERS = 192.0.2.1:x", "host:port"),
        (&format!("PROPAGATION = doh\nDOH_URLS = {two}"), ""),
        (&format!("PROPAGATION = auto\nDOH_URLS = {two}\nRESOLVERS = 192.0.2.1, [2001:db8::1]:5353, ns.example"), ""),
    ] {
        let file = folder.file("dotenv", &format!("{own}{line}\n"));
        let output = acmegw(&["serve", "-n", "-e", file.to_str().unwrap()]).output().unwrap();
        assert_eq!(output.status.code(), Some(if expected.is_empty() { 0 } else { 2 }), "{line}: {}", stderr(&output));
        assert!(stderr(&output).contains(expected), "{line}: {}", stderr(&output));
    }
}
