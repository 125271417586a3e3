use crate::support::{Gateway, Scratch, VALUE, add_user, body};

fn setup() -> String {
    body("setup", "example.com", VALUE)
}

fn status(gateway: &Gateway, credentials: Option<&str>) -> u16 {
    gateway.post_as(credentials, &setup()).status
}

/// The predecessor admitted anybody here.
#[test]
fn sufficient_without_allowed_hosts_needs_a_password() {
    let gateway = Gateway::start("BASIC_AUTH = sufficient");
    gateway.add_user("alice", "secret");
    let reply = gateway.post(&setup());
    assert_eq!(reply.status, 401);
    assert!(reply.header("www-authenticate").starts_with("Basic realm="), "{reply:?}");
    assert_eq!(status(&gateway, Some("alice:wrong")), 401);
    assert_eq!(status(&gateway, Some("bob:secret")), 401);
    assert_eq!(gateway.changes(), "");
    assert_eq!(status(&gateway, Some("alice:secret")), 201);
}

#[test]
fn under_sufficient_an_allowed_host_is_its_address_unless_its_password_is_right() {
    let gateway = Gateway::start("BASIC_AUTH = Sufficient\nALLOWED_HOSTS = 127.0.0.0/8");
    gateway.add_user("alice", "secret");
    assert_eq!([None, Some("alice:wrong"), Some("alice:secret")].map(|who| status(&gateway, who)), [201, 201, 201]);
    gateway.wait_for("user=alice action=setup");
    gateway.wait_for("WARN  client=127.0.0.1 is admitted by its address only: the password of 'alice' is wrong");
    assert_eq!(gateway.log().matches("user=alice action=setup").count(), 1);
}

#[test]
fn required_asks_for_both() {
    let both = Gateway::start("BASIC_AUTH = required\nALLOWED_HOSTS = 127.0.0.1");
    both.add_user("alice", "secret");
    assert_eq!([None, Some("alice:wrong"), Some("alice:secret")].map(|who| status(&both, who)), [401, 401, 201]);
    let elsewhere = Gateway::start("BASIC_AUTH = required\nALLOWED_HOSTS = 192.0.2.1");
    elsewhere.add_user("alice", "secret");
    assert_eq!([None, Some("alice:secret")].map(|who| status(&elsewhere, who)), [401, 401]);
    elsewhere.wait_for("the address 127.0.0.1 is not in ALLOWED_HOSTS");
    let anywhere = Gateway::start("BASIC_AUTH = required");
    anywhere.add_user("alice", "secret");
    assert_eq!([None, Some("alice:secret")].map(|who| status(&anywhere, who)), [401, 201]);
}

#[test]
fn by_address_alone_a_password_changes_nothing() {
    let gateway = Gateway::start("BASIC_AUTH = none\nALLOWED_HOSTS = 192.0.2.0/24, ::1");
    gateway.add_user("alice", "secret");
    let reply = gateway.post_as(Some("alice:secret"), &setup());
    assert_eq!(reply.status, 401);
    assert!(reply.detail().contains("127.0.0.1 is not in ALLOWED_HOSTS"), "{reply:?}");
    assert_eq!(gateway.changes(), "");
}

/// A colon in the password killed the predecessor's request.
#[test]
fn a_password_may_hold_colons_and_what_is_not_basic_is_no_password() {
    let gateway = Gateway::start("BASIC_AUTH = required");
    gateway.add_user("alice", "a:b: c");
    assert_eq!(status(&gateway, Some("alice:a:b: c")), 201);
    for header in ["Bearer abc", "Basic", "Basic !!!", "Basic YWxpY2U=", "basic ", "Basic YTpi YTpi"] {
        let reply = gateway.request("POST", "/", &format!("Authorization: {header}\r\n"), &setup());
        assert_eq!(reply.status, 401, "{header}");
    }
}

#[test]
fn changes_of_the_users_file_are_seen_without_a_restart() {
    let gateway = Gateway::start("BASIC_AUTH = required");
    gateway.wait_for("nobody is admitted by password");
    assert_eq!(status(&gateway, Some("alice:secret")), 503, "no file: closed, and said so");
    gateway.add_user("alice", "secret");
    assert_eq!(status(&gateway, Some("alice:secret")), 201);
    gateway.folder.file("acmepasswd", "");
    let reply = gateway.post_as(Some("alice:secret"), &setup());
    assert_eq!(reply.status, 503);
    assert!(!reply.body.contains("acmepasswd"), "what is wrong with it is for the log: {reply:?}");
}

#[test]
fn the_address_is_taken_from_trusted_proxies_only_and_from_the_right() {
    let gateway = Gateway::start("ALLOWED_HOSTS = 192.0.2.7\nALLOWED_PROXIES = 127.0.0.1, 10.0.0.0/8");
    let from = |headers: &str| gateway.request("POST", "/", headers, &setup()).status;
    assert_eq!(from("X-Forwarded-For: 192.0.2.7\r\n"), 201);
    assert_eq!(from("x-forwarded-for: 198.51.100.1, 192.0.2.7, 10.1.1.1\r\n"), 201);
    assert_eq!(from("X-Forwarded-For: 192.0.2.7, 198.51.100.1\r\n"), 401);
    assert_eq!(from("X-Forwarded-For: 192.0.2.7\r\nX-Forwarded-For: 198.51.100.1\r\n"), 401);
    assert_eq!([from(""), from("X-Forwarded-For: unknown\r\n"), from("X-Forwarded-For: 192.0.2.7,\r\n")], [401; 3]);
    gateway.wait_for("client=198.51.100.1 ");
    let untrusting = Gateway::start("ALLOWED_HOSTS = 192.0.2.7");
    let reply = untrusting.request("POST", "/", "X-Forwarded-For: 192.0.2.7\r\n", &setup());
    assert_eq!(reply.status, 401, "nobody is believed who is not in ALLOWED_PROXIES");
}

#[test]
fn another_header_may_name_the_client() {
    let gateway = Gateway::start("ALLOWED_HOSTS = 192.0.2.7\nALLOWED_PROXIES = 127.0.0.1\nPROXY_XFF = X-Real-Client");
    let from = |header: &str| gateway.request("POST", "/", &format!("{header}: 192.0.2.7\r\n"), &setup()).status;
    assert_eq!([from("X-Real-Client"), from("X-Forwarded-For")], [201, 401]);
}

#[test]
fn a_proxy_without_a_name_may_still_bring_a_password() {
    let gateway = Gateway::start("BASIC_AUTH = sufficient\nALLOWED_HOSTS = 127.0.0.1\nALLOWED_PROXIES = 127.0.0.1");
    gateway.add_user("alice", "secret");
    assert_eq!([None, Some("alice:secret")].map(|who| status(&gateway, who)), [401, 201]);
}

#[test]
fn no_secret_is_ever_logged() {
    let folder = Scratch::new();
    add_user(&folder.join("acmepasswd"), "alice", "hunter2-of-alice");
    folder.program("program", "exit 0\n");
    let dotenv = format!(
        "LISTEN = 127.0.0.1:0\nSSL = off\nLOG_LEVEL = trace\nBASIC_AUTH = required\nDNSAPI_MODULE = exec\n\
         DNSAPI_PROGRAM = {}\nDNSAPI_PASSWORD = hunter2-of-dns\nDNSAPI_DOMAINS = example.com\n",
        folder.join("program").display()
    );
    let gateway = Gateway::start_in(folder, &dotenv, &[]);
    for who in ["alice:hunter2-of-alice", "alice:hunter2-wrong", "hunter2-user:hunter2-x"] {
        gateway.post_as(Some(who), &setup());
    }
    gateway.wait_for("status=201");
    let log = gateway.log();
    for secret in ["hunter2-of", "hunter2-wrong", "hunter2-x", &crate::support::base64("alice:hunter2-of-alice")] {
        assert!(!log.contains(secret), "{secret} in\n{log}");
    }
}
