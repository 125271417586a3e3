//! Asks a name server, and changes its zones: UDP first, TCP where the answer does not fit.
//!
//! Every exchange ends at its deadline. What counts as an answer is judged by [`super::request`];
//! here it also has to come from the server that was asked, to the random port of the question.

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

use super::answer::Answer;
use super::request::{Heard, Request};
use super::tsig::{Doubt, Key};
use super::{DATAGRAM, Rtype, stream};
use crate::challenge::{Action, Name, Value};
use crate::deadline::Deadline;

/// How long each of the datagrams, which are all the same, is waited for.
const PATIENCE: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(4)];

/// How long the answer over TCP may take.
const TCP_PATIENCE: Duration = Duration::from_secs(10);

/// Talks to one name server.
pub struct Client {
    server: SocketAddr,
    key: Option<Key>,
}

/// Why there is no answer.
#[derive(Debug)]
pub enum NoAnswer {
    /// The question did not get there: nobody listens, or there is no way.
    Unreachable(io::Error),
    /// Nothing that counts as an answer came in time; the question may have got there.
    Silent,
    /// The signatures are not right.
    Doubtful(Doubt),
}

impl Client {
    /// With a key everything is signed, and unsigned answers do not count.
    pub fn new(server: SocketAddr, key: Option<Key>) -> Client {
        Client { server, key }
    }

    /// Asks for the records of a type. `recursion`: the server is a resolver that is to find them.
    pub fn ask(&self, name: &Name, rtype: Rtype, recursion: bool, deadline: Deadline) -> Result<Answer, NoAnswer> {
        self.exchange(&Request::signed_question(name, rtype, recursion, self.key.as_ref()), deadline)
    }

    /// Adds or removes one TXT value, and no other, in a zone that the server is primary of (RFC 2136).
    ///
    /// A setup where a CNAME stands is answered with YXRRSET: servers would ignore the TXT beside
    /// it without a word (section 3.4.2.2).
    pub fn update(&self, zone: &Name, change: (Action, &Name, &Value), deadline: Deadline) -> Result<Answer, NoAnswer> {
        self.exchange(&Request::update(zone, change, self.key.as_ref()), deadline)
    }

    fn exchange(&self, request: &Request, deadline: Deadline) -> Result<Answer, NoAnswer> {
        match self.by_udp(request, deadline)? {
            Heard::Answer(answer) => Ok(answer),
            // Anybody can send a datagram in the server's name, so that TCP decides in case of doubt.
            Heard::AskByTcp(doubt) => self.by_tcp(request, deadline).map_err(|error| match error {
                NoAnswer::Doubtful(doubt) => NoAnswer::Doubtful(doubt),
                NoAnswer::Unreachable(_) | NoAnswer::Silent => no_answer(doubt),
            }),
        }
    }

    fn by_udp(&self, request: &Request, deadline: Deadline) -> Result<Heard, NoAnswer> {
        // Not bound to a port: the system takes a random one for each socket.
        let any = match self.server {
            SocketAddr::V4(_) => SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
            SocketAddr::V6(_) => SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)),
        };
        let socket = UdpSocket::bind(any).map_err(NoAnswer::Unreachable)?;
        // Connected, so that the system passes on only what comes from the server.
        socket.connect(self.server).map_err(NoAnswer::Unreachable)?;
        // As much as was advertised; what is longer fails to parse or to verify.
        let mut packet = [0; DATAGRAM as usize];
        for (number, patience) in PATIENCE.into_iter().enumerate() {
            let until = deadline.at_most(patience);
            match listen(&socket, request, until, &mut packet) {
                Ok(Some(heard)) => return Ok(heard),
                Ok(None) => {}
                // Later it only says that the server is gone now, after it may have heard us.
                Err(error) if number == 0 => return Err(NoAnswer::Unreachable(error)),
                Err(_) => {}
            }
        }
        Err(NoAnswer::Silent)
    }

    fn by_tcp(&self, request: &Request, deadline: Deadline) -> Result<Answer, NoAnswer> {
        let deadline = deadline.at_most(TCP_PATIENCE);
        let patience = deadline.left().ok_or(NoAnswer::Silent)?;
        let mut stream = TcpStream::connect_timeout(&self.server, patience).map_err(NoAnswer::Unreachable)?;
        let mut exchange = || {
            stream::write(&mut stream, request.as_slice(), deadline)?;
            stream::read(&mut stream, usize::from(u16::MAX), deadline)
        };
        let octets = exchange().map_err(|_| NoAnswer::Silent)?;
        match request.judge(&octets) {
            Some(Heard::Answer(answer)) => Ok(answer),
            Some(Heard::AskByTcp(doubt)) => Err(no_answer(doubt)),
            None => Err(NoAnswer::Silent),
        }
    }
}

/// Sends the request and listens for its answer. None: there was none.
fn listen(socket: &UdpSocket, request: &Request, until: Deadline, packet: &mut [u8]) -> io::Result<Option<Heard>> {
    if until.left().is_none() {
        return Err(io::ErrorKind::TimedOut.into());
    }
    socket.send(request.as_slice())?;
    while let Some(left) = until.left() {
        socket.set_read_timeout(Some(left))?;
        match socket.recv(packet) {
            Ok(length) => match request.judge(&packet[..length]) {
                Some(heard) => return Ok(Some(heard)),
                // Somebody guesses, or it is late: the right one may still come.
                None => continue,
            },
            Err(error) => match error.kind() {
                io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted => {}
                _ => return Err(error),
            },
        }
    }
    Ok(None)
}

/// What a packet comes to that was no answer by itself.
fn no_answer(doubt: Option<Doubt>) -> NoAnswer {
    doubt.map_or(NoAnswer::Silent, NoAnswer::Doubtful)
}

impl fmt::Display for NoAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NoAnswer::Unreachable(error) => write!(f, "it cannot be reached ({error})"),
            NoAnswer::Silent => f.write_str("it does not answer"),
            NoAnswer::Doubtful(doubt) => write!(f, "{doubt}"),
        }
    }
}

#[cfg(test)]
mod tests;
