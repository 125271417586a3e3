//! What one configuration name is, and `NAME_FILE`, which follows from each secret.

/// One configuration name.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    pub name: &'static str,
    /// Empty: none. It goes through the same parser as a written value.
    pub default: &'static str,
    pub meaning: &'static str,
    /// Never shown, and also accepted as `NAME_FILE`, the file that holds it, and as a credential.
    pub secret: bool,
    /// Does its part of acmegw not go without it? Said in lists of settings; [`super::Config::required`]
    /// is what enforces it.
    pub required: bool,
    /// Does it make further names known?
    pub lists: Option<Lists>,
}

/// What the items of a list make known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lists {
    /// Themselves: what a program of the administrator's needs, and no part of acmegw knows.
    Names,
    /// For each item X and each name of one account (`DNSAPI_NAME`), `DNSAPI_X_NAME`.
    Accounts,
}

impl Setting {
    pub const fn new(name: &'static str, default: &'static str, meaning: &'static str) -> Setting {
        Setting { name, default, meaning, secret: false, required: false, lists: None }
    }

    pub const fn secret(name: &'static str, meaning: &'static str) -> Setting {
        Setting { name, default: "", meaning, secret: true, required: false, lists: None }
    }

    pub const fn required(self) -> Setting {
        Setting { required: true, ..self }
    }

    /// A list of names that become known by standing in it.
    pub const fn names(name: &'static str, meaning: &'static str) -> Setting {
        Setting { name, default: "", meaning, secret: false, required: false, lists: Some(Lists::Names) }
    }

    /// The list of the further accounts.
    pub const fn accounts(name: &'static str, meaning: &'static str) -> Setting {
        Setting { name, default: "", meaning, secret: false, required: false, lists: Some(Lists::Accounts) }
    }
}

/// Adds `NAME_FILE` for each secret, and drops what two parts publish alike.
pub(super) fn with_files(known: &[Setting]) -> Vec<Setting> {
    let mut all: Vec<Setting> = Vec::new();
    for setting in known {
        if all.iter().any(|one| one.name == setting.name) {
            continue;
        }
        all.push(*setting);
        if setting.secret {
            all.push(Setting::new(
                for_good(format!("{}_FILE", setting.name)),
                "",
                "the file whose first line is the secret",
            ));
        }
    }
    all
}

/// A name lives as long as the process; there are a handful of them, made once.
pub(super) fn for_good(name: String) -> &'static str {
    Box::leak(name.into_boxed_str())
}
