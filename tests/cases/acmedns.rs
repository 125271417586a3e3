//! The clients' requests are in tests/dialect/acmedns.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use acmegw::challenge::Name;
use acmegw::deadline::Deadline;
use acmegw::dns::Rtype;
use acmegw::dns::client::Client;
use serde_json::Value as Json;

use crate::support::{Gateway, PATIENCE, Reply, Scratch, VALUE, acmegw, body, connect_from, read, reply, stderr};

/// A provider that writes down what it is called with.
const PROGRAM: &str = "echo \"$@\" >>\"${0%/*}/changes\"\n";

const HOSTS: &str = "ALLOWED_HOSTS = 127.0.0.0/8\n";

/// An account as a client knows it.
#[derive(Clone)]
struct Account {
    username: String,
    password: String,
    subdomain: String,
    fulldomain: String,
}

impl Account {
    fn read(json: &Json) -> Account {
        let field = |name: &str| json[name].as_str().unwrap_or_else(|| panic!("no {name} in {json}")).to_string();
        Account {
            username: field("username"),
            password: field("password"),
            subdomain: field("subdomain"),
            fulldomain: field("fulldomain"),
        }
    }

    fn headers(&self) -> String {
        format!("X-Api-User: {}\r\nX-Api-Key: {}\r\n", self.username, self.password)
    }
}

/// A gateway's folder with its configuration: `exec` for example.com and example.org, or the embedded
/// server with DNS_ZONE.
fn configured(dotenv: &str, embedded: bool) -> (Arc<Scratch>, String) {
    let folder = Scratch::new();
    let provider = match embedded {
        true => "DNS_LISTEN = 127.0.0.1:0\nDNS_ZONE = acme.example.net\n".to_string(),
        false => format!("DNSAPI_MODULE = exec\nDNSAPI_PROGRAM = {}\n", folder.program("program", PROGRAM).display()),
    };
    let state = folder.path().display();
    let common =
        format!("LISTEN = 127.0.0.1:0\nSSL = off\nSTATE_DIR = {state}\nDNSAPI_DOMAINS = example.com, example.org\n");
    let lines = common + &provider + dotenv;
    folder.file("dotenv", &lines);
    (Arc::new(folder), lines)
}

fn started(dotenv: &str, embedded: bool) -> Gateway {
    let (folder, lines) = configured(dotenv, embedded);
    Gateway::start_in(folder, &lines, &[])
}

/// What `acmegw acmedns` says to these words: stdout and stderr.
fn tool(folder: &Scratch, words: &[&str]) -> Result<(String, String), String> {
    let dotenv = folder.join("dotenv");
    let words = [&["acmedns", "-e", dotenv.to_str().unwrap()], words].concat();
    let output = acmegw(&words).output().unwrap();
    match output.status.success() {
        true => Ok((String::from_utf8(output.stdout.clone()).unwrap(), stderr(&output))),
        false => Err(format!("{}: {}", output.status.code().unwrap(), stderr(&output))),
    }
}

/// Makes accounts, and gives them by domain, as the storage file has them.
fn made(folder: &Scratch, words: &[&str]) -> Json {
    let words = [&["add"], words].concat();
    serde_json::from_str(&tool(folder, &words).unwrap().0).unwrap()
}

fn account(folder: &Scratch, name: &str) -> Account {
    Account::read(&made(folder, &[name])[name])
}

fn update(gateway: &Gateway, account: &Account, subdomain: &str, txt: &str) -> Reply {
    let body = format!("{{\"subdomain\":\"{subdomain}\",\"txt\":\"{txt}\"}}");
    gateway.request("POST", "/update", &account.headers(), &body)
}

fn set(gateway: &Gateway, account: &Account, txt: &str) -> u16 {
    update(gateway, account, &account.subdomain, txt).status
}

fn value(number: usize) -> String {
    format!("{number:0>43}")
}

/// What a resolver sees there.
fn seen(gateway: &Gateway, owner: &str) -> BTreeSet<String> {
    let client = Client::new(gateway.logged("answering DNS on ").parse().unwrap(), None);
    let owner = Name::owner(owner).unwrap();
    client.ask(&owner, Rtype::TXT, false, Deadline::after(PATIENCE)).unwrap().txt().into_iter().collect()
}

/// A recorded request with this account's credentials in it.
fn recorded(name: &str, account: Option<&Account>) -> Vec<u8> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/dialect/acmedns/{name}.request"));
    let text = read(&file);
    let (head, body) = text.split_once("\n\n").unwrap_or_else(|| panic!("{name} is no request"));
    let mut text = format!("{}\r\n\r\n{body}", head.replace('\n', "\r\n"));
    if let Some(account) = account {
        for (theirs, ours) in [
            ("eabcdb41-d89f-4580-826f-3e62e9755ef2", &account.username),
            ("pbAXVjlIOE01xbut7YnAbkhMQIkcwoHO0ek2j4Q0", &account.password),
            ("d420c923-bbd7-4056-ab64-c3ca54c9b3cf", &account.subdomain),
        ] {
            assert!(text.contains(theirs) && theirs.len() == ours.len(), "{name}: {theirs}");
            text = text.replace(theirs, ours);
        }
    }
    text.into_bytes()
}

#[test]
fn every_recorded_client_registers_and_updates_and_the_value_is_in_the_zone() {
    let gateway = started(&format!("{HOSTS}ACMEDNS_REGISTER = hosts\n"), true);
    for client in ["goacmedns", "nrdcg", "acme.sh", "pyacmedns"] {
        let reply = gateway.send(&recorded(&format!("{client}-register"), None));
        assert_eq!((reply.status, reply.header("content-type")), (201, "application/json"), "{client}: {reply:?}");
        // acme.sh takes it apart with sed, line by line.
        assert!(!reply.body.contains('\n') && reply.body.starts_with("{\"username\":\""), "{client}: {reply:?}");
        let account = Account::read(&serde_json::from_str(&reply.body).unwrap());
        assert_eq!(account.fulldomain, format!("{}.acme.example.net", account.subdomain));
        let reply = gateway.send(&recorded(&format!("{client}-update"), Some(&account)));
        assert_eq!(
            (reply.status, reply.body.as_str()),
            (200, format!("{{\"txt\": \"{VALUE}\"}}").as_str()),
            "{client}"
        );
        assert_eq!(seen(&gateway, &account.fulldomain), BTreeSet::from([VALUE.to_string()]), "{client}");
    }
    for client in ["goacmedns", "nrdcg"] {
        let reply = gateway.send(&recorded(&format!("{client}-register-allowfrom"), None));
        let json: Json = serde_json::from_str(&reply.body).unwrap();
        assert_eq!(json["allowfrom"], serde_json::json!(["127.0.0.0/8", "2001:db8::/32"]), "{client}");
        let account = Account::read(&json);
        assert_eq!(set(&gateway, &account, VALUE), 200, "{client}");
    }
}

/// The answers are acme-dns's own, and nothing is changed.
#[test]
fn bad_input_has_acme_dns_s_answer_and_reaches_no_provider() {
    let gateway = started(HOSTS, false);
    let (account, other) = (account(&gateway.folder, "example.com"), account(&gateway.folder, "www.example.com"));
    let (user, key, own) = (&account.username, &account.password, &account.subdomain);
    let credentials = |user: &str, key: &str| format!("X-Api-User: {user}\r\nX-Api-Key: {key}\r\n");
    let good = credentials(user, key);
    let update = |subdomain: &str, txt: &str| format!("{{\"subdomain\":\"{subdomain}\",\"txt\":\"{txt}\"}}");
    let right = update(own, VALUE);
    let long = format!("{VALUE}x");
    let twice = format!("{{\"txt\":\"{VALUE}\",\"subdomain\":\"{own}\",\"Txt\":\"{VALUE}\"}}");
    let number = format!("{{\"subdomain\":\"{own}\",\"txt\":1}}");
    let httpreq = format!("{{\"fqdn\":\"_acme-challenge.example.com.\",\"value\":\"{VALUE}\"}}");
    let ended = account_that_is_gone(&gateway.folder);
    for (what, headers, body, status, error) in [
        ("no credentials", "", right.as_str(), 401, "forbidden"),
        ("half of them", &format!("X-Api-User: {user}\r\n"), &right, 401, "forbidden"),
        ("a wrong key", &credentials(user, &key.to_ascii_uppercase()), &right, 401, "forbidden"),
        ("an empty key", &credentials(user, ""), &right, 401, "forbidden"),
        ("another's key", &credentials(user, &other.password), &right, 401, "forbidden"),
        ("the subdomain as user", &credentials(own, key), &right, 401, "forbidden"),
        ("a deleted account", &ended.headers(), &update(&ended.subdomain, VALUE), 401, "forbidden"),
        ("no user", &credentials("", key), &right, 401, "forbidden"),
        ("a user who is no account", &credentials("alice", key), &right, 401, "forbidden"),
        ("another's subdomain", &good, &update(&other.subdomain, VALUE), 401, "forbidden"),
        ("an unknown subdomain", &good, &update("d420c923-bbd7-4056-ab64-c3ca54c9b3cf", VALUE), 401, "forbidden"),
        ("the user as subdomain", &good, &update(user, VALUE), 401, "forbidden"),
        ("a domain as subdomain", &good, &update("example.com", VALUE), 400, "bad_subdomain"),
        ("the place as subdomain", &good, &update(&account.fulldomain, VALUE), 400, "bad_subdomain"),
        ("no subdomain", &good, &format!("{{\"txt\":\"{VALUE}\"}}"), 400, "bad_subdomain"),
        ("42 characters", &good, &update(own, &VALUE[1..]), 400, "bad_txt"),
        ("44 characters", &good, &update(own, &long), 400, "bad_txt"),
        ("padding", &good, &update(own, &VALUE.replace('_', "=")), 400, "bad_txt"),
        ("an empty txt", &good, &update(own, ""), 400, "bad_txt"),
        ("no txt", &good, &format!("{{\"subdomain\":\"{own}\"}}"), 400, "bad_txt"),
        ("a number", &good, &number, 400, "bad_txt"),
        ("an empty body", &good, "", 400, "malformed_json_payload"),
        ("null", &good, "null", 400, "malformed_json_payload"),
        ("a list", &good, "[]", 400, "malformed_json_payload"),
        ("half an object", &good, &right[..40], 400, "malformed_json_payload"),
        ("a key twice", &good, &twice, 400, "malformed_json_payload"),
        ("another dialect's body", &good, &httpreq, 400, "bad_subdomain"),
        ("the native dialect's body", &good, &self::body("setup", "example.com", VALUE), 400, "bad_subdomain"),
    ] {
        // Guessing is not what this is about.
        let reply = gateway.request("POST", "/update", headers, body);
        assert_eq!((reply.status, reply.body), (status, format!("{{\"error\": \"{error}\"}}")), "{what}");
        assert_eq!(set(&gateway, &account, VALUE), 200, "{what}: the next good one is good");
    }
    let lines: BTreeSet<_> = gateway.changes().lines().map(str::to_string).collect();
    assert_eq!(lines, BTreeSet::from([format!("setup _acme-challenge.example.com {VALUE}")]));
    let reply = gateway.request("GET", "/update", &good, "");
    assert_eq!((reply.status, reply.header("allow")), (405, "POST"));
    assert_eq!(reply.body, "{\"error\": \"this path takes POST\"}");
    // An account's headers on other paths: the account, and not somebody else.
    for (path, body, status) in [
        ("/", self::body("setup", "example.com", VALUE), 201),
        ("/", self::body("setup", "www.example.com", VALUE), 403),
        ("/present", httpreq, 200),
        ("/present", update(own, VALUE), 400),
    ] {
        assert_eq!(gateway.request("POST", path, &good, &body).status, status, "{path} {body}");
    }
}

fn account_that_is_gone(folder: &Scratch) -> Account {
    let account = account(folder, "example.org");
    tool(folder, &["delete", &account.username]).unwrap();
    account
}

#[test]
fn any_path_that_ends_so_is_meant_and_health_is_open() {
    let gateway = started(HOSTS, false);
    let account = account(&gateway.folder, "example.com");
    let body = format!("{{\"subdomain\":\"{}\",\"txt\":\"{VALUE}\"}}", account.subdomain);
    for path in ["/update", "//update", "/acme-dns/v1/update", "/update?x=y"] {
        assert_eq!(gateway.request("POST", path, &account.headers(), &body).status, 200, "{path}");
    }
    for path in ["/health", "/acme-dns/health", "//health"] {
        assert_eq!(gateway.request("GET", path, "", "").status, 200, "{path}");
    }
    for path in ["/update/", "/updates", "/Update"] {
        let reply = gateway.request("POST", path, &account.headers(), &body);
        assert_eq!((reply.status, reply.header("content-type")), (400, "application/problem+json"), "{path}");
    }
    assert_eq!(gateway.request("GET", "/challenges/health", "", "").status, 403, "a domain");
}

#[test]
fn a_running_gateway_sees_accounts_come_and_go_and_no_start_forgets_one() {
    let (folder, lines) = configured(HOSTS, true);
    let before = account(&folder, "example.com");
    let gateway = Gateway::start_in(folder, &lines, &[]);
    let after = account(&gateway.folder, "www.example.com");
    for account in [&before, &after] {
        assert_eq!(set(&gateway, account, VALUE), 200);
        assert_eq!(seen(&gateway, &account.fulldomain).len(), 1);
    }
    tool(&gateway.folder, &["delete", &after.username]).unwrap();
    assert_eq!(set(&gateway, &after, VALUE), 401);
    let gateway = Gateway::start_in(gateway.into_folder(), &lines, &[]);
    gateway.wait_for("ledger, 2 records");
    assert_eq!(seen(&gateway, &before.fulldomain), BTreeSet::from([VALUE.to_string()]), "before anybody asks again");
    assert_eq!(set(&gateway, &before, &value(1)), 200);
    assert_eq!(seen(&gateway, &before.fulldomain).len(), 2);
}

#[test]
fn the_tool_gives_a_storage_file_and_says_what_to_put_into_the_dns() {
    let (folder, _) = configured(HOSTS, true);
    let (json, said) =
        tool(&folder, &["add", "-a", "192.0.2.0/24,127.0.0.1/8", "Example.com.", "www.example.com"]).unwrap();
    let storage: Json = serde_json::from_str(&json).unwrap();
    let accounts = ["example.com", "www.example.com"].map(|name| Account::read(&storage[name]));
    assert_ne!(accounts[0].username, accounts[1].username);
    for (name, account) in ["example.com", "www.example.com"].iter().zip(&accounts) {
        assert_eq!(storage[name]["allowfrom"], serde_json::json!(["192.0.2.0/24", "127.0.0.1/8"]));
        let cname = format!("_acme-challenge.{name}. CNAME {}.acme.example.net.", account.subdomain);
        assert!(said.contains(&cname), "{said}");
        assert!(!said.contains(&account.password), "{said}");
    }
    let (list, _) = tool(&folder, &["list"]).unwrap();
    let lines: Vec<_> = list.lines().collect();
    assert!(lines.len() == 2 && lines.iter().all(|line| !line.contains(&accounts[0].password)), "{list}");
    let line = lines.iter().find(|line| line.starts_with(&accounts[1].username)).unwrap();
    assert!(line.contains(&accounts[1].fulldomain) && line.ends_with(" www.example.com"), "{line}");
    let (_, said) = tool(&folder, &["delete", &accounts[0].username]).unwrap();
    assert!(said.contains("CHALLENGE_TTL"), "{said}");
    assert_eq!(tool(&folder, &["list"]).unwrap().0.lines().count(), 1);

    let (folder, _) = configured(&format!("{HOSTS}ACCESS_FILE = access\n"), false);
    let (json, said) = tool(&folder, &["add", "-s", "example.com", "www.example.com"]).unwrap();
    let storage: Json = serde_json::from_str(&json).unwrap();
    let account = Account::read(&storage["example.com"]);
    assert_eq!(storage["example.com"], storage["www.example.com"]);
    assert_eq!(account.fulldomain, "_acme-challenge.example.com");
    assert!(said.contains("example.com: nothing is to be changed in the DNS"), "{said}");
    assert!(said.contains("_acme-challenge.www.example.com. CNAME _acme-challenge.example.com."), "{said}");
    assert!(said.contains(&format!("ACCESS_FILE: {} www.example.com", account.username)), "{said}");
}

#[test]
fn what_the_tool_cannot_do_it_says_and_makes_no_account() {
    let (folder, _) = configured(HOSTS, false);
    for (words, status, text) in [
        (&["add"][..], "2", "name the domains"),
        (&["add", "example.net"], "2", "is not within DNSAPI_DOMAINS"),
        (&["add", "example.com", "evilexample.com"], "2", "is not within DNSAPI_DOMAINS"),
        (&["add", "*.example.com"], "2", "wildcard"),
        (&["add", "-a", "192.0.2.1", "example.com"], "2", "is no network"),
        (&["list", "example.com"], "2", "takes no names"),
        (&["list", "-s"], "2", "-s goes with add only"),
        (&["delete"], "2", "name the users"),
        (&["delete", "-a", "192.0.2.0/24", "x"], "2", "-a goes with add only"),
        (&["delete", "example.com"], "1", "there is no account example.com"),
        (&["delete", "d420c923-bbd7-4056-ab64-c3ca54c9b3cf"], "1", "there is no account d420c923"),
    ] {
        let failed = tool(&folder, words).unwrap_err();
        assert!(failed.starts_with(status) && failed.contains(text), "{words:?}: {failed}");
    }
    assert_eq!(tool(&folder, &["list"]).unwrap().0, "");
    folder.file("dotenv", "SSL = off\nALLOWED_HOSTS = 127.0.0.1\nDNSAPI_DOMAINS = example.com\nDNS_LISTEN = 127.0.0.1:0\nSTATE_DIR = none\n");
    let failed = tool(&folder, &["add", "example.com"]).unwrap_err();
    assert!(failed.starts_with('2') && failed.contains("dotenv:5: STATE_DIR"), "{failed}");
}

#[test]
fn registration_is_closed_unless_it_is_opened_to_some() {
    let closed = started(HOSTS, true);
    let register = |gateway: &Gateway, headers: &str| gateway.request("POST", "/register", headers, "");
    let reply = register(&closed, "");
    assert_eq!(reply.status, 403);
    assert!(reply.body.starts_with("{\"error\": \"registration is closed"), "{reply:?}");
    let alice = format!("Authorization: Basic {}\r\n", crate::support::base64("alice:secret"));
    let mode = "BASIC_AUTH = sufficient\nALLOWED_HOSTS = 127.0.0.1\n";
    let to_users = started(&format!("{mode}ACMEDNS_REGISTER = users\n"), true);
    to_users.add_user("alice", "secret");
    assert_eq!((register(&to_users, "").status, register(&to_users, &alice).status), (401, 201));
    assert_eq!(register(&to_users, "").body, "{\"error\": \"forbidden\"}");
    to_users.wait_for("user=alice action=register name=");
    let to_hosts = started(&format!("{mode}ACMEDNS_REGISTER = hosts\n"), true);
    to_hosts.add_user("alice", "secret");
    assert_eq!(register(&to_hosts, "").status, 201);
    if let Ok(mut stream) = connect_from([127, 0, 0, 9].into(), to_hosts.address()) {
        let request = format!("POST /register HTTP/1.1\r\nHost: a\r\n{alice}\r\n");
        std::io::Write::write_all(&mut stream, request.as_bytes()).unwrap();
        assert_eq!(
            reply_of(&mut stream),
            (401, "{\"error\": \"forbidden\"}".to_string()),
            "a user, and no allowed host"
        );
    }
}

fn reply_of(stream: &mut impl std::io::Read) -> (u16, String) {
    let Reply { status, body, .. } = reply(stream);
    (status, body)
}

#[test]
fn bad_registrations_have_acme_dns_s_answer_and_make_no_account() {
    let gateway = started(&format!("{HOSTS}ACMEDNS_REGISTER = hosts\n"), true);
    let many: Vec<_> = (0..33).map(|number| format!("\"10.0.{number}.0/24\"")).collect();
    let many = format!("{{\"allowfrom\":[{}]}}", many.join(","));
    for (body, error) in [
        ("[]", "malformed_json_payload"),
        ("{", "malformed_json_payload"),
        ("nul", "malformed_json_payload"),
        ("{\"allowfrom\":\"192.0.2.0/24\"}", "malformed_json_payload"),
        ("{\"allowfrom\":[1]}", "malformed_json_payload"),
        ("{\"allowfrom\":[],\"AllowFrom\":[]}", "malformed_json_payload"),
        ("{\"allowfrom\":[\"garbage\"]}", "invalid_allowfrom_cidr"),
        ("{\"allowfrom\":[\"192.0.2.1\"]}", "invalid_allowfrom_cidr"),
        ("{\"allowfrom\":[\"192.0.2.0/24\",\"192.0.2.0/33\"]}", "invalid_allowfrom_cidr"),
        (&many, "invalid_allowfrom_cidr"),
    ] {
        let reply = gateway.request("POST", "/register", "", body);
        assert_eq!((reply.status, reply.body), (400, format!("{{\"error\": \"{error}\"}}")), "{body}");
    }
    assert_eq!(tool(&gateway.folder, &["list"]).unwrap().0, "");
    for body in ["", "null", "{}", "{\"allowfrom\":[]}", "{\"allowfrom\":null}"] {
        assert_eq!(gateway.request("POST", "/register", "", body).status, 201, "{body}");
    }
    let list = tool(&gateway.folder, &["list"]).unwrap().0;
    assert_eq!(list.matches(" registered by 127.0.0.1").count(), 5, "{list}");
}

#[test]
fn whoever_registered_reaches_the_own_place_alone_and_from_the_own_networks_alone() {
    let gateway = started(&format!("{HOSTS}ACMEDNS_REGISTER = hosts\n"), true);
    let register = |body: &str| {
        Account::read(&serde_json::from_str(&gateway.request("POST", "/register", "", body).body).unwrap())
    };
    let (account, far) = (register(""), register("{\"allowfrom\":[\"192.0.2.0/24\"]}"));
    assert_eq!(set(&gateway, &account, VALUE), 200);
    for domain in ["example.com", &account.subdomain, &account.fulldomain, "acme.example.net"] {
        let reply = gateway.request("POST", "/", &account.headers(), &body("setup", domain, VALUE));
        assert_eq!(reply.status, 403, "{domain}");
    }
    assert_eq!(set(&gateway, &far, VALUE), 401);
    gateway.wait_for("is not to be used from 127.0.0.1, by its allowfrom");
    assert_eq!(seen(&gateway, &far.fulldomain).len(), 0);
}

#[test]
fn registration_that_could_not_work_or_would_endanger_stops_the_start() {
    let refused = |dotenv: &str, embedded: bool| {
        let (folder, lines) = configured("", embedded);
        let lines = lines + dotenv;
        folder.file("dotenv", &lines);
        let output = acmegw(&["serve", "-n", "-e", folder.join("dotenv").to_str().unwrap()]).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{dotenv}");
        stderr(&output)
    };
    for (dotenv, embedded, text) in [
        ("ALLOWED_HOSTS = ::1\nACMEDNS_REGISTER = yes\n", true, "write one of off, hosts, users"),
        ("ALLOWED_HOSTS = ::1\nACMEDNS_REGISTER = hosts\n", false, "use the provider embedded and set DNS_ZONE"),
        ("ALLOWED_HOSTS = ::1\nACMEDNS_REGISTER = users\n", true, "set BASIC_AUTH = sufficient or required"),
        ("BASIC_AUTH = required\nACMEDNS_REGISTER = hosts\n", true, "= hosts needs ALLOWED_HOSTS"),
        (
            "ALLOWED_HOSTS = ::1\nACMEDNS_REGISTER = hosts\nDNS_ZONE = _acme.example.net\n",
            true,
            "choose another DNS_ZONE",
        ),
        ("ALLOWED_HOSTS = ::1\nACMEDNS_REGISTER = hosts\nLISTEN = *:0\n", true, "would send keys in the clear"),
    ] {
        let said = refused(dotenv, embedded);
        assert!(said.contains(text), "{dotenv}: {said}");
    }
}

/// Each name has an account, as lego's storage file has it.
#[test]
fn a_certificate_with_100_names_works_with_an_account_for_each() {
    let gateway = started(HOSTS, false);
    let names: Vec<_> = (0..100).map(|number| format!("n{number}.example.com")).collect();
    let words: Vec<_> = names.iter().map(String::as_str).collect();
    let storage = made(&gateway.folder, &words);
    let accounts: Vec<_> = words.iter().map(|name| Account::read(&storage[name])).collect();
    // And again at once, as after a failure.
    for round in 0..2 {
        for (number, account) in accounts.iter().enumerate() {
            assert_eq!(set(&gateway, account, &value(round * 100 + number)), 200, "{number}");
        }
    }
    let changes = gateway.changes();
    for (number, name) in words.iter().enumerate() {
        assert!(changes.contains(&format!("setup _acme-challenge.{name} {}\n", value(number))), "{name}");
    }
    assert_eq!(changes.lines().count(), 200);
}

/// All names lead to the one place of one account, as acme.sh uses it. What is older than the
/// newest 150 goes by itself.
#[test]
fn a_certificate_with_100_names_works_with_one_account_for_all() {
    let gateway = started(HOSTS, true);
    let names: Vec<_> = (0..100).map(|number| format!("n{number}.example.com")).collect();
    let words: Vec<_> = ["-s"].into_iter().chain(names.iter().map(String::as_str)).collect();
    let account = Account::read(&made(&gateway.folder, &words)["n7.example.com"]);
    let values = |numbers: std::ops::Range<usize>| numbers.map(value).collect::<BTreeSet<_>>();
    for number in 0..100 {
        assert_eq!(set(&gateway, &account, &value(number)), 200, "{number}");
    }
    assert_eq!(seen(&gateway, &account.fulldomain), values(0..100));
    for number in 100..160 {
        assert_eq!(set(&gateway, &account, &value(number)), 200, "{number}");
    }
    let began = std::time::Instant::now();
    while seen(&gateway, &account.fulldomain) != values(10..160) {
        assert!(began.elapsed() < PATIENCE, "{:?}", seen(&gateway, &account.fulldomain).len());
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    assert_eq!(set(&gateway, &account, &value(160)), 429, "a minute has its limit");
}

/// Nobody ever removes them.
#[test]
fn values_go_after_challenge_ttl() {
    let gateway = started(&format!("{HOSTS}CHALLENGE_TTL = 1\n"), false);
    let account = account(&gateway.folder, "example.com");
    assert_eq!(set(&gateway, &account, VALUE), 200);
    gateway.wait_for(&format!("action=recall name=_acme-challenge.example.com user={} done", account.username));
    assert!(gateway.changes().ends_with(&format!("teardown _acme-challenge.example.com {VALUE}\n")));
}

#[test]
fn access_file_counts_for_an_account_too() {
    let (folder, lines) = configured(&format!("{HOSTS}ACCESS_FILE = access\n"), false);
    folder.file("access", "");
    let account = account(&folder, "example.com");
    let gateway = Gateway::start_in(folder, &lines, &[]);
    assert_eq!(set(&gateway, &account, VALUE), 401);
    gateway.wait_for(&format!("lacks the rule '{} example.com'", account.username));
    gateway.folder.file("access", &format!("{} example.com\n", account.username));
    assert_eq!(set(&gateway, &account, VALUE), 200);
}

#[test]
fn guessing_a_key_is_answered_with_429_and_the_time_to_wait() {
    let gateway = started(HOSTS, false);
    let account = account(&gateway.folder, "example.com");
    let guess = Account { password: "x".repeat(40), ..account.clone() };
    let statuses: Vec<_> = (0..6).map(|_| set(&gateway, &guess, VALUE)).collect();
    assert_eq!(statuses, [401, 401, 401, 401, 401, 429]);
    let reply = update(&gateway, &account, &account.subdomain, VALUE);
    assert_eq!(reply.status, 429);
    assert!((1..=61).contains(&reply.header("retry-after").parse::<u64>().unwrap()), "{reply:?}");
    assert_eq!(gateway.changes(), "");
    let log = gateway.log();
    assert!(!log.contains(&account.password) && !log.contains(&guess.password), "{log}");
}
