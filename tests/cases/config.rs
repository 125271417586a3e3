use std::net::TcpListener;
use std::process::Output;

use crate::support::{Gateway, Scratch, VALUE, acmegw, body, run, stderr};

/// A dotenv that is right as far as it goes.
const RIGHT: &str = "LISTEN = 127.0.0.1:0\nSSL = off\nDNSAPI_DOMAINS = example.com\nDNS_LISTEN = 127.0.0.1:0\n\
                     ALLOWED_HOSTS = 127.0.0.1\n";

fn test(folder: &Scratch, dotenv: &str) -> Output {
    let file = folder.file("dotenv", dotenv);
    run(&["serve", "-n", "-e", file.to_str().unwrap()])
}

#[test]
fn a_right_configuration_passes_and_starts_nothing() {
    let folder = Scratch::new();
    let output = test(&folder, RIGHT);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(String::from_utf8_lossy(&output.stdout).contains("the configuration is in order"));
}

/// Each fault ends the start with status 2 and names the line and the remedy.
#[test]
fn every_fault_is_refused_with_its_line_and_remedy() {
    let folder = Scratch::new();
    for (lines, named) in [
        ("ALLOWED_HOST = 127.0.0.1", "ALLOWED_HOST is not a name that acmegw knows: did you mean ALLOWED_HOSTS?"),
        ("METRICS_LISTEN = 127.0.0.1:9", "METRICS_LISTEN is not a name that acmegw knows: remove the line"),
        ("password", "not a line of the form NAME = value"),
        ("ALLOWED_HOSTS = 127.0.0.1, 10.0.0.0/33", "ALLOWED_HOSTS has a wrong value, '10.0.0.0/33': write an address"),
        ("ALLOWED_HOSTS = 10.0.0.7/8", "write 10.0.0.0/8 for the network"),
        ("ALLOWED_PROXIES = proxy.example.com", "ALLOWED_PROXIES has a wrong value"),
        ("LISTEN = 127.0.0.1:65536", "LISTEN has a wrong value, '127.0.0.1:65536': write a port from 0 to 65535"),
        ("LISTEN = localhost:80", "LISTEN has a wrong value"),
        ("LISTEN_PORT = -1", "LISTEN_PORT has a wrong value, '-1': write a whole number from 0 to 65535"),
        (
            "BASIC_AUTH = maybe",
            "BASIC_AUTH has a wrong value, 'maybe': write one of none, disabled, sufficient, required",
        ),
        ("SSL = perhaps", "SSL has a wrong value"),
        ("DNSAPI_DOMAINS = *.example.com", "DNSAPI_DOMAINS has a wrong value"),
        ("DNSAPI_DOMAINS = bücher.example", "A-label"),
        ("DNSAPI_MODULE = cloudfare", "did you mean cloudflare? Otherwise set DNSAPI_MODULE to one of embedded, "),
        ("DNSAPI_MODULE = providers.openprovider\nDNSAPI_CLASS = Other", "DNSAPI_CLASS does not fit"),
        ("DNS_LISTEN = 0.0.0.0:53", "DNS_LISTEN"),
        ("CHALLENGE_TTL = 0", "CHALLENGE_TTL has a wrong value"),
        ("LOG_LEVEL = loud", "LOG_LEVEL has a wrong value, 'loud'"),
        ("PROXY_XFF = X Forwarded", "PROXY_XFF has a wrong value"),
        ("SSL = on\nSSL_CERT = nowhere.pem", "SSL_CERT is set but SSL_KEY is not"),
        ("SSL = on\nSSL_CERT = nowhere.pem\nSSL_KEY = nowhere.pem", "nowhere.pem: cannot be read"),
        ("SSL = on\nSTATE_DIR = nowhere", "nowhere cannot be used"),
    ] {
        let output = test(&folder, &format!("{RIGHT}{lines}\n"));
        let shown = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{lines}: {shown}");
        assert!(shown.contains(named), "{lines}: {shown}");
        let line = RIGHT.lines().count() + lines.lines().count();
        let first = RIGHT.lines().count() + 1;
        let cited = (first..=line).any(|line| shown.contains(&format!("dotenv:{line}: ")));
        assert!(cited, "{lines}: no line {line} in {shown}");
    }
}

#[test]
fn a_gateway_that_would_admit_anybody_does_not_start() {
    let folder = Scratch::new();
    for (dotenv, named) in [
        (RIGHT.replace("ALLOWED_HOSTS = 127.0.0.1\n", ""), "BASIC_AUTH is off and ALLOWED_HOSTS is empty"),
        (RIGHT.replace("DNSAPI_DOMAINS = example.com\n", ""), "DNSAPI_DOMAINS is not set: set DNSAPI_DOMAINS"),
        (RIGHT.replace("DNS_LISTEN = 127.0.0.1:0\n", ""), "set DNSAPI_MODULE to one of embedded"),
    ] {
        let output = test(&folder, &dotenv);
        assert_eq!(output.status.code(), Some(2));
        assert!(stderr(&output).contains(named), "{}", stderr(&output));
    }
}

#[test]
fn all_faults_are_reported_not_only_the_first() {
    let folder = Scratch::new();
    let output = test(&folder, "LISTEN = x\nALLOWED_HOSTS = y\nNO_SUCH = z\nBASIC_AUTH = q\nDNSAPI_DOMAINS = -\n");
    let shown = stderr(&output);
    for (line, name) in ["LISTEN", "ALLOWED_HOSTS", "NO_SUCH", "BASIC_AUTH", "DNSAPI_DOMAINS"].iter().enumerate() {
        assert!(shown.contains(&format!("dotenv:{}: {name} ", line + 1)), "{name} in {shown}");
    }
}

#[test]
fn a_file_that_others_can_write_or_that_is_missing_is_refused() {
    let folder = Scratch::new();
    for mode in [0o620, 0o602, 0o666] {
        let file = folder.file_mode("dotenv", RIGHT, mode);
        let output = run(&["serve", "-n", "-e", file.to_str().unwrap()]);
        assert_eq!(output.status.code(), Some(2));
        assert!(stderr(&output).contains("writable by group or others") && stderr(&output).contains("chmod go-w"));
    }
    for command in [acmegw(&["serve", "-n", "-e", "/nowhere/dotenv"]), {
        let mut command = acmegw(&["serve", "-n"]);
        command.env("DOTENV", "/nowhere/dotenv");
        command
    }] {
        let output = { command }.output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        assert!(stderr(&output).contains("/nowhere/dotenv does not exist"), "{}", stderr(&output));
    }
}

#[test]
fn a_key_that_does_not_fit_or_cannot_be_read_is_refused() {
    let folder = Scratch::new();
    let (one, other) =
        (rcgen::generate_simple_self_signed(["localhost".to_string()]).unwrap(), rcgen::KeyPair::generate().unwrap());
    folder.file("one.pem", &one.cert.pem());
    folder.file("other.pem", &other.serialize_pem());
    folder.file("garbage.pem", "garbage");
    folder.file_mode("shared.pem", &one.signing_key.serialize_pem(), 0o660);
    for (certificate, key, named) in [
        ("one.pem", "other.pem", "name the key that belongs to the certificate"),
        ("one.pem", "garbage.pem", "garbage.pem: holds no private key"),
        ("garbage.pem", "other.pem", "garbage.pem: holds no certificate"),
        ("one.pem", "shared.pem", "shared.pem: writable by group or others"),
    ] {
        let lines = RIGHT.replace("SSL = off", &format!("SSL_CERT = {certificate}\nSSL_KEY = {key}"));
        let output = test(&folder, &lines);
        assert_eq!(output.status.code(), Some(2));
        assert!(stderr(&output).contains(named), "{}", stderr(&output));
    }
    folder.file("cert.pem", &one.cert.pem());
    let output = test(&folder, &RIGHT.replace("SSL = off\n", ""));
    assert_eq!(output.status.code(), Some(2), "half a pair beside the dotenv");
    assert!(stderr(&output).contains("key.pem"), "{}", stderr(&output));
}

#[test]
fn no_pair_and_nowhere_to_keep_one_is_refused() {
    let folder = Scratch::new();
    let output = test(&folder, &RIGHT.replace("SSL = off\n", ""));
    // Where the usual folder for state exists and is ours, there is a place to keep one.
    if !["/var/db/acmegw", "/var/lib/acmegw"].iter().any(|place| std::path::Path::new(place).exists()) {
        assert_eq!(output.status.code(), Some(2));
        assert!(stderr(&output).contains("set SSL_CERT and SSL_KEY, or STATE_DIR"), "{}", stderr(&output));
    }
    folder.file_mode("state", "", 0o600);
    let output = test(&folder, &RIGHT.replace("SSL = off", "STATE_DIR = state"));
    assert!(stderr(&output).contains("is not a folder"), "{}", stderr(&output));
}

/// The predecessor's argparse defaults won over the environment.
#[test]
fn arguments_beat_the_environment_and_that_beats_the_file() {
    let folder = Scratch::new();
    let file = folder.file("dotenv", &RIGHT.replace("127.0.0.1:0\nSSL", "127.0.0.1:1\nSSL"));
    let listen = |arguments: &[&str], environment: &[(&str, &str)]| {
        let words = [&["serve", "-n", "-e", file.to_str().unwrap()], arguments].concat();
        stderr(&acmegw(&words).envs(environment.iter().copied()).output().unwrap())
    };
    assert!(
        listen(&["-l", "wrong"], &[("LISTEN", "worse")])
            .contains("argument --listen: LISTEN has a wrong value, 'wrong'")
    );
    assert!(listen(&[], &[("LISTEN", "worse")]).contains("environment: LISTEN has a wrong value, 'worse'"));
    assert_eq!(listen(&[], &[("LISTEN", "")]), "", "an empty variable counts as unset");
    for (name, flag) in [("SSL_CERT", "--ssl-cert"), ("SSL_KEY", "--ssl_key")] {
        assert!(listen(&[], &[("SSL", "on"), (name, "/nowhere")]).contains(&format!("environment: {name} is set but")));
        let given = listen(&[flag, "/nowhere"], &[("SSL", "on")]);
        assert!(given.contains(&format!("argument {}: {name} is set but", flag.replace('_', "-"))), "{given}");
    }
}

#[test]
fn the_environment_names_the_file_and_a_relative_path_starts_from_it() {
    let folder = Scratch::new();
    folder.file("dotenv", &format!("{RIGHT}basic_auth = required\npasswd_file = \"users\"\n"));
    let mut command = acmegw(&["serve", "-n"]);
    let output = command.env("DOTENV", folder.join("dotenv")).current_dir("/").output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let log = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(log.contains(folder.join("users").to_str().unwrap()), "{log}");
}

#[test]
fn the_last_folder_is_the_current_one_for_serve_only() {
    let folder = Scratch::new();
    folder.file(".env", RIGHT);
    let output = acmegw(&["serve", "-n"]).current_dir(folder.path()).output().unwrap();
    // A machine that has a dotenv in one of the usual folders takes that one first.
    let log = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(log.contains("configuration file"), "{log}{}", stderr(&output));
}

#[test]
fn secrets_may_come_from_files_and_are_never_shown() {
    let folder = Scratch::new();
    folder.file("secret", "hunter2\n");
    folder.file("empty", "\nhunter2\n");
    let base = RIGHT.replace("DNS_LISTEN = 127.0.0.1:0", "DNSAPI_MODULE = openprovider\nDNSAPI_USERNAME = u");
    let status = |lines: &str| {
        let output = test(&folder, &format!("{base}{lines}\n"));
        assert!(!stderr(&output).contains("hunter2"), "{}", stderr(&output));
        (output.status.code(), stderr(&output))
    };
    assert_eq!(status("DNSAPI_PASSWORD_FILE = secret").0, Some(0));
    assert_eq!(status("DNSAPI_PASSWORD = hunter2").0, Some(0));
    assert!(status("DNSAPI_PASSWORD = hunter2\nDNSAPI_PASSWORD_FILE = secret").1.contains("are both set"));
    assert!(status("DNSAPI_PASSWORD_FILE = empty").1.contains("first line is empty"));
    assert!(status("DNSAPI_PASSWORD_FILE = missing").1.contains("cannot be read"));
    assert!(status("").1.contains("DNSAPI_PASSWORD"));
}

/// The user's own article, with nothing changed but the address and where state is kept.
#[test]
fn the_articles_dotenv_starts_the_gateway() {
    let article = "DNSAPI_USERNAME = myapiuser\nDNSAPI_PASSWORD = \"YoureUsingAVeryLongPassphrasePleaseAmIRight?\"\n\
                   DNSAPI_MODULE = providers.openprovider\nDNSAPI_CLASS = OpenProvider\n\
                   DNSAPI_DOMAINS = example.com, example.org\nALLOWED_HOSTS = 127.0.0.1, 127.12.7.0/24\n\
                   BASIC_AUTH = sufficient\nALL_PROXY = http://fwproxy.example.com:3128\n";
    let folder = Scratch::new();
    let state = folder.join("state");
    std::fs::DirBuilder::new().create(&state).unwrap();
    std::fs::set_permissions(&state, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    let dotenv = format!("{article}LISTEN = 127.0.0.1:0\nSTATE_DIR = {}\n", state.display());
    let gateway = Gateway::start_in(folder, &dotenv, &[]);
    assert!(gateway.uri().starts_with("https://127.0.0.1:"));
    assert!(!gateway.log().contains("YoureUsing"));
}

#[test]
fn passwords_do_not_travel_in_the_clear() {
    let folder = Scratch::new();
    for listen in ["*:0", "8000", "192.0.2.1:0", "[::]:0"] {
        let output = test(&folder, &format!("{RIGHT}BASIC_AUTH = required\nLISTEN = {listen}\n"));
        assert_eq!(output.status.code(), Some(2), "{listen}");
        assert!(stderr(&output).contains("SSL = off with BASIC_AUTH would send passwords in the clear"), "{listen}");
    }
    for listen in ["127.0.0.2:0", "[::1]:0"] {
        let output = test(&folder, &format!("{RIGHT}BASIC_AUTH = required\nLISTEN = {listen}\n"));
        assert_eq!(output.status.code(), Some(0), "{listen}: {}", stderr(&output));
    }
}

#[test]
fn a_port_that_is_taken_is_said_to_be_taken() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let folder = Scratch::new();
    let file = folder.file("dotenv", RIGHT);
    let address = taken.local_addr().unwrap().to_string();
    let output = run(&["serve", "-e", file.to_str().unwrap(), "-l", &address]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains(&format!("cannot listen on {address}")), "{}", stderr(&output));
}

#[test]
fn a_link_decides_which_tool_is_meant() {
    let folder = Scratch::new();
    for (name, words, status) in [
        ("acmegw-serve", &["-n", "-e", "/nowhere/f"][..], 2),
        ("acmegw_server.py", &["--dotenv", "/nowhere/f"], 2),
        ("apache-mod_md.sh", &["renewing", "example.com"], 0),
        ("mdchallenge.sh", &["setup", "example.com"], 2),
        ("acmegw-passwd", &["-f", "/nowhere/f", "list"], 1),
    ] {
        let link = folder.join(name);
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_acmegw"), &link).unwrap();
        let output = std::process::Command::new(&link).args(words).env_clear().output().unwrap();
        assert_eq!(output.status.code(), Some(status), "{name}: {}", stderr(&output));
    }
}

#[test]
fn dotted_quotes_and_case_are_the_predecessors() {
    let dotenv = RIGHT
        .replace("ALLOWED_HOSTS = 127.0.0.1", "# a comment\nallowed_hosts='192.0.2.1'\nAllowed_Hosts = \"127.0.0.1\"");
    let gateway = Gateway::start_in(Scratch::new(), &dotenv, &[]);
    assert_eq!(gateway.post(&body("setup", "example.com", VALUE)).status, 201, "the last one wins");
}
