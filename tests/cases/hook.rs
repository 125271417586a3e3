use std::net::TcpListener;
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::Duration;

use crate::support::resolver::Resolver;
use crate::support::{Gateway, Scratch, VALUE, acmegw, read, stderr};

/// The hook with this configuration, as httpd calls it: no stdin, in the root folder.
fn hook(folder: &Scratch, configuration: &str, words: &[&str]) -> Command {
    let file = folder.file("acmegw-hook.conf", configuration);
    let mut command = acmegw(&["hook", "-e", file.to_str().unwrap()]);
    command.args(words).current_dir("/");
    command
}

fn run(gateway: &Gateway, words: &[&str]) -> Output {
    let configuration = format!("API_URI = {}\nDNS_DELAY = 0\nLOGFILE = hook.log\n", gateway.uri());
    hook(&gateway.folder, &configuration, words).output().unwrap()
}

#[test]
fn setup_and_both_teardowns_reach_the_provider() {
    let gateway = Gateway::start("ALLOWED_HOSTS = 127.0.0.1");
    let name = "_acme-challenge.example.com";
    for (words, change) in [
        (&["setup", "example.com", VALUE][..], format!("setup {name} {VALUE}")),
        (&["teardown", "example.com", VALUE], format!("teardown {name} {VALUE}")),
        (&["setup", "example.com", VALUE], format!("setup {name} {VALUE}")),
        (&["setup", "example.com", VALUE], format!("setup {name} {VALUE}")),
        (&["teardown", "example.com"], format!("teardown {name} {VALUE}")),
    ] {
        let output = run(&gateway, words);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        assert_eq!((output.stdout.len(), output.stderr.len()), (0, 0), "{}", stderr(&output));
        assert_eq!(gateway.changes().lines().last(), Some(change.as_str()));
    }
    let log = read(&gateway.folder.join("hook.log"));
    assert_eq!(
        log.lines().filter(|line| line.contains("example.com") && line.contains("request ")).count(),
        5,
        "{log}"
    );
}

#[test]
fn a_refusal_is_one_line_with_the_gateways_words_and_number() {
    let gateway = Gateway::start("ALLOWED_HOSTS = 127.0.0.1");
    let output = run(&gateway, &["setup", "example.net", VALUE]);
    assert_eq!(output.status.code(), Some(1));
    let shown = stderr(&output);
    assert_eq!(shown.lines().count(), 1, "{shown}");
    assert!(shown.contains("403") && shown.contains("add it to DNSAPI_DOMAINS"), "{shown}");
    let number = gateway.logged("request=").split(' ').next().unwrap().to_string();
    assert!(shown.contains(&number), "{number} in {shown}");
}

#[test]
fn events_succeed_even_when_nothing_is_configured_or_all_is_wrong() {
    let folder = Scratch::new();
    for event in [
        "renewing",
        "renewed",
        "installed",
        "expiring",
        "errored",
        "ocsp-renewed",
        "ocsp-errored",
        "challenge-setup:dns-01:example.com",
    ] {
        for configuration in ["", "NO_SUCH_NAME = 1\n", "garbage\n", "LOGFILE = /nowhere/at/all\n"] {
            let output = hook(&folder, configuration, &[event, "example.com"]).output().unwrap();
            assert_eq!(output.status.code(), Some(0), "{event}, {configuration}: {}", stderr(&output));
            assert_eq!(output.stdout.len(), 0);
        }
        let output = acmegw(&["hook", "-e", "/nowhere/hook.conf", event, "example.com"]).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{event}: {}", stderr(&output));
    }
}

#[test]
fn a_gateway_that_comes_back_within_the_minute_is_asked_again() {
    let folder = Scratch::new();
    // A port that was free a moment ago; until the gateway is there, nobody answers.
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let child =
        hook(&folder, &format!("API_URI = http://{address}\nDNS_DELAY = 0\n"), &["setup", "example.com", VALUE])
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
    thread::sleep(Duration::from_millis(300));
    let dotenv = format!(
        "LISTEN = {address}\nSSL = off\nDNSAPI_DOMAINS = example.com\nDNS_LISTEN = 127.0.0.1:0\nALLOWED_HOSTS = 127.0.0.1\n"
    );
    let gateway = Gateway::start_in(Scratch::new(), &dotenv, &[]);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    gateway.wait_for("action=setup name=example.com status=201");
}

#[test]
fn the_hook_returns_when_the_record_is_visible_and_not_before() {
    let resolver = Resolver::start();
    let gateway = Gateway::start(&format!("ALLOWED_HOSTS = 127.0.0.1\n{}", resolver.settings()));
    let configuration = format!("API_URI = {}\nDNS_DELAY = 600\nDNS_UNCONFIRMED = fail\n", gateway.uri());
    let mut child = hook(&gateway.folder, &configuration, &["setup", "example.com", VALUE]).spawn().unwrap();
    gateway.wait_for("status=201");
    thread::sleep(Duration::from_millis(500));
    assert_eq!(child.try_wait().unwrap(), None, "it waits");
    resolver.show(VALUE);
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn what_is_not_visible_in_time_fails_where_that_is_wanted_and_proceeds_aloud_otherwise() {
    let resolver = Resolver::start();
    let gateway = Gateway::start(&format!("ALLOWED_HOSTS = 127.0.0.1\n{}", resolver.settings()));
    for (unconfirmed, status) in [("proceed", 0), ("fail", 1)] {
        let configuration = format!("API_URI = {}\nDNS_DELAY = 1\nDNS_UNCONFIRMED = {unconfirmed}\n", gateway.uri());
        let output = hook(&gateway.folder, &configuration, &["setup", "example.com", VALUE]).output().unwrap();
        let shown = stderr(&output);
        assert_eq!((output.status.code(), shown.lines().count()), (Some(status), 1), "{shown}");
        assert!(shown.contains("example.com: not visible before DNS_DELAY was over"), "{shown}");
    }
}

#[test]
fn sigterm_ends_the_wait_for_the_dns() {
    let gateway = Gateway::start("ALLOWED_HOSTS = 127.0.0.1");
    let configuration = format!("API_URI = {}\nDNS_DELAY = 600\n", gateway.uri());
    let mut child = hook(&gateway.folder, &configuration, &["setup", "example.com", VALUE]).spawn().unwrap();
    gateway.wait_for("status=201");
    thread::sleep(Duration::from_millis(100));
    assert_eq!(child.try_wait().unwrap(), None, "it waits");
    let killed = Command::new("kill").arg(child.id().to_string()).status().unwrap();
    assert!(killed.success());
    use std::os::unix::process::ExitStatusExt;
    assert_eq!(child.wait().unwrap().signal(), Some(15));
}

#[test]
fn the_check_says_what_is_right_and_what_is_not_and_changes_nothing() {
    let gateway = Gateway::start("BASIC_AUTH = required");
    gateway.add_user("web", "secret");
    let check = |password: &str, domain: &str| {
        let uri = gateway.uri();
        let configuration = format!("API_URI = {uri}\nAPI_USER = web\nAPI_PASSWD = {password}\nLOGFILE = hook.log\n");
        let file = gateway.folder.file("acmegw-hook.conf", &configuration);
        let output = acmegw(&["hook", "-e", file.to_str().unwrap(), "-n", domain]).output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let (status, shown) = check("secret", "example.com");
    assert_eq!(status, Some(0), "{shown}");
    assert!(!shown.contains("FAILED"), "{shown}");
    let (status, shown) = check("wrong", "example.com");
    assert!(status == Some(1) && shown.contains("FAILED") && !shown.contains("wrong\n"), "{shown}");
    let (status, shown) = check("secret", "example.net");
    assert!(status == Some(1) && shown.contains("DNSAPI_DOMAINS"), "{shown}");
    assert_eq!(gateway.changes(), "");
}
