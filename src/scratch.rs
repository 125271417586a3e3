//! A folder for one test, gone with it.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

static COUNT: AtomicU32 = AtomicU32::new(0);

pub struct Scratch(PathBuf);

impl Scratch {
    pub fn new() -> Scratch {
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("acmegw-test-{}-{number}", std::process::id()));
        std::fs::create_dir(&path).unwrap();
        Scratch(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Writes a file that only we can change (mode 0600), whatever the umask is.
    pub fn file(&self, name: &str, text: &str) -> PathBuf {
        self.write(name, text, "600")
    }

    /// Writes a shell script that can be run.
    pub fn program(&self, name: &str, script: &str) -> PathBuf {
        self.write(name, &format!("#!/bin/sh\n{script}"), "755")
    }

    /// By a child: a descriptor of ours that is open for writing could be inherited by what another
    /// test starts at this moment, and a program that somebody writes to cannot be started.
    fn write(&self, name: &str, text: &str, mode: &str) -> PathBuf {
        let path = self.0.join(name);
        let mut cat = Command::new("sh")
            .args(["-c", "cat >\"$1\" && chmod \"$2\" \"$1\"", "sh"])
            .arg(&path)
            .arg(mode)
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
