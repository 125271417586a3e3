//! What was written in arguments, environment and file, gathered under the names that are known.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::account::{AccountName, of_account, unlisted};
use super::search::{Search, locate};
use super::setting::{Lists, Setting, with_files};
use super::source::{self, Entry};
use super::{FILE_LIMIT, Mistakes};
use crate::failure::Failure;
use crate::foreign::Foreign;
use crate::mistake::{Mistake, Origin};
use crate::nearest::nearest;
use crate::sys;

/// A setting as it was found.
pub(super) struct Found {
    pub value: String,
    pub origin: Origin,
}

/// A name out of a list of names ([`Setting::names`]), spelled as it is there.
pub(super) struct Named {
    /// The list's real name.
    list: &'static str,
    /// Of which further account the list is.
    account: Option<AccountName>,
    name: String,
    found: Option<Found>,
    /// Found as DNSAPI_X_NAME, which comes first.
    own: Option<Found>,
}

pub(super) struct Written {
    /// acmegw's own names, then those of further accounts.
    known: Vec<Setting>,
    /// How many of them are acmegw's own.
    own: usize,
    found: HashMap<&'static str, Found>,
    /// What the lists of names made known.
    named: Vec<Named>,
    pub file: Option<Arc<Path>>,
    /// Where systemd puts the credentials of a service (LoadCredential=), a file each.
    pub credentials: Option<PathBuf>,
}

impl Written {
    pub(super) fn gather(
        known: &[Setting],
        arguments: Vec<(&'static str, &'static str, String)>,
        environment: impl Fn(&str) -> Option<String>,
        search: Search<'_>,
    ) -> Result<(Written, Mistakes), Failure> {
        let known = with_files(known);
        let environment = |name: &str| environment(name).filter(|value| !value.is_empty());
        let file = locate(search, environment("DOTENV")).map_err(|mistake| Failure::Config(vec![mistake]))?;
        let (entries, malformed) = match &file {
            Some(path) => read(path)?,
            None => Default::default(),
        };
        let credentials = environment("CREDENTIALS_DIRECTORY").map(PathBuf::from);
        let own = known.len();
        let mut written = Written { known, own, found: HashMap::new(), named: Vec::new(), file, credentials };
        written.learn(&entries, &environment);
        let mistakes = written.take_file(entries, malformed);
        for named in &mut written.named {
            let found = |value| Found { value, origin: Origin::Environment };
            named.found = environment(&named.name).map(found).or(named.found.take());
            let own = named.account.as_ref().map(|account| account.own_named(&named.name));
            named.own = own.and_then(|name| environment(&name)).map(found).or(named.own.take());
        }
        for setting in &written.known {
            if let Some(value) = environment(setting.name) {
                written.found.insert(setting.name, Found { value, origin: Origin::Environment });
            }
        }
        for (name, flag, value) in arguments {
            let name = written.setting(name).name;
            written.found.insert(name, Found { value, origin: Origin::Argument(flag) });
        }
        Ok((written, mistakes))
    }

    /// Lists make names known, wherever in the file they are: first those of accounts, then, with
    /// the lists of these accounts, those of names. What is wrong in one is its reader's to say.
    fn learn(&mut self, entries: &[Entry], environment: &impl Fn(&str) -> Option<String>) {
        let items = |list: &Setting| -> Vec<String> {
            let last = entries.iter().rfind(|entry| entry.name == list.name);
            let text = environment(list.name).or_else(|| last.map(|entry| entry.value.clone()));
            text.unwrap_or_default().split(',').map(|item| item.trim().to_string()).collect()
        };
        let lists = |known: &[Setting], kind| -> Vec<Setting> {
            known.iter().filter(|setting| setting.lists == Some(kind)).copied().collect()
        };
        let listed = lists(&self.known, Lists::Accounts).iter().flat_map(items).collect::<Vec<_>>();
        let mut accounts: Vec<AccountName> = Vec::new();
        for item in listed {
            if let Ok(account) = AccountName::parse(&item, self.own_names())
                && !accounts.contains(&account)
            {
                self.known.extend(of_account(self.own_names(), &account));
                accounts.push(account);
            }
        }
        for list in lists(&self.known, Lists::Names) {
            let account = accounts.iter().find(|account| account.is_of(list.name)).cloned();
            let named = |name| Named { list: list.name, account: account.clone(), name, found: None, own: None };
            self.named.extend(items(&list).into_iter().map(named));
        }
    }

    fn take_file(&mut self, entries: Vec<Entry>, malformed: Vec<Mistake>) -> Mistakes {
        let mut mistakes = Mistakes(malformed);
        for entry in entries {
            let origin = self.at(entry.line);
            match self.known.iter().find(|setting| setting.name == entry.name).copied() {
                // As in the environment: what is empty is unset, and the last one wins.
                Some(setting) if entry.value.is_empty() => drop(self.found.remove(setting.name)),
                Some(setting) => drop(self.found.insert(setting.name, Found { value: entry.value, origin })),
                None if self.take_named(&entry, &origin) => {}
                None => mistakes.push(Mistake::new(
                    origin,
                    format!("{} is not a name that acmegw knows", Foreign(&entry.name)),
                    self.suggestion(&entry.name),
                )),
            }
        }
        mistakes
    }

    /// Names in the file have no case: the value is for every spelling that is listed. Is it one?
    fn take_named(&mut self, entry: &Entry, origin: &Origin) -> bool {
        let mut is_named = false;
        let is = |name: &str| name.eq_ignore_ascii_case(&entry.name);
        for named in &mut self.named {
            let found = Some(Found { value: entry.value.clone(), origin: origin.clone() });
            let found = found.filter(|found| !found.value.is_empty());
            if is(&named.name) {
                (named.found, is_named) = (found, true);
            } else if named.account.as_ref().is_some_and(|account| is(&account.own_named(&named.name))) {
                (named.own, is_named) = (found, true);
            }
        }
        is_named
    }

    fn suggestion(&self, name: &str) -> String {
        let nearest = nearest(name, self.known.iter().map(|setting| setting.name));
        match (nearest, unlisted(name, self.own_names())) {
            (Some(nearest), Some(list)) => format!("did you mean {nearest}? Otherwise {list}"),
            (Some(nearest), None) => format!("did you mean {nearest}? Otherwise remove the line"),
            (None, Some(list)) => format!("{list}, or remove the line"),
            (None, None) => "remove the line (all names are in acmegw.conf(5) and acmegw-providers(7))".to_string(),
        }
    }

    fn at(&self, line: usize) -> Origin {
        let path = self.file.clone();
        path.map_or(Origin::Default, |path| Origin::File { path, line })
    }

    /// acmegw's own names, without those of further accounts.
    pub(super) fn own_names(&self) -> &[Setting] {
        &self.known[..self.own]
    }

    pub(super) fn found(&self, name: &str) -> Option<&Found> {
        self.found.get(name)
    }

    /// What a list of names has made known, if it is written anywhere.
    pub(super) fn named(&self, list: &str, name: &str) -> Option<&str> {
        let named = self.named.iter().find(|named| named.list == list && named.name == name)?;
        Some(&named.own.as_ref().or(named.found.as_ref())?.value)
    }

    pub(super) fn setting(&self, name: &str) -> &Setting {
        let known = self.known.iter().find(|setting| setting.name == name);
        known.unwrap_or_else(|| panic!("{name} is read but no part of acmegw publishes it as a setting"))
    }
}

fn read(path: &Arc<Path>) -> Result<(Vec<Entry>, Vec<Mistake>), Failure> {
    let text = sys::read_trusted(path, FILE_LIMIT).map_err(|refusal| Failure::Config(vec![refusal.at(path, 0)]))?;
    Ok(source::parse(path, &text))
}
