use crate::support::{Gateway, VALUE, base64, body};

const HOSTS: &str = "ALLOWED_HOSTS = 127.0.0.1";

#[test]
fn setup_and_teardown_reach_the_provider_with_the_name_and_value() {
    let gateway = Gateway::start(HOSTS);
    for (argument, status, change) in [("setup", 201, "setup"), ("add", 201, "setup"), ("teardown", 200, "teardown")] {
        let reply = gateway.post(&body(argument, "www.example.com", VALUE));
        assert_eq!((reply.status, reply.body.as_str()), (status, "OK\n"), "{argument}");
        let last = gateway.changes().lines().last().unwrap().to_string();
        assert_eq!(last, format!("{change} _acme-challenge.www.example.com {VALUE}"));
    }
    assert_eq!(gateway.request("DELETE", "/", "", &body("remove", "example.org", VALUE)).status, 200);
    assert_eq!(gateway.request("PUT", "/any/path?query", "", &body("setup", "example.org", VALUE)).status, 201);
}

#[test]
fn upper_case_trailing_dot_and_the_challenge_label_are_fine() {
    let gateway = Gateway::start(HOSTS);
    for domain in ["Example.COM", "example.com.", "_acme-challenge.example.com", "_ACME-Challenge.example.com."] {
        assert_eq!(gateway.post(&body("setup", domain, VALUE)).status, 201, "{domain}");
    }
    let lines: std::collections::BTreeSet<String> = gateway.changes().lines().map(str::to_string).collect();
    assert_eq!(lines.into_iter().collect::<Vec<_>>(), [format!("setup _acme-challenge.example.com {VALUE}")]);
}

#[test]
fn teardown_without_a_value_removes_all_that_this_caller_set_there() {
    let gateway = Gateway::start("BASIC_AUTH = required");
    gateway.add_user("alice", "a");
    gateway.add_user("bob", "b");
    let values = ["A", "B", "C"].map(|letter| letter.repeat(43));
    for (who, value) in [("alice:a", &values[0]), ("alice:a", &values[1]), ("bob:b", &values[2])] {
        assert_eq!(gateway.post_as(Some(who), &body("setup", "example.com", value)).status, 201);
    }
    for without in
        [r#"{"argument":"teardown","domain_name":"example.com"}"#.to_string(), body("teardown", "example.com", "")]
    {
        assert_eq!(gateway.post_as(Some("alice:a"), &without).status, 200);
    }
    let removed: Vec<_> =
        gateway.changes().lines().filter(|line| line.starts_with("teardown")).map(str::to_string).collect();
    let expected = values[..2].iter().map(|value| format!("teardown _acme-challenge.example.com {value}"));
    assert_eq!(removed, expected.collect::<Vec<_>>(), "each of hers once, and not his");
}

#[test]
fn a_caller_is_told_its_own_values_that_live_at_a_name() {
    let gateway = Gateway::start("BASIC_AUTH = required");
    gateway.add_user("alice", "a");
    gateway.add_user("bob", "b");
    let values = ["A", "B", "C"].map(|letter| letter.repeat(43));
    let told = |who: &str, domain: &str| {
        let header = format!("Authorization: Basic {}\r\n", base64(who));
        let reply = gateway.request("GET", &format!("/challenges/{domain}"), &header, "");
        serde_json::from_str::<serde_json::Value>(&reply.body).unwrap()["values"].clone()
    };
    for (who, domain, value) in [
        ("alice:a", "example.com", &values[0]),
        ("alice:a", "example.com", &values[1]),
        ("alice:a", "www.example.com", &values[2]),
        ("bob:b", "example.com", &values[2]),
    ] {
        assert_eq!(gateway.post_as(Some(who), &body("setup", domain, value)).status, 201);
    }
    assert_eq!(told("alice:a", "example.com"), serde_json::json!(values[..2]));
    assert_eq!(gateway.post_as(Some("alice:a"), &body("teardown", "example.com", &values[0])).status, 200);
    assert_eq!(told("alice:a", "example.com"), serde_json::json!([values[1]]));
    assert_eq!(told("bob:b", "example.com"), serde_json::json!([values[2]]));
    assert_eq!(told("bob:b", "www.example.com"), serde_json::json!([]));
}

/// One status for each input; none of these may reach the provider.
#[test]
fn bad_input_has_its_answer_and_reaches_no_provider() {
    let gateway = Gateway::start(HOSTS);
    let long_label = "a".repeat(64);
    let long_name = format!("{}example.com", "a.".repeat(121));
    let longest = format!("{}b.example.com", "a.".repeat(112));
    let cases: Vec<(u16, String, &str)> = vec![
        (400, String::new(), "JSON"),
        (400, "x".into(), "JSON"),
        (400, "[]".into(), "an object"),
        (400, "null".into(), "an object"),
        (400, "\"text\"".into(), "an object"),
        (400, "{}".into(), "argument is missing"),
        (400, "[".repeat(4096), "JSON"),
        (400, format!("{{\"argument\":{}", "[".repeat(4000)), "JSON"),
        (400, format!("{}x", body("setup", "example.com", VALUE)), "JSON"),
        (400, r#"{"argument":"setup","argument":"teardown","domain_name":"example.com"}"#.into(), "twice"),
        (400, format!(r#"{{"domain_name":"example.com","challenge_content":"{VALUE}"}}"#), "argument is missing"),
        (400, format!(r#"{{"argument":"setup","challenge_content":"{VALUE}"}}"#), "domain_name is missing"),
        (400, r#"{"argument":"setup","domain_name":"example.com"}"#.into(), "challenge_content is missing"),
        (
            400,
            format!(r#"{{"argument":1,"domain_name":"example.com","challenge_content":"{VALUE}"}}"#),
            "argument is not a text",
        ),
        (
            400,
            format!(r#"{{"argument":"setup","domain_name":["example.com"],"challenge_content":"{VALUE}"}}"#),
            "domain_name is not",
        ),
        (
            400,
            r#"{"argument":"setup","domain_name":"example.com","challenge_content":{}}"#.into(),
            "challenge_content is not",
        ),
        (400, body("", "example.com", VALUE), "none of setup"),
        (400, body("Setup", "example.com", VALUE), "none of setup"),
        (400, body("delete", "example.com", VALUE), "none of setup"),
        (400, body("setup", "", VALUE), "empty"),
        (400, body("setup", ".", VALUE), "empty"),
        (400, body("setup", "*.example.com", VALUE), "wildcard"),
        (400, body("setup", "_acme-challenge.*.example.com", VALUE), "wildcard"),
        (400, body("setup", "a..example.com", VALUE), "empty label"),
        (400, body("setup", ".example.com", VALUE), "empty label"),
        (400, body("setup", "example.com..", VALUE), "empty label"),
        (400, body("setup", "-a.example.com", VALUE), "hyphen"),
        (400, body("setup", "a_b.example.com", VALUE), "character"),
        (400, body("setup", "a b.example.com", VALUE), "character"),
        (400, body("setup", "a\n.example.com", VALUE), "character"),
        (400, body("setup", "a\0.example.com", VALUE), "character"),
        (400, body("setup", "bücher.example.com", VALUE), "A-label"),
        (400, body("setup", "192.0.2.1", VALUE), "IP address"),
        (400, body("setup", "2001:db8::1", VALUE), "character"),
        (400, body("setup", &format!("{long_label}.example.com"), VALUE), "63"),
        (400, body("setup", &long_name, VALUE), "characters"),
        (400, body("setup", "example.com", ""), "43"),
        (400, body("setup", "example.com", &VALUE[1..]), "43"),
        (400, body("setup", "example.com", &format!("{VALUE}a")), "43"),
        (400, body("setup", "example.com", &VALUE.replace('_', "=")), "43"),
        (400, body("setup", "example.com", &VALUE.replace('_', "\n")), "43"),
        (400, body("setup", "example.com", &VALUE.replace('_', "\"")), "43"),
        (400, body("setup", "example.com", "; rm -rf /"), "43"),
        (400, body("teardown", "example.com", "short"), "43"),
        (400, body("canary", "example.com", VALUE), "lifetime is missing"),
        (400, body("canary", "example.com", VALUE).replace('{', r#"{"lifetime":"601","#), "from 1 to 600"),
        (403, body("setup", "example.net", VALUE), "not within the domains"),
        (403, body("setup", "evilexample.com", VALUE), "not within the domains"),
        (403, body("setup", "example.com.evil.net", VALUE), "not within the domains"),
        (403, body("setup", "com", VALUE), "not within the domains"),
        (403, body("teardown", "example.net", ""), "not within the domains"),
        (413, "x".repeat(4097), "4 KiB"),
    ];
    for (status, body, text) in &cases {
        let reply = gateway.post(body);
        assert_eq!(reply.status, *status, "{body}: {}", reply.body);
        assert_eq!(reply.header("content-type"), "application/problem+json", "{body}");
        assert!(reply.detail().contains(text), "{body}: {}", reply.detail());
    }
    assert_eq!(gateway.changes(), "");
    assert_eq!(gateway.post(&body("setup", &longest, VALUE)).status, 201, "{} characters", longest.len());
}

#[test]
fn methods_and_reserved_paths() {
    let gateway = Gateway::start(HOSTS);
    for method in ["GET", "HEAD", "PATCH", "OPTIONS", "QUERY"] {
        let reply = gateway.request(method, "/", "", "");
        assert_eq!((reply.status, reply.header("allow")), (405, "POST, PUT, DELETE"), "{method}");
    }
    assert_eq!(gateway.request("DELETE", "/", "", &body("setup", "example.com", VALUE)).status, 400);
    assert_eq!(gateway.request("GET", "/health", "", "").status, 200);
    assert_eq!(gateway.request("POST", "/health", "", "").status, 405);
    let may = |domain: &str| gateway.request("GET", &format!("/challenges/{domain}"), "", "").status;
    let asked = ["example.com", "a.example.org", "example.net", "*.example.com", "", "example.com/x"].map(may);
    assert_eq!(asked, [200, 200, 403, 400, 400, 400]);
    assert_eq!(gateway.changes(), "", "asking changes nothing");
}

#[test]
fn every_answer_carries_its_number_which_is_in_the_log() {
    let gateway = Gateway::start(HOSTS);
    for reply in [gateway.post("{}"), gateway.post(&body("setup", "example.com", VALUE)), gateway.send(b"\n")] {
        let number = reply.header("x-request-id");
        assert!(!number.is_empty(), "{reply:?}");
        gateway.wait_for(&format!("request={number} "));
    }
    let line = gateway.wait_for("status=201");
    assert!(line.contains("client=127.0.0.1 user=- action=setup name=example.com status=201 ms="), "{line}");
}

#[test]
fn a_provider_that_fails_is_told_apart_and_its_words_are_escaped() {
    let gateway = Gateway::start(HOSTS);
    gateway.folder.program("program", "printf 'no \\033[31m such thing\\n' >&2\nexit 3\n");
    let reply = gateway.post(&body("setup", "example.com", VALUE));
    assert_eq!(reply.status, 502, "{reply:?}");
    assert!(reply.detail().contains("such thing"), "{reply:?}");
    assert!(reply.body.contains(r#""fault":"refused""#), "for programs: {reply:?}");
    let foreign = gateway.post(&body("setup", "example.net", VALUE));
    assert!(!foreign.body.contains("fault"), "it is not the DNS service's: {foreign:?}");
    assert!(!gateway.log().contains('\u{1b}'));
}
