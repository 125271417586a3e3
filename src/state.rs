//! The folder in which acmegw keeps what must survive a restart.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::config::{Config, Setting};
use crate::mistake::Mistake;
use crate::sys::{self, Refusal};

pub const SETTINGS: &[Setting] = &[Setting::new(
    "STATE_DIR",
    "",
    "the folder for what must survive a restart (default: /var/db/acmegw or /var/lib/acmegw)",
)];

/// Where it is looked for: FreeBSD's place, then Linux's.
const PLACES: [&str; 2] = ["/var/db/acmegw", "/var/lib/acmegw"];

/// STATE_DIR, else what systemd gives ($STATE_DIRECTORY), else the usual place if it is ours; else none.
pub fn folder(config: &Config) -> Result<Option<PathBuf>, Mistake> {
    let given = || std::env::var_os("STATE_DIRECTORY").filter(|path| !path.is_empty()).map(PathBuf::from);
    let Some(folder) = config.path("STATE_DIR").or_else(given) else {
        return Ok(PLACES.iter().map(Path::new).find(|place| is_usable(place)).map(Path::to_path_buf));
    };
    match check(&folder) {
        Ok(()) => Ok(Some(folder)),
        Err(Refusal { what, remedy }) => {
            Err(config.mistake("STATE_DIR", format_args!("= {} {what}", folder.display()), remedy))
        }
    }
}

/// Where a running gateway of this configuration may keep its state: for others than the gateway, who
/// may not use the folder themselves.
pub fn places(config: &Config) -> Vec<PathBuf> {
    match config.path("STATE_DIR") {
        Some(folder) => vec![folder],
        None => PLACES.iter().map(PathBuf::from).collect(),
    }
}

/// A usual place that is there but cannot be used is named: somebody made it for us.
fn is_usable(place: &Path) -> bool {
    match check(place) {
        Ok(()) => true,
        Err(_) if !place.exists() => false,
        Err(Refusal { what, remedy }) => {
            log::warn!("{} {what} and is passed over: {remedy}", place.display());
            false
        }
    }
}

/// It must be a folder of our own that nobody else looks into: it holds a private key.
fn check(folder: &Path) -> Result<(), Refusal> {
    let path = folder.display();
    let metadata = fs::metadata(folder)
        .map_err(|error| Refusal::new(format!("cannot be used ({error})"), format!("install -d -m 0700 {path}")))?;
    let us = sys::user();
    if !metadata.is_dir() {
        return Err(Refusal::new("is not a folder", "name a folder"));
    }
    if metadata.uid() != us {
        return Err(Refusal::new(
            format!("belongs to user {}, not to {us}", metadata.uid()),
            format!("chown {us} {path}"),
        ));
    }
    match metadata.mode() & 0o077 {
        0 => Ok(()),
        _ => Err(Refusal::new(
            format!("is open to others (mode {:04o})", metadata.mode() & 0o7777),
            format!("chmod 0700 {path}"),
        )),
    }
}
