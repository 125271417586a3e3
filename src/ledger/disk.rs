//! The ledger on disk: a folder for each owner name and a file for each value, as in a Maildir, so
//! that there is nothing to compact and one broken file is one record.
//!
//! A record is written down before it is made and crossed out after it is gone. What does not look
//! like ours is passed over and logged. One process at a time has the folder.

use std::fs::{self, DirBuilder, File, OpenOptions, ReadDir, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, SystemTime};

use ring::digest::{SHA256, digest};

use crate::challenge::{Name, Value};
use crate::foreign::Foreign;
use crate::gate::scope::Record;
use crate::sys::Refusal;

/// The folder's name in STATE_DIR, and that of its lock.
const FOLDER: &str = "ledger";
const LOCK: &str = "ledger.lock";
/// How often the lock is tried, and the pause in between.
const LOCK_TRIES: usize = 20;
const LOCK_PAUSE: Duration = Duration::from_millis(25);
/// The longest file (bytes): names and values are bounded, and so are callers.
const FILE_LIMIT: u64 = 4096;
/// The most records that are read.
const RECORDS: usize = 100_000;
/// How many strangers are named in the log.
const STRANGERS: usize = 20;
/// The length of a hashed name (hexadecimal digits).
const HASH: usize = 32;
/// What is being written has this at the end of its name.
const NEW: &str = ".new";

/// A record as it is kept.
pub(super) struct Kept {
    pub record: Record,
    pub since: SystemTime,
    /// How often a removal failed; None: it is still wanted.
    pub tries: Option<u32>,
}

impl Kept {
    /// As of now.
    pub(super) fn now(record: Record, tries: Option<u32>) -> Kept {
        Kept { record, since: SystemTime::now(), tries }
    }
}

/// The open folder.
pub(super) struct Disk {
    folder: PathBuf,
    _lock: File,
}

impl Disk {
    /// Takes the folder for this process, makes it if it is not there, and reads what it holds.
    pub(super) fn open(state: &Path) -> Result<(Disk, Vec<Kept>), Refusal> {
        let folder = state.join(FOLDER);
        let failed = |error: io::Error| {
            Refusal::new(
                format!("{} cannot be used ({error})", folder.display()),
                "see to it that the gateway may write there",
            )
        };
        let lock = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(state.join(LOCK))
            .map_err(failed)?;
        if !is_taken(&lock).map_err(failed)? {
            let what = format!("another gateway uses {}", state.display());
            return Err(Refusal::new(what, "stop it, or give each a STATE_DIR of its own"));
        }
        make_folder(&folder).map_err(failed)?;
        let disk = Disk { folder, _lock: lock };
        let kept = disk.load().map_err(|error| {
            Refusal::new(format!("the ledger cannot be read ({error})"), "see to it that the gateway may read it")
        })?;
        Ok((disk, kept))
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Writes a record down, whole or not at all, also if the machine stops in between.
    pub(super) fn write(&self, kept: &Kept) -> io::Result<()> {
        let (folder, name) = self.place(&kept.record);
        let new = folder.join(format!("{name}{NEW}"));
        make_folder(&folder)?;
        // What a process that was killed left behind.
        let _ = fs::remove_file(&new);
        let written = Self::replace(kept, &new, &folder.join(name));
        if written.is_err() {
            let _ = fs::remove_file(&new);
            let _ = fs::remove_dir(&folder);
        }
        written?;
        File::open(&folder)?.sync_all()?;
        File::open(&self.folder)?.sync_all()
    }

    fn replace(kept: &Kept, new: &Path, old: &Path) -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(new)?;
        file.write_all(text(kept).as_bytes())?;
        file.sync_all()?;
        fs::rename(new, old)
    }

    /// Crosses a record out; it may be gone already.
    pub(super) fn cross_out(&self, record: &Record) -> io::Result<()> {
        let (folder, name) = self.place(record);
        match fs::remove_file(folder.join(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        // Only where it is empty; a record that comes back makes it anew.
        let _ = fs::remove_dir(&folder);
        File::open(&self.folder)?.sync_all()
    }

    fn place(&self, record: &Record) -> (PathBuf, String) {
        (self.folder.join(hashed(record.owner.as_str())), hashed(record.value.as_str()))
    }

    fn load(&self) -> io::Result<Vec<Kept>> {
        let (mut all, mut strangers) = (Vec::new(), Strangers::default());
        for owner in fs::read_dir(&self.folder)? {
            let owner = owner?.path();
            let files = match fs::symlink_metadata(&owner) {
                Ok(metadata) if metadata.is_dir() => fs::read_dir(&owner),
                _ => Err(io::ErrorKind::NotADirectory.into()),
            };
            match files {
                Ok(files) => self.load_owner(files, &mut all, &mut strangers),
                Err(error) => strangers.met(&owner, &error.to_string()),
            }
            // Only where it is empty: that of a process that was killed before it wrote the file.
            let _ = fs::remove_dir(&owner);
        }
        strangers.count();
        Ok(all)
    }

    fn load_owner(&self, files: ReadDir, all: &mut Vec<Kept>, strangers: &mut Strangers) {
        for path in files.flatten().map(|file| file.path()) {
            if is_unfinished(&path) {
                let _ = fs::remove_file(&path);
            } else if all.len() >= RECORDS {
                strangers.met(&path, "more records than are read");
            } else {
                match self.read(&path) {
                    Ok(kept) => all.push(kept),
                    Err(reason) => strangers.met(&path, &reason),
                }
            }
        }
    }

    fn read(&self, path: &Path) -> Result<Kept, String> {
        let is_file = fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_file());
        if !is_file {
            return Err("not a regular file".to_string());
        }
        let mut text = String::new();
        let file = File::open(path).map_err(|error| error.to_string())?;
        file.take(FILE_LIMIT + 1).read_to_string(&mut text).map_err(|error| error.to_string())?;
        let kept = parse(&text).filter(|_| text.len() as u64 <= FILE_LIMIT).ok_or("not a record")?;
        let (folder, name) = self.place(&kept.record);
        match folder.join(name) == path {
            true => Ok(kept),
            false => Err("a record in another's place".to_string()),
        }
    }
}

/// Takes the lock, unless another process keeps it. A program that a killed gateway was about to
/// start holds it for a moment longer.
fn is_taken(lock: &File) -> io::Result<bool> {
    for _ in 0..LOCK_TRIES {
        match lock.try_lock() {
            Ok(()) => return Ok(true),
            Err(TryLockError::Error(error)) => return Err(error),
            Err(TryLockError::WouldBlock) => thread::sleep(LOCK_PAUSE),
        }
    }
    Ok(false)
}

/// What is not ours, and is passed over and left alone.
#[derive(Default)]
struct Strangers(usize);

impl Strangers {
    fn met(&mut self, path: &Path, reason: &str) {
        self.0 += 1;
        if self.0 <= STRANGERS {
            log::warn!("{}: {}: passed over", Foreign(&path.to_string_lossy()), Foreign(reason));
        }
    }

    fn count(&self) {
        if self.0 > STRANGERS {
            log::warn!("in the ledger {} files in all were passed over", self.0);
        }
    }
}

/// What a process that was killed was writing.
fn is_unfinished(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let is_hash = |stem: &str| stem.len() == HASH && stem.bytes().all(|byte| byte.is_ascii_hexdigit());
    name.strip_suffix(NEW).is_some_and(is_hash)
}

fn make_folder(path: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

/// A name for a file that no name or value of a record can make longer, or lead elsewhere.
fn hashed(text: &str) -> String {
    digest(&SHA256, text.as_bytes()).as_ref()[..HASH / 2].iter().map(|byte| format!("{byte:02x}")).collect()
}

fn text(kept: &Kept) -> String {
    let Kept { record: Record { domain, owner, value, caller, life }, since, tries } = kept;
    let since = since.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
    let tries = tries.map(|tries| format!("tries = {tries}\n")).unwrap_or_default();
    let life = life.map(|life| format!("life = {}\n", life.as_secs())).unwrap_or_default();
    format!("domain = {domain}\nowner = {owner}\nvalue = {value}\ncaller = {caller}\nsince = {since}\n{tries}{life}")
}

fn parse(text: &str) -> Option<Kept> {
    let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(" = "));
    let record = Record {
        domain: Name::host(field("domain")?).ok()?,
        owner: Name::owner(field("owner")?).ok()?,
        value: Value::parse(field("value")?).ok()?,
        caller: field("caller")?.to_string(),
        life: field("life").map(str::parse).transpose().ok()?.map(Duration::from_secs),
    };
    let since = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(field("since")?.parse().ok()?))?;
    let tries = field("tries").map(str::parse).transpose().ok()?;
    Some(Kept { record, since, tries })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;
    use std::os::unix::fs::symlink;

    fn kept(value: char, tries: Option<u32>) -> Kept {
        let domain = Name::host("example.com").unwrap();
        let value = Value::parse(&value.to_string().repeat(43)).unwrap();
        let record = Record { owner: domain.challenge(), domain, value, caller: "alice".to_string(), life: None };
        Kept { record, since: SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000), tries }
    }

    fn loaded(state: &Scratch) -> Vec<(String, Option<u32>, SystemTime)> {
        let (_, kept) = Disk::open(state.path()).unwrap();
        let mut all: Vec<_> =
            kept.into_iter().map(|kept| (kept.record.value.to_string(), kept.tries, kept.since)).collect();
        all.sort();
        all
    }

    #[test]
    fn what_is_written_is_read_and_what_is_crossed_out_is_gone() {
        let state = Scratch::new();
        let (disk, _) = Disk::open(state.path()).unwrap();
        for record in [kept('a', None), kept('b', Some(3)), kept('c', None), kept('c', Some(0))] {
            disk.write(&record).unwrap();
        }
        disk.cross_out(&kept('a', None).record).unwrap();
        disk.cross_out(&kept('a', None).record).unwrap();
        drop(disk);
        let since = kept('a', None).since;
        assert_eq!(loaded(&state), [("b".repeat(43), Some(3), since), ("c".repeat(43), Some(0), since)]);
        let (disk, _) = Disk::open(state.path()).unwrap();
        disk.cross_out(&kept('b', None).record).unwrap();
        disk.cross_out(&kept('c', None).record).unwrap();
        assert_eq!(fs::read_dir(disk.folder()).unwrap().count(), 0, "nothing is left behind");
    }

    #[test]
    fn strangers_are_passed_over_and_left_alone() {
        let state = Scratch::new();
        let (disk, _) = Disk::open(state.path()).unwrap();
        disk.write(&kept('a', None)).unwrap();
        let (folder, name) = disk.place(&kept('a', None).record);
        let good = fs::read_to_string(folder.join(&name)).unwrap();
        fs::write(disk.folder().join("README"), "hello").unwrap();
        fs::write(folder.join("notes.new"), "not ours").unwrap();
        fs::create_dir(disk.folder().join("empty")).unwrap();
        symlink(state.path(), disk.folder().join("elsewhere")).unwrap();
        fs::write(folder.join("garbage"), [0xff; 100]).unwrap();
        fs::write(folder.join("copy"), &good).unwrap();
        fs::write(folder.join(hashed("long")), good.clone() + &"#".repeat(5000)).unwrap();
        fs::write(folder.join(hashed("wrong")), good.replace("value = ", "value = x")).unwrap();
        fs::write(folder.join(format!("{name}{NEW}")), "half a rec").unwrap();
        symlink(folder.join(&name), folder.join(hashed("link"))).unwrap();
        drop(disk);
        assert_eq!(loaded(&state).len(), 1);
        assert!(state.join("ledger").join("README").exists() && folder.join("copy").exists());
        assert!(folder.join("notes.new").exists() && state.join("ledger").join("elsewhere").exists());
        assert!(!state.join("ledger").join("empty").exists());
        assert!(!folder.join(format!("{name}{NEW}")).exists(), "what a killed process was writing is no stranger");
    }

    #[test]
    fn one_process_at_a_time_has_the_folder() {
        let state = Scratch::new();
        let first = Disk::open(state.path()).unwrap();
        let refusal = Disk::open(state.path()).err().unwrap();
        assert!(refusal.what.contains("another gateway uses"), "{refusal:?}");
        drop(first);
        assert!(Disk::open(state.path()).is_ok());
    }
}
