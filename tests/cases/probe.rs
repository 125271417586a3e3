use std::process::{Command, Output, Stdio};
use std::thread;

use serde_json::Value as Json;

use crate::support::resolver::Resolver;
use crate::support::{Gateway, acmegw, body, stderr};

/// The probe with the hook's configuration of this user, as on a web server.
fn command(gateway: &Gateway, password: &str, words: &[&str]) -> Command {
    let configuration = format!("API_URI = {}\nAPI_USER = web\nAPI_PASSWD = {password}\n", gateway.uri());
    let file = gateway.folder.file("acmegw-hook.conf", &configuration);
    let mut command = acmegw(&["probe", "-e", file.to_str().unwrap()]);
    command.args(words);
    command
}

fn probe(gateway: &Gateway, password: &str, words: &[&str]) -> Output {
    command(gateway, password, words).output().unwrap()
}

fn json(output: &Output) -> Json {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", stderr(output)))
}

fn with_user(dotenv: &str) -> Gateway {
    let gateway = Gateway::start(&format!("BASIC_AUTH = required\n{dotenv}"));
    gateway.add_user("web", "secret");
    gateway
}

/// What the provider was asked, without the values, which nobody can foresee.
fn changes(gateway: &Gateway) -> Vec<String> {
    let changes = gateway.changes();
    changes.lines().map(|line| line.rsplit_once(' ').unwrap().0.to_string()).collect()
}

/// Shows whatever the provider sets first.
fn show_the_canary(gateway: &Gateway, resolver: &Resolver) {
    gateway.wait_for_a_change();
    resolver.show(gateway.changes().lines().next().unwrap().rsplit(' ').next().unwrap());
}

#[test]
fn a_domain_is_proved_from_the_credentials_to_the_removal_of_its_canary() {
    let resolver = Resolver::start();
    let gateway = with_user(&resolver.settings());
    let output = thread::scope(|scope| {
        scope.spawn(|| show_the_canary(&gateway, &resolver));
        probe(&gateway, "secret", &["--json", "www.example.com"])
    });
    let report = json(&output);
    assert_eq!((output.status.code(), &report["ok"]), (Some(0), &true.into()), "{report}");
    let domain = &report["domains"][0];
    for step in ["gateway", "credentials", "scope", "zone", "set", "visible", "removed"] {
        assert_eq!(domain["steps"][step], "ok", "{report}");
    }
    assert_eq!(domain["servers"].as_array().unwrap().len(), 2, "{report}");
    assert!(domain["servers"][0]["after_ms"].is_u64() && domain["visible_ms"].is_u64(), "{report}");
    let name = "_acme-challenge.www.example.com";
    assert_eq!(changes(&gateway), [format!("setup {name}"), format!("teardown {name}")]);
    gateway.wait_for("user=web action=canary name=www.example.com status=201");
}

#[test]
fn people_get_a_table_with_each_server_and_nothing_on_stderr() {
    let resolver = Resolver::start();
    let gateway = with_user(&resolver.settings());
    let output = thread::scope(|scope| {
        scope.spawn(|| show_the_canary(&gateway, &resolver));
        probe(&gateway, "secret", &["example.com"])
    });
    let table = String::from_utf8_lossy(&output.stdout).into_owned();
    let lines: Vec<_> = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    assert_eq!(lines[0], format!("gateway {}", gateway.uri()));
    assert_eq!(lines[1], "domain scope zone set visible removed");
    assert!(lines[2].starts_with("example.com ok ok "), "{table}");
    assert!(lines[3..].len() == 2 && lines[3..].iter().all(|line| line.contains(": shows it after ")), "{table}");
    assert_eq!((output.status.code(), output.stderr.len()), (Some(0), 0), "{}", stderr(&output));
}

#[test]
fn a_gateway_that_does_not_look_is_told_and_the_rest_is_proved() {
    let gateway = with_user("PROPAGATION = off");
    let output = probe(&gateway, "secret", &["example.com", "EXAMPLE.com.", "example.org"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let table = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(table.matches("not checked").count(), 2, "each domain once: {table}");
    assert!(table.contains("set PROPAGATION = auto"), "{table}");
    assert_eq!(changes(&gateway).len(), 4);
}

/// The first step that failed, and the fault's words.
fn fault(output: &Output) -> (String, String) {
    let report = json(output);
    assert_eq!((output.status.code(), &report["ok"]), (Some(1), &false.into()), "{report}");
    let fault = &report["domains"][0]["faults"][0];
    let step = fault["step"].as_str().unwrap();
    assert_eq!(report["domains"][0]["steps"][step], "failed", "{report}");
    assert!(!fault["remedy"].as_str().unwrap().is_empty(), "{report}");
    (step.to_string(), fault["what"].as_str().unwrap().to_string())
}

#[test]
fn each_fault_is_told_at_its_step_with_what_to_do() {
    let gateway = with_user("PROPAGATION = off");
    let told = |password: &str, domain: &str| fault(&probe(&gateway, password, &["--json", domain]));
    let (step, what) = told("wrong", "example.com");
    assert!(step == "credentials" && what.contains("status 401"), "{step}: {what}");
    let (step, what) = told("secret", "example.net");
    assert!(step == "scope" && what.contains("status 403"), "{step}: {what}");
    assert_eq!(gateway.changes(), "", "neither reaches the DNS service");
    gateway.folder.program("program", "echo 'no such zone' >&2\nexit 1\n");
    let (step, what) = told("secret", "example.com");
    assert!(step == "set" && what.contains("no such zone"), "{step}: {what}");
    let dead = gateway.uri();
    drop(gateway);
    let nobody = acmegw(&["probe", "--json", "example.com"]).env("API_URI", dead).output().unwrap();
    assert_eq!(fault(&nobody).0, "gateway");
}

#[test]
fn wrong_credentials_are_tried_once_for_all_domains() {
    let gateway = with_user("PROPAGATION = off");
    let domains: Vec<_> = (0..20).map(|number| format!("{number}.example.com")).collect();
    let words: Vec<_> = ["--json"].into_iter().chain(domains.iter().map(String::as_str)).collect();
    let output = probe(&gateway, "wrong", &words);
    let report = json(&output);
    let failed = report["domains"].as_array().unwrap().iter().filter(|domain| domain["ok"] == false).count();
    assert_eq!((output.status.code(), failed), (Some(1), 20));
    gateway.wait_for("status=401");
    assert_eq!(gateway.log().matches("status=401").count(), 1, "it is not guessing");
}

#[test]
fn what_is_not_seen_in_time_fails_names_the_server_and_is_removed() {
    let resolver = Resolver::start();
    let gateway = with_user(&resolver.settings());
    let output = probe(&gateway, "secret", &["--json", "--timeout", "4", "example.com"]);
    let (step, what) = fault(&output);
    assert!(step == "visible" && what.contains("after 4 seconds") && what.contains("does not show it"), "{what}");
    assert_eq!(json(&output)["domains"][0]["steps"]["removed"], "ok");
    assert_eq!(changes(&gateway).len(), 2);
}

#[test]
fn the_canary_of_a_probe_that_was_killed_goes_by_itself_and_the_challenge_beside_it_stays() {
    let resolver = Resolver::start();
    let gateway = with_user(&resolver.settings());
    let mut child = command(&gateway, "secret", &["-t", "1", "example.com"]).stdout(Stdio::null()).spawn().unwrap();
    gateway.wait_for_a_change();
    child.kill().unwrap();
    child.wait().unwrap();
    let value = "v".repeat(43);
    assert_eq!(gateway.post_as(Some("web:secret"), &body("setup", "example.com", &value)).status, 201);
    gateway.wait_for("action=recall name=_acme-challenge.example.com user=web done");
    let last = gateway.changes().lines().last().unwrap().to_string();
    assert!(last.starts_with("teardown ") && !last.contains(&value), "{last}");
}

#[test]
fn many_domains_are_proved_side_by_side_and_told_in_their_order() {
    let gateway = with_user("PROPAGATION = off");
    let domains: Vec<_> = (0..20).map(|number| format!("d{number}.example.com")).collect();
    let words: Vec<_> = ["--json"].into_iter().chain(domains.iter().map(String::as_str)).collect();
    let report = json(&probe(&gateway, "secret", &words));
    let told: Vec<_> =
        report["domains"].as_array().unwrap().iter().map(|one| one["domain"].as_str().unwrap()).collect();
    assert_eq!(told, domains);
    assert_eq!((&report["ok"], changes(&gateway).len()), (&true.into(), 40), "{report}");
}

#[test]
fn beside_the_gateway_all_its_domains_are_proved_by_its_own_configuration() {
    let gateway = with_user("PROPAGATION = off");
    let port = gateway.address().port();
    let dotenv = gateway.folder.join("dotenv");
    let configuration = std::fs::read_to_string(&dotenv).unwrap();
    let own = format!("{configuration}LISTEN = *:{port}\nAPI_USER = web\nAPI_PASSWD = secret\n");
    let file = gateway.folder.file("own", &own);
    let output = acmegw(&["probe", "-j", "-e", file.to_str().unwrap()]).output().unwrap();
    let report = json(&output);
    assert_eq!(report["gateway"], format!("http://127.0.0.1:{port}"));
    let told: Vec<_> =
        report["domains"].as_array().unwrap().iter().map(|one| one["domain"].as_str().unwrap()).collect();
    assert_eq!((told, &report["ok"]), (vec!["example.com", "example.org"], &true.into()), "{report}");
}

#[test]
fn what_is_called_or_configured_wrongly_is_status_2_and_asks_nobody() {
    let gateway = with_user("PROPAGATION = off");
    for (words, said) in [
        (&[][..], "which domain?"),
        (&["*.example.com"], "a wildcard"),
        (&["-t", "0", "example.com"], "0"),
        (&["-t", "591", "example.com"], "591"),
        (&["--jsn", "example.com"], "--json"),
    ] {
        let output = probe(&gateway, "secret", words);
        assert_eq!(output.status.code(), Some(2), "{words:?}");
        assert!(stderr(&output).contains(said), "{words:?}: {}", stderr(&output));
    }
    let unset = acmegw(&["probe", "example.com"]).output().unwrap();
    assert!(unset.status.code() == Some(2) && stderr(&unset).contains("API_URI is not set"), "{}", stderr(&unset));
    let ephemeral = gateway.folder.join("dotenv");
    let output = acmegw(&["probe", "-e", ephemeral.to_str().unwrap()]).output().unwrap();
    assert!(output.status.code() == Some(2) && stderr(&output).contains("set API_URI"), "{}", stderr(&output));
    assert!(!gateway.log().contains("request="), "{}", gateway.log());
}
