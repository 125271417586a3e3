//! Configuration: arguments before environment before dotenv file before default.
//!
//! Each part of acmegw publishes its settings as a const slice of [`Setting`]; their union is what
//! the file may contain. The readers below give a value or a [`Mistake`] that names file, line and
//! remedy; [`Mistakes`] collects them, so that `-n` shows every fault and not only the first.

#[cfg(test)]
mod properties;
mod search;
mod source;

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::failure::Failure;
use crate::foreign::Foreign;
use crate::mistake::{Mistake, Origin};
use crate::secret::Secret;
use crate::sys;
use search::locate;
use source::Entry;

pub use search::{FOLDERS, Search};

/// No configuration, key or users file is longer than this (bytes).
pub const FILE_LIMIT: u64 = 1 << 20;

/// One configuration name.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    pub name: &'static str,
    /// Empty: none. It goes through the same parser as a written value.
    pub default: &'static str,
    pub meaning: &'static str,
    /// Never shown, and also accepted as `NAME_FILE`, the file that holds it.
    pub secret: bool,
    /// A list of further names, which become known by standing in it.
    pub names: bool,
}

impl Setting {
    pub const fn new(name: &'static str, default: &'static str, meaning: &'static str) -> Setting {
        Setting { name, default, meaning, secret: false, names: false }
    }

    pub const fn secret(name: &'static str, meaning: &'static str) -> Setting {
        Setting { name, default: "", meaning, secret: true, names: false }
    }

    /// For what a program of the administrator's needs, and no part of acmegw knows.
    pub const fn names(name: &'static str, meaning: &'static str) -> Setting {
        Setting { name, default: "", meaning, secret: false, names: true }
    }
}

/// The setting that names the file itself.
pub const SETTINGS: &[Setting] = &[Setting::new("DOTENV", "", "the configuration file")];

/// Collects mistakes while the settings are read.
#[derive(Debug, Default)]
pub struct Mistakes(Vec<Mistake>);

impl Mistakes {
    /// Notes the mistake, if it is one, and hands on the value.
    pub fn note<T>(&mut self, result: Result<T, Mistake>) -> Option<T> {
        result.map_err(|mistake| self.0.push(mistake)).ok()
    }

    pub fn push(&mut self, mistake: Mistake) {
        self.0.push(mistake);
    }

    /// What was read, or every mistake.
    pub fn finish<T>(self, read: Option<T>) -> Result<T, Failure> {
        match read {
            Some(read) if self.0.is_empty() => Ok(read),
            _ => Err(Failure::Config(self.0)),
        }
    }
}

/// A setting as it was found.
struct Found {
    value: String,
    origin: Origin,
}

/// A name out of a list of names ([`Setting::names`]), spelled as it is there.
struct Named {
    name: String,
    found: Option<Found>,
}

/// What was written, wherever it was written. Nothing is interpreted before somebody asks.
pub struct Config {
    known: Vec<Setting>,
    found: HashMap<&'static str, Found>,
    /// What the lists of names made known.
    named: Vec<Named>,
    file: Option<Arc<Path>>,
}

impl Config {
    /// Gathers the three sources.
    ///
    /// `arguments` are (setting, flag, value); `environment` gives a variable's value.
    /// Unknown names come back as mistakes; a file that cannot be read is an error at once,
    /// since everything that would be reported after it would only follow from it.
    pub fn load(
        known: &[Setting],
        arguments: Vec<(&'static str, &'static str, String)>,
        environment: impl Fn(&str) -> Option<String>,
        search: Search<'_>,
    ) -> Result<(Config, Mistakes), Failure> {
        let known = with_file_settings(known);
        let environment = |name: &str| environment(name).filter(|value| !value.is_empty());
        let file = locate(search, environment("DOTENV")).map_err(|mistake| Failure::Config(vec![mistake]))?;
        let mut config = Config { known, found: HashMap::new(), named: Vec::new(), file };
        let mut mistakes = Mistakes::default();
        if let Some(path) = config.file.clone() {
            let text = sys::read_trusted(&path, FILE_LIMIT).map_err(|reason| {
                Failure::Config(vec![Mistake::new(
                    Origin::File { path: path.clone(), line: 0 },
                    reason.what,
                    reason.remedy,
                )])
            })?;
            let (entries, malformed) = source::parse(&path, &text);
            config.named = config.listed(&entries, &environment);
            mistakes = config.take_file(&path, entries, malformed);
        } else {
            config.named = config.listed(&[], &environment);
        }
        for named in &mut config.named {
            if let Some(value) = environment(&named.name) {
                named.found = Some(Found { value, origin: Origin::Environment });
            }
        }
        for index in 0..config.known.len() {
            let name = config.known[index].name;
            if let Some(value) = environment(name) {
                config.found.insert(name, Found { value, origin: Origin::Environment });
            }
        }
        for (name, flag, value) in arguments {
            let name = config.setting(name).name;
            config.found.insert(name, Found { value, origin: Origin::Argument(flag) });
        }
        Ok((config, mistakes))
    }

    /// The names that stand in lists of names, wherever in the file the lists are.
    fn listed(&self, entries: &[Entry], environment: &impl Fn(&str) -> Option<String>) -> Vec<Named> {
        let written = |name: &str| {
            let last = entries.iter().rfind(|entry| entry.name == name);
            environment(name).or_else(|| last.map(|entry| entry.value.clone()))
        };
        let lists: Vec<String> =
            self.known.iter().filter(|setting| setting.names).filter_map(|list| written(list.name)).collect();
        let names = lists.iter().flat_map(|list| list.split(',')).map(str::trim);
        names.map(|name| Named { name: name.to_string(), found: None }).collect()
    }

    fn take_file(&mut self, path: &Arc<Path>, entries: Vec<Entry>, malformed: Vec<Mistake>) -> Mistakes {
        let mut mistakes = Mistakes(malformed);
        for entry in entries {
            let origin = Origin::File { path: path.clone(), line: entry.line };
            match self.known.iter().find(|setting| setting.name == entry.name) {
                // As in the environment: what is empty is unset, and the last one wins.
                Some(setting) if entry.value.is_empty() => drop(self.found.remove(setting.name)),
                Some(setting) => drop(self.found.insert(setting.name, Found { value: entry.value, origin })),
                None if self.is_named(&entry.name) => self.take_named(entry, origin),
                None => mistakes.push(Mistake::new(
                    origin,
                    format!("{} is not a name that acmegw knows", Foreign(&entry.name)),
                    self.suggestion(&entry.name),
                )),
            }
        }
        mistakes
    }

    fn is_named(&self, name: &str) -> bool {
        self.named.iter().any(|named| named.name.eq_ignore_ascii_case(name))
    }

    /// Names in the file have no case: the value is for every spelling that is listed.
    fn take_named(&mut self, entry: Entry, origin: Origin) {
        for named in self.named.iter_mut().filter(|named| named.name.eq_ignore_ascii_case(&entry.name)) {
            let found = Found { value: entry.value.clone(), origin: origin.clone() };
            named.found = Some(found).filter(|found| !found.value.is_empty());
        }
    }

    fn suggestion(&self, name: &str) -> String {
        let near = |setting: &&Setting| strsim::damerau_levenshtein(setting.name, name);
        match self.known.iter().min_by_key(near).filter(|setting| near(setting) <= 3) {
            Some(setting) => format!("did you mean {}? Otherwise remove the line", setting.name),
            None => "remove the line (all names are in acmegw.conf(5))".to_string(),
        }
    }

    /// The file in use.
    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// The folder of the file in use, in which `cert.pem` and its like are looked for.
    pub fn folder(&self) -> Option<&Path> {
        self.file.as_deref().and_then(Path::parent)
    }

    /// Is the setting written anywhere?
    pub fn is_set(&self, name: &str) -> bool {
        self.found.contains_key(name)
    }

    /// Where the setting is written, for mistakes that only the reader can see.
    pub fn origin(&self, name: &str) -> Origin {
        self.found.get(name).map_or(Origin::Default, |found| found.origin.clone())
    }

    /// A mistake about the value of one setting.
    pub fn mistake(&self, name: &str, what: impl fmt::Display, remedy: impl Into<String>) -> Mistake {
        Mistake::new(self.origin(name), format!("{name} {what}"), remedy)
    }

    /// The written text or the default; None where there is neither.
    pub fn text(&self, name: &str) -> Option<&str> {
        match self.found.get(name) {
            Some(found) => Some(&found.value),
            None => Some(self.setting(name).default).filter(|default| !default.is_empty()),
        }
    }

    /// The value through a parser; its error is the remedy ("write it as …").
    pub fn parse<T>(&self, name: &str, parser: impl Fn(&str) -> Result<T, String>) -> Result<Option<T>, Mistake> {
        self.text(name).map(|text| self.parsed(name, text, &parser)).transpose()
    }

    /// Like [`Config::parse`], but a wrong value is not shown: an address may hold a password.
    pub fn parse_unshown<T>(
        &self,
        name: &str,
        parser: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Option<T>, Mistake> {
        let wrong = |remedy| self.mistake(name, "has a wrong value", remedy);
        self.text(name).map(|text| parser(text).map_err(wrong)).transpose()
    }

    /// Like [`Config::parse`], for a list by commas. Empty items are passed over.
    pub fn list<T>(&self, name: &str, parser: impl Fn(&str) -> Result<T, String>) -> Result<Vec<T>, Mistake> {
        let items = self.text(name).unwrap_or_default().split(',').map(str::trim).filter(|item| !item.is_empty());
        items.map(|item| self.parsed(name, item, &parser)).collect()
    }

    fn parsed<T>(&self, name: &str, text: &str, parser: &impl Fn(&str) -> Result<T, String>) -> Result<T, Mistake> {
        let wrong = |remedy| match self.setting(name).secret {
            true => self.mistake(name, "has a wrong value", remedy),
            false => self.mistake(name, format_args!("has a wrong value, '{}'", Foreign(text)), remedy),
        };
        parser(text).map_err(wrong)
    }

    /// A value that must be there.
    pub fn required<T>(&self, name: &str, value: Result<Option<T>, Mistake>) -> Result<T, Mistake> {
        let meaning = self.setting(name).meaning;
        value?.ok_or_else(|| self.mistake(name, "is not set", format!("set {name} ({meaning})")))
    }

    /// One of a few words, in any case.
    pub fn choice<T: Copy>(&self, name: &str, choices: &[(&str, T)]) -> Result<Option<T>, Mistake> {
        self.parse(name, |text| {
            let chosen = choices.iter().find(|(word, _)| word.eq_ignore_ascii_case(text));
            chosen.map(|(_, choice)| *choice).ok_or_else(|| {
                let words: Vec<_> = choices.iter().map(|(word, _)| *word).collect();
                format!("write one of {}", words.join(", "))
            })
        })
    }

    /// `on` or `off`, and what people write for them.
    pub fn switch(&self, name: &str) -> Result<Option<bool>, Mistake> {
        let words = [
            ("on", true),
            ("off", false),
            ("yes", true),
            ("no", false),
            ("true", true),
            ("false", false),
            ("1", true),
            ("0", false),
        ];
        self.choice(name, &words)
    }

    /// A whole number within a range.
    pub fn number(&self, name: &str, range: std::ops::RangeInclusive<u64>) -> Result<Option<u64>, Mistake> {
        self.parse(name, |text| {
            let number = text.parse().ok().filter(|number| range.contains(number));
            number.ok_or_else(|| format!("write a whole number from {} to {}", range.start(), range.end()))
        })
    }

    /// A path; a relative one in the file is taken from the file's own folder.
    pub fn path(&self, name: &str) -> Option<PathBuf> {
        let path = PathBuf::from(self.text(name)?);
        match (self.origin(name), self.folder()) {
            (Origin::File { .. }, Some(folder)) => Some(folder.join(path)),
            _ => Some(path),
        }
    }

    /// A secret: written out, or in the file that `NAME_FILE` names (its first line).
    pub fn secret(&self, name: &str) -> Result<Option<Secret>, Mistake> {
        debug_assert!(self.setting(name).secret);
        let file_name = format!("{name}_FILE");
        let Some(path) = self.path(&file_name) else {
            return Ok(self.text(name).map(|text| Secret::new(text.to_string())));
        };
        if self.is_set(name) {
            return Err(self.mistake(&file_name, format_args!("and {name} are both set"), "keep one of the two"));
        }
        let text = sys::read_trusted(&path, FILE_LIMIT).map_err(|reason| {
            self.mistake(&file_name, format_args!("= {}: {}", path.display(), reason.what), reason.remedy)
        })?;
        match text.lines().next().filter(|line| !line.is_empty()) {
            Some(line) => Ok(Some(Secret::new(line.to_string()))),
            None => Err(self.mistake(
                &file_name,
                format_args!("= {}: its first line is empty", path.display()),
                "write the secret into its first line",
            )),
        }
    }

    /// What the names of a list of names ([`Setting::names`]) stand for, each spelled as in the list:
    /// the variable of exactly that name, the line of the file, or the setting of acmegw's that is called so.
    pub fn named(&self, list: &str) -> Result<Vec<(String, Secret)>, Mistake> {
        debug_assert!(self.setting(list).names);
        self.list(list, |name| {
            if !source::is_name(name) {
                return Err("write names of letters, digits and underscores, with commas between them".to_string());
            }
            let named = self.named.iter().find(|named| named.name == name);
            let found = named.and_then(|named| named.found.as_ref()).map(|found| found.value.as_str());
            let ours = || self.known.iter().find(|setting| setting.name.eq_ignore_ascii_case(name));
            match found.or_else(|| self.text(ours()?.name)) {
                Some(value) => Ok((name.to_string(), Secret::new(value.to_string()))),
                None => Err(format!("set {name}, in the environment or in the file, or remove it from {list}")),
            }
        })
    }

    fn setting(&self, name: &str) -> &Setting {
        let known = self.known.iter().find(|setting| setting.name == name);
        known.unwrap_or_else(|| panic!("{name} is read but no part of acmegw publishes it as a setting"))
    }
}

/// Adds `NAME_FILE` for each secret, and drops what two parts publish alike.
fn with_file_settings(known: &[Setting]) -> Vec<Setting> {
    let mut all: Vec<Setting> = Vec::new();
    for setting in known {
        if all.iter().any(|one| one.name == setting.name) {
            continue;
        }
        all.push(*setting);
        if setting.secret {
            // A name lives as long as the process; there are a handful of them, made once.
            let name: &'static str = Box::leak(format!("{}_FILE", setting.name).into_boxed_str());
            all.push(Setting::new(name, "", "the file whose first line is the secret"));
        }
    }
    all
}
