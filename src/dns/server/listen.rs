//! The sockets of the embedded server: one thread for UDP and one for TCP at each address.

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::flood::{Flood, Share};
use super::{Transport, Zones};
use crate::deadline::Deadline;
use crate::dns::stream;
use crate::sys;

/// TCP connections of all addresses together. They are for the rare answer that does not fit a
/// datagram; one more is closed at once.
const CONNECTIONS: usize = 64;
/// Where few open files are allowed, the part of them that these may take: one in so many.
const FILES: u64 = 16;

/// How long a connection may take for its next query, and for taking an answer.
const IDLE: Duration = Duration::from_secs(5);

/// How long a connection may live, however busy.
const LIFE: Duration = Duration::from_secs(30);

/// A query is a name and a few options; a longer one is not read (bytes).
const QUERY: usize = 4096;

/// Pause after an error of accept or receive, most often a lack of descriptors that passes.
const PAUSE: Duration = Duration::from_millis(200);

/// How often a free port is looked for that UDP and TCP both have.
const PORT_TRIES: u32 = 16;

/// Stack of a thread (bytes): nothing here recurses.
const STACK: usize = 128 * 1024;

/// The addresses, bound, with nobody answering yet.
pub struct Listener {
    sockets: Vec<(TcpListener, UdpSocket)>,
}

/// An address that could not be bound.
#[derive(Debug)]
pub struct NotBound {
    pub address: SocketAddr,
    pub error: io::Error,
}

impl fmt::Display for NotBound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let remedy = match self.error.kind() {
            io::ErrorKind::PermissionDenied => {
                "ports below 1024 are root's: choose another one and let the packet filter redirect port 53 to it"
            }
            io::ErrorKind::AddrInUse => "another server has it: stop that one, or choose another address or port",
            io::ErrorKind::AddrNotAvailable => "no interface of this machine or jail carries that address",
            _ => "choose another address",
        };
        write!(f, "cannot answer DNS on {}: {}: {remedy}", self.address, self.error)
    }
}

impl Listener {
    /// Binds UDP and TCP at each address. Port 0 is any port that is free for both.
    pub fn bind(addresses: &[SocketAddr]) -> Result<Listener, NotBound> {
        let bound = addresses.iter().map(|&address| both(address).map_err(|error| NotBound { address, error }));
        Ok(Listener { sockets: bound.collect::<Result<_, _>>()? })
    }

    /// The addresses with their real ports.
    pub fn addresses(&self) -> io::Result<Vec<SocketAddr>> {
        self.sockets.iter().map(|(tcp, _)| tcp.local_addr()).collect()
    }

    /// Answers from now on, in threads that live as long as the process; over UDP at most `rate`
    /// times a second to one network ([`super::RATE`]).
    pub fn serve(self, zones: Zones, rate: u32) -> io::Result<()> {
        let (zones, open) = (Arc::new(zones), Arc::new(AtomicUsize::new(0)));
        let most = CONNECTIONS.min((sys::open_files()? / FILES) as usize);
        for (tcp, udp) in self.sockets {
            let for_udp = zones.clone();
            spawn("dns-udp", move || datagrams(&udp, &for_udp, Flood::new(rate, Instant::now())))?;
            let (for_tcp, open) = (zones.clone(), open.clone());
            spawn("dns-tcp", move || connections(&tcp, &for_tcp, &open, most))?;
        }
        Ok(())
    }
}

fn both(address: SocketAddr) -> io::Result<(TcpListener, UdpSocket)> {
    let mut tries = 0;
    loop {
        let tcp = TcpListener::bind(address)?;
        match UdpSocket::bind(tcp.local_addr()?) {
            Ok(udp) => return Ok((tcp, udp)),
            Err(error) if address.port() == 0 && error.kind() == io::ErrorKind::AddrInUse && tries < PORT_TRIES => {
                tries += 1;
            }
            Err(error) => return Err(error),
        }
    }
}

fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> io::Result<()> {
    thread::Builder::new().name(name.to_string()).stack_size(STACK).spawn(run).map(drop)
}

fn datagrams(socket: &UdpSocket, zones: &Zones, mut flood: Flood) {
    let mut packet = [0; QUERY];
    loop {
        match socket.recv_from(&mut packet) {
            Ok((length, peer)) => {
                let transport = match flood.share(peer.ip(), Instant::now()) {
                    Share::Answer => Transport::Udp,
                    Share::Cut => Transport::Flooded,
                    Share::Silence => continue,
                };
                if let Some(answer) = zones.answer(&packet[..length], transport) {
                    // An answer that cannot be sent is lost, as datagrams are; the resolver asks again.
                    let _ = socket.send_to(&answer, peer);
                }
            }
            Err(error) => wait_out("UDP", &error),
        }
    }
}

fn connections(listener: &TcpListener, zones: &Arc<Zones>, open: &Arc<AtomicUsize>, most: usize) {
    loop {
        match listener.accept() {
            Ok((stream, _)) => {
                let Some(place) = Place::take(open, most) else { continue };
                let zones = zones.clone();
                let started = spawn("dns-tcp-client", move || {
                    let _place = place;
                    // Whatever ended it, the client has only its own connection to blame.
                    let _ = converse(stream, &zones);
                });
                if let Err(error) = started {
                    wait_out("TCP", &error);
                }
            }
            // The client was gone before its turn came.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(error) => wait_out("TCP", &error),
        }
    }
}

fn wait_out(transport: &str, error: &io::Error) {
    if error.kind() != io::ErrorKind::Interrupted {
        log::warn!("DNS over {transport}: {error}");
        thread::sleep(PAUSE);
    }
}

/// One query after the other, until the client goes or its time is over.
fn converse(mut stream: TcpStream, zones: &Zones) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let life = Deadline::after(LIFE);
    loop {
        let query = stream::read(&mut stream, QUERY, life.at_most(IDLE))?;
        let Some(answer) = zones.answer(&query, Transport::Tcp) else { return Ok(()) };
        stream::write(&mut stream, &answer, life.at_most(IDLE))?;
    }
}

/// One of the [`CONNECTIONS`]; free again when it is dropped.
struct Place(Arc<AtomicUsize>);

impl Place {
    fn take(open: &Arc<AtomicUsize>, most: usize) -> Option<Place> {
        let place = Place(open.clone());
        (open.fetch_add(1, Ordering::Relaxed) < most).then_some(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests;
