//! The folder in which acmegw keeps what must survive a restart.

use std::fs::{self, Metadata};
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

/// The same for a tool, which may be root while the folder is the gateway's user's.
pub fn of_gateway(config: &Config) -> Result<PathBuf, Mistake> {
    if !nix::unistd::geteuid().is_root() {
        return folder(config)?.ok_or_else(|| config.mistake("STATE_DIR", "is not set", "name the gateway's folder"));
    }
    let usual = || PLACES.iter().map(PathBuf::from).find(|place| place.exists());
    let folder = config.path("STATE_DIR").or_else(usual);
    let folder = folder.ok_or_else(|| config.mistake("STATE_DIR", "is not set", "name the gateway's folder"))?;
    let checked = look_at(&folder).and_then(|metadata| check_mode(&folder, &metadata));
    checked.map(|()| folder.clone()).map_err(|Refusal { what, remedy }| {
        config.mistake("STATE_DIR", format_args!("= {} {what}", folder.display()), remedy)
    })
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
    let (metadata, us) = (look_at(folder)?, sys::user());
    if metadata.uid() != us {
        return Err(Refusal::new(
            format!("belongs to user {}, not to {us}", metadata.uid()),
            format!("chown {us} {}", folder.display()),
        ));
    }
    check_mode(folder, &metadata)
}

fn look_at(folder: &Path) -> Result<Metadata, Refusal> {
    let metadata = fs::metadata(folder).map_err(|error| {
        Refusal::new(format!("cannot be used ({error})"), format!("install -d -m 0700 {}", folder.display()))
    })?;
    match metadata.is_dir() {
        true => Ok(metadata),
        false => Err(Refusal::new("is not a folder", "name a folder")),
    }
}

fn check_mode(folder: &Path, metadata: &Metadata) -> Result<(), Refusal> {
    match metadata.mode() & 0o077 {
        0 => Ok(()),
        _ => Err(Refusal::new(
            format!("is open to others (mode {:04o})", metadata.mode() & 0o7777),
            format!("chmod 0700 {}", folder.display()),
        )),
    }
}
