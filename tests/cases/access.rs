use crate::support::{Gateway, Reply, Scratch, VALUE, acmegw, base64, body, stderr};

/// A gateway with these rules.
fn gateway(dotenv: &str, rules: &str) -> Gateway {
    let folder = Scratch::new();
    folder.program("program", "echo \"$@\" >>\"${0%/*}/changes\"\n");
    folder.file("access", rules);
    let dotenv = format!(
        "LISTEN = 127.0.0.1:0\nSSL = off\nDNSAPI_MODULE = exec\nDNSAPI_PROGRAM = {}\n\
         DNSAPI_DOMAINS = example.com, example.org\nACCESS_FILE = access\n{dotenv}\n",
        folder.join("program").display()
    );
    Gateway::start_in(folder, &dotenv, &[])
}

fn setup(gateway: &Gateway, credentials: Option<&str>, domain: &str) -> Reply {
    gateway.post_as(credentials, &body("setup", domain, VALUE))
}

fn may(gateway: &Gateway, credentials: Option<&str>, domain: &str) -> Reply {
    let header = credentials.map(|text| format!("Authorization: Basic {}\r\n", base64(text))).unwrap_or_default();
    gateway.request("GET", &format!("/challenges/{domain}"), &header, "")
}

#[test]
fn what_no_rule_allows_is_refused_and_the_question_is_answered_alike() {
    let gateway =
        gateway("ALLOWED_HOSTS = 127.0.0.1", "127.0.0.0/8 www.example.com .example.org\nalice .example.com\n");
    for (domain, status) in [
        ("www.example.com", 201),
        ("a.example.org", 201),
        ("example.com", 403),
        ("a.www.example.com", 403),
        ("mail.example.com", 403),
        ("example.net", 403),
    ] {
        assert_eq!(setup(&gateway, None, domain).status, status, "{domain}");
        assert_eq!(may(&gateway, None, domain).status, if status == 201 { 200 } else { 403 }, "{domain}");
    }
    let reply = setup(&gateway, None, "mail.example.com");
    assert!(reply.detail().contains("lacks the rule '127.0.0.1 mail.example.com'"), "{reply:?}");
    assert_eq!(gateway.changes().lines().count(), 2);
    gateway.wait_for("action=setup name=mail.example.com status=403");
}

/// The name that is sent along is no proof.
#[test]
fn a_rule_for_a_user_needs_the_users_password() {
    let gateway = gateway(
        "BASIC_AUTH = sufficient\nALLOWED_HOSTS = 127.0.0.1",
        "alice example.com\nbob .example.org\n192.0.2.0/24 .example.com .example.org\n",
    );
    gateway.add_user("alice", "secret");
    gateway.add_user("bob", "secret");
    for (who, domain, status) in [
        (None, "example.com", 403),
        (Some("alice:wrong"), "example.com", 403),
        (Some("alice:secret"), "example.com", 201),
        (Some("alice:secret"), "example.org", 403),
        (Some("bob:secret"), "example.com", 403),
        (Some("bob:secret"), "www.example.org", 201),
    ] {
        assert_eq!(setup(&gateway, who, domain).status, status, "{who:?} {domain}");
    }
}

#[test]
fn a_proxy_that_names_nobody_is_not_judged_by_its_address() {
    let proxy = "BASIC_AUTH = required\nALLOWED_PROXIES = 127.0.0.1";
    let gateway = gateway(proxy, "127.0.0.1 example.com\n192.0.2.7 example.com\n");
    gateway.add_user("alice", "secret");
    let from = |headers: &str| {
        let headers = format!("{headers}Authorization: Basic {}\r\n", base64("alice:secret"));
        gateway.request("POST", "/", &headers, &body("setup", "example.com", VALUE)).status
    };
    assert_eq!([from(""), from("X-Forwarded-For: 192.0.2.7\r\n")], [403, 201]);
}

#[test]
fn changes_are_seen_without_a_restart_and_a_mistake_keeps_the_old_rules() {
    let gateway = gateway("ALLOWED_HOSTS = 127.0.0.1", "127.0.0.1 example.com\n");
    let statuses = || ["example.com", "example.org"].map(|domain| setup(&gateway, None, domain).status);
    assert_eq!(statuses(), [201, 403]);
    gateway.folder.file("access", "127.0.0.1 example.org\n");
    assert_eq!(statuses(), [403, 201]);
    gateway.folder.file("access", "127.0.0.1 example.com\n127.0.0.1 *.example.org\n");
    assert_eq!(statuses(), [403, 201]);
    let line = gateway.wait_for("access:2: '*.example.org' is a wildcard");
    assert!(line.contains("ERROR the access rules stay as they were: "), "{line}");
    assert_eq!(gateway.log().matches("is a wildcard").count(), 1, "once a change, not once a request");
    gateway.folder.file_mode("access", "127.0.0.1 example.com\n", 0o602);
    assert_eq!(statuses(), [403, 201]);
    gateway.wait_for("writable by group or others");
    gateway.folder.file("access", "127.0.0.1 .example.com .example.org\n");
    assert_eq!(statuses(), [201, 201]);
}

/// The record is not the caller's to keep either.
#[test]
fn what_a_caller_may_no_longer_touch_is_still_removed_in_time() {
    let gateway = gateway("ALLOWED_HOSTS = 127.0.0.1\nCHALLENGE_TTL = 1", "127.0.0.1 example.com\n");
    assert_eq!(setup(&gateway, None, "example.com").status, 201);
    gateway.folder.file("access", "");
    gateway.wait_for("action=recall name=_acme-challenge.example.com user=127.0.0.1 done");
}

#[test]
fn a_mistake_at_the_start_is_status_2_and_all_are_told() {
    let folder = Scratch::new();
    let dotenv = "ALLOWED_HOSTS = 127.0.0.1\nDNSAPI_DOMAINS = example.com\nDNS_LISTEN = 127.0.0.1:0\nSSL = off\n\
                  ACCESS_FILE = access\n";
    let file = folder.file("dotenv", dotenv);
    for words in [&["serve", "-n", "-e", file.to_str().unwrap()][..], &["serve", "-e", file.to_str().unwrap()]] {
        let said = || {
            let output = acmegw(words).output().unwrap();
            assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
            stderr(&output)
        };
        let _ = std::fs::remove_file(folder.join("access"));
        assert!(said().contains("dotenv:5: ACCESS_FILE = "), "{}", said());
        folder.file("access", "alice example.com\nbob\n192.0.2.7/24 example.com\n");
        let text = said();
        assert!(text.contains("access:2: a rule without a domain"), "{text}");
        assert!(
            text.contains("access:3: '192.0.2.7/24' is neither an address nor a user: write 192.0.2.0/24"),
            "{text}"
        );
    }
}
