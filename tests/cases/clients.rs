//! The words of each ACME client, the calls that are wrong, and acmegw-clients(7) as it stands.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use acmegw::hook::dialect::DIALECTS;

use crate::support::{Gateway, VALUE, myself, stderr};

const KEY_AUTHORIZATION: &str = "t0ken.ksT-qywTd8058G-SHHWA3RAN72Pr0yWtPYmmY5UBpQ8";

fn page(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("man").join(name)).unwrap()
}

/// A gateway, and a hook beside it by the name that clients take which take no arguments.
struct Machine {
    gateway: Gateway,
    hook: String,
}

impl Machine {
    fn new() -> Machine {
        let gateway = Gateway::start("ALLOWED_HOSTS = 127.0.0.1");
        let configuration = format!("API_URI = {}\nDNS_DELAY = 0\n", gateway.uri());
        gateway.folder.file("acmegw-hook.conf", &configuration);
        let hook = gateway.folder.join("acmegw-hook");
        symlink(env!("CARGO_BIN_EXE_acmegw"), &hook).unwrap();
        Machine { hook: hook.to_str().unwrap().to_string(), gateway }
    }

    /// Runs a program in the surroundings of a client: its variables, and our configuration.
    fn run(&self, program: &str, words: &[&str], variables: &[(&str, &str)]) -> Output {
        let mut command = Command::new(program);
        command.args(words).env_clear().env("RUN_AS_USER", myself()).stdin(Stdio::null());
        command.env("DOTENV", self.gateway.folder.join("acmegw-hook.conf")).envs(variables.iter().copied());
        command.output().unwrap()
    }

    fn hook(&self, words: &[&str], variables: &[(&str, &str)]) -> Output {
        self.run(&self.hook, words, variables)
    }
}

#[test]
fn a_hook_that_is_called_wrongly_fails_and_asks_the_gateway_for_nothing() {
    let machine = Machine::new();
    let certbot = ("CERTBOT_VALIDATION", VALUE);
    let record = "_acme-challenge.example.com.";
    for (words, variables, status, named) in [
        (&[][..], &[][..], 2, "no words"),
        (&[""], &[], 2, "nothing that"),
        (&["example.com"], &[], 2, "nothing that"),
        (&["example.com", VALUE], &[certbot], 2, "nothing that"),
        (&["--as", "nobody", "add"], &[], 2, "MDNotifyCmd"),
        (&["--as", "getssl"], &[], 2, "no words"),
        (&["--as", "getssl", "add", "example.com"], &[], 2, "not 1 words"),
        (&["--as", "lego", "example.com"], &[], 2, "nothing that lego"),
        (&["--as", "MDNotifyCmd"], &[], 2, "not 0 words"),
        (&["setup", "example.com"], &[], 2, "not 1 words"),
        (&["setup", "-x.example.com", VALUE], &[], 2, "the domain '-x.example.com'"),
        (&["setup", "example.com", VALUE, VALUE], &[], 2, "not 3 words"),
        (&["setup", "example.com", &VALUE[1..]], &[], 2, "43 characters"),
        (&["teardown"], &[], 2, "not 0 words"),
        (&["present", record], &[], 2, "not 1 words"),
        (&["present", "example.com.", VALUE], &[], 2, "DNS_ALIAS"),
        (&["present", record, VALUE, "120"], &[], 2, "not 3 words"),
        (&["present", "--", "example.com", "t0ken"], &[], 2, "not 3 words"),
        (&["present", "--", "example.com", "other", KEY_AUTHORIZATION], &[], 2, "key authorization"),
        (&["present", "--", "-x.example.com", "t0ken", KEY_AUTHORIZATION], &[], 2, "the domain"),
        (&["begin", "dns-01", "example.com", VALUE], &[], 2, "not 3 words"),
        (&["begin", "http-01", "example.com", "t0ken", KEY_AUTHORIZATION], &[], 1, "only dns-01"),
        (&["begin", "tls-alpn-01", "example.com", "t0ken", VALUE], &[], 1, "only dns-01"),
        (&["deploy_challenge", "example.com", "t", VALUE, "example.com", "t"], &[], 2, "not 5 words"),
        (&["deploy_challenge", "example.com", "t", VALUE, "-", "t", VALUE], &[], 2, "the domain '-'"),
        (&["clean_challenge"], &[], 2, "not 0 words"),
        (&["create", "example.com", VALUE], &[], 2, "not 2 words"),
        (&[], &[certbot, ("CERTBOT_DOMAIN", "example.com"), ("CERTBOT_TOKEN", "t")], 2, "CERTBOT_TOKEN"),
        (&[], &[certbot], 2, "CERTBOT_DOMAIN"),
        (&[], &[certbot, ("CERTBOT_DOMAIN", "-x.example.com")], 2, "the domain"),
        (&[], &[("CERTBOT_VALIDATION", ""), ("CERTBOT_DOMAIN", "example.com")], 2, "43 characters"),
    ] {
        let output = machine.hook(words, variables);
        let shown = stderr(&output);
        assert_eq!(output.status.code(), Some(status), "{words:?} {variables:?}: {shown}");
        assert!(shown.contains(named), "{words:?} {variables:?}: {shown}");
        assert_eq!(output.stdout.len(), 0, "{words:?}");
    }
    assert_eq!(machine.gateway.changes(), "");
    assert!(!machine.gateway.log().contains("request="), "{}", machine.gateway.log());
}

#[test]
fn handlers_that_want_nothing_succeed_in_silence_and_ask_the_gateway_for_nothing() {
    let machine = Machine::new();
    let probe = "this_hookscript_is_broken__dehydrated_is_working_fine__please_ignore_unknown_hooks_in_your_script";
    for (words, warned) in [
        (&[probe][..], false),
        (&["startup_hook"], false),
        (&["exit_hook"], false),
        (&["generate_csr", "example.com", "/certs", "example.com"], false),
        (&["deploy_cert", "example.com", "k", "c", "f", "n", "17"], false),
        (&["--as", "MDNotifyCmd", "example.com"], false),
        (&["--as", "mdnotifycmd", "example.com", "b.example.com"], false),
        (&["a_handler_of_next_year", "example.com"], true),
    ] {
        let output = machine.hook(words, &[("CERTBOT_VALIDATION", VALUE), ("CERTBOT_DOMAIN", "example.com")]);
        assert_eq!((output.status.code(), output.stdout.len()), (Some(0), 0), "{words:?}: {}", stderr(&output));
        assert_eq!(!output.stderr.is_empty(), warned, "{words:?}: {}", stderr(&output));
    }
    assert_eq!(machine.gateway.changes(), "");
    assert!(!machine.gateway.log().contains("request="), "{}", machine.gateway.log());
}

/// The environment is as certbot makes it, what its first auth hook printed included.
#[test]
fn certbot_s_calls_for_a_domain_and_its_wildcard() {
    let machine = Machine::new();
    let other = VALUE.replace('B', "C");
    let values = [VALUE, &other];
    let said = |value: &str, remaining: &str, output: Option<&str>| {
        let common = [
            ("CERTBOT_DOMAIN", "example.com"),
            ("CERTBOT_ALL_DOMAINS", "example.com,example.com"),
            ("CERTBOT_VALIDATION", value),
            ("CERTBOT_REMAINING_CHALLENGES", remaining),
        ];
        let variables: Vec<_> = common.into_iter().chain(output.map(|text| ("CERTBOT_AUTH_OUTPUT", text))).collect();
        let output = machine.hook(&[], &variables);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(said(values[0], "1", None), format!("{}\n", values[0]));
    assert_eq!(said(values[1], "0", Some("what another lineage left behind")), format!("{}\n", values[1]));
    assert_eq!(said(values[0], "1", Some(values[0])), "");
    assert_eq!(said(values[1], "0", Some(values[1])), "");
    let change = |action: &str, value: &str| format!("{action} _acme-challenge.example.com {value}\n");
    let expected = ["setup", "teardown"].map(|action| values.map(|value| change(action, value)).concat()).concat();
    assert_eq!(machine.gateway.changes(), expected);
}

/// The literal blocks of acmegw-clients(7): name, whether it was tested, the section's title, lines.
fn blocks() -> BTreeMap<String, (bool, String, Vec<String>)> {
    let mut blocks = BTreeMap::new();
    let (mut section, mut named) = (String::new(), None);
    let page = page("acmegw-clients.7");
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        if let Some(title) = line.strip_prefix(".Sh ") {
            section = title.to_string();
        } else if let Some(name) = line.strip_prefix(r#".\" block "#) {
            named = Some((name.to_string(), true));
        } else if let Some(name) = line.strip_prefix(r#".\" untested "#) {
            named = Some((name.to_string(), false));
        } else if line.starts_with(".Bd ") {
            let (name, is_tested) = named.take().unwrap_or_else(|| panic!("a block without a name in {section}"));
            let text: Vec<_> = lines.by_ref().take_while(|line| *line != ".Ed").map(str::to_string).collect();
            let before = blocks.insert(name.clone(), (is_tested, section.clone(), text));
            assert!(before.is_none(), "two blocks {name}");
        }
    }
    blocks
}

#[test]
fn each_block_of_the_clients_page_is_run_by_a_case_or_stands_among_the_untested() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/e2e");
    let files = [folder.clone(), folder.join("lib")].map(|folder| fs::read_dir(folder).unwrap());
    let files = files.into_iter().flatten().map(|entry| entry.unwrap().path());
    let scripts = files.filter(|path| path.extension().is_some_and(|end| end == "sh"));
    let text: String = scripts.map(|path| fs::read_to_string(path).unwrap() + "\n").collect();
    let words: Vec<_> = text.split_whitespace().map(|word| word.trim_end_matches([';', ')', '"'])).collect();
    let run: BTreeSet<_> = words.windows(2).filter(|pair| pair[0].ends_with("block")).map(|pair| pair[1]).collect();
    for (name, (is_tested, section, _)) in blocks() {
        assert_eq!(is_tested, run.contains(name.as_str()), "{name}: is there a case that runs it?");
        assert_eq!(is_tested, section != "CLIENTS THAT WERE NOT TRIED", "{name} in {section}");
    }
}

/// `NAME="VALUE"`, as getssl's configuration has it.
fn assigned(lines: &[String], name: &str) -> String {
    let value = lines.iter().find_map(|line| line.strip_prefix(&format!("{name}=\""))?.strip_suffix('"'));
    value.unwrap_or_else(|| panic!("no {name}")).to_string()
}

/// getssl hands its command with two more words to `eval`.
#[test]
fn getssl_s_commands_work_as_the_page_says() {
    let (_, _, lines) = &blocks()["getssl"];
    let machine = Machine::new();
    for (name, action) in [("DNS_ADD_COMMAND", "setup"), ("DNS_DEL_COMMAND", "teardown")] {
        let command = assigned(lines, name).replace("/usr/local/bin/acmegw", env!("CARGO_BIN_EXE_acmegw"));
        let output = machine.run("/bin/sh", &["-c", r#"eval "$0" "$@""#, &command, "example.com", VALUE], &[]);
        assert_eq!((output.status.code(), output.stdout.len()), (Some(0), 0), "{}", stderr(&output));
        let last = machine.gateway.changes().lines().last().unwrap_or_default().to_string();
        assert_eq!(last, format!("{action} _acme-challenge.example.com {VALUE}"));
    }
}

/// Its script gets `create {Identifier} {RecordName} {Token}`, then `delete` with the same.
#[test]
fn win_acme_s_script_works_as_the_page_says() {
    let (_, _, lines) = &blocks()["win-acme"];
    assert!(lines.iter().any(|line| line.contains("--dnsscript /usr/local/bin/acmegw-hook")), "{lines:?}");
    let machine = Machine::new();
    for (verb, action) in [("create", "setup"), ("delete", "teardown")] {
        let output = machine.hook(&[verb, "example.com", "_acme-challenge.example.com", VALUE], &[]);
        assert_eq!((output.status.code(), output.stdout.len()), (Some(0), 0), "{}", stderr(&output));
        let last = machine.gateway.changes().lines().last().unwrap_or_default().to_string();
        assert_eq!(last, format!("{action} _acme-challenge.example.com {VALUE}"));
    }
}

#[test]
fn the_manual_has_the_form_of_each_client_s_words() {
    let manual = page("acmegw-hook.8");
    for row in DIALECTS {
        let item = format!(".It Cm {}\n.Dl {}\n", row.name, row.form);
        assert!(manual.contains(&item), "acmegw-hook.8 does not have: {item}");
    }
}
