//! The door: what stands in the open. It takes one whole, small, well-formed request a connection,
//! hands it inside, writes the answer, and closes. Everything has a limit in size, count and time.

use std::io::{self, Read, Write};
use std::net::{IpAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use ring::rand::{SecureRandom, SystemRandom};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::deadline::Deadline;
use crate::foreign::Foreign;
use crate::gate::peer::Proxies;
use crate::serve::answer::{Answer, Problem};
use crate::serve::engine::{Engine, Passenger};
use crate::serve::framing::{self, Head, Malformed};
use crate::serve::seats::{Busy, Seat, Seats};
use crate::serve::timed::Timed;

/// From accept to the whole request, TLS handshake included.
pub const REQUEST_TIME: Duration = Duration::from_secs(10);
/// For writing the answer.
const ANSWER_TIME: Duration = Duration::from_secs(10);
/// What a client may still send after an early error, so that it sees the answer and not a reset.
const LINGER: (u64, Duration) = (64 * 1024, Duration::from_secs(1));
/// The first byte of a TLS connection: a handshake record (RFC 8446 section 5.1).
const TLS_HANDSHAKE: u8 = 0x16;

/// The door and what lies behind it.
pub struct Door {
    /// None: SSL = off.
    pub tls: Option<Arc<ServerConfig>>,
    pub engine: Engine,
    pub seats: Arc<Seats>,
    /// Whose connections are those of many.
    pub proxies: Arc<Proxies>,
    /// How long a client may be kept waiting for its answer, by the path that it asks for.
    pub patience: fn(&str) -> Duration,
    pub numbers: Numbers,
    pub closing: AtomicBool,
}

/// Somebody with a connection, whose request is not whole yet.
pub struct Guest {
    pub socket: Arc<TcpStream>,
    pub peer: IpAddr,
    pub seat: Seat,
    /// For the whole request.
    pub deadline: Deadline,
}

/// Numbers for requests, unlike those before the last restart.
pub struct Numbers {
    boot: u16,
    last: AtomicU64,
}

impl Numbers {
    pub fn new() -> io::Result<Numbers> {
        let mut boot = [0; 2];
        SystemRandom::new().fill(&mut boot).map_err(|_| io::Error::other("no random bytes to be had"))?;
        Ok(Numbers { boot: u16::from_be_bytes(boot), last: AtomicU64::new(0) })
    }

    fn next(&self) -> String {
        format!("{:04x}-{}", self.boot, self.last.fetch_add(1, Ordering::Relaxed) + 1)
    }
}

impl Door {
    /// Has one conversation with a guest who has begun it.
    pub fn receive(&self, guest: Guest) {
        let number = self.numbers.next();
        let Guest { socket, peer, seat, deadline } = guest;
        // The goodbye after the answer would otherwise wait for the client's delayed acknowledgement.
        let _ = socket.set_nodelay(true);
        if let Err(error) = self.converse(Timed::new(socket, deadline), peer, &seat, &number) {
            log::info!("request={number} client={peer} broken off: {}", Foreign(&error.to_string()));
        }
    }

    fn converse(&self, timed: Timed, peer: IpAddr, seat: &Seat, number: &str) -> io::Result<()> {
        let first = match timed.first_byte() {
            Ok(Some(first)) => first,
            // Somebody who looks whether we are there is not worth a line.
            Ok(None) => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::TimedOut => return Ok(()),
            Err(error) => return Err(error),
        };
        let mut channel = match &self.tls {
            None => Channel::Plain(timed),
            Some(config) if first == TLS_HANDSHAKE => {
                let connection = ServerConnection::new(config.clone()).map_err(io::Error::other)?;
                Channel::Tls(Box::new(StreamOwned::new(connection, timed)))
            }
            Some(_) => {
                let problem = Problem::new(400, "this port speaks TLS: write https:// in front of the address");
                return refuse(Channel::Plain(timed), &problem, peer, number);
            }
        };
        match read_request(&mut channel) {
            Ok((head, body)) => {
                if let Err(busy) = seat.serve() {
                    return refuse(channel, &self.too_busy(busy), peer, number);
                }
                let answer = self.pass(&head, &body, peer, number);
                channel.answer(&answer.to_http(number))?;
                channel.close()
            }
            Err(Unread::Malformed(malformed)) => refuse(channel, &malformed.into(), peer, number),
            Err(Unread::Slow) => {
                let problem = Problem::new(408, "the request was not whole after 10 seconds");
                refuse(channel, &problem, peer, number)
            }
            Err(Unread::Nothing) => Ok(()),
            Err(Unread::Broken(error)) => Err(error),
        }
    }

    fn pass(&self, head: &Head, body: &[u8], peer: IpAddr, number: &str) -> Answer {
        let deadline = Deadline::after((self.patience)(&head.target));
        let passenger = Passenger { number: number.to_string(), peer, deadline };
        self.engine.pass(head, body, passenger).unwrap_or_else(|error| {
            log::error!("request={number} client={peer} status=503: the HTTP engine did not answer: {error}");
            Problem::new(503, "the gateway did not get to the request").with("Retry-After", "10").answer(number)
        })
    }

    fn too_busy(&self, busy: Busy) -> Problem {
        let capacity = self.seats.capacity();
        let (most, whose) = match busy {
            Busy::Everybody => (capacity.in_flight, "all clients"),
            Busy::Household => (capacity.in_flight_each, "this client"),
        };
        Problem::new(503, format!("{most} requests of {whose} are being carried out")).with("Retry-After", "5")
    }
}

/// Tells the client what is wrong, and takes in what it still sends.
fn refuse(mut channel: Channel, problem: &Problem, peer: IpAddr, number: &str) -> io::Result<()> {
    log::warn!("request={number} client={peer} status={}: {}", problem.status, problem.detail);
    channel.answer(&problem.answer(number).to_http(number))?;
    channel.close()?;
    channel.timed().linger(LINGER.0, LINGER.1)
}

/// Why there is no request.
enum Unread {
    Malformed(Malformed),
    /// The time was over.
    Slow,
    /// The client went away without a word.
    Nothing,
    Broken(io::Error),
}

impl From<io::Error> for Unread {
    fn from(error: io::Error) -> Unread {
        match error.kind() {
            io::ErrorKind::TimedOut => Unread::Slow,
            _ => Unread::Broken(error),
        }
    }
}

fn read_request(channel: &mut Channel) -> Result<(Head, Vec<u8>), Unread> {
    let mut bytes = Vec::new();
    let head = loop {
        if let Some(head) = framing::head(&bytes).map_err(Unread::Malformed)? {
            break head;
        }
        let was_empty = bytes.is_empty();
        match read_more(channel, &mut bytes) {
            Ok(()) => {}
            Err(error) if was_empty && error.kind() == io::ErrorKind::UnexpectedEof => return Err(Unread::Nothing),
            Err(error) => return Err(error.into()),
        }
    };
    let whole = head.length + head.body;
    if head.expects_continue && bytes.len() < whole {
        channel.answer(b"HTTP/1.1 100 Continue\r\n\r\n")?;
    }
    while bytes.len() < whole {
        read_more(channel, &mut bytes)?;
    }
    // What follows the one request is not read: the connection ends with its answer.
    let body = bytes[head.length..whole].to_vec();
    Ok((head, body))
}

fn read_more(channel: &mut Channel, bytes: &mut Vec<u8>) -> io::Result<()> {
    let mut piece = [0; 2048];
    match channel.read(&mut piece)? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        length => {
            bytes.extend_from_slice(&piece[..length]);
            Ok(())
        }
    }
}

/// The client's connection, in the clear or within TLS.
enum Channel {
    Plain(Timed),
    Tls(Box<StreamOwned<ServerConnection, Timed>>),
}

impl Channel {
    fn timed(&mut self) -> &mut Timed {
        match self {
            Channel::Plain(timed) => timed,
            Channel::Tls(stream) => &mut stream.sock,
        }
    }

    fn answer(&mut self, bytes: &[u8]) -> io::Result<()> {
        if let Channel::Tls(stream) = self
            && stream.conn.is_handshaking()
        {
            // Nobody to answer yet; to go on with the handshake would give it more time.
            return Err(io::ErrorKind::TimedOut.into());
        }
        self.timed().set_deadline(Deadline::after(ANSWER_TIME));
        match self {
            Channel::Plain(timed) => timed.write_all(bytes),
            Channel::Tls(stream) => stream.write_all(bytes).and_then(|()| stream.flush()),
        }
    }

    /// Says goodbye, so that the client knows that the answer was whole.
    fn close(&mut self) -> io::Result<()> {
        match self {
            Channel::Plain(_) => Ok(()),
            Channel::Tls(stream) => {
                stream.conn.send_close_notify();
                stream.flush()
            }
        }
    }
}

impl Read for Channel {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Channel::Plain(timed) => timed.read(buffer),
            Channel::Tls(stream) => stream.read(buffer),
        }
    }
}
