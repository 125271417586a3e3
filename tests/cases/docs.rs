//! What administrators read is held to what the program does: every flag and every configuration
//! name stands in help, manual and README, whatever the manual documents exists, and acmegw itself
//! takes each shipped example.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use acmegw::cli::{self, Tool};
use acmegw::config::Setting;
use acmegw::http;
use acmegw::provider::PROVIDERS;

use crate::support::{Scratch, acmegw, run, stderr};

/// The manual of all configuration names, but for those that one provider only takes.
const CONF: &str = "man/acmegw.conf.5";
/// The manual of the providers, each with all names that it takes.
const PROVIDERS_PAGE: &str = "man/acmegw-providers.7";

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn text(name: &str) -> String {
    fs::read_to_string(path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// A command of the command line, as it is documented.
struct Documented {
    page: &'static str,
    /// What is typed after `acmegw`.
    words: &'static [&'static str],
}

const COMMANDS: [Documented; 7] = [
    Documented { page: "man/acmegw.8", words: &[] },
    Documented { page: "man/acmegw-serve.8", words: &["serve"] },
    Documented { page: "man/acmegw-hook.8", words: &["hook"] },
    Documented { page: "man/acmegw-passwd.8", words: &["passwd"] },
    Documented { page: "man/acmegw-probe.8", words: &["probe"] },
    Documented { page: "man/acmegw-acmedns.8", words: &["acmedns"] },
    Documented { page: PROVIDERS_PAGE, words: &["providers"] },
];

impl Documented {
    /// The flags that the program takes, `-e` and `--dotenv` alike; aliases are not among them.
    fn flags(&self) -> BTreeSet<String> {
        let mut root = cli::command();
        root.build();
        let command = match self.words {
            [] => &root,
            [name, ..] => root.find_subcommand(name).unwrap(),
        };
        let long = |long: &str| format!("--{long}");
        let both = command
            .get_arguments()
            .flat_map(|arg| [arg.get_short().map(|c| format!("-{c}")), arg.get_long().map(long)]);
        both.flatten().collect()
    }

    /// The flags that the manual lists: `.It Fl e , Fl -dotenv Ar file`.
    fn listed(&self) -> BTreeSet<String> {
        items(self.page).iter().flat_map(|item| after("Fl", item)).map(|flag| format!("-{flag}")).collect()
    }

    fn help(&self) -> String {
        let words = [self.words, &["--help"]].concat();
        String::from_utf8(run(&words).stdout).unwrap()
    }
}

/// The heads of a manual's lists.
fn items(page: &str) -> Vec<String> {
    text(page).lines().filter_map(|line| line.strip_prefix(".It ")).map(str::to_string).collect()
}

/// The arguments of an mdoc macro, one for each time it stands in the line.
fn after<'a>(name: &str, line: &'a str) -> Vec<&'a str> {
    let words: Vec<_> = line.split(' ').collect();
    words.windows(2).filter(|pair| pair[0] == name).map(|pair| pair[1]).collect()
}

/// The words of a text as people type them, without the punctuation around them.
fn words(text: &str) -> BTreeSet<String> {
    let parts = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '_'));
    parts.map(str::to_string).collect()
}

/// Every configuration name with its default, those of files with secrets included.
fn settings() -> BTreeMap<String, &'static str> {
    let known = acmegw::settings::all();
    let files = known.iter().filter(|setting| setting.secret).map(|setting| (format!("{}_FILE", setting.name), ""));
    files.chain(known.iter().map(|setting| (setting.name.to_string(), setting.default))).collect()
}

/// A name as a manual has it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    name: String,
    default: String,
    required: bool,
}

/// `.It Ev NAME`, `.It Ev NAME Pq default Ql VALUE` or `.It Ev NAME Pq required`.
fn entries_in(text: &str) -> Vec<Entry> {
    let settings = text.lines().filter_map(|line| line.strip_prefix(".It Ev "));
    let setting = |item: &str| {
        let (name, rest) = item.split_once(" Pq ").unwrap_or((item, ""));
        let default = rest.strip_prefix("default Ql ").unwrap_or_default().to_string();
        Entry { name: name.to_string(), default, required: rest == "required" }
    };
    settings.map(setting).collect()
}

#[test]
fn each_manual_lists_the_flags_of_its_command_and_no_others() {
    for command in &COMMANDS {
        assert_eq!(command.listed(), command.flags(), "{}", command.page);
    }
}

#[test]
fn help_and_readme_name_every_flag_of_the_manuals() {
    let readme = words(&text("README.md"));
    for command in &COMMANDS {
        let help = words(&command.help());
        for flag in command.listed() {
            assert!(help.contains(&flag), "{flag} is not in the help of {:?}", command.words);
            assert!(readme.contains(&flag), "{flag} of {} is not in README.md", command.page);
        }
    }
}

#[test]
fn the_help_of_each_tool_names_its_settings_and_all_have_every_one() {
    let help = |tool: &str| words(&String::from_utf8(run(&[tool, "--help"]).stdout).unwrap());
    let (serve, hook) = (help("serve"), help("hook"));
    let missing: Vec<_> = settings().into_keys().filter(|name| !serve.contains(name) && !hook.contains(name)).collect();
    assert!(missing.is_empty(), "in no help: {missing:?}");
    assert!(
        serve.contains("LISTEN") && !serve.contains("API_URI") && hook.contains("API_URI") && !hook.contains("LISTEN")
    );
    assert!(help("passwd").contains("PASSWD_FILE"));
}

#[test]
fn each_command_and_each_action_has_its_entry() {
    let entries = |page: &str| -> BTreeSet<String> {
        let items = items(page);
        items
            .iter()
            .filter(|item| item.starts_with("Cm "))
            .flat_map(|item| after("Cm", item))
            .map(String::from)
            .collect()
    };
    let overview = entries("man/acmegw.8");
    for command in cli::command().get_subcommands() {
        let name = command.get_name();
        let page = COMMANDS.iter().find(|documented| documented.words == [name]);
        let page = page.unwrap_or_else(|| panic!("{name} has no manual")).page;
        assert!(overview.contains(name), "{name}");
        for action in command.get_arguments().flat_map(|argument| argument.get_possible_values()) {
            // clap knows the two values of a switch.
            let is_listed = entries(page).contains(action.get_name());
            assert!(is_listed || ["true", "false"].contains(&action.get_name()), "{page}: {}", action.get_name());
        }
    }
}

/// `.It Pa apache-mod_md.sh Ta Cm hook`
#[test]
fn each_documented_link_is_the_tool_that_the_manual_says() {
    let items = items("man/acmegw.8");
    let links: Vec<_> = items.iter().filter(|item| item.contains(" Ta Cm ")).collect();
    assert_eq!(links.len(), 7);
    for link in links {
        let (name, tool) = (after("Pa", link)[0], after("Cm", link)[0]);
        let word = match tool {
            "passwd" => "list",
            "probe" => "-j",
            _ => "-n",
        };
        let called = ["/usr/local/bin/".to_string() + name, word.to_string()].map(OsString::from);
        let is = match cli::parse(called.into_iter()).unwrap().tool {
            Tool::Serve { .. } => "serve",
            Tool::Hook(_) => "hook",
            Tool::Passwd(_) => "passwd",
            Tool::Probe(_) => "probe",
            Tool::Acmedns(_) => "acmedns",
            Tool::Providers(_) => "providers",
        };
        assert_eq!(is, tool, "{name}");
    }
}

#[test]
fn the_manual_lists_every_configuration_name_with_its_default_and_no_others() {
    let documented = [entries_in(&text(CONF)), entries_in(&text(PROVIDERS_PAGE))].concat();
    let known = settings();
    for Entry { name, default, .. } in &documented {
        let actual = known.get(name).unwrap_or_else(|| panic!("{name} is in a manual and not in the program"));
        assert_eq!(default, actual, "the default of {name}");
    }
    let listed: BTreeSet<_> = documented.iter().map(|entry| &entry.name).collect();
    let missing: Vec<_> = known.keys().filter(|name| !listed.contains(name)).collect();
    assert!(missing.is_empty(), "not in {CONF}: {missing:?}");
}

#[test]
fn the_readme_names_every_configuration_name() {
    let readme = words(&text("README.md"));
    let missing: Vec<_> = settings().into_keys().filter(|name| !readme.contains(name)).collect();
    assert!(missing.is_empty(), "not in README.md: {missing:?}");
}

/// A row of the table is a section of the page, with exactly its settings, and a line of the README.
#[test]
fn each_provider_is_described_with_its_state_and_its_settings_and_nothing_else_is() {
    let (manual, readme) = (text(PROVIDERS_PAGE), text("README.md"));
    let listed = manual.split("\n.Sh ").find(|section| section.starts_with("PROVIDERS\n")).unwrap();
    let sections: BTreeMap<&str, &str> =
        listed.split("\n.Ss ").skip(1).map(|section| section.split_once('\n').unwrap()).collect();
    assert_eq!(sections.keys().copied().collect::<BTreeSet<_>>(), PROVIDERS.iter().map(|row| row.name).collect());
    for row in PROVIDERS {
        let (name, section) = (row.name, sections[row.name]);
        let is_proxy = |setting: &&Setting| http::SETTINGS.iter().any(|proxy| proxy.name == setting.name);
        let own = row.settings().filter(|setting| !is_proxy(setting));
        let entry = |setting: &Setting| Entry {
            name: setting.name.to_string(),
            default: setting.default.to_string(),
            required: setting.required,
        };
        let own: BTreeSet<_> = own.map(entry).collect();
        assert_eq!(entries_in(section).into_iter().collect::<BTreeSet<_>>(), own, "{PROVIDERS_PAGE}, {name}");
        assert_eq!(section.contains("ALL_PROXY"), row.settings().any(|one| is_proxy(&one)), "{PROVIDERS_PAGE}, {name}");
        assert_eq!(section.contains("experimental"), row.experimental, "{PROVIDERS_PAGE}, {name}");
        let address = row.documentation.map(|address| format!("\n.Lk {address}\n"));
        assert!(address.is_none_or(|link| section.contains(&link)), "{PROVIDERS_PAGE}, {name}: its documentation");
        let line = readme.lines().find(|line| line.starts_with(&format!("| `{name}` |")));
        let line = line.unwrap_or_else(|| panic!("{name} has no line in README.md"));
        assert_eq!(line.contains("experimental"), row.experimental, "README.md, {name}");
        let missing: Vec<_> = own.iter().filter(|one| one.required && !words(line).contains(&one.name)).collect();
        assert!(missing.is_empty(), "README.md, {name}: {missing:?}");
    }
    let lines = readme.split("\n## ").find(|section| section.starts_with("Providers\n")).unwrap();
    assert_eq!(lines.lines().filter(|line| line.starts_with("| `")).count(), PROVIDERS.len(), "README.md");
}

/// What `acmegw providers` says is shown by the tests of its file; this is that the program says it.
#[test]
fn the_program_lists_its_providers_and_knows_no_others() {
    let shown = |words: &[&str]| String::from_utf8(run(words).stdout).unwrap();
    assert_eq!(shown(&["providers"]).lines().count(), PROVIDERS.len());
    assert!(shown(&["providers", "RFC2136"]).contains("DNSAPI_ALGORITHM"));
    let unknown = run(&["providers", "rfc2163"]);
    assert_eq!(unknown.status.code(), Some(2));
    assert!(stderr(&unknown).contains("did you mean rfc2136?"), "{}", stderr(&unknown));
}

/// The shipped files whose names begin so, copied to where their owner and mode are right.
fn examples(folder: &Scratch, prefix: &str) -> Vec<String> {
    let names = fs::read_dir(path("scripts")).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let names: Vec<_> = names.filter(|name| name.starts_with(prefix)).collect();
    for name in &names {
        folder.file(name, &text(&format!("scripts/{name}")));
    }
    assert!(!names.is_empty(), "no {prefix} in scripts/");
    names
}

#[test]
fn the_gateway_takes_each_example_of_its_configuration() {
    let folder = Scratch::new();
    let program = folder.file_mode("exec-example", &text("scripts/exec-example"), 0o700);
    let key = text("tests/provider/googlecloud/key.json");
    folder.file("service-account.json", &key.replace("TOKEN_URI", "https://oauth2.googleapis.com/token"));
    let names = examples(&folder, "dotenv.");
    assert_eq!(names.len(), PROVIDERS.len(), "one example a provider: {names:?}");
    for name in names {
        let file = folder.join(&name);
        let mut check = acmegw(&["serve", "-n", "-e", file.to_str().unwrap()]);
        check.env("STATE_DIR", folder.path());
        if name == "dotenv.exec" {
            check.env("DNSAPI_PROGRAM", &program);
        }
        let output = check.output().unwrap();
        assert!(output.status.success(), "{name}: {}", stderr(&output));
    }
}

#[test]
fn the_gateway_takes_the_example_of_its_access_file() {
    let folder = Scratch::new();
    examples(&folder, "access");
    let dotenv = "SSL = off\nALLOWED_HOSTS = ::1\nDNSAPI_DOMAINS = example.com\nDNS_LISTEN = 127.0.0.1:0\n";
    let file = folder.file("dotenv", &format!("{dotenv}ACCESS_FILE = access\n"));
    let output = run(&["serve", "-n", "-e", file.to_str().unwrap()]);
    assert!(output.status.success(), "{}", stderr(&output));
}

#[test]
fn the_hook_takes_the_example_of_its_configuration() {
    let folder = Scratch::new();
    for name in examples(&folder, "acmegw-hook.conf") {
        let file = folder.join(&name);
        let mut check = acmegw(&["hook", "-n", "-e", file.to_str().unwrap()]);
        // Nobody listens there: only the configuration is looked at.
        check.env("API_URI", "https://127.0.0.1:1").env("LOGFILE", folder.join("log"));
        let output = check.output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(said.contains(&format!("configuration ok: {}", file.display())), "{said}{}", stderr(&output));
    }
}

/// `# API_PIN = …`: whoever removes the `#` gets no unknown name.
#[test]
fn what_the_examples_hold_in_comments_are_names_too() {
    let folder = Scratch::new();
    let known = settings();
    for name in [examples(&folder, "dotenv."), examples(&folder, "acmegw-hook.conf")].concat() {
        let text = text(&format!("scripts/{name}"));
        let lines = text.lines().filter_map(|line| line.strip_prefix("# ")?.split_once(" = "));
        for (written, _) in lines.filter(|(written, _)| !written.contains(' ')) {
            assert!(known.contains_key(written), "{name}: {written}");
        }
    }
}

/// A message that was reworded is no longer found by whoever looks it up at night.
#[test]
fn each_message_that_the_manual_explains_is_one_of_the_programs() {
    let sources = sources(&path("src"));
    let manual = text("man/acmegw.8");
    let section = manual.split("\n.Sh ").find(|section| section.starts_with("DIAGNOSTICS\n")).unwrap();
    let explained = section.lines().filter_map(|line| line.strip_prefix(".It "));
    for message in explained.filter(|message| !message.starts_with("status ")) {
        assert!(sources.contains(message), "nothing in src/ says '{message}'");
    }
}

/// The last cell of each row of SECURITY.md: names of tests, and files.
#[test]
fn each_test_that_security_md_names_exists() {
    let sources = sources(&path("src")) + &sources(&path("tests"));
    let words: Vec<&str> = sources.split_whitespace().collect();
    let names = words.windows(3).filter(|three| three[0].ends_with("#[test]") && three[1] == "fn");
    let tests: BTreeSet<&str> = names.filter_map(|three| three[2].strip_suffix("()")).collect();
    let security = text("SECURITY.md");
    let rows = security
        .lines()
        .filter(|line| line.starts_with('|') && !line.starts_with("| attack |") && !line.starts_with("|---"));
    for row in rows {
        let shown_by = row.trim_end_matches([' ', '|']).rsplit(" | ").next().unwrap();
        let names: Vec<&str> = shown_by.split('`').skip(1).step_by(2).collect();
        assert!(!names.is_empty(), "a row without a test: {row}");
        for name in names {
            let exists = if name.contains('/') { path(name).exists() } else { tests.contains(name) };
            assert!(exists, "SECURITY.md names {name}, which is no test");
        }
    }
}

/// The guide for whoever adds a provider: NAME is one that there is.
#[test]
fn each_file_that_contributing_md_names_exists() {
    let guide = text("CONTRIBUTING.md").replace("NAME", "gandi");
    let quoted = guide.split('`').skip(1).step_by(2).filter(|word| !word.contains(' '));
    let is_file = |word: &&str| ["src/", "tests/", "man/", "scripts/"].iter().any(|folder| word.starts_with(folder));
    let named: Vec<_> = quoted.filter(is_file).collect();
    assert!(named.len() > 10);
    let missing: Vec<_> = named.into_iter().filter(|name| !path(name).exists()).collect();
    assert!(missing.is_empty(), "CONTRIBUTING.md names {missing:?}");
    let sources = sources(&path("src"));
    for word in ["PROVIDERS", "FIXTURES", "Profile", "Records", "Rrsets", "Credentials", "Fixed", "with_token"] {
        assert!(guide.contains(&format!("`{word}`")) || guide.contains(&format!("::{word}`")), "{word}");
        assert!(sources.contains(word), "CONTRIBUTING.md speaks of {word}, which is nowhere in src/");
    }
}

/// All that stands in the files of a folder and of those below it.
fn sources(folder: &Path) -> String {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.map(|path| if path.is_dir() { sources(&path) } else { fs::read_to_string(&path).unwrap() }).collect()
}

/// The default waits blindly, as it always did; whoever begins anew need not.
#[test]
fn each_example_of_the_gateway_has_records_looked_for() {
    for name in examples(&Scratch::new(), "dotenv.") {
        assert!(text(&format!("scripts/{name}")).lines().any(|line| line == "PROPAGATION = auto"), "{name}");
    }
}
