//! A folder for one run of a program: private, empty, and gone afterwards, also if the run was
//! ended by us. Scripts write down credentials in theirs.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::PathBuf;

use ring::rand::{SecureRandom, SystemRandom};

use crate::sys;

/// What its name begins with; the number of our process and a random one follow.
const NAME: &str = "acmegw-home-";

pub(super) struct Home(String);

impl Home {
    pub(super) fn new() -> io::Result<Home> {
        let mut bytes = [0; 8];
        SystemRandom::new().fill(&mut bytes).map_err(|_| io::Error::other("no random bytes to be had"))?;
        let name = format!("{NAME}{}-{:016x}", std::process::id(), u64::from_ne_bytes(bytes));
        let path = place().join(name).into_os_string().into_string();
        let path = path.map_err(|_| io::Error::other("the folder for temporary files has no name in UTF-8"))?;
        DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Home(path))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            log::warn!("{} may hold credentials and cannot be removed ({error})", self.0);
        }
    }
}

/// Removes what processes of ours left behind that were killed.
pub(super) fn remove_stale() {
    for folder in fs::read_dir(place()).into_iter().flatten().flatten() {
        let name = folder.file_name().to_string_lossy().into_owned();
        let process = name.strip_prefix(NAME).and_then(|rest| rest.split_once('-')?.0.parse().ok());
        let is_ours = || folder.metadata().is_ok_and(|metadata| metadata.is_dir() && metadata.uid() == sys::user());
        if process.is_some_and(|process| !sys::is_running(process)) && is_ours() {
            let _ = fs::remove_dir_all(folder.path());
        }
    }
}

/// Where the service manager gives a folder, else that for temporary files.
fn place() -> PathBuf {
    let given = std::env::var_os("RUNTIME_DIRECTORY").filter(|path| !path.is_empty()).map(PathBuf::from);
    given.unwrap_or_else(std::env::temp_dir)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_private_and_goes_with_its_value_whatever_is_in_it() {
        let home = Home::new().unwrap();
        let path = PathBuf::from(home.as_str());
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o700);
        fs::create_dir(path.join("folder")).unwrap();
        fs::write(path.join("folder/secret"), "hunter2").unwrap();
        drop(home);
        assert!(!path.exists());
    }

    #[test]
    fn what_a_process_left_that_is_no_more_is_removed_and_what_belongs_to_a_living_one_stays() {
        let mut ended = std::process::Command::new("true").spawn().unwrap();
        ended.wait().unwrap();
        let stale = place().join(format!("{NAME}{}-0", ended.id()));
        fs::create_dir(&stale).unwrap();
        let home = Home::new().unwrap();
        remove_stale();
        assert!(!stale.exists() && PathBuf::from(home.as_str()).exists());
    }
}
