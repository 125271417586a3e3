//! What the standard library does not ask of the operating system: owners and modes of files,
//! limits, signals. Through nix, so that there is no unsafe code of ours; what only Linux needs is
//! nothing elsewhere.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;
use std::sync::OnceLock;

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::{SigSet, Signal, killpg};
use nix::sys::socket::{self, AddressFamily, Backlog, SockFlag, SockType, SockaddrStorage};
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::{AccessFlags, Pid};

use crate::challenge::Name;
use crate::deadline::Deadline;
use crate::mistake::{Mistake, Origin};

/// Why a file was not taken, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub what: String,
    pub remedy: String,
}

impl Refusal {
    pub fn new(what: impl Into<String>, remedy: impl Into<String>) -> Refusal {
        Refusal { what: what.into(), remedy: remedy.into() }
    }

    /// As a mistake in the file's line with this number; 0: in the file as a whole.
    pub fn at(self, path: &Path, line: usize) -> Mistake {
        Mistake::new(Origin::File { path: Arc::from(path), line }, self.what, self.remedy)
    }
}

/// Reads a text file that only root or we can have written, at most `limit` bytes of it.
///
/// Owner and mode are read from the open file, so that what is checked is what is read.
pub fn read_trusted(path: &Path, limit: u64) -> Result<String, Refusal> {
    let file = open(path)?;
    trusted(path, &file.metadata().map_err(|error| unreadable(path, &error))?)?;
    read_text(path, file, limit)
}

/// Reads a text file, whoever may have written it, at most `limit` bytes of it.
pub fn read_public(path: &Path, limit: u64) -> Result<String, Refusal> {
    read_text(path, open(path)?, limit)
}

fn open(path: &Path) -> Result<File, Refusal> {
    // A FIFO in the file's place would otherwise hold us until somebody writes to it.
    let file = File::options().read(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(path);
    file.map_err(|error| unreadable(path, &error))
}

/// Reads an open text file, at most `limit` bytes of it. Who may have written it is the caller's to ask.
pub fn read_text(path: &Path, file: File, limit: u64) -> Result<String, Refusal> {
    if !file.metadata().map_err(|error| unreadable(path, &error))?.is_file() {
        return Err(Refusal::new("not a regular file", "name a file"));
    }
    let mut bytes = Vec::new();
    file.take(limit + 1).read_to_end(&mut bytes).map_err(|error| unreadable(path, &error))?;
    if bytes.len() as u64 > limit {
        return Err(Refusal::new(format!("longer than {limit} bytes"), "is this the right file?"));
    }
    String::from_utf8(bytes).map_err(|_| Refusal::new("not UTF-8 text", "is this the right file?"))
}

/// Refuses what belongs to others than root or us, or is writable by group or others:
/// whoever can write it could have put anything into it.
pub fn trusted(path: &Path, metadata: &Metadata) -> Result<(), Refusal> {
    let us = user();
    if metadata.uid() != 0 && metadata.uid() != us {
        let what =
            format!("belongs to user {}, who is neither root nor the user {us} that runs acmegw", metadata.uid());
        return Err(Refusal::new(what, format!("chown root {}", path.display())));
    }
    unshared(path, metadata)
}

/// Refuses what is writable by group or others.
pub fn unshared(path: &Path, metadata: &Metadata) -> Result<(), Refusal> {
    if metadata.mode() & 0o022 != 0 {
        let what = format!("writable by group or others (mode {:04o})", metadata.mode() & 0o7777);
        return Err(Refusal::new(what, format!("chmod go-w {}", path.display())));
    }
    Ok(())
}

/// What a failed read says, and what to do about it.
pub fn unreadable(path: &Path, error: &io::Error) -> Refusal {
    let remedy = match error.kind() {
        io::ErrorKind::NotFound => "create it, or name another one".to_string(),
        io::ErrorKind::PermissionDenied => {
            format!("let user {} read {}", user(), path.display())
        }
        _ => "see to it that it can be read".to_string(),
    };
    Refusal::new(format!("cannot be read ({error})"), remedy)
}

/// The user whose rights we have, or are about to have (see [`will_be`]).
pub fn user() -> u32 {
    SUCCESSOR.get().copied().unwrap_or_else(|| nix::unistd::geteuid().as_raw())
}

/// From now on we count as this user: root, who reads what is still root's to read, is about to
/// become it. Said once.
pub fn will_be(user: u32) {
    SUCCESSOR.get_or_init(|| user);
}

/// A process has one user, and so this is the process's.
static SUCCESSOR: OnceLock<u32> = OnceLock::new();

/// The machine's own name, if it has one that can stand in a certificate.
pub fn host_name() -> Option<String> {
    let name = nix::unistd::gethostname().ok()?.into_string().ok()?;
    Name::host(&name).ok().map(|name| name.to_string())
}

/// A listening TCP socket. An IPv6 one takes IPv6 only, on every system alike: IPv4 has its own.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let family = if address.is_ipv6() { AddressFamily::Inet6 } else { AddressFamily::Inet };
    let socket = socket::socket(family, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
    if address.is_ipv6() {
        socket::setsockopt(&socket, socket::sockopt::Ipv6V6Only, &true)?;
    }
    socket::setsockopt(&socket, socket::sockopt::ReuseAddr, &true)?;
    socket::bind(socket.as_raw_fd(), &SockaddrStorage::from(address))?;
    // A burst must not overflow the queue: the kernel drops what does not fit, and the client tries
    // again after a second only.
    socket::listen(&socket, Backlog::MAXCONN)?;
    Ok(TcpListener::from(socket))
}

/// May we read the file?
pub fn may_read(path: &Path) -> Result<(), Refusal> {
    nix::unistd::access(path, AccessFlags::R_OK).map_err(|errno| unreadable(path, &errno.into()))
}

/// Is there a process with this number?
pub fn is_running(process: i32) -> bool {
    nix::sys::signal::kill(Pid::from_raw(process), None) != Err(Errno::ESRCH)
}

/// May we execute the file?
pub fn executable(path: &Path) -> bool {
    nix::unistd::access(path, AccessFlags::X_OK).is_ok()
}

/// Ends every process of the group that `leader` leads. Sure to hit no other one as long as the
/// leader has not been waited for; that there is none left is fine.
pub fn kill_group(leader: u32) {
    let _ = killpg(Pid::from_raw(leader as i32), Signal::SIGKILL);
}

/// Blocks until the child has ended, and leaves it to be waited for, so that its number stays its own.
pub fn await_end(child: u32) {
    let end = || waitid(Id::Pid(Pid::from_raw(child as i32)), WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT);
    while end() == Err(Errno::EINTR) {}
}

/// Waits until one of the descriptors can be read without blocking, or until the deadline; says which.
pub fn readable<const N: usize>(descriptors: [BorrowedFd<'_>; N], deadline: Deadline) -> io::Result<[bool; N]> {
    let ready = any_readable(descriptors, deadline)?;
    Ok(std::array::from_fn(|place| ready[place]))
}

/// The same for any number of them.
pub fn any_readable<'a>(
    descriptors: impl IntoIterator<Item = BorrowedFd<'a>>,
    deadline: Deadline,
) -> io::Result<Vec<bool>> {
    let polled = descriptors.into_iter().map(|descriptor| PollFd::new(descriptor, PollFlags::POLLIN));
    let mut polled: Vec<PollFd<'a>> = polled.collect();
    // Rounded up, so that the last millisecond does not spin.
    let left = deadline.left().map_or(0, |left| left.as_millis().saturating_add(1));
    match poll(&mut polled, PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX)) {
        Ok(_) | Err(Errno::EINTR) => Ok(polled.iter().map(|one| one.any().unwrap_or(false)).collect()),
        Err(error) => Err(error.into()),
    }
}

/// Unblocks every signal: httpd starts its programs with all of them blocked, and SIGTERM must end us.
pub fn unblock_signals() -> io::Result<()> {
    Ok(SigSet::all().thread_unblock()?)
}

/// Lets this thread do its work when the others leave a processor alone, mostly: it weighs a tenth of them.
#[cfg(target_os = "linux")]
pub fn step_back() {
    // Refused only where somebody forbids it, and then everything works, if more slowly for others.
    let _ = rustix::process::nice(10);
}

/// Niceness belongs to the whole process, and FreeBSD's scheduler ranks a thread that never sleeps behind
/// those that do by itself (sched_ule(4)).
#[cfg(not(target_os = "linux"))]
pub fn step_back() {}

/// How many files we may have open.
pub fn open_files() -> io::Result<u64> {
    Ok(getrlimit(Resource::RLIMIT_NOFILE)?.0)
}

/// Raises the soft limit of open files to the hard one and says what it is now.
pub fn raise_open_files() -> io::Result<u64> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    match setrlimit(Resource::RLIMIT_NOFILE, hard, hard) {
        Ok(()) => Ok(hard),
        // FreeBSD's kern.maxfilesperproc may lie below the hard limit: what we have is what counts.
        Err(_) => Ok(soft),
    }
}
