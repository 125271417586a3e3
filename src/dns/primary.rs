//! For tests: a small primary name server on loopback that takes signed updates, with the faults
//! of real ones and of those who forge their answers.

use std::collections::BTreeSet;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use domain::base::iana::{Class, Opcode, Rcode, Rtype, TsigRcode};
use domain::base::message_builder::{AdditionalBuilder, MessageBuilder};
use domain::base::name::ToName;
use domain::base::{Message, Record, Serial, Ttl};
use domain::rdata::tsig::Time48;
use domain::rdata::{AllRecordData, Soa, Txt};
use domain::tsig::ServerTransaction;

use super::tsig::Key;
use super::{WireName, stream, unwire, wire};
use crate::challenge::Name;
use crate::deadline::Deadline;

/// What is wrong with the server, or with the way to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    None,
    /// Takes what it is sent and says nothing.
    Silent,
    /// Answers updates with this.
    Rcode(Rcode),
    /// Its clock is so many seconds ahead.
    Clock(i64),
    /// Somebody on the way removes the signatures, also over TCP.
    Stripped,
    /// Somebody on the way turns the answer's flags, also over TCP.
    Altered,
    /// Each datagram is answered by a forger first.
    ForgedFirst,
    /// Datagrams are answered with TC.
    Truncating,
    /// Says BADSIG, where the stand-in's library would say less.
    BadSignature,
}

pub struct Primary {
    pub address: SocketAddr,
    records: Records,
}

type Records = Arc<Mutex<BTreeSet<(Name, String)>>>;

#[derive(Clone)]
struct Server {
    zone: WireName,
    aliases: Vec<Name>,
    key: Key,
    fault: Fault,
    records: Records,
}

impl Primary {
    /// Serves one zone, in which CNAMEs stand at `aliases`, until the process ends.
    pub fn start(zone: &str, aliases: &[&str], key: Key, fault: Fault) -> Primary {
        let (tcp, udp) = loop {
            let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
            if let Ok(udp) = UdpSocket::bind(tcp.local_addr().unwrap()) {
                break (tcp, udp);
            }
        };
        let primary = Primary { address: tcp.local_addr().unwrap(), records: Records::default() };
        let aliases = aliases.iter().map(|alias| Name::owner(alias).unwrap()).collect();
        let zone = wire(&Name::owner(zone).unwrap());
        let server = Server { zone, aliases, key, fault, records: primary.records.clone() };
        let for_tcp = server.clone();
        thread::spawn(move || server.datagrams(&udp));
        thread::spawn(move || for_tcp.connections(&tcp));
        primary
    }

    /// The TXT values at a name, sorted.
    pub fn values(&self, name: &Name) -> Vec<String> {
        let records = self.records.lock().unwrap();
        records.iter().filter(|(owner, _)| owner == name).map(|(_, value)| value.clone()).collect()
    }

    /// Puts a value there that nobody asked for.
    pub fn insert(&self, name: &Name, value: &str) {
        self.records.lock().unwrap().insert((name.clone(), value.to_string()));
    }
}

impl Server {
    fn datagrams(&self, socket: &UdpSocket) {
        let mut packet = [0; 4096];
        while let Ok((length, peer)) = socket.recv_from(&mut packet) {
            let Some(mut answer) = self.answer(&packet[..length]) else { continue };
            match self.fault {
                Fault::ForgedFirst => {
                    let mut forged = answer.clone();
                    forged[3] = forged[3] & 0xf0 | Rcode::REFUSED.to_int();
                    let mut guessed = forged.clone();
                    guessed[0] ^= 1;
                    for packet in [&guessed, &forged] {
                        socket.send_to(packet, peer).unwrap();
                    }
                }
                Fault::Truncating => {
                    answer.truncate(12);
                    answer[4..].fill(0);
                    answer[2] |= 2;
                }
                _ => {}
            }
            socket.send_to(&answer, peer).unwrap();
        }
    }

    fn connections(&self, listener: &TcpListener) {
        while let Ok((mut stream, _)) = listener.accept() {
            let deadline = Deadline::after(Duration::from_secs(5));
            let Ok(request) = stream::read(&mut stream, 4096, deadline) else { continue };
            if let Some(answer) = self.answer(&request) {
                let _ = stream::write(&mut stream, &answer, deadline);
            }
        }
    }

    fn answer(&self, packet: &[u8]) -> Option<Vec<u8>> {
        let skew = if let Fault::Clock(ahead) = self.fault { ahead } else { 0 };
        let now =
            Time48::from_u64((std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs() as i64 + skew) as u64);
        let mut message = Message::from_octets(packet.to_vec()).unwrap();
        let answer = match ServerTransaction::request(&self.key.0, &mut message, now) {
            Ok(transaction) => {
                let mut answer = self.verdict(&message);
                if let Some(transaction) = transaction.filter(|_| self.fault != Fault::Stripped) {
                    transaction.answer(&mut answer, now).unwrap();
                }
                answer.finish()
            }
            Err(error) => {
                let mut answer = error.build_message(&message, MessageBuilder::new_vec()).unwrap().finish();
                if let Fault::Clock(_) = self.fault {
                    // As BIND's correct signature looks to the library: wrong (see [`super::tsig`]).
                    let signature = answer.len() - 13;
                    answer[signature] ^= 1;
                }
                if self.fault == Fault::BadSignature {
                    let error = answer.len() - 4;
                    answer[error..error + 2].copy_from_slice(&TsigRcode::BADSIG.to_int().to_be_bytes());
                }
                answer
            }
        };
        match self.fault {
            Fault::Silent => None,
            Fault::Altered => Some([&answer[..2], &[answer[2] ^ 1], &answer[3..]].concat()),
            _ => Some(answer),
        }
    }

    fn verdict(&self, message: &Message<Vec<u8>>) -> AdditionalBuilder<Vec<u8>> {
        let question = message.sole_question().unwrap();
        let update = message.header().opcode() == Opcode::UPDATE;
        let rcode = match self.fault {
            Fault::Rcode(rcode) if update => rcode,
            _ if update => self.update(message),
            _ if self.is_alias(question.qname()) => Rcode::NOERROR,
            _ if question.qname().ends_with(&self.zone) => Rcode::NXDOMAIN,
            _ => Rcode::REFUSED,
        };
        let mut answer = MessageBuilder::new_vec().start_answer(message, rcode).unwrap();
        answer.header_mut().set_aa(rcode != Rcode::REFUSED);
        let mut answer = answer.authority();
        if rcode != Rcode::REFUSED && !update {
            // As where the CNAME leads into another zone of the same server.
            let elsewhere = WireName::vec_from_str("example.org").unwrap();
            let zone = if rcode == Rcode::NOERROR { &elsewhere } else { &self.zone };
            let ttl = Ttl::from_secs(60);
            answer.push((zone, ttl, Soa::new(zone, zone, Serial(1), ttl, ttl, ttl, ttl))).unwrap();
        }
        answer.additional()
    }

    fn is_alias(&self, name: &impl ToName) -> bool {
        unwire(name).is_some_and(|name| self.aliases.contains(&name))
    }

    fn update(&self, message: &Message<Vec<u8>>) -> Rcode {
        if *message.sole_question().unwrap().qname() != self.zone {
            return Rcode::NOTAUTH;
        }
        for record in message.prerequisite().unwrap() {
            let record = record.unwrap();
            assert_eq!((record.class(), record.rtype(), record.rdlen()), (Class::NONE, Rtype::CNAME, 0));
            if self.is_alias(&record.owner()) {
                return Rcode::YXRRSET;
            }
        }
        for record in message.update().unwrap() {
            let record: Record<_, AllRecordData<_, _>> = record.unwrap().into_any_record().unwrap();
            let owner = unwire(record.owner()).unwrap();
            let AllRecordData::Txt(txt) = record.data() else { return Rcode::REFUSED };
            let txt: &Txt<_> = txt;
            let value = String::from_utf8(txt.text()).unwrap();
            let mut records = self.records.lock().unwrap();
            match record.class() {
                Class::IN => drop(records.insert((owner, value))),
                Class::NONE => drop(records.remove(&(owner, value))),
                _ => records.retain(|(name, _)| *name != owner),
            }
        }
        Rcode::NOERROR
    }
}
