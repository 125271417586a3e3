//! LOGFILE: what hooks did, when, and in which process. httpd runs several hooks at once, so each
//! line is one write to the end of the file.
//!
//! A log that cannot be written is one warning: a certificate matters more than its log line.

use std::cell::RefCell;
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use nix::fcntl::OFlag;
use nix::unistd::{AccessFlags, access};

use crate::clock;

/// The log of one hook. Nothing that goes in may be secret; foreign text comes escaped.
pub struct Logfile(RefCell<Option<File>>);

impl Logfile {
    /// Opens the file at its end, made with mode 0600 if need be. None: nothing is kept.
    pub fn open(path: Option<&Path>) -> Logfile {
        let file = path.and_then(|path| {
            let opened = open(path, true);
            opened.map_err(|error| complain(format_args!("warning: LOGFILE {}", refusal(path, &error)))).ok()
        });
        Logfile(RefCell::new(file))
    }

    /// Could the file be written? Looks without making it; the error says what to do.
    pub fn check(path: &Path) -> Result<(), String> {
        let found = match open(path, false) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let folder = path.parent().filter(|folder| *folder != Path::new("")).unwrap_or(Path::new("."));
                access(folder, AccessFlags::W_OK | AccessFlags::X_OK).map_err(io::Error::from)
            }
            other => other.map(drop),
        };
        found.map_err(|error| refusal(path, &error))
    }

    /// Writes a line; a text of several lines becomes several.
    pub fn note(&self, text: impl fmt::Display) {
        let mut file = self.0.borrow_mut();
        for text in text.to_string().lines() {
            let Some(open) = file.as_mut() else { return };
            let line = format!("{} [{}] {text}\n", clock::now(), std::process::id());
            if let Err(error) = open.write_all(line.as_bytes()) {
                complain(format_args!("warning: LOGFILE cannot be written ({error}): see to its file system"));
                *file = None;
            }
        }
    }

    /// Writes a line, and says it on stderr, which mod_md copies into httpd's log.
    pub fn warn(&self, text: impl fmt::Display) {
        complain(format_args!("warning: {text}"));
        self.note(format_args!("warning: {text}"));
    }
}

/// A line on stderr. Whoever started us may have closed it: then there is nobody to tell.
fn complain(text: fmt::Arguments<'_>) {
    let _ = io::stderr().write_all(format!("acmegw hook: {text}\n").as_bytes());
}

/// Does not follow a symbolic link: a hook that runs as root would append to whatever it points at.
/// Does not wait: a FIFO without a reader would keep us, and the renewal, for ever.
fn open(path: &Path, create: bool) -> io::Result<File> {
    let flags = (OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK).bits();
    let file = OpenOptions::new().append(true).create(create).mode(0o600).custom_flags(flags).open(path)?;
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(io::Error::other("not a regular file")),
    }
}

fn refusal(path: &Path, error: &io::Error) -> String {
    let user = nix::unistd::geteuid();
    format!(
        "{} cannot be written ({error}): name a regular file, not a link, that user {user} may append to",
        path.display()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;
    use std::os::unix::fs::{MetadataExt, symlink};

    fn lines(path: &Path) -> Vec<String> {
        std::fs::read_to_string(path).unwrap().lines().map(str::to_string).collect()
    }

    #[test]
    fn lines_carry_time_and_pid_and_go_to_the_end() {
        let folder = Scratch::new();
        let path = folder.join("log");
        for text in ["first", "second\nthird"] {
            Logfile::open(Some(&path)).note(text);
        }
        let lines = lines(&path);
        let pid = format!(" [{}] ", std::process::id());
        let texts: Vec<_> = lines.iter().map(|line| line.split_once(&pid).unwrap().1).collect();
        assert_eq!(texts, ["first", "second", "third"]);
        let stamp = lines[0].split_once(' ').unwrap().0;
        assert!(stamp.len() == 24 && stamp.ends_with('Z'), "{stamp}");
        assert_eq!(path.metadata().unwrap().mode() & 0o777, 0o600);
    }

    #[test]
    fn lines_of_concurrent_hooks_do_not_mix() {
        let folder = Scratch::new();
        let path = folder.join("log");
        let texts: Vec<String> = ('a'..='h').map(|letter| letter.to_string().repeat(200)).collect();
        std::thread::scope(|scope| {
            for text in &texts {
                let log = Logfile::open(Some(&path));
                scope.spawn(move || (0..50).for_each(|_| log.note(text)));
            }
        });
        let lines = lines(&path);
        assert_eq!(lines.len(), 50 * texts.len());
        assert!(lines.iter().all(|line| texts.iter().any(|text| line.ends_with(&format!("] {text}")))));
    }

    #[test]
    fn links_fifos_devices_and_folders_are_refused_without_waiting() {
        let folder = Scratch::new();
        let (target, link, fifo) = (folder.join("target"), folder.join("link"), folder.join("fifo"));
        std::fs::write(&target, "").unwrap();
        symlink(&target, &link).unwrap();
        nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
        for path in [link, fifo, "/dev/null".into(), folder.path().to_path_buf(), folder.join("missing/log")] {
            let log = Logfile::open(Some(&path));
            assert!(log.0.borrow().is_none(), "{}", path.display());
            log.note("goes nowhere");
            assert!(Logfile::check(&path).unwrap_err().contains("name a regular file"), "{}", path.display());
        }
        assert_eq!(lines(&target).len(), 0);
    }

    #[test]
    fn a_full_disk_is_one_warning() {
        let log = Logfile(RefCell::new(Some(File::open("/dev/null").unwrap())));
        log.note("cannot be written: open for reading only");
        assert!(log.0.borrow().is_none());
    }

    #[test]
    fn a_check_makes_nothing() {
        let folder = Scratch::new();
        let path = folder.join("log");
        assert_eq!(Logfile::check(&path), Ok(()));
        assert!(!path.exists());
    }
}
