//! For tests: name servers and resolvers on loopback that answer what they are told to, and a
//! small world of zones for them.

use std::net::{IpAddr, SocketAddr, TcpListener, UdpSocket};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use domain::base::iana::{Rcode, Rtype};
use domain::base::message_builder::MessageBuilder;
use domain::base::{Message, Serial, Ttl};
use domain::rdata::{A, Aaaa, Cname, Ns, Soa, Txt, ZoneRecordData};

use super::{WireName, stream, unwire, wire};
use crate::challenge::Name;
use crate::deadline::Deadline;

/// A question as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    pub name: Name,
    pub rtype: Rtype,
    pub recursion: bool,
    pub by_tcp: bool,
}

/// What stands at a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Data {
    Address(IpAddr),
    Ns(Name),
    Cname(Name),
    /// The character-strings of one value.
    Txt(Vec<String>),
    Soa,
}

/// An answer, before it is written.
#[derive(Debug, Clone)]
pub struct Reply {
    pub rcode: Rcode,
    pub authoritative: bool,
    pub truncated: bool,
    pub answer: Vec<(Name, Data)>,
    pub authority: Vec<(Name, Data)>,
    pub additional: Vec<(Name, Data)>,
}

/// TTL of all that is answered; of SOA records also the minimum.
pub const TTL: Duration = Duration::from_secs(7);

/// A running server; its thread lives as long as the test's process.
pub struct StandIn {
    pub address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
}

/// The records of one zone on one server, which a test may change.
#[derive(Clone)]
pub struct Zone {
    pub name: Name,
    records: Arc<Mutex<Vec<(Name, Data)>>>,
}

pub fn name(text: &str) -> Name {
    Name::owner(text).unwrap()
}

impl StandIn {
    /// Answers over UDP and TCP at one port. None: silence.
    pub fn start(answer: impl Fn(&Asked) -> Option<Reply> + Send + Sync + 'static) -> StandIn {
        let (tcp, udp) = loop {
            let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
            if let Ok(udp) = UdpSocket::bind(tcp.local_addr().unwrap()) {
                break (tcp, udp);
            }
        };
        let stand_in = StandIn { address: tcp.local_addr().unwrap(), asked: Arc::default() };
        let (answer, asked) = (Arc::new(answer), stand_in.asked.clone());
        let reply = move |packet: &[u8], by_tcp| {
            let message = Message::from_octets(packet).unwrap();
            let question = message.sole_question().unwrap();
            let name = unwire(question.qname()).unwrap();
            let (rtype, recursion) = (question.qtype(), message.header().rd());
            let one = Asked { name, rtype, recursion, by_tcp };
            asked.lock().unwrap().push(one.clone());
            Some(answer(&one)?.to_octets(packet))
        };
        let for_tcp = reply.clone();
        thread::spawn(move || {
            let mut packet = [0; 4096];
            while let Ok((length, peer)) = udp.recv_from(&mut packet) {
                reply(&packet[..length], false).map(|answer| udp.send_to(&answer, peer));
            }
        });
        thread::spawn(move || {
            while let Ok((mut stream, _)) = tcp.accept() {
                let deadline = Deadline::after(Duration::from_secs(5));
                let answer = stream::read(&mut stream, 4096, deadline).ok().and_then(|packet| for_tcp(&packet, true));
                answer.map(|answer| stream::write(&mut stream, &answer, deadline));
            }
        });
        stand_in
    }

    /// A name server that holds these zones.
    pub fn authority(zones: &[&Zone]) -> StandIn {
        let zones: Vec<Zone> = zones.iter().map(|zone| (*zone).clone()).collect();
        StandIn::start(move |asked| Some(authority(&zones, asked)))
    }

    /// A resolver that knows these zones, and nothing of a name that is in none.
    pub fn resolver(zones: &[&Zone]) -> StandIn {
        let zones: Vec<Zone> = zones.iter().map(|zone| (*zone).clone()).collect();
        StandIn::start(move |asked| Some(resolved(&zones, asked)))
    }

    /// All that it was asked for so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

impl Zone {
    /// With an SOA, and these records.
    pub fn new(apex: &str, records: &[(&str, Data)]) -> Zone {
        let zone = Zone { name: name(apex), records: Arc::default() };
        zone.add(apex, Data::Soa);
        records.iter().for_each(|(owner, data)| zone.add(owner, data.clone()));
        zone
    }

    pub fn add(&self, owner: &str, data: Data) {
        self.records.lock().unwrap().push((name(owner), data));
    }

    fn at(&self, owner: &Name) -> Vec<(Name, Data)> {
        self.records.lock().unwrap().iter().filter(|(one, _)| one == owner).cloned().collect()
    }

    /// The answer to a question for a name within the zone; referrals to zones below it.
    fn answer(&self, asked: &Asked) -> Reply {
        let records = self.records.lock().unwrap().clone();
        let is_cut = |owner: &Name| *owner != self.name && asked.name.is_within(owner);
        let cut: Vec<_> =
            records.iter().filter(|(owner, data)| is_cut(owner) && matches!(data, Data::Ns(_))).cloned().collect();
        if !cut.is_empty() {
            let glue = |(owner, data): &&(Name, Data)| {
                matches!(data, Data::Address(_)) && cut.iter().any(|(_, server)| *server == Data::Ns(owner.clone()))
            };
            let additional = records.iter().filter(glue).cloned().collect();
            return Reply { authoritative: false, authority: cut, additional, ..Reply::new(Rcode::NOERROR) };
        }
        let mut answer = Vec::new();
        let mut owner = asked.name.clone();
        loop {
            let here = self.at(&owner);
            let wanted = |(_, data): &&(Name, Data)| data.rtype() == asked.rtype;
            answer.extend(here.iter().filter(wanted).cloned());
            let alias = here.iter().find(|(_, data)| matches!(data, Data::Cname(_)) && asked.rtype != Rtype::CNAME);
            let Some((_, Data::Cname(target))) = alias else { break };
            answer.extend(alias.cloned());
            if answer.len() > 20 || !target.is_within(&self.name) {
                break;
            }
            owner = target.clone();
        }
        let exists = records.iter().any(|(one, _)| one.is_within(&owner));
        let authority = if answer.is_empty() { vec![(self.name.clone(), Data::Soa)] } else { Vec::new() };
        let rcode = if exists { Rcode::NOERROR } else { Rcode::NXDOMAIN };
        Reply { answer, authority, ..Reply::new(rcode) }
    }
}

/// The lowest zone that holds the name.
fn lowest<'a>(zones: &'a [Zone], name: &Name) -> Option<&'a Zone> {
    let holds = zones.iter().filter(|zone| name.is_within(&zone.name));
    holds.max_by_key(|zone| zone.name.as_str().len())
}

pub fn authority(zones: &[Zone], asked: &Asked) -> Reply {
    let refused = Reply { authoritative: false, ..Reply::new(Rcode::REFUSED) };
    lowest(zones, &asked.name).map_or(refused, |zone| zone.answer(asked))
}

pub fn resolved(zones: &[Zone], asked: &Asked) -> Reply {
    let (mut answer, mut owner) = (Vec::new(), asked.name.clone());
    loop {
        let Some(zone) = lowest(zones, &owner) else {
            return Reply { authoritative: false, ..Reply::new(Rcode::SERVFAIL) };
        };
        let mut reply = zone.answer(&Asked { name: owner.clone(), ..asked.clone() });
        let new = std::mem::take(&mut reply.answer);
        let last = new.last().cloned();
        answer.extend(new);
        match last {
            Some((_, Data::Cname(target))) if answer.len() < 20 && asked.rtype != Rtype::CNAME => owner = target,
            _ => return Reply { authoritative: false, answer, ..reply },
        }
    }
}

impl Data {
    fn rtype(&self) -> Rtype {
        match self {
            Data::Address(IpAddr::V4(_)) => Rtype::A,
            Data::Address(IpAddr::V6(_)) => Rtype::AAAA,
            Data::Ns(_) => Rtype::NS,
            Data::Cname(_) => Rtype::CNAME,
            Data::Txt(_) => Rtype::TXT,
            Data::Soa => Rtype::SOA,
        }
    }

    fn wire(&self, owner: &Name) -> ZoneRecordData<Vec<u8>, WireName> {
        let ttl = Ttl::from_secs(TTL.as_secs() as u32);
        match self {
            Data::Address(IpAddr::V4(address)) => A::new(*address).into(),
            Data::Address(IpAddr::V6(address)) => Aaaa::new(*address).into(),
            Data::Ns(target) => Ns::new(wire(target)).into(),
            Data::Cname(target) => Cname::new(wire(target)).into(),
            Data::Txt(strings) => {
                let octets: Vec<u8> = strings.iter().flat_map(|s| [&[s.len() as u8], s.as_bytes()].concat()).collect();
                Txt::from_octets(octets).unwrap().into()
            }
            Data::Soa => Soa::new(wire(owner), wire(owner), Serial(1), ttl, ttl, ttl, ttl).into(),
        }
    }
}

pub fn txt(value: &str) -> Data {
    Data::Txt(vec![value.to_string()])
}

pub fn address(text: &str) -> Data {
    Data::Address(text.parse().unwrap())
}

pub fn ns(text: &str) -> Data {
    Data::Ns(name(text))
}

pub fn cname(text: &str) -> Data {
    Data::Cname(name(text))
}

impl Reply {
    /// Authoritative, and empty.
    pub fn new(rcode: Rcode) -> Reply {
        let (answer, authority, additional) = (Vec::new(), Vec::new(), Vec::new());
        Reply { rcode, authoritative: true, truncated: false, answer, authority, additional }
    }

    /// As it goes over the wire in answer to `query`; cut short it has no records.
    pub fn to_octets(&self, query: &[u8]) -> Vec<u8> {
        let query = Message::from_octets(query).unwrap();
        let mut answer = MessageBuilder::new_vec().start_answer(&query, self.rcode).unwrap();
        answer.header_mut().set_aa(self.authoritative);
        answer.header_mut().set_tc(self.truncated);
        let ttl = Ttl::from_secs(TTL.as_secs() as u32);
        let record = |(owner, data): &(Name, Data)| (wire(owner), ttl, data.wire(owner));
        let whole =
            |records: &[(Name, Data)]| if self.truncated { Vec::new() } else { records.iter().map(record).collect() };
        whole(&self.answer).into_iter().for_each(|record| answer.push(record).unwrap());
        let mut authority = answer.authority();
        whole(&self.authority).into_iter().for_each(|record| authority.push(record).unwrap());
        let mut additional = authority.additional();
        whole(&self.additional).into_iter().for_each(|record| additional.push(record).unwrap());
        additional.finish()
    }
}

/// The packet's question in lower case, its name written out: it may be compressed (RFC 1035 section 4.1.4),
/// if only by an octet of the header that happens to be 0.
pub fn question(packet: &[u8]) -> Vec<u8> {
    let (mut written, mut at, mut end) = (Vec::new(), 12, None);
    while packet[at] != 0 {
        if packet[at] >= 0xc0 {
            end = end.or(Some(at + 2));
            at = usize::from(packet[at] & 0x3f) << 8 | usize::from(packet[at + 1]);
        } else {
            let next = at + 1 + usize::from(packet[at]);
            written.extend(packet[at..next].to_ascii_lowercase());
            at = next;
        }
    }
    let end = end.unwrap_or(at + 1);
    [&written[..], &[0], &packet[end..end + 4]].concat()
}
