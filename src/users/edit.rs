//! Changes of the users file, one at a time and each whole or not at all.
//!
//! `acmegw passwd` runs as root for a gateway that does not: the file's owner, group and mode are
//! kept, a new one is the folder's owner's, and root is not led elsewhere by a link.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::config::{FILE_LIMIT, Mistake};
use crate::folder::{Attributes, Folder};
use crate::sys::{self, Refusal};
use crate::users::{Users, mistake};

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
        let unnamed = || mistake(path, 0, Refusal::new("not the name of a file", "name a file"));
        let name = path.file_name().map(OsStr::to_os_string).ok_or_else(unnamed)?;
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let folder = Folder::open(parent).map_err(|refusal| mistake(parent, 0, refusal))?;
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
        let users = Users::parse(&text).map_err(|(line, refusal)| mistake(&self.path, line, refusal))?;
        Ok(Some((users, Attributes::of(&metadata))))
    }

    fn missing(&self) -> Mistake {
        self.mistake(Refusal::new("does not exist", format!("acmegw passwd -f {} add USER", self.path.display())))
    }

    fn mistake(&self, refusal: Refusal) -> Mistake {
        mistake(&self.path, 0, refusal)
    }
}
