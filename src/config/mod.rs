//! Configuration: arguments before environment before dotenv file before default.
//!
//! Each part of acmegw publishes its settings as a const slice of [`Setting`]; their union is what
//! the file may contain. The readers below give a value or a [`Mistake`] that names file, line and
//! remedy; [`Mistakes`] collects them, so that `-n` shows every fault and not only the first.

mod account;
#[cfg(test)]
mod properties;
mod search;
mod secrets;
mod setting;
mod source;
mod written;

use std::borrow::Cow;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::failure::Failure;
use crate::foreign::Foreign;
use crate::mistake::{Mistake, Origin};
use written::Written;

pub use account::AccountName;
pub use search::{FOLDERS, Search, is_there};
pub use setting::{Lists, Setting};

/// No configuration, key or users file is longer than this (bytes).
pub const FILE_LIMIT: u64 = 1 << 20;

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

/// What was written, wherever it was written, as one account sees it: DNSAPI_NAME is its own.
/// Nothing is interpreted before somebody asks.
#[derive(Clone)]
pub struct Config {
    written: Arc<Written>,
    /// None: the account without a name.
    account: Option<AccountName>,
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
        let (written, mistakes) = Written::gather(known, arguments, environment, search)?;
        Ok((Config { written: Arc::new(written), account: None }, mistakes))
    }

    /// The same as the further account sees it: where DNSAPI_NAME is read, DNSAPI_X_NAME is meant,
    /// and every mistake says so.
    pub fn of_account(&self, account: &AccountName) -> Config {
        Config { written: self.written.clone(), account: Some(account.clone()) }
    }

    /// The further accounts that a list of accounts ([`Setting::accounts`]) names.
    pub fn accounts(&self, list: &str) -> Result<Vec<AccountName>, Mistake> {
        debug_assert!(self.setting(list).lists == Some(Lists::Accounts));
        let accounts = self.list(list, |item| AccountName::parse(item, self.written.own_names()))?;
        match (1..accounts.len()).find(|&index| accounts[..index].contains(&accounts[index])) {
            Some(twice) => Err(self.mistake(list, format_args!("names {} twice", accounts[twice]), "name it once")),
            None => Ok(accounts),
        }
    }

    /// Is anything written about the account without a name?
    pub fn has_unnamed_account(&self) -> bool {
        let own = self.written.own_names().iter().filter(|setting| account::is_of_one(setting));
        own.into_iter().any(|setting| self.written.found(setting.name).is_some())
    }

    /// What the setting is called for this account.
    pub fn real_name<'a>(&self, name: &'a str) -> Cow<'a, str> {
        let own = self.account.as_ref().and_then(|account| account.own(name));
        own.map_or(Cow::Borrowed(name), Cow::Owned)
    }

    /// The file in use.
    pub fn file(&self) -> Option<&Path> {
        self.written.file.as_deref()
    }

    /// The folder of the file in use, in which `cert.pem` and its like are looked for.
    pub fn folder(&self) -> Option<&Path> {
        self.written.file.as_deref().and_then(Path::parent)
    }

    /// Is the setting written anywhere?
    pub fn is_set(&self, name: &str) -> bool {
        self.written.found(&self.real_name(name)).is_some()
    }

    /// Where the setting is written, for mistakes that only the reader can see.
    pub fn origin(&self, name: &str) -> Origin {
        self.written.found(&self.real_name(name)).map_or(Origin::Default, |found| found.origin.clone())
    }

    /// A mistake about the value of one setting.
    pub fn mistake(&self, name: &str, what: impl fmt::Display, remedy: impl Into<String>) -> Mistake {
        let (what, remedy) = (format!("{name} {what}"), remedy.into());
        match &self.account {
            Some(account) => Mistake::new(self.origin(name), account.told(&what), account.told(&remedy)),
            None => Mistake::new(self.origin(name), what, remedy),
        }
    }

    /// The written text or the default; None where there is neither.
    pub fn text(&self, name: &str) -> Option<&str> {
        match self.written.found(&self.real_name(name)) {
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

    fn setting(&self, name: &str) -> &Setting {
        self.written.setting(name)
    }
}
