//! What a process takes of the machine: by /proc on Linux, by ps and procstat elsewhere.

use std::fs;
use std::process::Command;

#[derive(Debug, Clone, Copy)]
pub struct Figures {
    /// Resident (KiB).
    pub memory: u64,
    pub threads: usize,
    pub files: usize,
}

impl Figures {
    pub fn of(pid: u32) -> Figures {
        match fs::read_to_string(format!("/proc/{pid}/status")) {
            Ok(status) => {
                let field = |name: &str| {
                    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
                    line.split_whitespace().next().and_then(|number| number.parse().ok()).unwrap_or(0)
                };
                let files = fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, |entries| entries.count());
                Figures { memory: field("VmRSS:"), threads: field("Threads:") as usize, files }
            }
            Err(_) => Figures {
                memory: said(&["ps", "-o", "rss=", "-p"], pid).trim().parse().unwrap_or(0),
                threads: said(&["ps", "-o", "nlwp=", "-p"], pid).trim().parse().unwrap_or(0),
                files: said(&["procstat", "-h", "-f"], pid).lines().count(),
            },
        }
    }

    pub fn highest(self, other: Figures) -> Figures {
        Figures {
            memory: self.memory.max(other.memory),
            threads: self.threads.max(other.threads),
            files: self.files.max(other.files),
        }
    }

    /// No more threads and files than the other?
    pub fn within(self, idle: Figures) -> bool {
        self.threads <= idle.threads && self.files <= idle.files
    }
}

fn said(words: &[&str], pid: u32) -> String {
    let output = Command::new(words[0]).args(&words[1..]).arg(pid.to_string()).output();
    output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default()
}
