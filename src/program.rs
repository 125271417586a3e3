//! Runs a program of the administrator's to its end, or to its deadline, and leaves nothing of it behind.
//!
//! It gets a process group of its own, which is killed whole: at the deadline, and also after the
//! program's own end, since what it left running would hold its pipe and, one day, our memory.

use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::thread;
use std::time::Duration;

use crate::deadline::Deadline;
use crate::secret::Secret;
use crate::sys;

/// Where the program finds its tools: the folders of Linux and FreeBSD, whatever ours were.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The longest line of stderr that is looked at (bytes); the rest of it is passed over.
const LINE_LIMIT: usize = 4096;

/// More than a pipe holds (bytes; 64 KiB on Linux and FreeBSD).
const PIPE: usize = 128 << 10;

/// Enough for the thread that waits (bytes).
const STACK: usize = 64 << 10;

/// How a program that was started ended.
#[derive(Debug)]
pub enum Ending {
    Exited(ExitStatus),
    /// By us, for this reason; it reads on after "was killed …".
    Killed(String),
}

/// The longest input (bytes): the least that a pipe holds, so that writing it waits for nobody.
pub const INPUT_LIMIT: usize = 4096;

/// Runs `path` with PATH and `environment` as its whole environment, `input` and no other, no output
/// but stderr, and `/` as its folder. `line` gets each line of stderr as it comes.
///
/// An error says that it was not started.
pub fn run<'a>(
    path: &Path,
    words: &[&str],
    environment: impl IntoIterator<Item = (&'a str, &'a str)>,
    input: Option<&Secret>,
    deadline: Deadline,
    mut line: impl FnMut(&str),
) -> io::Result<Ending> {
    // Told of the end by the closing of a socket, because poll can wait for that and for stderr at once.
    let (ended, ends) = UnixStream::pair()?;
    let mut child = Command::new(path)
        .args(words)
        .env_clear()
        .env("PATH", PATH)
        .envs(environment)
        .current_dir("/")
        .process_group(0)
        .stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() })
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()?;
    let leader = child.id();
    if let (Some(input), Some(mut stdin)) = (input, child.stdin.take()) {
        // Whoever does not read it has ended, and says so by its status.
        let _ = stdin.write_all(&input.reveal().as_bytes()[..input.reveal().len().min(INPUT_LIMIT)]);
    }
    let waiter = thread::Builder::new().stack_size(STACK).spawn(move || {
        sys::await_end(leader);
        drop(ends);
    });
    let mut lines = Lines::of(&mut child);
    let in_time = match &waiter {
        Ok(_) => lines.listen(&ended, deadline, &mut line),
        Err(error) => Err(io::Error::from(error.kind())),
    };
    // Before anybody waits for the leader: until then its number cannot be another process's.
    sys::kill_group(leader);
    lines.drain(&mut line);
    let _ = waiter.map(|waiter| waiter.join());
    let status = child.wait();
    Ok(match (in_time, status) {
        (Ok(true), Ok(status)) => Ending::Exited(status),
        (Ok(false), _) => Ending::Killed("at its deadline".to_string()),
        (Err(error), _) | (_, Err(error)) => Ending::Killed(format!("since it could not be watched ({error})")),
    })
}

/// The lines of a program's stderr.
struct Lines {
    /// None once it is at its end.
    stderr: Option<ChildStderr>,
    /// The line that is not complete yet.
    pending: Vec<u8>,
}

impl Lines {
    fn of(child: &mut Child) -> Lines {
        Lines { stderr: child.stderr.take(), pending: Vec::new() }
    }

    /// Reads until the program has ended (true) or the deadline is over (false).
    fn listen(&mut self, ended: &UnixStream, deadline: Deadline, line: &mut impl FnMut(&str)) -> io::Result<bool> {
        while deadline.left().is_some() {
            let [has_ended, has_lines] = match &self.stderr {
                Some(stderr) => sys::readable([ended.as_fd(), stderr.as_fd()], deadline)?,
                None => [sys::readable([ended.as_fd()], deadline)? == [true], false],
            };
            if has_lines {
                self.read(line);
            }
            if has_ended {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Reads what is left in the pipe. No more: whoever left the group may still write into it.
    fn drain(&mut self, line: &mut impl FnMut(&str)) {
        let now = Deadline::after(Duration::ZERO);
        let mut left = PIPE;
        while let Some(stderr) = &self.stderr
            && left > 0
            && sys::readable([stderr.as_fd()], now).is_ok_and(|readable| readable == [true])
        {
            left = left.saturating_sub(self.read(line));
        }
        self.complete(line);
    }

    /// Reads once, which does not block where poll said so; gives the number of bytes.
    fn read(&mut self, line: &mut impl FnMut(&str)) -> usize {
        let mut bytes = [0; 4096];
        let count = self.stderr.as_mut().map_or(0, |stderr| stderr.read(&mut bytes).unwrap_or(0));
        if count == 0 {
            self.stderr = None;
        }
        for &byte in &bytes[..count] {
            if byte == b'\n' {
                self.complete(line);
            } else if self.pending.len() < LINE_LIMIT {
                self.pending.push(byte);
            }
        }
        count
    }

    fn complete(&mut self, line: &mut impl FnMut(&str)) {
        if !self.pending.is_empty() {
            line(&String::from_utf8_lossy(&self.pending));
            self.pending.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;

    #[test]
    fn who_left_the_group_cannot_hold_us_through_the_pipe() {
        if Command::new("setsid").arg("true").status().is_err() {
            eprintln!("SKIPPED: no setsid here to leave a process group with");
            return;
        }
        let scratch = Scratch::new();
        let pid = scratch.path().join("pid");
        let script = format!(
            "setsid sh -c 'echo $$ >\"$1.new\"; mv \"$1.new\" \"$1\"; exec sleep 600' sh '{0}' &\n\
             until test -e '{0}'; do sleep 0.01; done\necho done >&2\n",
            pid.display()
        );
        let deadline = Deadline::after(Duration::from_secs(60));
        let mut lines = Vec::new();
        let program = scratch.program("program", &script);
        let ending = run(&program, &[], [], None, deadline, |line| lines.push(line.to_string())).unwrap();
        let escaped = std::fs::read_to_string(&pid).unwrap();
        Command::new("kill").arg(escaped.trim()).status().unwrap();
        assert!(matches!(ending, Ending::Exited(status) if status.success()), "{ending:?}");
        assert!(deadline.left().is_some(), "it was not waited for until the deadline");
        assert_eq!(lines, ["done"]);
    }
}
