//! A folder for one test, gone with it; for the tests within the library and those from outside.

use std::fs::DirBuilder;
use std::io::Write;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

static COUNT: AtomicU32 = AtomicU32::new(0);

pub struct Scratch(PathBuf);

impl Scratch {
    pub fn new() -> Scratch {
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("acmegw-test-{}-{number}", std::process::id()));
        DirBuilder::new().mode(0o700).create(&path).unwrap();
        Scratch(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    pub fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Writes a file that only we can change (mode 0600), whatever the umask is.
    pub fn file(&self, name: &str, text: &str) -> PathBuf {
        self.file_mode(name, text, 0o600)
    }

    /// Writes a shell script that can be run.
    pub fn program(&self, name: &str, script: &str) -> PathBuf {
        self.file_mode(name, &format!("#!/bin/sh\n{script}"), 0o755)
    }

    /// By a child: a descriptor of ours that is open for writing could be inherited by what another
    /// test starts at this moment, and a program that somebody writes to cannot be started.
    pub fn file_mode(&self, name: &str, text: &str, mode: u32) -> PathBuf {
        let path = self.0.join(name);
        let mut cat = Command::new("sh")
            .args(["-c", "cat >\"$1\" && chmod \"$2\" \"$1\"", "sh"])
            .arg(&path)
            .arg(format!("{mode:o}"))
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        cat.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        assert!(cat.wait().unwrap().success());
        path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
