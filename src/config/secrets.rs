//! Where secrets come from: written out, in a file of their own, or a credential of the service.

use std::path::Path;

use super::setting::Lists;
use super::{Config, FILE_LIMIT, source};
use crate::mistake::Mistake;
use crate::secret::Secret;
use crate::sys::{self, Refusal};

impl Config {
    /// A secret: written out, in the file that `NAME_FILE` names, or in the file NAME of
    /// $CREDENTIALS_DIRECTORY, where systemd's LoadCredential= puts it; of a file the first line.
    /// One of the three: with two of them an old secret would hide behind the other.
    pub fn secret(&self, name: &str) -> Result<Option<Secret>, Mistake> {
        debug_assert!(self.setting(name).secret);
        let file_name = format!("{name}_FILE");
        let given = self.credential(&self.real_name(name))?;
        if given.is_some()
            && let Some(twice) = [name, &file_name].into_iter().find(|name| self.is_set(name))
        {
            return Err(self.mistake(twice, "is set, and is a credential of the service too", "keep one of the two"));
        }
        let Some(path) = self.path(&file_name) else {
            return Ok(self.text(name).map(|text| Secret::new(text.to_string())).or(given));
        };
        if self.is_set(name) {
            return Err(self.mistake(&file_name, format_args!("and {name} are both set"), "keep one of the two"));
        }
        let read = first_line(&path);
        read.map(Some).map_err(|Refusal { what, remedy }| {
            self.mistake(&file_name, format_args!("= {}: {what}", path.display()), remedy)
        })
    }

    /// What the names of a list of names ([`super::Setting::names`]) stand for, each spelled as in the
    /// list: the variable of exactly that name, the line of the file, the credential that is called
    /// so, or the setting of acmegw's. For a further account DNSAPI_X_NAME comes first.
    pub fn named(&self, list: &str) -> Result<Vec<(String, Secret)>, Mistake> {
        debug_assert!(self.setting(list).lists == Some(Lists::Names));
        let names = self.list(list, |name| match source::is_name(name) {
            true => Ok(name.to_string()),
            false => Err("write names of letters, digits and underscores, with commas between them".to_string()),
        })?;
        let named = |name: String| {
            let ours = || self.written.own_names().iter().find(|setting| setting.name.eq_ignore_ascii_case(&name));
            let found = self.written.named(&self.real_name(list), &name).map(str::to_string);
            let found = match found.map(Secret::new) {
                None => self.named_credential(&name)?,
                found => found,
            };
            match found.or_else(|| Some(Secret::new(self.text(ours()?.name)?.to_string()))) {
                Some(value) => Ok((name, value)),
                None => {
                    let remedy = format!("set {name}, in the environment or in the file, or remove it from {list}");
                    Err(self.mistake(list, format_args!("has a wrong value, '{name}'"), remedy))
                }
            }
        };
        names.into_iter().map(named).collect()
    }

    fn named_credential(&self, name: &str) -> Result<Option<Secret>, Mistake> {
        let own = self.account.as_ref().map(|account| self.credential(&account.own_named(name))).transpose()?;
        own.flatten().map_or_else(|| self.credential(name), |own| Ok(Some(own)))
    }

    /// The credential of exactly this name.
    fn credential(&self, name: &str) -> Result<Option<Secret>, Mistake> {
        let Some(folder) = &self.written.credentials else { return Ok(None) };
        let path = folder.join(name);
        match path.exists() {
            true => first_line(&path).map(Some).map_err(|refusal| refusal.at(&path, 0)),
            false => Ok(None),
        }
    }
}

fn first_line(path: &Path) -> Result<Secret, Refusal> {
    let text = sys::read_trusted(path, FILE_LIMIT)?;
    let empty = || Refusal::new("its first line is empty", "write the secret into its first line");
    text.lines().next().filter(|line| !line.is_empty()).map(|line| Secret::new(line.to_string())).ok_or_else(empty)
}
