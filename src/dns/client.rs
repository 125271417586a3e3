//! Asks a name server, and changes its zones: UDP first, TCP where the answer does not fit.
//!
//! Every exchange ends at its deadline. An answer counts only if it comes from the server that was
//! asked, to the random port and with the random id of the question, echoes the question, and,
//! where there is a key, carries a good signature (RFC 5452 section 9, RFC 8945).

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

use domain::base::iana::{Class, Opcode, Rcode, Rtype};
use domain::base::message_builder::{AdditionalBuilder, MessageBuilder};
use domain::base::{Message, Ttl, UnknownRecordData};
use domain::rdata::{Soa, Txt};
use ring::rand::{SecureRandom, SystemRandom};

use super::tsig::{Doubt, Key, Signed};
use super::{DATAGRAM, stream, unwire, wire};
use crate::challenge::{Action, Name, Value};
use crate::deadline::Deadline;

/// How long each of the datagrams, which are all the same, is waited for.
const PATIENCE: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(4)];

/// How long the answer over TCP may take.
const TCP_PATIENCE: Duration = Duration::from_secs(10);

/// TTL of the TXT values that are added to zones.
const RECORD_TTL: Ttl = Ttl::from_secs(60);

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

/// An answer that was found to belong to the question.
#[derive(Debug)]
pub struct Answer(Message<Vec<u8>>);

/// One packet, judged.
enum Heard {
    Answer(Answer),
    /// It goes on over TCP: cut short, or of doubtful origin.
    AskByTcp(NoAnswer),
}

/// A message as it goes out, and what is needed to know its answer.
struct Request {
    octets: Message<Vec<u8>>,
    signed: Option<Signed>,
}

impl Client {
    /// With a key everything is signed, and unsigned answers do not count.
    pub fn new(server: SocketAddr, key: Option<Key>) -> Client {
        Client { server, key }
    }

    /// Asks for the records of a type. `recursion`: the server is a resolver that is to find them.
    pub fn ask(&self, name: &Name, rtype: Rtype, recursion: bool, deadline: Deadline) -> Result<Answer, NoAnswer> {
        let mut builder = message(Opcode::QUERY);
        builder.header_mut().set_rd(recursion);
        let mut builder = builder.question();
        builder.push((wire(name), rtype, Class::IN)).expect(ROOM);
        let mut builder = builder.additional();
        builder
            .opt(|opt| {
                opt.set_udp_payload_size(DATAGRAM);
                Ok(())
            })
            .expect(ROOM);
        self.exchange(builder, deadline)
    }

    /// Adds or removes one TXT value, and no other, in a zone that the server is primary of (RFC 2136).
    ///
    /// A setup where a CNAME stands is answered with YXRRSET: servers would ignore the TXT beside
    /// it without a word (section 3.4.2.2).
    pub fn update(
        &self,
        zone: &Name,
        (action, owner, value): (Action, &Name, &Value),
        deadline: Deadline,
    ) -> Result<Answer, NoAnswer> {
        let (owner, txt) = (wire(owner), Txt::<Vec<u8>>::build_from_slice(value.as_str().as_bytes()).expect(ROOM));
        let mut builder = message(Opcode::UPDATE).question();
        builder.push((wire(zone), Rtype::SOA, Class::IN)).expect(ROOM);
        let mut prerequisites = builder.answer();
        if action == Action::Setup {
            let nothing = UnknownRecordData::from_octets(Rtype::CNAME, []).expect(ROOM);
            prerequisites.push((&owner, Class::NONE, Ttl::ZERO, nothing)).expect(ROOM);
        }
        let mut updates = prerequisites.authority();
        let (class, ttl) = match action {
            Action::Setup => (Class::IN, RECORD_TTL),
            // Class NONE: this one record; class ANY would be all of them (section 2.5.4).
            Action::Teardown => (Class::NONE, Ttl::ZERO),
        };
        updates.push((&owner, class, ttl, txt)).expect(ROOM);
        self.exchange(updates.additional(), deadline)
    }

    fn exchange(&self, mut message: AdditionalBuilder<Vec<u8>>, deadline: Deadline) -> Result<Answer, NoAnswer> {
        let signed = self.key.as_ref().map(|key| key.sign(&mut message));
        let request = Request { octets: message.into_message(), signed };
        match self.by_udp(&request, deadline)? {
            Heard::Answer(answer) => Ok(answer),
            // Anybody can send a datagram in the server's name, so that TCP decides in case of doubt.
            Heard::AskByTcp(otherwise) => self.by_tcp(&request, deadline).map_err(|error| match error {
                NoAnswer::Doubtful(doubt) => NoAnswer::Doubtful(doubt),
                NoAnswer::Unreachable(_) | NoAnswer::Silent => otherwise,
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
            stream::write(&mut stream, request.octets.as_slice(), deadline)?;
            stream::read(&mut stream, usize::from(u16::MAX), deadline)
        };
        let octets = exchange().map_err(|_| NoAnswer::Silent)?;
        match request.judge(&octets) {
            Some(Heard::Answer(answer)) => Ok(answer),
            Some(Heard::AskByTcp(reason)) => Err(reason),
            None => Err(NoAnswer::Silent),
        }
    }
}

const ROOM: &str = "a vector has room for a record";

/// Sends the request and listens for its answer. None: there was none.
fn listen(socket: &UdpSocket, request: &Request, until: Deadline, packet: &mut [u8]) -> io::Result<Option<Heard>> {
    if until.left().is_none() {
        return Err(io::ErrorKind::TimedOut.into());
    }
    socket.send(request.octets.as_slice())?;
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

/// An empty message with a random id.
fn message(opcode: Opcode) -> MessageBuilder<Vec<u8>> {
    let mut id = [0; 2];
    SystemRandom::new().fill(&mut id).expect("the system has random numbers");
    let mut builder = MessageBuilder::new_vec();
    builder.header_mut().set_id(u16::from_be_bytes(id));
    builder.header_mut().set_opcode(opcode);
    builder
}

impl Request {
    /// None: this is no answer to this request.
    fn judge(&self, packet: &[u8]) -> Option<Heard> {
        let mut answer = Message::from_octets(packet.to_vec()).ok()?;
        let (asked, said) = (self.octets.header(), answer.header());
        // Errors and answers to updates may leave out the question, but then they say nothing
        // else either (RFC 2136 section 3.8).
        let counts = answer.header_counts();
        let bare = counts.qdcount() == 0 && counts.ancount() == 0 && counts.nscount() == 0;
        if said.opcode() != asked.opcode()
            || !(answer.is_answer(&self.octets) || bare && said.qr() && said.id() == asked.id())
        {
            return None;
        }
        if said.tc() {
            return Some(Heard::AskByTcp(NoAnswer::Silent));
        }
        Some(match self.signed.as_ref().map_or(Ok(()), |signed| signed.verify(&mut answer)) {
            Ok(()) => Heard::Answer(Answer(answer)),
            Err(doubt) => Heard::AskByTcp(NoAnswer::Doubtful(doubt)),
        })
    }
}

impl Answer {
    pub fn rcode(&self) -> Rcode {
        self.0.header().rcode()
    }

    /// Does the server hold the zone itself?
    pub fn is_authoritative(&self) -> bool {
        self.0.header().aa()
    }

    /// The TXT values, the character-strings of each joined (RFC 7208 section 3.3 has the custom).
    pub fn txt(&self) -> Vec<String> {
        let records = self.0.answer().into_iter().flat_map(|section| section.limit_to::<Txt<_>>().flatten());
        records.map(|record| String::from_utf8_lossy(&record.data().text::<Vec<u8>>()).into_owned()).collect()
    }

    /// The zone that `name` lies in, by the SOA record that says so (RFC 2308 section 3).
    pub fn zone_of(&self, name: &Name) -> Option<Name> {
        let sections = [self.0.answer(), self.0.authority()].into_iter().flatten();
        let mut soas = sections.flat_map(|section| section.limit_to::<Soa<_>>().flatten());
        soas.find_map(|soa| unwire(soa.owner()).filter(|zone| name.is_within(zone)))
    }
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
mod properties;
#[cfg(test)]
mod tests;
