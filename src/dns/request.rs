//! A message as it goes out, and what is needed to know its answer: the same for UDP, TCP and HTTPS.
//!
//! An answer counts only if it has the random id of the question, echoes the question, and, where
//! there is a key, carries a good signature (RFC 5452 section 9, RFC 8945).

use domain::base::iana::{Class, Opcode, Rtype};
use domain::base::message_builder::{AdditionalBuilder, MessageBuilder};
use domain::base::{Message, Ttl, UnknownRecordData};
use domain::rdata::Txt;
use ring::rand::{SecureRandom, SystemRandom};

use super::answer::Answer;
use super::tsig::{Doubt, Key, Signed};
use super::{DATAGRAM, wire};
use crate::challenge::{Action, Name, Value};

/// TTL of the TXT values that are added to zones.
const RECORD_TTL: Ttl = Ttl::from_secs(60);

const ROOM: &str = "a vector has room for a record";

/// The message, with its random id.
pub struct Request {
    octets: Message<Vec<u8>>,
    signed: Option<Signed>,
}

/// One packet, judged.
pub(super) enum Heard {
    Answer(Answer),
    /// It goes on over TCP: cut short, or of doubtful origin.
    AskByTcp(Option<Doubt>),
}

impl Request {
    /// A question for the records of a type. `recursion`: whoever is asked is a resolver that is to
    /// find them.
    pub fn question(name: &Name, rtype: Rtype, recursion: bool) -> Request {
        Request::sealed(question(name, rtype, recursion), None)
    }

    /// The same, signed where there is a key.
    pub(super) fn signed_question(name: &Name, rtype: Rtype, recursion: bool, key: Option<&Key>) -> Request {
        Request::sealed(question(name, rtype, recursion), key)
    }

    /// Adds or removes one TXT value, and no other. A setup requires that no CNAME stands there, since servers
    /// would ignore the TXT beside it without a word (RFC 2136 section 3.4.2.2).
    pub(super) fn update(zone: &Name, (action, owner, value): (Action, &Name, &Value), key: Option<&Key>) -> Request {
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
        Request::sealed(updates.additional(), key)
    }

    fn sealed(mut message: AdditionalBuilder<Vec<u8>>, key: Option<&Key>) -> Request {
        let signed = key.map(|key| key.sign(&mut message));
        Request { octets: message.into_message(), signed }
    }

    /// As it goes over the wire.
    pub fn as_slice(&self) -> &[u8] {
        self.octets.as_slice()
    }

    /// The answer that came over HTTPS; the error says what came instead.
    pub fn answered(&self, packet: &[u8]) -> Result<Answer, &'static str> {
        match self.judge(packet) {
            Some(Heard::Answer(answer)) => Ok(answer),
            Some(Heard::AskByTcp(_)) => Err("an answer that is cut short (TC)"),
            None => Err("no DNS answer to the question"),
        }
    }

    /// None: this is no answer to this request.
    pub(super) fn judge(&self, packet: &[u8]) -> Option<Heard> {
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
            return Some(Heard::AskByTcp(None));
        }
        Some(match self.signed.as_ref().map_or(Ok(()), |signed| signed.verify(&mut answer)) {
            Ok(()) => Heard::Answer(Answer::new(answer)),
            Err(doubt) => Heard::AskByTcp(Some(doubt)),
        })
    }
}

fn question(name: &Name, rtype: Rtype, recursion: bool) -> AdditionalBuilder<Vec<u8>> {
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
    builder
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

#[cfg(test)]
mod properties;
