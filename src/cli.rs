//! The command line: the only home of clap. Words in, one [`Invocation`] out.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

use crate::config::Setting;
use crate::hook::{self, dialect};
use crate::{enrol, passwd, probe, settings};

/// What acmegw was called to do.
pub struct Invocation {
    /// From `-e`.
    pub dotenv: Option<PathBuf>,
    /// Settings given as arguments: (setting, flag, value).
    pub settings: Vec<(&'static str, &'static str, String)>,
    pub tool: Tool,
}

pub enum Tool {
    Serve {
        configtest: bool,
        called: Option<PathBuf>,
    },
    Hook(hook::Call),
    Passwd(passwd::Call),
    Probe(probe::Call),
    Acmedns(enrol::Call),
    /// All providers, or this one.
    Providers(Option<String>),
}

/// The names by which a link decides what is meant (multi-call), the predecessor's included.
const LINKS: &[(&str, &str)] = &[
    ("acmegw-serve", "serve"),
    ("acmegw-hook", "hook"),
    ("acmegw-passwd", "passwd"),
    ("acmegw-probe", "probe"),
    ("acmegw_server.py", "serve"),
    ("apache-mod_md.sh", "hook"),
    ("mdchallenge.sh", "hook"),
];

/// One of serve's flags that write a setting.
struct SettingFlag {
    setting: &'static str,
    long: &'static str,
    /// The predecessor's spelling.
    alias: Option<&'static str>,
    short: Option<char>,
    value: &'static str,
    help: &'static str,
}

const SETTING_FLAGS: &[SettingFlag] = &[
    SettingFlag {
        setting: "LISTEN",
        long: "listen",
        alias: None,
        short: Some('l'),
        value: "ADDR",
        help: "Address and port to listen on: IP:port, [v6]:port, port or IP",
    },
    SettingFlag {
        setting: "DNSAPI_MODULE",
        long: "dnsapi-module",
        alias: Some("dnsapi_module"),
        short: Some('m'),
        value: "NAME",
        help: "The DNS provider",
    },
    SettingFlag {
        setting: "DNSAPI_CLASS",
        long: "dnsapi-class",
        alias: Some("dnsapi_class"),
        short: Some('c'),
        value: "NAME",
        help: "The class by which the predecessor named the provider",
    },
    SettingFlag {
        setting: "SSL_CERT",
        long: "ssl-cert",
        alias: Some("ssl_cert"),
        short: None,
        value: "FILE",
        help: "The certificate chain, PEM",
    },
    SettingFlag {
        setting: "SSL_KEY",
        long: "ssl-key",
        alias: Some("ssl_key"),
        short: None,
        value: "FILE",
        help: "Its private key, PEM",
    },
];

/// Takes the words apart. The error is clap's, help and version included: it prints itself.
pub fn parse(arguments: impl Iterator<Item = OsString>) -> Result<Invocation, clap::Error> {
    let mut words: Vec<OsString> = arguments.collect();
    let called = words.first().map(PathBuf::from).unwrap_or_default();
    let link = LINKS.iter().find(|(name, _)| called.file_name() == Some(OsStr::new(name)));
    if let Some((_, tool)) = link {
        words.insert(1, OsString::from(tool));
    }
    let mut matches = command().try_get_matches_from(words)?;
    let (name, mut matches) = matches.remove_subcommand().expect("clap asks for a subcommand");
    // providers reads no configuration.
    let dotenv = matches.try_remove_one("dotenv").ok().flatten();
    let settings = if name == "serve" { settings(&matches) } else { Vec::new() };
    let tool = match name.as_str() {
        "serve" => Tool::Serve { configtest: matches.get_flag("configtest"), called: predecessors_folder(&called) },
        "hook" => Tool::Hook(hook::Call {
            words: matches.remove_many("words").unwrap_or_default().collect(),
            client: matches.remove_one::<String>("as").and_then(|name| dialect::by_name(&name)),
            configtest: matches.get_flag("configtest"),
        }),
        "acmedns" => Tool::Acmedns(acmedns(&mut matches)),
        "providers" => Tool::Providers(matches.remove_one("name")),
        "probe" => Tool::Probe(probe::Call {
            domains: matches.remove_many("domain").unwrap_or_default().collect(),
            json: matches.get_flag("json"),
            timeout: matches.remove_one("timeout").expect("it has a default"),
        }),
        _ => Tool::Passwd(passwd(&mut matches)),
    };
    Ok(Invocation { dotenv, settings, tool })
}

/// The whole command line; the check of manual and README walks it too.
pub fn command() -> Command {
    let dotenv = || option("dotenv", Some('e'), "FILE", "The configuration file").value_parser(value_parser!(PathBuf));
    let configtest = |help| Arg::new("configtest").short('n').long("configtest").action(ArgAction::SetTrue).help(help);
    let serve = Command::new("serve")
        .about("The gateway: adds and removes _acme-challenge TXT records for allowed callers")
        .arg(dotenv())
        .args(SETTING_FLAGS.iter().map(|flag| option(flag.long, flag.short, flag.value, flag.help).aliases(flag.alias)))
        .arg(configtest("Only check the configuration, and report every fault"));
    let hook = Command::new("hook")
        .about("What ACME clients run, as MDChallengeDns01 /usr/local/bin/acmegw hook; see acmegw-clients(7)")
        .arg(dotenv())
        .arg(configtest("Prove configuration, connection, credentials and scope; change nothing"))
        .arg(
            option("as", None, "NAME", "Take the words for those of this client, where they do not tell it")
                .value_parser(PossibleValuesParser::new(dialect::DIALECTS.iter().map(|row| row.name)))
                .ignore_case(true)
                .conflicts_with("configtest"),
        )
        .arg(
            Arg::new("words")
                .value_name("WORDS")
                .help("What the client says: setup DOMAIN VALUE, teardown DOMAIN [VALUE], …; with -n a domain")
                .num_args(0..)
                .trailing_var_arg(true)
                .allow_hyphen_values(true)
                .value_parser(value_parser!(OsString)),
        );
    let passwd = Command::new("passwd")
        .about("The users who may call the gateway with a password")
        .arg(dotenv())
        .arg(option("file", Some('f'), "FILE", "The users file").value_parser(value_parser!(PathBuf)))
        .arg(
            Arg::new("action")
                .value_name("ACTION")
                .help("add, change, delete, verify or list")
                .required(true)
                .value_parser(ACTIONS.map(|(word, _)| word)),
        )
        .arg(Arg::new("user").value_name("USER").help("The user's name; all but list need it"))
        .arg(flag("stdin", 'i', "Take the password from one line of standard input").conflicts_with("generate"))
        .arg(flag("generate", 'g', "Generate a password of 256 bits and print it, once"));
    let acmedns = Command::new("acmedns")
        .about("The accounts of acme-dns clients")
        .arg(dotenv())
        .arg(flag("shared", 's', "One account for all names, for clients that have but one"))
        .arg(
            option("allow-from", Some('a'), "NETWORKS", "From where the accounts may be used: networks, by commas")
                .value_delimiter(',')
                .action(ArgAction::Append),
        )
        .arg(
            Arg::new("action")
                .value_name("ACTION")
                .help("add, list or delete")
                .required(true)
                .value_parser(ACMEDNS_ACTIONS.map(|(word, _)| word)),
        )
        .arg(Arg::new("names").value_name("NAMES").help("With add: domains. With delete: users").num_args(0..));
    let serve = serve.after_long_help(names(&settings::serve()));
    let hook = hook.after_long_help(names(&settings::hook()));
    let probe = Command::new("probe")
        .about("Proves domains end to end through the running gateway: a canary is set, seen and removed")
        .arg(dotenv())
        .arg(flag("json", 'j', "Print JSON, for monitoring"))
        .arg(
            option("timeout", Some('t'), "SECONDS", "How long a canary may take to be seen")
                .default_value("300")
                .value_parser(value_parser!(u64).range(1..=probe::LONGEST)),
        )
        .arg(
            Arg::new("domain")
                .value_name("DOMAIN")
                .help("The domains; beside the gateway, without any, all of DNSAPI_DOMAINS")
                .num_args(0..),
        );
    let probe = probe.after_long_help(names(&settings::probe()));
    let passwd = passwd.after_long_help(names(&settings::passwd()));
    let acmedns = acmedns.after_long_help(names(&settings::acmedns()));
    let providers = Command::new("providers")
        .about("The DNS services that the gateway can use, and what each needs")
        .arg(Arg::new("name").value_name("NAME").help("One of them, in full"));
    Command::new("acmegw")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Web servers get their ACME dns-01 certificates without the credentials of the DNS account")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .disable_help_subcommand(true)
        .subcommands([serve, hook, passwd, acmedns, probe, providers])
}

const ACTIONS: [(&str, passwd::Action); 5] = [
    ("add", passwd::Action::Add),
    ("change", passwd::Action::Change),
    ("delete", passwd::Action::Delete),
    ("verify", passwd::Action::Verify),
    ("list", passwd::Action::List),
];

const ACMEDNS_ACTIONS: [(&str, enrol::Action); 3] =
    [("add", enrol::Action::Add), ("list", enrol::Action::List), ("delete", enrol::Action::Delete)];

/// The configuration names of a tool, for the long help.
fn names(settings: &[Setting]) -> String {
    let mut text = "Names in the environment and in the configuration file, see acmegw.conf(5):".to_string();
    for Setting { name, default, meaning, secret, .. } in settings {
        let default = if default.is_empty() { String::new() } else { format!(" [default: {default}]") };
        let file = if *secret { format!(", or {name}_FILE") } else { String::new() };
        text.push_str(&format!("\n  {name:<18} {meaning}{file}{default}"));
    }
    text
}

fn option(long: &'static str, short: Option<char>, value: &'static str, help: &'static str) -> Arg {
    Arg::new(long).long(long).short(short).value_name(value).help(help)
}

fn flag(long: &'static str, short: char, help: &'static str) -> Arg {
    Arg::new(long).long(long).short(short).action(ArgAction::SetTrue).help(help)
}

fn settings(matches: &ArgMatches) -> Vec<(&'static str, &'static str, String)> {
    let given = SETTING_FLAGS.iter().map(|flag| (flag, matches.get_one::<String>(flag.long)));
    given.filter_map(|(flag, value)| Some((flag.setting, flag.long, value?.clone()))).collect()
}

/// The predecessor also looked for its certificate beside itself.
fn predecessors_folder(called: &Path) -> Option<PathBuf> {
    (called.file_name() == Some(OsStr::new("acmegw_server.py"))).then(|| called.parent().map(Path::to_path_buf))?
}

fn passwd(matches: &mut ArgMatches) -> passwd::Call {
    let word: String = matches.remove_one("action").expect("clap asks for it");
    let (_, action) = ACTIONS.into_iter().find(|(one, _)| *one == word).expect("clap takes no other");
    passwd::Call {
        action,
        user: matches.remove_one("user"),
        file: matches.remove_one("file"),
        stdin: matches.get_flag("stdin"),
        generate: matches.get_flag("generate"),
    }
}

fn acmedns(matches: &mut ArgMatches) -> enrol::Call {
    let word: String = matches.remove_one("action").expect("clap asks for it");
    let (_, action) = ACMEDNS_ACTIONS.into_iter().find(|(one, _)| *one == word).expect("clap takes no other");
    enrol::Call {
        action,
        names: matches.remove_many("names").unwrap_or_default().collect(),
        shared: matches.get_flag("shared"),
        allow_from: matches.remove_many("allow-from").unwrap_or_default().collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(words: &[&str]) -> Result<Invocation, clap::Error> {
        parse(words.iter().map(OsString::from))
    }

    #[test]
    fn the_definition_holds_together() {
        command().debug_assert();
    }

    #[test]
    fn a_link_decides_what_is_meant() {
        for (name, tool) in LINKS {
            let path = format!("/usr/local/bin/{name}");
            let words: &[&str] = if *tool == "passwd" { &[&path, "list"] } else { &[&path, "-e", "f"] };
            let invocation = parsed(words).unwrap();
            let is_right = match invocation.tool {
                Tool::Serve { called, .. } => *tool == "serve" && called.is_some() == (*name == "acmegw_server.py"),
                Tool::Hook(_) => *tool == "hook",
                Tool::Passwd(_) => *tool == "passwd",
                Tool::Probe(_) => *tool == "probe",
                Tool::Acmedns(_) | Tool::Providers(_) => false,
            };
            assert!(is_right, "{name}");
        }
    }

    #[test]
    fn the_predecessors_spellings_work() {
        let words =
            ["x", "serve", "--dnsapi_module", "m", "--dnsapi-class=c", "--ssl_cert", "a", "--ssl_key", "b", "-l", "1"];
        let given = parsed(&words).unwrap().settings;
        let given: Vec<_> = given.iter().map(|(setting, _, value)| (*setting, value.as_str())).collect();
        assert_eq!(
            given,
            [("LISTEN", "1"), ("DNSAPI_MODULE", "m"), ("DNSAPI_CLASS", "c"), ("SSL_CERT", "a"), ("SSL_KEY", "b")]
        );
    }

    fn hook(words: &[&str]) -> hook::Call {
        match parsed(words).unwrap().tool {
            Tool::Hook(call) => call,
            _ => panic!("not the hook: {words:?}"),
        }
    }

    #[test]
    fn the_hooks_options_end_at_its_first_word() {
        let words = ["acmegw", "hook", "-e", "f", "setup", "-n", "-e", "--as"];
        assert_eq!(parsed(&words).unwrap().dotenv, Some(PathBuf::from("f")));
        let call = hook(&words);
        assert!(!call.configtest && call.client.is_none());
        assert_eq!(call.words, ["setup", "-n", "-e", "--as"]);
    }

    #[test]
    fn each_word_of_a_client_reaches_the_hook_as_it_is() {
        for words in [&["present", "--", "example.com", "-t", "--"][..], &["setup", "", "--help"], &["a", "-x=1", "-h"]]
        {
            assert_eq!(hook(&[&["acmegw", "hook"], words].concat()).words, words);
            assert_eq!(hook(&[&["/usr/local/bin/acmegw-hook"], words].concat()).words, words);
        }
    }

    #[test]
    fn a_client_is_named_before_the_first_word_and_has_to_be_known() {
        let call = hook(&["acmegw", "hook", "--as", "mdnotifycmd", "example.com"]);
        assert_eq!((call.client.map(|row| row.name), call.words.len()), (Some("MDNotifyCmd"), 1));
        for row in dialect::DIALECTS {
            assert_eq!(hook(&["acmegw", "hook", "--as", row.name]).client.map(|found| found.name), Some(row.name));
        }
        let refused = parsed(&["acmegw", "hook", "--as", "nobody", "add"]).err().unwrap();
        let shown = refused.to_string();
        assert_eq!(refused.exit_code(), 2);
        assert!(dialect::DIALECTS.iter().all(|row| shown.contains(row.name)), "{shown}");
        assert!(parsed(&["acmegw", "hook", "--as", "getssl", "-n"]).is_err());
    }
}
