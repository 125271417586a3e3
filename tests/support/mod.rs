//! What the cases share: a folder of their own, the program as a process, requests byte by byte.

#[allow(dead_code, reason = "other tests use the rest of it")]
pub mod figures;
#[allow(dead_code, reason = "other tests use the rest of it")]
pub mod openprovider;
#[allow(dead_code, reason = "other tests use the rest of it")]
pub mod resolver;
#[path = "../../src/scratch.rs"]
mod scratch;
#[allow(dead_code, reason = "other tests use the rest of it")]
pub mod simulator;
pub mod tls;

use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::fd::AsRawFd;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

pub use scratch::Scratch;

/// The longest that anything is waited for.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A value as clients send it.
pub const VALUE: &str = "BoioGwWDRRrAaNnDdOoMmTtOoKkEeNnQ9JRjEqVZnD_";

/// What a file holds; nothing where there is none.
pub fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

/// The program, without anything of the surroundings' configuration, as the user that runs the
/// tests, be it root.
pub fn acmegw(words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_acmegw"));
    command.args(words).env_clear().env("RUN_AS_USER", myself()).stdin(Stdio::null());
    command
}

/// Who runs the tests, as RUN_AS_USER takes it.
pub fn myself() -> String {
    format!("{}:{}", nix::unistd::geteuid(), nix::unistd::getegid())
}

/// Runs the program to its end.
pub fn run(words: &[&str]) -> Output {
    acmegw(words).output().unwrap()
}

pub fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A running gateway. Ends with the test.
pub struct Gateway {
    pub folder: Arc<Scratch>,
    child: Child,
    log: Arc<Mutex<Vec<String>>>,
}

impl Gateway {
    /// Starts one on a loopback port in the clear, with the given lines in its dotenv; the
    /// provider is a program that writes down what it is called with (see [`Gateway::changes`]).
    pub fn start(dotenv: &str) -> Gateway {
        let folder = Scratch::new();
        folder.program("program", "echo \"$@\" >>\"${0%/*}/changes\"\n");
        let program = folder.join("program");
        let lines = format!(
            "LISTEN = 127.0.0.1:0\nSSL = off\nDNSAPI_MODULE = exec\nDNSAPI_PROGRAM = {}\n\
             DNSAPI_DOMAINS = example.com, example.org\n{dotenv}\n",
            program.display()
        );
        Gateway::start_in(folder, &lines, &[])
    }

    /// Starts one with just these lines, in a folder that may hold files already.
    pub fn start_in(folder: impl Into<Arc<Scratch>>, dotenv: &str, environment: &[(&str, &str)]) -> Gateway {
        let folder = folder.into();
        let file = folder.file("dotenv", dotenv);
        let mut command = acmegw(&["serve", "-e", file.to_str().unwrap()]);
        // A gateway that is killed leaves its inner socket behind; so that goes with the test too.
        command.env("RUNTIME_DIRECTORY", folder.path()).envs(environment.iter().copied());
        Gateway::spawn(folder, command)
    }

    /// The same under a limit of open files.
    pub fn start_with_files(folder: impl Into<Arc<Scratch>>, dotenv: &str, files: u32) -> Gateway {
        let folder = folder.into();
        let file = folder.file("dotenv", dotenv);
        let mut command = Command::new("sh");
        command.args(["-c", "ulimit -n \"$1\"; shift; exec \"$@\"", "sh", &files.to_string()]);
        command.args([env!("CARGO_BIN_EXE_acmegw"), "serve", "-e", file.to_str().unwrap()]);
        command.env_clear().env("RUN_AS_USER", myself()).env("RUNTIME_DIRECTORY", folder.path()).stdin(Stdio::null());
        Gateway::spawn(folder, command)
    }

    fn spawn(folder: Arc<Scratch>, mut command: Command) -> Gateway {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let log = Arc::new(Mutex::new(Vec::new()));
        collect(child.stdout.take().unwrap(), log.clone());
        collect(child.stderr.take().unwrap(), log.clone());
        let gateway = Gateway { folder, child, log };
        gateway.wait_for("listening on ");
        gateway
    }

    /// Ends the gateway, as a power cut would, and gives its folder for the next one.
    pub fn into_folder(self) -> Arc<Scratch> {
        self.folder.clone()
    }

    /// The first line of the log with this text in it, waited for.
    pub fn wait_for(&self, text: &str) -> String {
        let began = Instant::now();
        loop {
            if let Some(line) = self.log.lock().unwrap().iter().find(|line| line.contains(text)) {
                return line.clone();
            }
            assert!(began.elapsed() < PATIENCE, "no {text:?} in\n{}", self.log());
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits until the provider has been asked for something.
    pub fn wait_for_a_change(&self) {
        let began = Instant::now();
        while self.changes().is_empty() {
            assert!(began.elapsed() < PATIENCE, "the provider was not asked");
            thread::sleep(Duration::from_millis(5));
        }
    }

    pub fn log(&self) -> String {
        self.log.lock().unwrap().join("\n")
    }

    /// What follows a text in the log, up to the end of its line.
    pub fn logged(&self, text: &str) -> String {
        self.wait_for(text).split_once(text).unwrap().1.to_string()
    }

    /// The address as a client is told it: http://… or https://….
    pub fn uri(&self) -> String {
        self.logged("listening on ")
    }

    pub fn address(&self) -> SocketAddr {
        self.uri().split_once("://").unwrap().1.parse().unwrap()
    }

    /// What the provider was asked to do, a line each: `setup NAME VALUE`.
    pub fn changes(&self) -> String {
        read(&self.folder.join("changes"))
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn add_user(&self, name: &str, password: &str) {
        let file = self.folder.join("acmepasswd");
        add_user(&file, name, password);
    }

    pub fn signal(&self, signal: &str) {
        let status = Command::new("kill").args([&format!("-{signal}"), &self.pid().to_string()]).status();
        assert!(status.unwrap().success());
    }

    /// Waits for the end and gives the exit status.
    pub fn ended(&mut self) -> Option<i32> {
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            assert!(began.elapsed() < PATIENCE, "it does not end:\n{}", self.log());
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// The native dialect's request with this body, from 127.0.0.1.
    pub fn post(&self, body: &str) -> Reply {
        self.post_as(None, body)
    }

    /// With a user and password, as `user:password`.
    pub fn post_as(&self, credentials: Option<&str>, body: &str) -> Reply {
        let header = credentials.map(|text| format!("Authorization: Basic {}\r\n", base64(text))).unwrap_or_default();
        self.request("POST", "/", &header, body)
    }

    pub fn request(&self, method: &str, path: &str, headers: &str, body: &str) -> Reply {
        let length = body.len();
        let text =
            format!("{method} {path} HTTP/1.1\r\nHost: gateway\r\n{headers}Content-Length: {length}\r\n\r\n{body}");
        self.send(text.as_bytes())
    }

    /// Sends bytes as they are, and reads to the end.
    pub fn send(&self, bytes: &[u8]) -> Reply {
        let mut stream = self.connect();
        // The gateway may answer and close before all was taken.
        let _ = stream.write_all(bytes);
        reply(&mut stream)
    }

    /// A connection from another loopback address; None where the machine has only one (FreeBSD).
    pub fn connect_from(&self, source: [u8; 4]) -> Option<TcpStream> {
        connect_from(source.into(), self.address()).ok()
    }

    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }
}

/// Connects from another loopback address: to the gateway, from another client. Linux has all of
/// 127.0.0.0/8; where only 127.0.0.1 is there (FreeBSD), that is an error.
pub fn connect_from(source: Ipv4Addr, to: SocketAddr) -> std::io::Result<TcpStream> {
    use nix::sys::socket::{AddressFamily, SockFlag, SockType, SockaddrIn, SockaddrStorage, bind, connect, socket};
    let own = socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
    bind(own.as_raw_fd(), &SockaddrIn::from(std::net::SocketAddrV4::new(source, 0)))?;
    connect(own.as_raw_fd(), &SockaddrStorage::from(to))?;
    let stream = TcpStream::from(own);
    stream.set_read_timeout(Some(PATIENCE))?;
    Ok(stream)
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            eprintln!("the gateway's log:\n{}", self.log());
        }
    }
}

fn collect(from: impl Read + Send + 'static, into: Arc<Mutex<Vec<String>>>) {
    thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            into.lock().unwrap().push(line);
        }
    });
}

pub fn add_user(file: &Path, name: &str, password: &str) {
    let mut child = acmegw(&["passwd", "-f", file.to_str().unwrap(), "add", name, "-i"])
        .stdin(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    writeln!(child.stdin.take().unwrap(), "{password}").unwrap();
    assert!(child.wait().unwrap().success());
}

/// What makes a gateway believe that requests come from many clients; see [`post_for`].
pub const MANY_CLIENTS: &str = "ALLOWED_PROXIES = 127.0.0.1\nALLOWED_HOSTS = 10.0.0.0/8\n";

/// The native dialect's request of one of many clients, to a gateway that may be dying; status 0:
/// there was no answer.
pub fn post_for(client: usize, gateway: SocketAddr, body: &str) -> Reply {
    let sent = send_for(client, gateway, body);
    sent.map_or_else(|_| reply(&mut io::empty()), |mut stream| reply(&mut stream))
}

/// The same without waiting for the answer.
pub fn send_for(client: usize, gateway: SocketAddr, body: &str) -> io::Result<TcpStream> {
    let mut stream = TcpStream::connect(gateway)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let (client, length) = (format!("10.0.{}.{}", client / 256, client % 256), body.len());
    let head =
        format!("POST / HTTP/1.1\r\nHost: gateway\r\nX-Forwarded-For: {client}\r\nContent-Length: {length}\r\n\r\n");
    stream.write_all((head + body).as_bytes())?;
    Ok(stream)
}

/// An HTTP answer. Status 0: the connection ended without one.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    /// Names in lower case.
    pub headers: HashMap<String, String>,
    pub body: String,
}

impl Reply {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value)
    }

    /// The problem document's text.
    pub fn detail(&self) -> String {
        let document: serde_json::Value = serde_json::from_str(&self.body).unwrap_or_default();
        document["detail"].as_str().unwrap_or_default().to_string()
    }
}

pub fn reply(stream: &mut impl Read) -> Reply {
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes);
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let text = text.strip_prefix("HTTP/1.1 100 Continue\r\n\r\n").unwrap_or(&text);
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((text, ""));
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok()).unwrap_or(0);
    let headers = lines.filter_map(|line| line.split_once(": "));
    let headers = headers.map(|(name, value)| (name.to_ascii_lowercase(), value.to_string())).collect();
    Reply { status, headers, body: body.to_string() }
}

pub fn base64(text: &str) -> String {
    use base64::Engine;
    base64::prelude::BASE64_STANDARD.encode(text)
}

/// A body of the native dialect.
pub fn body(argument: &str, domain: &str, content: &str) -> String {
    serde_json::json!({"argument": argument, "domain_name": domain, "challenge_content": content}).to_string()
}
