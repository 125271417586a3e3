use std::fs::{self, DirBuilder, Permissions};
use std::net::TcpListener;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::process::Output;

use crate::support::{Gateway, Scratch, VALUE, acmegw, body, stderr};

/// nobody, on Linux and FreeBSD alike; by number, so that no user has to be there.
const NOBODY: u32 = 65534;
const AS_NOBODY: (&str, &str) = ("RUN_AS_USER", "65534:65534");

const RIGHT: &str = "LISTEN = 127.0.0.1:0\nSSL = off\nDNSAPI_DOMAINS = example.com\nDNS_LISTEN = 127.0.0.1:0\n\
                     ALLOWED_HOSTS = 127.0.0.1\n";

/// Only root can give rights up.
fn is_root() -> bool {
    let is = nix::unistd::geteuid().is_root();
    if !is {
        eprintln!("SKIPPED: only root can give root's rights up");
    }
    is
}

/// A folder that the user may reach files in.
fn open_folder() -> Scratch {
    let folder = Scratch::new();
    fs::set_permissions(folder.path(), Permissions::from_mode(0o711)).unwrap();
    folder
}

/// The check that `serve` makes with this configuration, started as root.
fn test(folder: &Scratch, dotenv: &str, user: &str) -> Output {
    let file = folder.file("dotenv", dotenv);
    acmegw(&["serve", "-n", "-e", file.to_str().unwrap()]).env("RUN_AS_USER", user).output().unwrap()
}

/// A folder of that name that only its owner may look into.
fn private(folder: &Scratch, name: &str, owner: u32) -> String {
    let path = folder.join(name);
    DirBuilder::new().mode(0o700).create(&path).unwrap();
    chown(&path, Some(owner), Some(owner)).unwrap();
    path.display().to_string()
}

/// A gateway that root starts and that becomes nobody.
fn start(folder: Scratch, dotenv: &str) -> Gateway {
    let run = private(&folder, "run", NOBODY);
    Gateway::start_in(folder, dotenv, &[AS_NOBODY, ("RUNTIME_DIRECTORY", &run)])
}

#[test]
fn root_does_not_start_unless_it_is_told_whom_to_become() {
    if !is_root() {
        return;
    }
    let folder = open_folder();
    // One that would start all the same ends there, and does not hold the test.
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let file = folder.file("dotenv", &RIGHT.replace("127.0.0.1:0", &taken.local_addr().unwrap().to_string()));
    for words in [&["serve", "-e", file.to_str().unwrap()][..], &["serve", "-n", "-e", file.to_str().unwrap()]] {
        let output = acmegw(words).env_remove("RUN_AS_USER").output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{words:?}");
        assert!(stderr(&output).contains("RUN_AS_USER is not set, and the gateway does not run as root: set it"));
    }
    let output = test(&folder, RIGHT, "no-such-user");
    assert!(stderr(&output).contains("RUN_AS_USER has a wrong value, 'no-such-user': name a user"), "{output:?}");
    for root in ["root", "0", "0:0"] {
        let output = test(&folder, RIGHT, root);
        assert!(output.status.success(), "{root}");
        assert!(String::from_utf8_lossy(&output.stdout).contains("running as root, because RUN_AS_USER says so"));
    }
}

#[test]
fn nobody_else_becomes_another_user() {
    let folder = open_folder();
    let file = folder.file_mode("dotenv", RIGHT, 0o644);
    let mut command = acmegw(&["serve", "-n", "-e", file.to_str().unwrap()]);
    if is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    for (user, status) in [("54321:54321", 2), ("0:0", 2), ("", 0)] {
        let output = command.env("RUN_AS_USER", user).output().unwrap();
        assert_eq!(output.status.code(), Some(status), "{user}: {}", stderr(&output));
        assert_eq!(stderr(&output).contains("RUN_AS_USER is another user"), status == 2, "{}", stderr(&output));
    }
}

#[test]
fn root_binds_becomes_the_user_for_good_and_only_then_serves() {
    if !is_root() {
        return;
    }
    let folder = open_folder();
    let script = "echo ids $(id -ru) $(id -u) $(id -rg) $(id -g) $(id -G) umask $(umask) core $(ulimit -c) >&2\n\
                  for status in /proc/$PPID/task/*/status; do\n\
                  test ! -e $status || sed -n '/^[UG]id:\\|^Groups:\\|^CapPrm:/p' $status\n\
                  done 2>/dev/null | sort -u >&2\n";
    let program = folder.program("program", script);
    let low = (600..1024).rev().find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok()).unwrap();
    let dotenv = RIGHT.replace("DNS_LISTEN = 127.0.0.1:0", "DNSAPI_MODULE = exec").replace(":0", &format!(":{low}"));
    let dotenv = format!("{dotenv}DNSAPI_PROGRAM = {}\n", program.display());
    let gateway = start(folder, &dotenv);
    assert_eq!(gateway.address().port(), low);
    assert_eq!(gateway.post(&body("setup", "example.com", VALUE)).status, 201);
    gateway.wait_for("ids 65534 65534 65534 65534 65534 umask 0077 core 0");
    if cfg!(target_os = "linux") {
        // Real, effective, saved, and of the file system; once, so that no thread differs.
        let said = gateway.log();
        let kept = |name: &str| {
            said.lines().filter_map(|line| line.split_once(name)).map(|(_, rest)| rest).collect::<Vec<_>>()
        };
        let four = "\\t65534\\t65534\\t65534\\t65534";
        assert_eq!((kept("Uid:"), kept("Gid:")), (vec![four], vec![four]), "{said}");
        assert_eq!(kept("Groups:"), ["\\t65534"], "{said}");
        assert_eq!(kept("CapPrm:"), ["\\t0000000000000000"], "{said}");
    }
}

#[test]
fn root_reads_the_key_and_what_it_makes_is_the_users() {
    if !is_root() {
        return;
    }
    let folder = open_folder();
    let pair = rcgen::generate_simple_self_signed(["localhost".to_string()]).unwrap();
    folder.file("own.pem", &pair.cert.pem());
    folder.file("own.key", &pair.signing_key.serialize_pem());
    let dotenv = RIGHT.replace("SSL = off", "SSL_CERT = own.pem\nSSL_KEY = own.key");
    assert!(start(folder, &dotenv).uri().starts_with("https://"));

    let folder = open_folder();
    let state = private(&folder, "state", NOBODY);
    let dotenv = RIGHT.replace("SSL = off", "STATE_DIR = state");
    let gateway = start(folder, &dotenv);
    let pin = gateway.logged("API_PIN = ");
    let made: Vec<_> = fs::read_dir(&state).unwrap().map(Result::unwrap).collect();
    assert!(made.len() > 2, "the pair and the ledger: {made:?}");
    for entry in made {
        let metadata = entry.metadata().unwrap();
        assert_eq!((metadata.uid(), metadata.gid()), (NOBODY, NOBODY), "{entry:?}");
    }
    let again = acmegw(&["serve", "-n", "-e", gateway.folder.join("dotenv").to_str().unwrap()]);
    let output = { again }.env(AS_NOBODY.0, AS_NOBODY.1).output().unwrap();
    assert!(output.status.success() && !pin.is_empty(), "the pair is taken at the next start: {}", stderr(&output));
}

#[test]
fn the_check_made_by_root_sees_what_the_user_cannot_read() {
    if !is_root() {
        return;
    }
    let folder = open_folder();
    let test = |lines: &str| {
        let output = test(&folder, &format!("{RIGHT}{lines}\n"), AS_NOBODY.1);
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned() + &stderr(&output))
    };
    let (status, said) = test("");
    assert!(status == Some(0) && said.contains("running as user 65534, group 65534"), "{said}");

    let hidden = private(&folder, "hidden", 0);
    fs::copy("/bin/sh", format!("{hidden}/program")).unwrap();
    let exec = format!("DNSAPI_MODULE = exec\nDNSAPI_PROGRAM = {hidden}/program");
    let (status, said) = test(&exec);
    assert!(
        status == Some(2) && said.contains("/program: cannot be read") && said.contains("let user 65534"),
        "{said}"
    );
    fs::set_permissions(&hidden, Permissions::from_mode(0o711)).unwrap();
    assert_eq!(test(&exec).0, Some(0));

    folder.file("users", "");
    let (_, said) = test("BASIC_AUTH = required\nPASSWD_FILE = users");
    assert!(said.contains("nobody is admitted by password") && said.contains("let user 65534 read"), "{said}");

    folder.file("access", "127.0.0.1 example.com\n");
    let (status, said) = test("ACCESS_FILE = access");
    assert!(status == Some(2) && said.contains("/access: cannot be read") && said.contains("let user 65534"), "{said}");
    folder.file_mode("access", "127.0.0.1 example.com\n", 0o644);
    assert_eq!(test("ACCESS_FILE = access").0, Some(0));

    private(&folder, "roots", 0);
    let (status, said) = test("SSL = on\nSTATE_DIR = roots");
    assert!(status == Some(2) && said.contains("belongs to user 0, not to 65534: chown 65534 "), "{said}");
}

/// Whoever may write the configuration says whom root becomes, and which program it trusts.
#[test]
fn the_configuration_that_root_reads_belongs_to_root() {
    if !is_root() {
        return;
    }
    let folder = open_folder();
    let file = folder.file("dotenv", RIGHT);
    chown(&file, Some(NOBODY), None).unwrap();
    let mut command = acmegw(&["serve", "-n", "-e", file.to_str().unwrap()]);
    let output = command.env(AS_NOBODY.0, AS_NOBODY.1).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("belongs to user 65534, who is neither root nor"), "{}", stderr(&output));
}
