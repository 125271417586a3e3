use serde_json::{Value as Json, json};

use crate::support::{Gateway, Scratch, VALUE, body, run, stderr};

const ALIASES: &str = "DNS_ALIAS = www.example.com = www.acme.example.net., example.com=_acme-challenge.example.net, \
                       a.example.org=both.example.net, b.example.org=both.example.net\nALLOWED_HOSTS = 127.0.0.1";

/// The names of what was set, in their order.
fn owners(gateway: &Gateway) -> Vec<String> {
    gateway.changes().lines().map(|line| line.split(' ').nth(1).unwrap().to_string()).collect()
}

fn present(gateway: &Gateway, fqdn: &str) -> u16 {
    gateway.request("POST", "/present", "", &json!({"fqdn": fqdn, "value": VALUE}).to_string()).status
}

#[test]
fn the_record_is_written_at_the_target_in_every_dialect() {
    let gateway = Gateway::start(ALIASES);
    assert_eq!(gateway.post(&body("setup", "WWW.example.com", VALUE)).status, 201);
    assert_eq!(gateway.post(&body("setup", "_acme-challenge.www.example.com", VALUE)).status, 201);
    assert_eq!(present(&gateway, "_acme-challenge.www.example.com."), 200);
    // As lego and acme.sh say it, who have followed the CNAME.
    assert_eq!(present(&gateway, "www.acme.example.net."), 200);
    assert_eq!(gateway.post(&body("setup", "www.acme.example.net", VALUE)).status, 201, "lego's hook");
    assert_eq!(owners(&gateway), ["www.acme.example.net"; 5]);
    assert_eq!(gateway.post(&body("teardown", "www.example.com", "")).status, 200, "mod_md version 1");
    assert_eq!(gateway.changes().lines().last().unwrap(), format!("teardown www.acme.example.net {VALUE}"));
}

#[test]
fn a_target_with_the_challenge_label_is_found_and_names_without_a_target_stay_where_they_are() {
    let gateway = Gateway::start(ALIASES);
    for fqdn in ["_acme-challenge.example.com", "_acme-challenge.example.net.", "_acme-challenge.x.example.com"] {
        assert_eq!(present(&gateway, fqdn), 200, "{fqdn}");
    }
    assert_eq!(gateway.post(&body("setup", "_acme-challenge.example.net", VALUE)).status, 201);
    let target = "_acme-challenge.example.net";
    assert_eq!(owners(&gateway), [target, target, "_acme-challenge.x.example.com", target]);
}

#[test]
fn only_a_target_itself_is_one() {
    let gateway = Gateway::start(ALIASES);
    for fqdn in ["acme.example.net", "x.www.acme.example.net", "_acme-challenge.www.acme.example.net", "example.net"] {
        assert_eq!(present(&gateway, fqdn), 403, "{fqdn}");
    }
    for domain in ["acme.example.net", "x.www.acme.example.net", "_acme-challenge.x.www.acme.example.net"] {
        assert_eq!(gateway.post(&body("setup", domain, VALUE)).status, 403, "{domain}");
    }
    assert_eq!(gateway.changes(), "");
}

#[test]
fn rights_are_judged_by_the_names_whose_challenges_lead_to_the_target() {
    let folder = Scratch::new();
    let access = "alice www.example.com a.example.org\nbob .example.org\ncarol .example.net\n";
    folder.program("program", "echo \"$@\" >>\"${0%/*}/changes\"\n");
    let dotenv = format!(
        "LISTEN = 127.0.0.1:0\nSSL = off\nDNSAPI_MODULE = exec\nDNSAPI_PROGRAM = program\n\
         DNSAPI_DOMAINS = example.com, example.org\nBASIC_AUTH = sufficient\nACCESS_FILE = {}\n{ALIASES}\n",
        folder.file("access", access).display()
    );
    let gateway = Gateway::start_in(folder, &dotenv, &[]);
    for user in ["alice", "bob", "carol"] {
        gateway.add_user(user, "x");
    }
    let may = |user: &str, name: &str| gateway.post_as(Some(&format!("{user}:x")), &body("setup", name, VALUE)).status;
    let names = ["www.example.com", "www.acme.example.net", "a.example.org", "b.example.org", "both.example.net"];
    assert_eq!(names.map(|name| may("alice", name)), [201, 201, 403, 403, 403], "what leads to both is not all hers");
    assert_eq!(names.map(|name| may("bob", name)), [403, 403, 201, 201, 201]);
    assert_eq!(names.map(|name| may("carol", name)), [403; 5], "the target's own domain gives no right");
}

#[test]
fn the_log_and_the_answer_show_where_the_record_is() {
    let gateway = Gateway::start(ALIASES);
    gateway.wait_for("the challenge of www.example.com is written at www.acme.example.net");
    for (asked, record) in [
        ("www.example.com", "www.acme.example.net"),
        ("www.acme.example.net", "www.acme.example.net"),
        ("example.com", "_acme-challenge.example.net"),
        ("x.example.com", "_acme-challenge.x.example.com"),
    ] {
        let reply = gateway.request("GET", &format!("/challenges/{asked}"), "", "");
        let shown: Json = serde_json::from_str(&reply.body).unwrap();
        assert_eq!((reply.status, &shown["record"]), (200, &json!(record)), "{asked}");
    }
}

#[test]
fn the_hook_sets_a_delegated_name_like_any_other() {
    let gateway = Gateway::start(ALIASES);
    let conf = format!(
        "API_URI = {}\nDNS_DELAY = 0\nLOGFILE = {}\n",
        gateway.uri(),
        gateway.folder.join("hook.log").display()
    );
    let conf = gateway.folder.file("acmegw-hook.conf", &conf);
    let conf = conf.to_str().unwrap();
    for words in [&["setup", "www.example.com", VALUE], &["teardown", "www.example.com", VALUE]] {
        let output = run(&[&["hook", "-e", conf][..], words].concat());
        assert!(output.status.success(), "{}", stderr(&output));
    }
    assert_eq!(owners(&gateway), ["www.acme.example.net"; 2]);
    let output = run(&["hook", "-e", conf, "-n", "www.example.com"]);
    assert!(output.status.success(), "{}", stderr(&output));
}

#[test]
fn what_is_at_a_target_is_removed_after_a_restart_as_long_as_it_is_one() {
    let folder = Scratch::new();
    folder.program("program", "echo \"$@\" >>\"${0%/*}/changes\"\n");
    let state = folder.join("state");
    std::fs::create_dir(&state).unwrap();
    std::fs::set_permissions(&state, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    let dotenv = |rest: &str| {
        format!(
            "LISTEN = 127.0.0.1:0\nSSL = off\nDNSAPI_MODULE = exec\nDNSAPI_PROGRAM = program\nSTATE_DIR = state\n\
             DNSAPI_DOMAINS = example.com, example.org\n{rest}\n"
        )
    };
    let gateway = Gateway::start_in(folder, &dotenv(ALIASES), &[]);
    for name in ["www.example.com", "example.com"] {
        assert_eq!(gateway.post(&body("setup", name, VALUE)).status, 201);
    }
    // example.com is delegated no more.
    let aliases = "DNS_ALIAS = www.example.com=www.acme.example.net\nALLOWED_HOSTS = 127.0.0.1\nCHALLENGE_TTL = 1";
    let gateway = Gateway::start_in(gateway.into_folder(), &dotenv(aliases), &[]);
    gateway.wait_for("action=recall name=www.acme.example.net user=127.0.0.1 done");
    let left = gateway.wait_for("action=recall name=_acme-challenge.example.net: remove ");
    assert!(left.contains(&format!("remove {VALUE} by hand: ")) && left.contains("DNS_ALIAS"), "{left}");
    let removed: Vec<_> =
        gateway.changes().lines().filter(|line| line.starts_with("teardown")).map(str::to_string).collect();
    assert_eq!(removed, [format!("teardown www.acme.example.net {VALUE}")]);
}

#[test]
fn every_fault_is_told_at_once_with_its_line_and_remedy() {
    let folder = Scratch::new();
    folder.program("program", "");
    let dotenv = "LISTEN = 127.0.0.1:0\nSSL = off\nDNSAPI_MODULE = exec\nDNSAPI_PROGRAM = program\n\
                  DNSAPI_DOMAINS = example.com, example.org\nALLOWED_HOSTS = 127.0.0.1\n\
                  DNS_ALIAS = www.example.com, a.example.com=a.net, A.example.com=b.net, c.example.net=d.net, \
                  *.example.com=e.net, e.example.com=_acme-challenge.example.org, f.example.com=g.example.com, \
                  g.example.com=h.net\n";
    let file = folder.file("dotenv", dotenv);
    let output = run(&["serve", "-n", "-e", file.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(2));
    let shown = stderr(&output);
    let faults: Vec<_> = shown.lines().filter(|line| line.contains(":7: DNS_ALIAS has '")).collect();
    for (fault, remedy) in [
        ("'www.example.com': there is no =", "write NAME=TARGET"),
        ("'A.example.com=b.net': a.example.com has a target already", "keep one"),
        ("'c.example.net=d.net': c.example.net is not within the domains", "add it to DNSAPI_DOMAINS"),
        ("'*.example.com=e.net': the name is a wildcard", "write the domain"),
        ("the challenge name of example.org, which this gateway serves by itself", "write a target"),
        ("'f.example.com=g.example.com': the target is that of the delegated name", "write the last name"),
    ] {
        assert!(faults.iter().any(|line| line.contains(fault) && line.contains(remedy)), "{fault}:\n{shown}");
    }
    assert_eq!(faults.len(), 6, "{shown}");
}

#[test]
fn the_account_that_has_the_target_writes_there() {
    let folder = Scratch::new();
    for name in ["program", "other"] {
        folder.program(name, &format!("echo {name} \"$@\" >>\"${{0%/*}}/changes\"\n"));
    }
    let dotenv = "LISTEN = 127.0.0.1:0\nSSL = off\nALLOWED_HOSTS = 127.0.0.1\n\
                  DNSAPI_MODULE = exec\nDNSAPI_PROGRAM = program\nDNSAPI_DOMAINS = example.com\n\
                  DNSAPI_ACCOUNTS = acme\nDNSAPI_ACME_MODULE = exec\nDNSAPI_ACME_PROGRAM = other\n\
                  DNSAPI_ACME_DOMAINS = acme.example.net\n\
                  DNS_ALIAS = a.example.com=a.acme.example.net, b.example.com=b.example.net\n";
    let gateway = Gateway::start_in(folder, dotenv, &[]);
    for name in ["a.example.com", "a.acme.example.net", "b.example.com", "c.example.com"] {
        assert_eq!(gateway.post(&body("setup", name, VALUE)).status, 201, "{name}");
    }
    let changes = gateway.changes();
    let changes: Vec<_> = changes.lines().map(|line| line.strip_suffix(VALUE).unwrap().trim_end()).collect();
    let at_target = "other setup a.acme.example.net";
    let rest = ["program setup b.example.net", "program setup _acme-challenge.c.example.com"];
    assert_eq!(changes, [&[at_target, at_target][..], &rest].concat());
}
