//! An open folder, whose files are reached through its descriptor and never through a symbolic link.
//!
//! Root edits files in folders that belong to others (the gateway's user). Whoever may rename or
//! link things there must not lead root to another place between two steps: all steps happen in
//! the folder that was opened first.

use std::ffi::{OsStr, OsString};
use std::fs::{File, Metadata, Permissions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{OFlag, openat, renameat};
use nix::sys::stat::{Mode, mkdirat};
use nix::unistd::{UnlinkatFlags, getegid, geteuid, unlinkat};

use crate::sys::{Refusal, unreadable};

/// How often a lock that somebody else holds is tried again.
const LOCK_PAUSE: Duration = Duration::from_millis(50);

/// An open folder.
pub struct Folder {
    path: PathBuf,
    handle: File,
}

/// What a file is to be: its owner, its group and its permission bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attributes {
    pub owner: u32,
    pub group: u32,
    pub mode: u32,
}

impl Attributes {
    pub fn of(metadata: &Metadata) -> Attributes {
        Attributes { owner: metadata.uid(), group: metadata.gid(), mode: metadata.mode() & 0o7777 }
    }
}

impl Folder {
    pub fn open(path: &Path) -> Result<Folder, Refusal> {
        let handle = File::open(path).map_err(|error| unreadable(path, &error))?;
        Ok(Folder { path: path.to_path_buf(), handle })
    }

    /// A folder in it; None if there is none.
    pub fn within(&self, name: &OsStr) -> Result<Option<Folder>, Refusal> {
        match self.open_file(name, OFlag::O_RDONLY | OFlag::O_DIRECTORY) {
            Ok(handle) => Ok(Some(Folder { path: self.path.join(name), handle })),
            Err(Errno::ENOENT) => Ok(None),
            // For a link in a folder's place some systems have one reason and some the other.
            Err(Errno::ENOTDIR) => Err(self.refusal(name, Errno::ELOOP, "opened")),
            Err(error) => Err(self.refusal(name, error, "opened")),
        }
    }

    /// A folder in it, which is made if there is none: for the owner of this one, if we are root.
    pub fn make(&self, name: &OsStr) -> Result<Folder, Refusal> {
        let is_new = match mkdirat(&self.handle, name, Mode::S_IRWXU) {
            Ok(()) => true,
            Err(Errno::EEXIST) => false,
            Err(error) => return Err(self.refusal(name, error, "created")),
        };
        let folder = self.within(name)?.ok_or_else(|| self.refusal(name, Errno::ENOENT, "opened"))?;
        if is_new {
            let Attributes { owner, group, .. } = self.newcomer()?;
            let given = give(&folder.handle, owner, group).and_then(|()| self.handle.sync_all());
            given.map_err(|error| self.refusal(name, errno(&error), "given away"))?;
        }
        Ok(folder)
    }

    /// The names of what is in it. They say nothing about what they name.
    pub fn names(&self) -> Result<Vec<OsString>, Refusal> {
        let failed = |error: io::Error| unreadable(&self.path, &error);
        let entries = std::fs::read_dir(&self.path).map_err(failed)?;
        entries.map(|entry| entry.map(|entry| entry.file_name()).map_err(failed)).collect()
    }

    /// Removes a file; false: there was none.
    pub fn delete(&self, name: &OsStr) -> Result<bool, Refusal> {
        match self.remove(name) {
            Ok(()) => {
                self.handle.sync_all().map(|()| true).map_err(|error| self.refusal(name, errno(&error), "removed"))
            }
            Err(Errno::ENOENT) => Ok(false),
            Err(error) => Err(self.refusal(name, error, "removed")),
        }
    }

    /// Opens a file to read it; None if there is none.
    pub fn read(&self, name: &OsStr) -> Result<Option<File>, Refusal> {
        // Non-blocking, so that a FIFO in the file's place cannot hold us.
        match self.open_file(name, OFlag::O_RDONLY | OFlag::O_NONBLOCK) {
            Ok(file) => Ok(Some(file)),
            Err(Errno::ENOENT) => Ok(None),
            Err(error) => Err(self.refusal(name, error, "read")),
        }
    }

    /// What a new file is to be here: the folder's owner's, if we are root, and nobody else's to read.
    pub fn newcomer(&self) -> Result<Attributes, Refusal> {
        let metadata = self.handle.metadata().map_err(|error| unreadable(&self.path, &error))?;
        let (owner, group) = match geteuid().is_root() {
            true => (metadata.uid(), metadata.gid()),
            false => (geteuid().as_raw(), getegid().as_raw()),
        };
        Ok(Attributes { owner, group, mode: 0o600 })
    }

    /// Puts `content` in the file's place, whole or not at all, also if the machine stops in between.
    ///
    /// To be called under a lock: the new content is written to `NAME.new` first, and one that is
    /// there already is what a stopped run left behind.
    pub fn replace(&self, name: &OsStr, content: &[u8], attributes: Attributes) -> Result<(), Refusal> {
        let mut new = name.to_os_string();
        new.push(".new");
        let _ = self.remove(&new);
        let file = self.create(&new).map_err(|error| self.refusal(&new, error, "created"))?;
        let replaced = fill(&file, content, attributes)
            .and_then(|()| Ok(renameat(&self.handle, new.as_os_str(), &self.handle, name)?))
            .and_then(|()| self.handle.sync_all());
        replaced.map_err(|error| {
            let _ = self.remove(&new);
            let what = format!("cannot be replaced ({error})");
            let remedy = format!(
                "do it as root or as user {}, and see to it that {} has room",
                attributes.owner,
                self.path.display()
            );
            Refusal::new(what, remedy)
        })
    }

    /// Holds the lock file `name` until the handle is dropped; waits for another holder at most `patience`.
    pub fn lock(&self, name: &OsStr, patience: Duration) -> Result<File, Refusal> {
        let file = match self.create(name) {
            Ok(file) => {
                // The folder's owner has to be able to take it too.
                let Attributes { owner, group, .. } = self.newcomer()?;
                give(&file, owner, group)
                    .map(|()| file)
                    .map_err(|error| self.refusal(name, errno(&error), "given away"))
            }
            Err(Errno::EEXIST) => self
                .open_file(name, OFlag::O_RDONLY | OFlag::O_NONBLOCK)
                .map_err(|error| self.refusal(name, error, "opened")),
            Err(error) => Err(self.refusal(name, error, "created")),
        }?;
        let end = Instant::now() + patience;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(TryLockError::Error(error)) => return Err(self.refusal(name, errno(&error), "locked")),
                Err(TryLockError::WouldBlock) if Instant::now() >= end => {
                    let what = format!("another process holds {}", self.path.join(name).display());
                    return Err(Refusal::new(what, "let it end, then try again"));
                }
                Err(TryLockError::WouldBlock) => std::thread::sleep(LOCK_PAUSE),
            }
        }
    }

    fn create(&self, name: &OsStr) -> Result<File, Errno> {
        self.open_file(name, OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL)
    }

    fn open_file(&self, name: &OsStr, flags: OFlag) -> Result<File, Errno> {
        let flags = flags | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        openat(&self.handle, name, flags, Mode::S_IRUSR | Mode::S_IWUSR).map(File::from)
    }

    fn remove(&self, name: &OsStr) -> Result<(), Errno> {
        unlinkat(&self.handle, name, UnlinkatFlags::NoRemoveDir)
    }

    fn refusal(&self, name: &OsStr, error: Errno, verb: &str) -> Refusal {
        let name = name.display();
        match error {
            // O_NOFOLLOW: ELOOP by POSIX, EMLINK on FreeBSD.
            Errno::ELOOP | Errno::EMLINK => Refusal::new(
                format!("{name} is a symbolic link, which is not followed"),
                "name the file that it points to",
            ),
            _ => Refusal::new(
                format!("{name} cannot be {verb} ({})", io::Error::from(error)),
                format!("do it as root or as the owner of {}", self.path.display()),
            ),
        }
    }
}

/// The owner goes first: giving a file away takes special mode bits from it.
fn fill(mut file: &File, content: &[u8], attributes: Attributes) -> io::Result<()> {
    give(file, attributes.owner, attributes.group)?;
    file.set_permissions(Permissions::from_mode(attributes.mode))?;
    file.write_all(content)?;
    file.sync_all()
}

/// Sets owner and group where they are not so already, which takes no privilege.
fn give(file: &File, owner: u32, group: u32) -> io::Result<()> {
    let now = file.metadata()?;
    match (now.uid(), now.gid()) == (owner, group) {
        true => Ok(()),
        false => fchown(file, Some(owner), Some(group)),
    }
}

fn errno(error: &io::Error) -> Errno {
    Errno::from_raw(error.raw_os_error().unwrap_or_default())
}
