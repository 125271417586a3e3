//! Which caller may touch which of the domains: ACCESS_FILE, a rule a line. What no rule allows is
//! refused.
//!
//! The file is read for every question, so that a change counts at once; as long as it is wrong or
//! cannot be read, the rules before it stay.

use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use ipnet::IpNet;

use crate::challenge::Name;
use crate::config::{Config, FILE_LIMIT, Mistakes, Setting};
use crate::foreign::Foreign;
use crate::gate::auth::Caller;
use crate::gate::{contains, network};
use crate::mistake::Mistake;
use crate::sys::{self, Refusal};

pub const SETTINGS: &[Setting] =
    &[Setting::new("ACCESS_FILE", "", "who may touch which domains, a rule a line; not set: all callers, all domains")];

/// The rules in force; None where ACCESS_FILE is not set: every caller may touch every domain.
pub struct Access(Option<File>);

struct File {
    path: PathBuf,
    state: Mutex<State>,
}

struct State {
    /// What was found when the file was last read.
    found: Result<String, Refusal>,
    rules: Rules,
}

/// The rules of one file.
struct Rules(Vec<Rule>);

struct Rule {
    who: Who,
    domains: Vec<Domain>,
}

enum Who {
    /// A user whose password was verified.
    User(String),
    /// Whoever asks from there.
    Network(IpNet),
}

enum Domain {
    Exactly(Name),
    /// The name and everything below it.
    Within(Name),
}

/// No rule allows it. Shown with the rule that is missing.
#[derive(Debug, PartialEq, Eq)]
pub struct NotAllowed {
    caller: String,
    name: Name,
}

impl Access {
    /// Everything to everybody.
    pub fn unlimited() -> Access {
        Access(None)
    }

    /// Reads the file, if one is named.
    pub fn read(config: &Config, mistakes: &mut Mistakes) -> Option<Access> {
        let Some(path) = config.path("ACCESS_FILE") else { return Some(Access::unlimited()) };
        let found = sys::read_trusted(&path, FILE_LIMIT);
        if let Err(Refusal { what, remedy }) = found {
            mistakes.push(config.mistake("ACCESS_FILE", format_args!("= {}: {what}", path.display()), remedy));
            return None;
        }
        match File::new(path, found) {
            Ok(file) => Some(Access(Some(file))),
            Err(wrong) => {
                wrong.into_iter().for_each(|mistake| mistakes.push(mistake));
                None
            }
        }
    }

    /// Can the file be read with the rights that we have now? Otherwise no change of it would be seen.
    pub fn readable(&self) -> Result<(), Mistake> {
        let Some(File { path, .. }) = &self.0 else { return Ok(()) };
        sys::read_trusted(path, FILE_LIMIT).map(drop).map_err(|refusal| refusal.at(path, 0))
    }

    #[cfg(test)]
    pub fn of(path: &Path) -> Access {
        let file = File::new(path.to_path_buf(), sys::read_trusted(path, FILE_LIMIT));
        Access(Some(file.unwrap_or_else(|mistakes| panic!("{mistakes:?}"))))
    }

    /// May this caller touch that name?
    pub fn check(&self, caller: &Caller, name: &Name) -> Result<(), NotAllowed> {
        match self.0.as_ref().is_none_or(|file| file.allows(caller, name)) {
            true => Ok(()),
            false => Err(NotAllowed { caller: caller.identity(), name: name.clone() }),
        }
    }
}

impl File {
    /// The error is every mistake in it.
    fn new(path: PathBuf, found: Result<String, Refusal>) -> Result<File, Vec<Mistake>> {
        let rules = parse(&path, &found)?;
        Ok(File { path, state: Mutex::new(State { found, rules }) })
    }

    fn allows(&self, caller: &Caller, name: &Name) -> bool {
        // The rules are put in place in one move, so that a panic elsewhere leaves them whole.
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let found = sys::read_trusted(&self.path, FILE_LIMIT);
        if found != state.found {
            match parse(&self.path, &found) {
                Ok(rules) => {
                    log::info!("{} was changed: {} rules", self.path.display(), rules.0.len());
                    state.rules = rules;
                }
                Err(mistakes) => {
                    mistakes.iter().for_each(|mistake| log::error!("the access rules stay as they were: {mistake}"));
                }
            }
            state.found = found;
        }
        state.rules.allow(caller, name)
    }
}

fn parse(path: &Path, found: &Result<String, Refusal>) -> Result<Rules, Vec<Mistake>> {
    let text = found.as_ref().map_err(|refusal| vec![refusal.clone().at(path, 0)])?;
    let at = |(line, refusal): (usize, Refusal)| refusal.at(path, line);
    Rules::parse(text).map_err(|wrong| wrong.into_iter().map(at).collect())
}

impl Rules {
    /// The error is every line that is wrong.
    fn parse(text: &str) -> Result<Rules, Vec<(usize, Refusal)>> {
        let (mut rules, mut wrong) = (Vec::new(), Vec::new());
        for (index, line) in text.lines().enumerate() {
            match Rule::parse(line) {
                Ok(rule) => rules.extend(rule),
                Err(refusal) => wrong.push((index + 1, refusal)),
            }
        }
        if wrong.is_empty() { Ok(Rules(rules)) } else { Err(wrong) }
    }

    fn allow(&self, caller: &Caller, name: &Name) -> bool {
        self.0.iter().any(|rule| rule.who.is(caller) && rule.domains.iter().any(|domain| domain.covers(name)))
    }
}

impl Rule {
    /// `USER example.com .example.org`; None for a blank line or a comment.
    fn parse(line: &str) -> Result<Option<Rule>, Refusal> {
        let mut words = line.split_whitespace().take_while(|word| !word.starts_with('#'));
        let Some(who) = words.next() else { return Ok(None) };
        let who = Who::parse(who)?;
        let domains = words.map(Domain::parse).collect::<Result<Vec<_>, _>>()?;
        match domains.is_empty() {
            false => Ok(Some(Rule { who, domains })),
            true => Err(Refusal::new("a rule without a domain", "write USER or ADDRESS, a blank, and the domains")),
        }
    }
}

impl Who {
    /// What can only be meant as an address has to be one; anything else is a user's name.
    fn parse(word: &str) -> Result<Who, Refusal> {
        let wrong = |remedy| Refusal::new(format!("'{}' is neither an address nor a user", Foreign(word)), remedy);
        if word.contains(',') {
            return Err(wrong("put blanks between the words, and no commas".to_string()));
        }
        let is_number = word.bytes().all(|b| b.is_ascii_digit() || b == b'.');
        match network(word) {
            Ok(network) => Ok(Who::Network(network)),
            Err(remedy) if is_number || word.contains(['/', ':']) => Err(wrong(remedy)),
            Err(_) => Ok(Who::User(word.to_string())),
        }
    }

    fn is(&self, caller: &Caller) -> bool {
        match self {
            Who::User(name) => caller.user() == Some(name),
            Who::Network(network) => caller.host().is_some_and(|address: IpAddr| contains(&[*network], address)),
        }
    }
}

impl Domain {
    fn parse(word: &str) -> Result<Domain, Refusal> {
        let (domain, name): (fn(Name) -> Domain, _) = match word.strip_prefix('.') {
            Some(name) => (Domain::Within, name),
            None => (Domain::Exactly, word),
        };
        Name::host(name).map(domain).map_err(|error| {
            Refusal::new(
                format!("'{}' is {error}", Foreign(word)),
                "write example.com for the name and its wildcard, .example.com for all names below it too",
            )
        })
    }

    fn covers(&self, name: &Name) -> bool {
        match self {
            Domain::Exactly(exactly) => name == exactly,
            Domain::Within(parent) => name.is_within(parent),
        }
    }
}

impl fmt::Display for NotAllowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (caller, name) = (Foreign(&self.caller), &self.name);
        write!(f, "{caller} may not touch {name}: ACCESS_FILE of the gateway lacks the rule '{caller} {name}'")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;

    fn name(text: &str) -> Name {
        Name::host(text).unwrap()
    }

    fn user(name: &str) -> Caller {
        Caller::at(IpAddr::from([198, 51, 100, 1]), true, Some(name))
    }

    fn host(address: &str) -> Caller {
        Caller::at(address.parse().unwrap(), true, None)
    }

    /// The names of example.com that a caller may touch.
    fn allowed(access: &Access, caller: &Caller) -> Vec<&'static str> {
        let names = ["example.com", "www.example.com", "a.www.example.com", "example.org", "badexample.com"];
        names.into_iter().filter(|text| access.check(caller, &name(text)).is_ok()).collect()
    }

    #[test]
    fn a_rule_gives_exactly_a_name_or_all_below_it_too() {
        let scratch = Scratch::new();
        let text = "# who  what\n\nalice example.com\t.WWW.example.com. # a comment\n192.0.2.0/24 .example.com\r\n\
                    alice example.org\n2001:db8::7 example.org\n";
        let access = Access::of(&scratch.file("access", text));
        let alices = ["example.com", "www.example.com", "a.www.example.com", "example.org"];
        assert_eq!(allowed(&access, &user("alice")), alices);
        assert_eq!(allowed(&access, &host("192.0.2.7")), ["example.com", "www.example.com", "a.www.example.com"]);
        assert_eq!(allowed(&access, &host("2001:db8::7")), ["example.org"]);
        for stranger in [user("Alice"), user("bob"), host("198.51.100.1"), host("2001:db8::8")] {
            assert_eq!(allowed(&access, &stranger), [""; 0], "{stranger:?}");
        }
        let proxy = Caller::at("192.0.2.7".parse().unwrap(), false, None);
        assert_eq!(allowed(&access, &proxy), [""; 0], "a proxy that names nobody has no host right");
    }

    #[test]
    fn a_refusal_says_which_rule_is_missing() {
        let scratch = Scratch::new();
        let access = Access::of(&scratch.file("access", ""));
        let refusal = |caller: &Caller| access.check(caller, &name("www.example.com")).unwrap_err().to_string();
        assert!(refusal(&user("alice")).ends_with("lacks the rule 'alice www.example.com'"));
        assert!(refusal(&host("::1")).ends_with("lacks the rule '::1 www.example.com'"));
    }

    #[test]
    fn every_mistake_is_told_with_its_line() {
        let wrong = |text: &str| {
            let mistakes = File::new(PathBuf::new(), Ok(text.to_string())).err().unwrap_or_default();
            let shown = mistakes.iter().map(|one| one.to_string());
            shown.collect::<Vec<_>>()
        };
        assert!(wrong("alice a.com\n\nbob\n")[0].starts_with(":3: a rule without a domain"));
        assert!(wrong("bob # a.com\n")[0].starts_with(":1: a rule without a domain"));
        for who in ["192.0.2.77/24", "192.0.2", "192.0.2.0/33", "alice:", "2001:db8::1/64", "a/b", "alice,"] {
            let shown = wrong(&format!("{who} example.com"));
            assert!(shown.len() == 1 && shown[0].starts_with(":1: '"), "{who}: {shown:?}");
        }
        for domain in
            ["*.example.com", "..example.com", ".", "example.com,", "_acme-challenge.example.com", "192.0.2.1"]
        {
            let shown = wrong(&format!("alice example.org {domain}"));
            assert!(shown.len() == 1 && shown[0].contains(" for the name and its wildcard"), "{domain}: {shown:?}");
        }
        assert_eq!(wrong("alice\nbob example.com\ncarol *\n").len(), 2);
    }

    #[test]
    fn a_change_counts_at_once_and_a_mistake_keeps_the_rules_before_it() {
        let scratch = Scratch::new();
        let path = scratch.file("access", "alice example.com");
        let access = Access::of(&path);
        let alice = |access| allowed(access, &user("alice"));
        assert_eq!(alice(&access), ["example.com"]);
        scratch.file("access", "alice example.org");
        assert_eq!(alice(&access), ["example.org"], "as long as before");
        for wrong in ["alice example.com\nbob", "alice \u{fffd}"] {
            scratch.file("access", wrong);
            assert_eq!(alice(&access), ["example.org"], "{wrong}");
        }
        scratch.file("access", "alice .example.com");
        assert_eq!(alice(&access).len(), 3);
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o666)).unwrap();
        assert_eq!(alice(&access).len(), 3, "others can write it");
        std::fs::remove_file(&path).unwrap();
        assert_eq!(alice(&access).len(), 3, "it is gone");
        scratch.file("access", "");
        assert_eq!(alice(&access), [""; 0], "a file without a rule allows nothing");
    }
}
