//! The names of further accounts, and how each account's settings are called: `DNSAPI_NAME` for the
//! account without a name, `DNSAPI_X_NAME` for the account X.

use super::setting::{Lists, Setting, for_good};
use crate::foreign::Foreign;

/// What the settings of an account begin with.
const PREFIX: &str = "DNSAPI_";

/// The name of a further account: letters and digits, kept in upper case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountName(String);

impl AccountName {
    /// Reads a name; the error is the remedy. `known` are acmegw's own names, of which none may
    /// become two accounts'.
    pub(super) fn parse(text: &str, known: &[Setting]) -> Result<AccountName, String> {
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err("write names of letters and digits, with commas between them".to_string());
        }
        let name = AccountName(text.to_ascii_uppercase());
        match known.iter().find(|setting| setting.name.starts_with(&name.prefix())) {
            Some(ours) => Err(format!("call the account otherwise: {} means something else", ours.name)),
            None => Ok(name),
        }
    }

    /// What this account's name for one of the names of an account is; None: it is no such name.
    pub(super) fn own(&self, name: &str) -> Option<String> {
        Some(self.prefix() + name.strip_prefix(PREFIX)?)
    }

    /// Is it one of this account's names?
    pub(super) fn is_of(&self, name: &str) -> bool {
        name.starts_with(&self.prefix())
    }

    /// The account's name for what a list of names has made known.
    pub(super) fn own_named(&self, name: &str) -> String {
        self.prefix() + name
    }

    /// The text with this account's names in place of those of the account without a name.
    pub fn told(&self, text: &str) -> String {
        let (own, prefix) = (self.prefix(), PREFIX);
        let mut parts = text.split(prefix);
        let first = parts.next().unwrap_or_default().to_string();
        parts.fold(first, |told, part| match format!("{prefix}{part}").starts_with(&own) {
            true => told + prefix + part,
            false => told + &own + part,
        })
    }

    fn prefix(&self) -> String {
        format!("{PREFIX}{}_", self.0)
    }
}

impl std::fmt::Display for AccountName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// The settings of one account once more, for this one.
pub(super) fn of_account(known: &[Setting], account: &AccountName) -> Vec<Setting> {
    let own = known.iter().filter(|setting| is_of_one(setting));
    own.filter_map(|setting| Some(Setting { name: for_good(account.own(setting.name)?), ..*setting })).collect()
}

/// Is it a setting of one account, and not the list of them?
pub(super) fn is_of_one(setting: &Setting) -> bool {
    setting.name.starts_with(PREFIX) && setting.lists != Some(Lists::Accounts)
}

/// What is to be done about a name like DNSAPI_Y_NAME of an account Y that no list names; None where
/// it is no such name.
pub(super) fn unlisted(name: &str, known: &[Setting]) -> Option<String> {
    let (account, rest) = name.strip_prefix(PREFIX)?.split_once('_')?;
    let list = known.iter().find(|setting| setting.lists == Some(Lists::Accounts))?;
    known.iter().find(|setting| setting.name.strip_prefix(PREFIX) == Some(rest))?;
    AccountName::parse(account, &[]).ok()?;
    Some(format!("add {} to {}", Foreign(account), list.name))
}
