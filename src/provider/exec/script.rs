//! The shipped scripts: which one DNSAPI_MODULE means, where it is, and what has to be trusted.

use std::path::{Path, PathBuf};

use crate::config::Config;
use crate::mistake::Mistake;
use crate::sys::{self, Refusal};

/// Where `make install` puts them, as seen from the folder of the program; and where they are else.
const BESIDE: &str = "../libexec/acmegw";
const USUAL: &str = "/usr/local/libexec/acmegw";

const ACMESH: &str = "acme.sh:";
const PYTHON: &str = "python:";

/// As many files are looked at in a folder that has to be trusted; more are no provider.
const FILES: usize = 10_000;

/// What a shipped script runs.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Script {
    /// `dns_xxx` of the operator's acme.sh.
    AcmeSh(String),
    /// A class that was written for the predecessor.
    Python { module: String, class: String },
}

/// Is it a name of a script's, as far as one can say without DNSAPI_CLASS?
pub fn is_one(module: &str) -> bool {
    [ACMESH, PYTHON].iter().any(|scheme| module.starts_with(scheme))
}

/// Which script DNSAPI_MODULE means: `acme.sh:dns_xxx`, `python:MODULE`, or a dotted module with
/// DNSAPI_CLASS, as the predecessor's configurations name it. None: the program of DNSAPI_PROGRAM.
pub(super) fn of(config: &Config) -> Result<Option<Script>, Mistake> {
    let module = config.text("DNSAPI_MODULE").unwrap_or_default();
    if let Some(name) = module.strip_prefix(ACMESH) {
        let form = || config.mistake("DNSAPI_MODULE", "names no script of acme.sh", "write it as acme.sh:dns_xxx");
        let is_right = |name: &str| name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
        return match name.strip_prefix("dns_").is_some_and(|rest| !rest.is_empty() && is_right(rest)) {
            true => Ok(Some(Script::AcmeSh(name.to_string()))),
            false => Err(form()),
        };
    }
    let Some(module) = module.strip_prefix(PYTHON).or(Some(module).filter(|module| is_dotted(module))) else {
        return Ok(None);
    };
    let words = "write letters, digits and underscores, with dots between them, as import takes it";
    if !module.split('.').all(is_identifier) {
        return Err(config.mistake("DNSAPI_MODULE", "names no Python module", words));
    }
    let class = config.required("DNSAPI_CLASS", Ok(config.text("DNSAPI_CLASS")))?;
    match is_identifier(class) {
        true => Ok(Some(Script::Python { module: module.to_string(), class: class.to_string() })),
        false => Err(config.mistake("DNSAPI_CLASS", "names no Python class", words)),
    }
}

/// Does it name a Python module, with `python:` or as the predecessor's configurations have it
/// (providers.mine)? Its class is in DNSAPI_CLASS.
pub fn is_class(module: &str) -> bool {
    module.starts_with(PYTHON) || is_dotted(module)
}

fn is_dotted(module: &str) -> bool {
    module.contains('.') && module.split('.').all(is_identifier)
}

fn is_identifier(text: &str) -> bool {
    let mut bytes = text.bytes();
    bytes.next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// The shipped script, unless DNSAPI_PROGRAM names another one.
pub(super) fn shipped(config: &Config, name: &str) -> PathBuf {
    let beside = || {
        let program = std::env::current_exe().ok()?;
        program.parent()?.join(BESIDE).join(name).canonicalize().ok()
    };
    let usual = || Path::new(USUAL).join(name);
    config.path("DNSAPI_PROGRAM").unwrap_or_else(|| beside().unwrap_or_else(usual))
}

/// A file, or a folder with all that is in it, that nobody but root and we can have written, and
/// that can be read.
pub(super) fn check(path: &Path) -> Result<(), Refusal> {
    let mut left = FILES;
    check_all(path, &mut left)
}

fn check_all(path: &Path, left: &mut usize) -> Result<(), Refusal> {
    let Some(rest) = left.checked_sub(1) else {
        return Err(Refusal::new(format!("holds more than {FILES} files"), "name a folder for this purpose only"));
    };
    *left = rest;
    let within = |inner: &Path, refusal: Refusal| match inner == path {
        true => refusal,
        false => Refusal::new(format!("{}: {}", inner.display(), refusal.what), refusal.remedy),
    };
    let metadata = path.metadata().map_err(|error| sys::unreadable(path, &error))?;
    sys::trusted(path, &metadata)?;
    if !metadata.is_dir() {
        return sys::may_read(path);
    }
    let entries = path.read_dir().map_err(|error| sys::unreadable(path, &error))?;
    for entry in entries.flatten() {
        check_all(&entry.path(), left).map_err(|refusal| within(&entry.path(), refusal))?;
    }
    Ok(())
}
