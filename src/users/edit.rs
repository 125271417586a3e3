//! Changes of the users file, one at a time and each whole or not at all.
//!
//! `acmegw passwd` runs as root for a gateway that does not: the file's owner, group and mode are
//! kept, a new one is the folder's owner's, and root is not led elsewhere by a link.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::config::FILE_LIMIT;
use crate::folder::{Attributes, Folder};
use crate::mistake::Mistake;
use crate::sys::{self, Refusal};
use crate::users::Users;

/// How long another `acmegw passwd` may keep us waiting, which may be asking for a password.
const PATIENCE: Duration = Duration::from_secs(10);

/// A users file under its lock.
pub struct Edit {
    place: Place,
    pub users: Users,
    attributes: Attributes,
    is_new: bool,
    _lock: File,
}

/// Reads a users file without changing it.
pub fn look(path: &Path) -> Result<Users, Mistake> {
    let place = Place::of(path)?;
    match place.read()? {
        Some((users, _)) => Ok(users),
        None => Err(place.missing()),
    }
}

impl Edit {
    /// Takes the lock (`FILE.lock`, which stays) and reads the file. `create`: a missing one is an empty one.
    pub fn begin(path: &Path, create: bool) -> Result<Edit, Mistake> {
        let place = Place::of(path)?;
        let mut lock = place.name.clone();
        lock.push(".lock");
        let _lock = place.folder.lock(&lock, PATIENCE).map_err(|refusal| place.mistake(refusal))?;
        match place.read()? {
            Some((users, attributes)) => Ok(Edit { place, users, attributes, is_new: false, _lock }),
            None if create => {
                let attributes = place.folder.newcomer().map_err(|refusal| place.mistake(refusal))?;
                Ok(Edit { place, users: Users::default(), attributes, is_new: true, _lock })
            }
            None => Err(place.missing()),
        }
    }

    /// What the file is, or will be once it is saved, if it is new.
    pub fn created(&self) -> Option<Attributes> {
        self.is_new.then_some(self.attributes)
    }

    /// Puts the users into the file's place.
    pub fn save(self) -> Result<(), Mistake> {
        let text = self.users.text();
        if text.len() as u64 > FILE_LIMIT {
            let what = format!("would become longer than {FILE_LIMIT} bytes");
            return Err(self.place.mistake(Refusal::new(what, "delete users first")));
        }
        let replaced = self.place.folder.replace(&self.place.name, text.as_bytes(), self.attributes);
        replaced.map_err(|refusal| self.place.mistake(refusal))
    }
}

/// A name in an open folder.
struct Place {
    path: PathBuf,
    folder: Folder,
    name: OsString,
}

impl Place {
    fn of(path: &Path) -> Result<Place, Mistake> {
        let unnamed = || Refusal::new("not the name of a file", "name a file").at(path, 0);
        let name = path.file_name().map(OsStr::to_os_string).ok_or_else(unnamed)?;
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let folder = Folder::open(parent).map_err(|refusal| refusal.at(parent, 0))?;
        Ok(Place { path: path.to_path_buf(), folder, name })
    }

    fn read(&self) -> Result<Option<(Users, Attributes)>, Mistake> {
        let Some(file) = self.folder.read(&self.name).map_err(|refusal| self.mistake(refusal))? else {
            return Ok(None);
        };
        let metadata = file.metadata().map_err(|error| self.mistake(sys::unreadable(&self.path, &error)))?;
        // For root the file may be anybody's: it keeps it for the gateway's user.
        let trusted = match nix::unistd::geteuid().is_root() {
            true => sys::unshared(&self.path, &metadata),
            false => sys::trusted(&self.path, &metadata),
        };
        trusted.map_err(|refusal| self.mistake(refusal))?;
        let text = sys::read_text(&self.path, file, FILE_LIMIT).map_err(|refusal| self.mistake(refusal))?;
        let users = Users::parse(&text).map_err(|(line, refusal)| refusal.at(&self.path, line))?;
        Ok(Some((users, Attributes::of(&metadata))))
    }

    fn missing(&self) -> Mistake {
        self.mistake(Refusal::new("does not exist", format!("acmegw passwd -f {} add USER", self.path.display())))
    }

    fn mistake(&self, refusal: Refusal) -> Mistake {
        refusal.at(&self.path, 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;
    use crate::users::hash::Hash;
    use std::fs::{metadata, read_to_string, set_permissions};
    use std::os::unix::fs::{PermissionsExt, chown, symlink};

    const LINE: &str = "alice:$8$AAECAwQFBgcICQoLDA0ODw$MzOOhrUHOP8zkhzDYswqN99FKYAcDOCwUaGU8yyqMF8\n";

    fn hash() -> Hash {
        Hash::parse(LINE[6..].trim_end()).ok().unwrap()
    }

    fn add(path: &Path, user: &str, create: bool) -> Result<(), Mistake> {
        let mut edit = Edit::begin(path, create)?;
        edit.users.set(user, hash());
        edit.save()
    }

    fn names(path: &Path) -> Vec<String> {
        look(path).unwrap_or_else(|fault| panic!("{fault}")).names().map(str::to_string).collect()
    }

    fn attributes(path: &Path) -> Attributes {
        Attributes::of(&metadata(path).unwrap())
    }

    fn is_root(what: &str) -> bool {
        let root = nix::unistd::geteuid().is_root();
        if !root {
            eprintln!("SKIPPED: only root can try {what}");
        }
        root
    }

    #[test]
    fn the_file_is_replaced_and_never_written_over() {
        let scratch = Scratch::new();
        let path = scratch.file("acmepasswd", LINE);
        // What a run that was killed left behind is no obstacle.
        scratch.file("acmepasswd.new", "half a li");
        let before = File::open(&path).unwrap();
        add(&path, "bob", false).unwrap();
        let text = sys::read_text(&path, before, FILE_LIMIT).unwrap();
        assert_eq!(text, LINE, "who opened it before still reads the old one");
        assert_eq!(names(&path), ["alice", "bob"]);
        let mut files: Vec<_> = scratch.path().read_dir().unwrap().map(|file| file.unwrap().file_name()).collect();
        files.sort();
        assert_eq!(files, ["acmepasswd", "acmepasswd.lock"]);
    }

    #[test]
    fn many_at_once_lose_nothing() {
        let scratch = Scratch::new();
        let path = scratch.path().join("acmepasswd");
        std::thread::scope(|scope| {
            for number in 0..8 {
                let path = &path;
                scope.spawn(move || add(path, &format!("user{number}"), true).unwrap());
            }
        });
        let mut names = names(&path);
        names.sort();
        assert_eq!(names, (0..8).map(|number| format!("user{number}")).collect::<Vec<_>>());
    }

    #[test]
    fn owner_group_and_mode_are_kept() {
        if !is_root("to keep another user's file") {
            return;
        }
        let scratch = Scratch::new();
        let path = scratch.file("acmepasswd", LINE);
        chown(&path, Some(12345), Some(23456)).unwrap();
        set_permissions(&path, PermissionsExt::from_mode(0o640)).unwrap();
        add(&path, "bob", false).unwrap();
        assert_eq!(attributes(&path), Attributes { owner: 12345, group: 23456, mode: 0o640 });
        assert_eq!(names(&path), ["alice", "bob"]);
    }

    #[test]
    fn a_new_file_and_its_lock_are_the_folder_owners_alone() {
        if !is_root("to make another user's file") {
            return;
        }
        let scratch = Scratch::new();
        chown(scratch.path(), Some(12345), Some(23456)).unwrap();
        let path = scratch.path().join("acmepasswd");
        add(&path, "alice", true).unwrap();
        let expected = Attributes { owner: 12345, group: 23456, mode: 0o600 };
        assert_eq!(attributes(&path), expected);
        assert_eq!(attributes(&scratch.path().join("acmepasswd.lock")), expected);
    }

    #[test]
    fn links_lead_nowhere() {
        let scratch = Scratch::new();
        let target = scratch.file("target", LINE);
        let path = scratch.path().join("acmepasswd");
        symlink(&target, &path).unwrap();
        for fault in [look(&path).err(), add(&path, "bob", true).err()] {
            let fault = fault.unwrap().to_string();
            assert!(fault.contains("symbolic link") && fault.contains("name the file that it points to"), "{fault}");
        }
        std::fs::remove_file(&path).unwrap();
        for name in ["acmepasswd.new", "acmepasswd.lock"] {
            let _ = std::fs::remove_file(scratch.path().join(name));
            symlink(&target, scratch.path().join(name)).unwrap();
        }
        assert!(add(&path, "bob", true).unwrap_err().to_string().contains("acmepasswd.lock is a symbolic link"));
        std::fs::remove_file(scratch.path().join("acmepasswd.lock")).unwrap();
        add(&path, "bob", true).unwrap();
        assert_eq!(read_to_string(&target).unwrap(), LINE);
    }

    #[test]
    fn a_faulty_file_is_not_touched() {
        let scratch = Scratch::new();
        let path = scratch.file("acmepasswd", &format!("{LINE}secret of another file\n"));
        let fault = add(&path, "bob", true).unwrap_err().to_string();
        assert!(fault.contains("acmepasswd:2: ") && !fault.contains("secret"), "{fault}");
        scratch.file("acmepasswd", LINE);
        set_permissions(&path, PermissionsExt::from_mode(0o622)).unwrap();
        assert!(add(&path, "bob", true).unwrap_err().to_string().contains("chmod go-w"));
        assert_eq!(read_to_string(&path).unwrap(), LINE);
        assert!(add(&scratch.path().join("none/acmepasswd"), "bob", true).is_err());
        assert!(add(&scratch.path().join("none"), "bob", false).unwrap_err().to_string().contains("does not exist"));
    }
}
