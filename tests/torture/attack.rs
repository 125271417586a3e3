//! The attackers. Each goes on until its standard input ends, and then says in a few words what it did.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use nix::libc::linger;
use nix::sys::socket::{setsockopt, sockopt};
use ring::rand::{SecureRandom, SystemRandom};
use rustls::{ClientConfig, ClientConnection, StreamOwned};

use crate::client;
use crate::support::{VALUE, base64, body, connect_from, tls};

pub struct Attack {
    pub name: &'static str,
    run: fn(&Attacker) -> String,
}

pub const ATTACKS: &[Attack] = &[
    Attack { name: "silence", run: silence },
    Attack { name: "trickle", run: trickle },
    Attack { name: "endless", run: endless },
    Attack { name: "broken TLS", run: broken_tls },
    Attack { name: "reset", run: reset },
    Attack { name: "burst", run: burst },
    Attack { name: "guesses", run: guesses },
    Attack { name: "provider hangs", run: hang },
];

/// Nothing goes on for longer, whatever happens to the one who started it.
const LONGEST: Duration = Duration::from_secs(60);

/// Between two tries of one attacker's thread: there are limits to what two processors can do for
/// all of them at once.
const PAUSE: Duration = Duration::from_millis(10);

/// An attacker's place: whom it attacks, and from where.
struct Attacker {
    to: SocketAddr,
    from: Ipv4Addr,
    config: Arc<ClientConfig>,
    certificate: std::path::PathBuf,
    began: Instant,
    is_over: AtomicBool,
}

/// Can a client come from another address than 127.0.0.1 here?
pub fn has_other_addresses() -> bool {
    std::net::TcpListener::bind("127.0.1.2:0").is_ok()
}

pub fn run(name: &str, to: SocketAddr, certificate: &Path) {
    let number = ATTACKS.iter().position(|attack| attack.name == name).expect("an attack of that name");
    let attacker = Attacker {
        to,
        from: Ipv4Addr::new(127, 0, 2, number as u8),
        config: tls::config(certificate, rustls::ALL_VERSIONS),
        certificate: certificate.to_path_buf(),
        began: Instant::now(),
        is_over: AtomicBool::new(false),
    };
    let said = thread::scope(|scope| {
        scope.spawn(|| {
            let _ = io::stdin().read_to_end(&mut Vec::new());
            attacker.is_over.store(true, Ordering::Relaxed);
        });
        (ATTACKS[number].run)(&attacker)
    });
    println!("{said}");
}

impl Attacker {
    fn goes_on(&self) -> bool {
        !self.is_over.load(Ordering::Relaxed) && self.began.elapsed() < LONGEST
    }

    fn connect_as(&self, from: Ipv4Addr) -> io::Result<TcpStream> {
        let from = if has_other_addresses() { from } else { Ipv4Addr::LOCALHOST };
        let stream = connect_from(from, self.to)?;
        stream.set_read_timeout(Some(Duration::from_secs(15)))?;
        stream.set_write_timeout(Some(Duration::from_secs(15)))?;
        Ok(stream)
    }

    fn connect(&self) -> io::Result<TcpStream> {
        self.connect_as(self.from)
    }

    /// A connection whose handshake is done.
    fn secured(&self) -> io::Result<StreamOwned<ClientConnection, TcpStream>> {
        let mut stream = tls::stream(&self.config, self.connect()?);
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock)?;
        }
        Ok(stream)
    }

    /// Has this many threads do something again and again; says how often it was done.
    fn again(&self, threads: usize, act: impl Fn(usize) -> io::Result<()> + Sync) -> usize {
        let times = AtomicUsize::new(0);
        thread::scope(|scope| {
            for number in 0..threads {
                let (act, times) = (&act, &times);
                scope.spawn(move || {
                    while self.goes_on() {
                        let _ = act(number);
                        times.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
        });
        times.into_inner()
    }
}

/// Has the other end closed it?
fn is_closed(stream: &TcpStream) -> bool {
    stream.set_nonblocking(true).is_err()
        || !matches!(stream.peek(&mut [0]), Err(error) if error.kind() == io::ErrorKind::WouldBlock)
}

/// 2,000 connections that say nothing; those that the gateway closes are opened anew, 500 a second.
fn silence(attacker: &Attacker) -> String {
    let (mut silent, mut opened) = (Vec::new(), 0);
    while attacker.goes_on() {
        silent.retain(|stream| !is_closed(stream));
        let most = if opened < 2000 { 2000 } else { silent.len() + 25 };
        while silent.len() < most.min(2000) && attacker.goes_on() {
            let Ok(stream) = attacker.connect() else { break };
            silent.push(stream);
            opened += 1;
        }
        thread::sleep(Duration::from_millis(50));
    }
    format!("{opened} silent connections, 2000 at a time")
}

/// 500 that send a byte a second within TLS.
fn trickle(attacker: &Attacker) -> String {
    let (mut slow, mut opened) = (Vec::new(), 0);
    let mut due = Instant::now();
    while attacker.goes_on() {
        slow.retain(|stream: &StreamOwned<_, TcpStream>| !is_closed(&stream.sock));
        for _ in slow.len()..500 {
            if !attacker.goes_on() || due <= Instant::now() {
                break;
            }
            if let Ok(stream) = attacker.secured() {
                slow.push(stream);
                opened += 1;
            }
        }
        if due <= Instant::now() {
            due += Duration::from_secs(1);
            slow.iter_mut().for_each(|stream| drop(stream.write_all(b"G").and_then(|()| stream.flush())));
        }
        thread::sleep(Duration::from_millis(10));
    }
    format!("{opened} connections, 500 at a time, a byte a second in TLS")
}

/// Header lines, headers and bodies without an end.
fn endless(attacker: &Attacker) -> String {
    const BEGINNINGS: [(&str, &str); 4] = [
        ("GET / HTTP/1.1\r\nHost: a\r\nX: ", "x"),
        ("GET / HTTP/1.1\r\nHost: a\r\n", "X: y\r\n"),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999\r\n\r\n", "x"),
        ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", "1\r\nx\r\n"),
    ];
    let sent = AtomicUsize::new(0);
    let times = attacker.again(8, |number| {
        let (beginning, more) = BEGINNINGS[number % BEGINNINGS.len()];
        let more = more.repeat(16 * 1024 / more.len());
        thread::sleep(PAUSE);
        let mut stream = attacker.secured()?;
        stream.write_all(beginning.as_bytes())?;
        loop {
            stream.write_all(more.as_bytes())?;
            sent.fetch_add(more.len(), Ordering::Relaxed);
        }
    });
    format!("{times} endless lines, headers, bodies; {} MB sent", sent.into_inner() / 1_000_000)
}

/// Half handshakes, a goodbye instead of one, plain HTTP, noise, and a wish to negotiate again.
fn broken_tls(attacker: &Attacker) -> String {
    let mut hello = Vec::new();
    tls::connection(&attacker.config).write_tls(&mut hello).expect("a ClientHello");
    let renegotiations = AtomicUsize::new(0);
    let times = attacker.again(6, |number| {
        if number == 5 {
            thread::sleep(Duration::from_millis(200));
            if renegotiate(attacker)? {
                renegotiations.fetch_add(1, Ordering::Relaxed);
            }
            return Ok(());
        }
        thread::sleep(PAUSE);
        let mut stream = attacker.connect()?;
        match number {
            0 => stream.write_all(&hello[..hello.len() / 2])?,
            // An alert record: warning, close_notify (RFC 8446 section 6).
            1 => stream.write_all(&[&hello[..], &[21, 3, 3, 0, 2, 1, 0]].concat())?,
            2 => stream.write_all(client::REQUEST)?,
            3 => {
                // What follows the handshake is not of this connection.
                let mut secured = attacker.secured()?;
                secured.sock.write_all(&hello)?;
            }
            _ => {
                // Every second one begins as a handshake does.
                let mut noise = vec![0; 1720];
                SystemRandom::new().fill(&mut noise).map_err(|_| io::ErrorKind::Other)?;
                if noise[0] % 2 == 0 {
                    noise[..3].copy_from_slice(&[0x16, 3, 1]);
                }
                stream.write_all(&noise)?;
            }
        }
        stream.shutdown(Shutdown::Write)?;
        stream.read_to_end(&mut Vec::new()).map(drop)
    });
    match renegotiations.into_inner() {
        0 => format!("{times} broken handshakes (no openssl to renegotiate with)"),
        count => format!("{times} broken handshakes, {count} renegotiations"),
    }
}

/// By openssl, which alone does it still; false: it is not here.
fn renegotiate(attacker: &Attacker) -> io::Result<bool> {
    let mut command = Command::new("openssl");
    command.args(["s_client", "-tls1_2", "-connect", &attacker.to.to_string(), "-CAfile"]).arg(&attacker.certificate);
    let child = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let Ok(mut child) = child else { return Ok(false) };
    let mut commands = child.stdin.take().expect("its input");
    for _ in 0..5 {
        let _ = commands.write_all(b"R\n");
        thread::sleep(Duration::from_millis(100));
    }
    drop(commands);
    child.wait().map(|_| true)
}

/// Connections that are reset, before, in and after a request; 500 a second.
fn reset(attacker: &Attacker) -> String {
    let times = attacker.again(2, |number| {
        thread::sleep(Duration::from_millis(4));
        let stream = match number {
            0 => attacker.connect()?,
            _ => {
                let mut secured = attacker.secured()?;
                secured.write_all(client::REQUEST)?;
                secured.sock
            }
        };
        setsockopt(&stream, sockopt::Linger, &linger { l_onoff: 1, l_linger: 0 })?;
        Ok(())
    });
    format!("{times} resets, half of them after a whole request")
}

/// 500 good requests at once, from 50 other web servers.
fn burst(attacker: &Attacker) -> String {
    let (answered, tried) = (AtomicUsize::new(0), AtomicUsize::new(0));
    while attacker.goes_on() {
        thread::scope(|scope| {
            for number in 0..500 {
                let (answered, tried) = (&answered, &tried);
                let one = move || {
                    let socket = attacker.connect_as(Ipv4Addr::new(127, 0, 1, 1 + (number % 50) as u8));
                    tried.fetch_add(1, Ordering::Relaxed);
                    if matches!(socket.and_then(|socket| client::ask(&attacker.config, socket)), Ok(200)) {
                        answered.fetch_add(1, Ordering::Relaxed);
                    }
                };
                thread::Builder::new().stack_size(128 * 1024).spawn_scoped(scope, one).expect("a thread");
            }
        });
        let began = Instant::now();
        while attacker.goes_on() && began.elapsed() < Duration::from_secs(30) {
            thread::sleep(Duration::from_millis(20));
        }
    }
    format!("{} good requests at once, {} answered with 200", tried.into_inner(), answered.into_inner())
}

/// Wrong passwords, each for another user, so that none is refused before it is derived.
fn guesses(attacker: &Attacker) -> String {
    let number = AtomicUsize::new(0);
    let times = attacker.again(16, |_| {
        thread::sleep(PAUSE);
        posted(attacker, attacker.from, &guessed(number.fetch_add(1, Ordering::Relaxed)))
    });
    format!("{times} wrong passwords")
}

fn guessed(user: usize) -> String {
    let header = format!("Authorization: Basic {}\r\n", base64(&format!("web{user}:wrong")));
    format!("GET /challenges/example.com HTTP/1.1\r\nHost: a\r\n{header}\r\n")
}

/// A single guess.
pub fn guess(to: SocketAddr, certificate: &Path) {
    let config = tls::config(certificate, rustls::ALL_VERSIONS);
    let mut stream = tls::stream(&config, connect_from(Ipv4Addr::LOCALHOST, to).expect("a connection"));
    stream.write_all(guessed(0).as_bytes()).expect("a request");
    let _ = stream.read_to_end(&mut Vec::new());
}

/// Changes by a web server that may make them, over a DNS service that does not answer.
fn hang(attacker: &Attacker) -> String {
    let text = body("setup", "example.com", VALUE);
    let request = format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{text}", text.len());
    let times = attacker.again(64, |_| {
        thread::sleep(10 * PAUSE);
        posted(attacker, Ipv4Addr::new(127, 0, 1, 200), &request)
    });
    format!("{times} changes that the DNS service lets wait")
}

fn posted(attacker: &Attacker, from: Ipv4Addr, request: &str) -> io::Result<()> {
    let mut stream = tls::stream(&attacker.config, attacker.connect_as(from)?);
    stream.write_all(request.as_bytes())?;
    stream.read_to_end(&mut Vec::new()).map(drop)
}
