//! The clients' requests are in tests/dialect/httpreq.

use std::io::Write;
use std::time::Duration;

use serde_json::{Value as Json, json};

use crate::support::{Gateway, Reply, VALUE, body, read, reply};

const HOSTS: &str = "ALLOWED_HOSTS = 127.0.0.1";

/// The key authorization of the recorded RAW requests, and its value by
/// `printf %s … | openssl dgst -sha256 -binary | basenc --base64url`.
const TOKEN: &str = "evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA";
const THUMBPRINT: &str = "9jg46WB3rR_AHD-EBXdN7cBkH1WOu0tA3M9fm21mqTI";
const RAW_VALUE: &str = "lCM7cZyQXcVHK2nnW3jjAhNT3Fvm18UN-kWZZknKoYM";

fn default_mode(fqdn: &str, value: &str) -> String {
    json!({"fqdn": fqdn, "value": value}).to_string()
}

fn raw(domain: &str) -> String {
    json!({"domain": domain, "token": TOKEN, "keyAuth": format!("{TOKEN}.{THUMBPRINT}")}).to_string()
}

/// A recorded request as it goes over the wire, and its body's fields, the keys in lower case.
fn recorded(name: &str) -> (String, Json) {
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/dialect/httpreq/{name}.request"));
    let text = read(&file);
    let (head, body) = text.split_once("\n\n").unwrap_or_else(|| panic!("{name} is no request"));
    let fields = serde_json::from_str::<serde_json::Map<String, Json>>(body).unwrap();
    let fields = fields.into_iter().map(|(key, value)| (key.to_lowercase(), value));
    (format!("{}\r\n\r\n{body}", head.replace('\n', "\r\n")), Json::Object(fields.collect()))
}

#[test]
fn one_answer_satisfies_every_recorded_client() {
    let gateway = Gateway::start("BASIC_AUTH = required");
    gateway.add_user("alice", "secret");
    let owner = "_acme-challenge.www.example.com";
    for (client, value) in [("acme.sh", VALUE), ("lego", VALUE), ("lego-raw", RAW_VALUE), ("caddy", VALUE)] {
        for (path, action) in [("present", "setup"), ("cleanup", "teardown")] {
            let (request, sent) = recorded(&format!("{client}-{path}"));
            let reply = gateway.send(request.as_bytes());
            // lego takes any 2xx, Caddy's client 200 alone.
            assert_eq!((reply.status, reply.header("content-type")), (200, "application/json"), "{client} {path}");
            // Caddy's client compares both fields with what it sent.
            assert_eq!(serde_json::from_str::<Json>(&reply.body).unwrap(), sent, "{client} {path}");
            // acme.sh: grep "\"$txtvalue\"".
            assert!(client == "lego-raw" || reply.body.contains(&format!("\"{VALUE}\"")), "{client} {path}");
            let change = gateway.changes().lines().last().unwrap().to_string();
            assert_eq!(change, format!("{action} {owner} {value}"), "{client} {path}");
        }
    }
}

#[test]
fn the_last_segment_of_any_path_decides_and_names_are_given_back_as_they_came() {
    let gateway = Gateway::start(HOSTS);
    for path in ["/present", "//present", "/acme/v1/present", "/present?x=/cleanup", "/cleanup/present"] {
        for fqdn in ["_acme-challenge.example.com", "_acme-challenge.example.com.", "_ACME-Challenge.Example.COM."] {
            let reply = gateway.request("POST", path, "", &default_mode(fqdn, VALUE));
            assert_eq!((reply.status, reply.body), (200, default_mode(fqdn, VALUE)), "{path}");
        }
    }
    let reply = gateway.request("POST", "/present", "", &raw("Example.com."));
    let echo = json!({"domain": "Example.com.", "token": TOKEN, "keyauth": format!("{TOKEN}.{THUMBPRINT}")});
    assert_eq!((reply.status, serde_json::from_str::<Json>(&reply.body).unwrap()), (200, echo));
    let changes: std::collections::BTreeSet<String> = gateway.changes().lines().map(str::to_string).collect();
    let expected = [RAW_VALUE, VALUE].map(|value| format!("setup _acme-challenge.example.com {value}"));
    assert_eq!(changes, expected.into(), "neither case nor dot reaches the provider");
    for path in ["/presents", "/present/", "/present/x", "/Present", "/"] {
        let reply = gateway.request("POST", path, "", &default_mode("_acme-challenge.example.com", VALUE));
        assert_eq!((reply.status, reply.header("content-type")), (400, "application/problem+json"), "{path}: native");
    }
    assert_eq!(gateway.request("POST", "/challenges/present", "", "").status, 405, "a reserved path stays one");
}

/// One status for each input; none of these may reach the provider.
#[test]
fn bad_input_has_its_answer_and_reaches_no_provider() {
    let gateway = Gateway::start(HOSTS);
    let fqdn = "_acme-challenge.example.com.";
    let key_auth = format!("{TOKEN}.{THUMBPRINT}");
    let cases: Vec<(u16, String, &str)> = vec![
        (400, String::new(), "JSON"),
        (400, "x".into(), "JSON"),
        (400, "null".into(), "an object"),
        (400, "[]".into(), "an object"),
        (400, "\"text\"".into(), "an object"),
        (400, "[".repeat(4096), "JSON"),
        (400, "{}".into(), "neither fqdn and value"),
        (400, r#"{"fqdn":null,"value":null}"#.into(), "neither fqdn and value"),
        (400, default_mode("", ""), "neither fqdn and value"),
        (400, json!({"fqdn": fqdn}).to_string(), "value is missing"),
        (400, json!({"fqdn": fqdn, "value": null}).to_string(), "value is missing"),
        (400, json!({"value": VALUE}).to_string(), "fqdn is missing"),
        (400, json!({"fqdn": 1, "value": VALUE}).to_string(), "fqdn is not a text"),
        (400, json!({"fqdn": fqdn, "value": [VALUE]}).to_string(), "value is not a text"),
        (400, format!("{}{}", default_mode(fqdn, VALUE), default_mode(fqdn, VALUE)), "JSON"),
        (400, format!(r#"{{"fqdn":"{fqdn}","value":"{VALUE}","value":"{VALUE}"}}"#), "twice"),
        (400, format!(r#"{{"fqdn":"{fqdn}","value":"{VALUE}","Value":"{VALUE}"}}"#), "twice"),
        (400, format!(r#"{{"fqdn":"{fqdn}","FQDN":"_acme-challenge.example.org","value":"{VALUE}"}}"#), "twice"),
        (400, default_mode(fqdn, &VALUE[1..]), "43"),
        (400, default_mode(fqdn, &format!("{VALUE}a")), "43"),
        (400, default_mode(fqdn, &VALUE.replace('_', "=")), "43"),
        (400, default_mode(fqdn, &VALUE.replace('_', "\"")), "43"),
        (400, default_mode("_acme-challenge.*.example.com.", VALUE), "wildcard"),
        (400, default_mode("_acme-challenge..example.com.", VALUE), "empty label"),
        (400, default_mode("_acme-challenge._acme-challenge.example.com.", VALUE), "character"),
        (400, default_mode("_acme-challenge.192.0.2.1", VALUE), "IP address"),
        (400, default_mode("*.example.com.", VALUE), "wildcard"),
        (400, default_mode("-a.example.com.", VALUE), "hyphen"),
        (400, default_mode("a\n.example.com.", VALUE), "character"),
        // A body of another dialect, and another dialect's fields beside ours.
        (400, body("setup", "example.com", VALUE), "neither fqdn and value"),
        (400, json!({"subdomain": "x", "txt": VALUE}).to_string(), "neither fqdn and value"),
        (
            400,
            json!({"fqdn": fqdn, "value": VALUE, "domain": "example.org", "token": TOKEN, "keyAuth": key_auth})
                .to_string(),
            "fields of the default mode and of the RAW mode",
        ),
        (400, json!({"domain": "example.com", "token": TOKEN}).to_string(), "keyauth is missing"),
        (400, json!({"domain": "example.com", "token": TOKEN, "keyAuth": ""}).to_string(), "keyAuth is not the token"),
        (400, json!({"domain": "example.com", "token": TOKEN, "keyAuth": null}).to_string(), "keyauth is missing"),
        (400, json!({"domain": "example.com", "token": "x", "keyAuth": key_auth}).to_string(), "keyAuth is not"),
        (400, json!({"domain": "example.com", "keyAuth": key_auth}).to_string(), "token is missing"),
        (400, json!({"token": TOKEN, "keyAuth": key_auth}).to_string(), "domain is missing"),
        (400, raw("*.example.com"), "wildcard"),
        (400, raw("-example.com"), "hyphen"),
        (403, raw("example.net"), "not within the domains"),
        (403, default_mode("_acme-challenge.example.net.", VALUE), "not within the domains"),
        (403, default_mode("_acme-challenge.evilexample.com.", VALUE), "not within the domains"),
        // Somewhere a CNAME may have led lego to.
        (403, default_mode("example.com.", VALUE), "no target in DNS_ALIAS"),
        (403, default_mode("www.example.com.", VALUE), "no target in DNS_ALIAS"),
        (403, default_mode("x._acme-challenge.example.com.", VALUE), "no target in DNS_ALIAS"),
        (403, default_mode("_acme-challenge", VALUE), "no target in DNS_ALIAS"),
        (400, default_mode("_acme-challenge.", VALUE), "empty"),
        (413, "x".repeat(4097), "4 KiB"),
    ];
    for path in ["/present", "/cleanup"] {
        for (status, body, text) in &cases {
            let reply = gateway.request("POST", path, "", body);
            assert_eq!(reply.status, *status, "{path} {body}: {}", reply.body);
            assert!(reply.body.contains(text), "{path} {body}: {}", reply.body);
            // What is too long is refused before anybody has looked at the path.
            let is_own = *status != 413;
            assert_eq!(reply.header("content-type") == "text/plain; charset=utf-8", is_own, "{path} {body}");
            assert!(!is_own || reply.body.ends_with(&format!("(request {})\n", reply.header("x-request-id"))));
        }
    }
    for body in [default_mode(fqdn, VALUE), raw("example.com")] {
        assert_eq!(gateway.request("POST", "/", "", &body).status, 400, "to the native dialect: {body}");
    }
    for method in ["GET", "PUT", "DELETE", "HEAD"] {
        let reply = gateway.request(method, "/x/present", "", &default_mode(fqdn, VALUE));
        assert_eq!((reply.status, reply.header("allow")), (405, "POST"), "{method}");
    }
    assert_eq!(gateway.changes(), "");
}

#[test]
fn who_is_not_admitted_hears_it_in_the_dialect_of_the_path() {
    let gateway = Gateway::start("BASIC_AUTH = required");
    gateway.add_user("alice", "a");
    let asked = default_mode("_acme-challenge.example.com", VALUE);
    let form = |reply: &Reply| (reply.status, reply.header("content-type").to_string());
    for headers in ["", "Authorization: Basic eDp5\r\n"] {
        let reply = gateway.request("POST", "/present", headers, &asked);
        assert_eq!(form(&reply), (401, "text/plain; charset=utf-8".to_string()), "{reply:?}");
        assert!(reply.header("www-authenticate").starts_with("Basic "), "{reply:?}");
        let native = gateway.request("POST", "/", headers, &asked);
        assert_eq!(form(&native), (401, "application/problem+json".to_string()));
    }
    assert_eq!(gateway.changes(), "");
}

/// acme.sh looks at no status, only for the value in quotes; services and programs quote it when
/// they complain.
#[test]
fn no_error_is_taken_for_success_by_acme_sh() {
    let gateway = Gateway::start(HOSTS);
    gateway.folder.program("program", "printf 'no room for {\"txt\":\"%s\"}\\n' \"$3\" >&2\nexit 3\n");
    for path in ["/present", "/cleanup"] {
        let reply = gateway.request("POST", path, "", &default_mode("_acme-challenge.example.com.", VALUE));
        assert_eq!(reply.status, 502, "{reply:?}");
        assert!(reply.body.contains(&format!("no room for {{'txt':'{VALUE}'}}")), "{reply:?}");
        assert!(!reply.body.contains(&format!("\"{VALUE}\"")), "{reply:?}");
    }
}

/// lego gives up after 30 seconds; that it is 25 is a unit's test. Here a busy machine has time, and
/// still less than the native dialect's clients have patience.
#[test]
fn a_provider_that_hangs_is_answered_for_within_the_patience_of_the_dialect() {
    let gateway = Gateway::start(HOSTS);
    gateway.folder.program("program", "echo \"$@\" >>\"${0%/*}/changes\"\nexec sleep 600\n");
    let ask = |name: &str| {
        let body = default_mode(&format!("_acme-challenge.{name}."), VALUE);
        let length = body.len();
        let mut stream = gateway.connect();
        stream.set_read_timeout(Some(Duration::from_secs(100))).unwrap();
        write!(stream, "POST /present HTTP/1.1\r\nHost: gateway\r\nContent-Length: {length}\r\n\r\n{body}").unwrap();
        reply(&mut stream)
    };
    let replies = std::thread::scope(|scope| {
        // The second one waits for the first one's lock all the while.
        let threads = ["example.com", "www.example.com"].map(|name| scope.spawn(move || ask(name)));
        threads.map(|thread| thread.join().unwrap())
    });
    let mut statuses = replies.each_ref().map(|reply| reply.status);
    statuses.sort();
    assert_eq!(statuses, [503, 504], "{replies:?}");
}
