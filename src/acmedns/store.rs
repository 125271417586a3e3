//! The accounts on disk: a file each, called as its user, in a folder of STATE_DIR.
//!
//! The gateway looks for an account's file at each request, so that a new one is good at once and
//! one that was deleted is not. `acmegw acmedns` may be root, whom nothing that lies there leads
//! elsewhere. What is not ours is passed over and logged.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::{Account, Id};
use crate::folder::Folder;
use crate::foreign::Foreign;
use crate::sys::{self, Refusal};

/// The folder's name in STATE_DIR.
const FOLDER: &str = "acmedns";
/// The longest file (bytes): a hundred names of 253 characters, and networks, fit in.
const FILE_LIMIT: u64 = 32 * 1024;
/// The most files that are looked at.
const ACCOUNTS: usize = 10_000;
/// How many strangers are named in the log.
const STRANGERS: usize = 20;
/// What is being written has this at the end of its name.
const NEW: &str = ".new";

/// Where the accounts are; nowhere: there are none.
#[derive(Debug, Clone, Default)]
pub struct Store(Option<PathBuf>);

impl Store {
    /// In this STATE_DIR, if there is one. Touches nothing.
    pub fn within(state: Option<PathBuf>) -> Store {
        Store(state)
    }

    pub fn is_nowhere(&self) -> bool {
        self.0.is_none()
    }

    /// The account of a user. None: there is none, or its file is not to be trusted, which the log says.
    pub fn find(&self, username: &Id) -> Option<Account> {
        let found = self.folder().and_then(|folder| match folder {
            Some(folder) => self.read(&folder, username.as_str()),
            None => Ok(None),
        });
        found.unwrap_or_else(|Refusal { what, remedy }| {
            log::error!("the account {username} is not used: {what}: {remedy}");
            None
        })
    }

    /// All accounts, the oldest first.
    pub fn all(&self) -> Result<Vec<Account>, Refusal> {
        let Some(folder) = self.folder()? else { return Ok(Vec::new()) };
        let (mut all, mut strangers) = (Vec::new(), 0);
        // What another process is writing at this moment is no stranger.
        for name in folder.names()?.into_iter().take(ACCOUNTS).filter(|name| !is_unfinished(name)) {
            let text = name.to_string_lossy();
            let reason = match Id::parse(&text).filter(|id| *id.as_str() == *text) {
                Some(_) => match self.read(&folder, &text) {
                    Ok(account) => {
                        all.extend(account);
                        continue;
                    }
                    Err(refusal) => refusal.what,
                },
                None => "no account".to_string(),
            };
            strangers += 1;
            if strangers <= STRANGERS {
                log::warn!("{}: {}: passed over", self.path(&text).display(), Foreign(&reason));
            }
        }
        if strangers > STRANGERS {
            log::warn!("among the accounts {strangers} files in all were passed over");
        }
        all.sort_by(|one, other| (one.since, &one.username).cmp(&(other.since, &other.username)));
        Ok(all)
    }

    /// Writes a new account down, whole or not at all. Makes the folder if it is not there.
    pub fn add(&self, account: &Account) -> Result<(), Refusal> {
        let state = self.0.as_ref().ok_or_else(nowhere)?;
        let folder = Folder::open(state)?.make(OsStr::new(FOLDER))?;
        let attributes = folder.newcomer()?;
        folder.replace(OsStr::new(account.username.as_str()), account.text().as_bytes(), attributes)
    }

    /// Forgets an account; false: there was none.
    pub fn delete(&self, username: &Id) -> Result<bool, Refusal> {
        match self.folder()? {
            Some(folder) => folder.delete(OsStr::new(username.as_str())),
            None => Ok(false),
        }
    }

    fn folder(&self) -> Result<Option<Folder>, Refusal> {
        match &self.0 {
            Some(state) => Folder::open(state)?.within(OsStr::new(FOLDER)),
            None => Ok(None),
        }
    }

    fn read(&self, folder: &Folder, name: &str) -> Result<Option<Account>, Refusal> {
        let Some(file) = folder.read(OsStr::new(name))? else { return Ok(None) };
        let path = self.path(name);
        let metadata = file.metadata().map_err(|error| sys::unreadable(&path, &error))?;
        // For root the file may be anybody's, which is the gateway's user's.
        match nix::unistd::geteuid().is_root() {
            true => sys::unshared(&path, &metadata),
            false => sys::trusted(&path, &metadata),
        }?;
        let text = sys::read_text(&path, file, FILE_LIMIT)?;
        let account = Account::parse(&text).filter(|account| account.username.as_str() == name);
        let wrong = || Refusal::new("not an account of this name", format!("acmegw acmedns delete {name}"));
        account.map(Some).ok_or_else(wrong)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.as_deref().unwrap_or(Path::new("")).join(FOLDER).join(name)
    }
}

fn is_unfinished(name: &OsStr) -> bool {
    name.to_str().and_then(|name| name.strip_suffix(NEW)).is_some_and(|stem| Id::parse(stem).is_some())
}

fn nowhere() -> Refusal {
    Refusal::new("there is no STATE_DIR in which accounts could be kept", "set STATE_DIR")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::challenge::Name;
    use crate::folder::Attributes;
    use crate::scratch::Scratch;
    use std::fs::{self, metadata};
    use std::os::unix::fs::{PermissionsExt, chown, symlink};

    fn account() -> Account {
        Account::new(vec![Name::host("example.com").unwrap()], None, Vec::new()).unwrap().0
    }

    fn kept(scratch: &Scratch) -> (Store, Account) {
        let (store, account) = (Store::within(Some(scratch.path().to_path_buf())), account());
        store.add(&account).unwrap();
        (store, account)
    }

    #[test]
    fn what_is_added_is_found_and_what_is_deleted_is_gone() {
        let scratch = Scratch::new();
        let (store, account) = kept(&scratch);
        let found = store.find(&account.username).unwrap();
        assert_eq!((found.key, found.fulldomain), (account.key, account.fulldomain));
        assert_eq!(store.find(&Id::random()), None);
        assert_eq!(store.all().unwrap().len(), 1);
        assert_eq!([store.delete(&account.username), store.delete(&account.username)], [Ok(true), Ok(false)]);
        assert_eq!(store.find(&account.username), None);
        let nowhere = Store::default();
        assert!(nowhere.add(&self::account()).is_err() && nowhere.all().unwrap().is_empty());
        assert_eq!(nowhere.delete(&account.username), Ok(false));
    }

    #[test]
    fn files_are_for_the_gateways_user_alone() {
        let scratch = Scratch::new();
        let root = nix::unistd::geteuid().is_root();
        if root {
            chown(scratch.path(), Some(12345), Some(23456)).unwrap();
        }
        let (_, account) = kept(&scratch);
        let folder = scratch.join(FOLDER);
        let of = |path: &Path| Attributes::of(&metadata(path).unwrap());
        let (file, folder) = (of(&folder.join(account.username.as_str())), of(&folder));
        assert_eq!((file.mode, folder.mode), (0o600, 0o700));
        if root {
            assert_eq!([(file.owner, file.group), (folder.owner, folder.group)], [(12345, 23456); 2]);
        }
    }

    #[test]
    fn strangers_are_passed_over_and_left_alone() {
        let scratch = Scratch::new();
        let (store, account) = kept(&scratch);
        let folder = scratch.join(FOLDER);
        let file = folder.join(account.username.as_str());
        let text = fs::read_to_string(&file).unwrap();
        let named = |id: &Id| folder.join(id.as_str());
        let [copy, garbage, long, link, shared] = [(); 5].map(|()| Id::random());
        fs::write(named(&copy), &text).unwrap();
        fs::write(named(&garbage), [0xff; 100]).unwrap();
        fs::write(named(&long), text.replace(account.username.as_str(), long.as_str()) + &"#".repeat(40_000)).unwrap();
        symlink(&file, named(&link)).unwrap();
        fs::write(named(&shared), text.replace(account.username.as_str(), shared.as_str())).unwrap();
        fs::set_permissions(named(&shared), PermissionsExt::from_mode(0o622)).unwrap();
        fs::write(folder.join("README"), &text).unwrap();
        fs::write(folder.join(account.username.as_str().to_ascii_uppercase()), &text).unwrap();
        fs::write(folder.join(format!("{}{NEW}", Id::random())), "half an acc").unwrap();
        fs::create_dir(folder.join("folder")).unwrap();
        for stranger in [copy, garbage, long, link, shared] {
            assert_eq!(store.find(&stranger), None, "{stranger}");
        }
        let all: Vec<_> = store.all().unwrap().into_iter().map(|account| account.username).collect();
        assert_eq!(all, [account.username]);
        assert_eq!(folder.read_dir().unwrap().count(), 10, "nothing is removed");
    }

    #[test]
    fn root_is_not_led_elsewhere() {
        let (scratch, elsewhere) = (Scratch::new(), Scratch::new());
        symlink(elsewhere.path(), scratch.join(FOLDER)).unwrap();
        let store = Store::within(Some(scratch.path().to_path_buf()));
        let refused = store.add(&account()).unwrap_err();
        assert!(refused.what.contains("symbolic link"), "{refused:?}");
        assert!(store.all().is_err() && store.delete(&Id::random()).is_err());
        assert_eq!(elsewhere.path().read_dir().unwrap().count(), 0);
    }
}
