//! What the embedded server answers: a pure function from query bytes to answer bytes.
//!
//! Its zones are every `_acme-challenge.D` with D within the configured domains, each an apex of
//! its own, and DNS_ZONE, which serves every owner name N once more as `N.DNS_ZONE`, for those who
//! delegate by CNAME; and every target in DNS_ALIAS that lies in none of these. RFC 1034 and 1035; negative answers RFC 2308; EDNS RFC 6891; ANY RFC 8482.

use std::net::IpAddr;

use domain::base::iana::{Class, Opcode, OptRcode, Rcode, Rtype};
use domain::base::message_builder::{AdditionalBuilder, MessageBuilder, PushError, StaticCompressor};
use domain::base::name::{ParsedName, ToName};
use domain::base::opt::OptRecord;
use domain::base::{Message, Question, Record, Serial, Ttl};
use domain::rdata::{A, Aaaa, Ns, Soa, Txt, ZoneRecordData};

use crate::challenge::{LABEL, Name, Value};
use crate::dns::{DATAGRAM, WireName, unwire, wire};

/// A resolver forgets a value, and that there was none, after a second: the next challenge is
/// another one, and a name asked for too early must not stay empty.
const RECORD_TTL: Ttl = Ttl::from_secs(1);

/// Name servers and their addresses change only with the configuration.
const ZONE_TTL: Ttl = Ttl::from_secs(60);

/// What a client without EDNS takes over UDP (bytes; RFC 1035 section 4.2.1).
const PLAIN_DATAGRAM: u16 = 512;

/// Where the question begins (RFC 1035 section 4.1.1).
const HEADER: usize = 12;

/// How the query came, which bounds the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    Udp,
    /// UDP, from a network that asks too much: never more than the request to come over TCP.
    Flooded,
    Tcp,
}

/// What the server answers for.
pub struct Zones {
    domains: Vec<WireName>,
    delegation: Option<WireName>,
    targets: Vec<WireName>,
    servers: Vec<WireName>,
    addresses: Vec<IpAddr>,
    values: Box<Values>,
}

/// What is to be seen at an owner name.
type Values = dyn Fn(&Name) -> Vec<Value> + Send + Sync;

type Entry = Record<WireName, ZoneRecordData<Vec<u8>, WireName>>;

/// What an answer says, before it is known whether it fits.
struct Verdict {
    rcode: OptRcode,
    authoritative: bool,
    answer: Vec<Entry>,
    authority: Vec<Entry>,
}

/// A well-formed query.
struct Query<'a> {
    question: Question<ParsedName<&'a [u8]>>,
    edns: Option<OptRecord<&'a [u8]>>,
}

impl Zones {
    /// `delegation` is DNS_ZONE, `servers` the name servers' names (where empty: `ns` in each
    /// zone), `addresses` those of all name servers that lie within a zone of ours, `values` what
    /// is to be seen at an owner name.
    pub fn new(
        domains: &[Name],
        delegation: Option<&Name>,
        servers: &[Name],
        addresses: Vec<IpAddr>,
        values: impl Fn(&Name) -> Vec<Value> + Send + Sync + 'static,
    ) -> Zones {
        Zones {
            domains: domains.iter().map(wire).collect(),
            delegation: delegation.map(wire),
            targets: Vec::new(),
            servers: servers.iter().map(wire).collect(),
            addresses,
            values: Box::new(values),
        }
    }

    /// Answers for these names too, each of them a delegated name's target.
    pub fn and_targets<'a>(self, targets: impl Iterator<Item = &'a Name>) -> Zones {
        Zones { targets: targets.map(wire).collect(), ..self }
    }

    /// The answer to one packet; None where silence is the answer: to what is itself an answer
    /// (two servers could go on forever) and to what has no header to answer to.
    pub fn answer(&self, packet: &[u8], transport: Transport) -> Option<Vec<u8>> {
        let message = Message::from_octets(packet).ok().filter(|message| !message.header().qr())?;
        let query = match Query::read(&message) {
            Ok(query) => query,
            Err(rcode) => return Some(start(&message, rcode).finish().into_target()),
        };
        let verdict = self.verdict(&query);
        let limit = match (transport, &query.edns) {
            (Transport::Tcp, _) => u16::MAX,
            (Transport::Flooded, _) => 0,
            (Transport::Udp, None) => PLAIN_DATAGRAM,
            (Transport::Udp, Some(edns)) => edns.udp_payload_size().clamp(PLAIN_DATAGRAM, DATAGRAM),
        };
        let whole = compose(&message, &query, &verdict, false).ok().filter(|whole| whole.len() <= limit.into());
        whole.or_else(|| compose(&message, &query, &verdict, true).ok())
    }

    fn verdict(&self, query: &Query) -> Verdict {
        if query.edns.as_ref().is_some_and(|edns| edns.version() != 0) {
            return Verdict::error(OptRcode::BADVERS);
        }
        let name: WireName = query.question.qname().to_vec();
        let transfer = matches!(query.question.qtype(), Rtype::AXFR | Rtype::IXFR);
        let Some(apex) = self.apex(&name).filter(|_| query.question.qclass() == Class::IN && !transfer) else {
            return Verdict::error(OptRcode::REFUSED);
        };
        let here = self.records(&name, &apex);
        // ANY is answered with one type, so that nobody can use us to blow up a question.
        let wanted = match query.question.qtype() {
            Rtype::ANY => here.first().map_or(Rtype::ANY, Record::rtype),
            other => other,
        };
        let exists = !here.is_empty() || self.has_below(&name, &apex);
        let answer: Vec<_> = here.into_iter().filter(|record| record.rtype() == wanted).collect();
        // RFC 2308: without the SOA a resolver cannot tell "nothing here" from a referral.
        let authority = match answer.is_empty() {
            true => vec![self.soa(&apex)],
            false => Vec::new(),
        };
        let rcode = if exists { OptRcode::NOERROR } else { OptRcode::NXDOMAIN };
        Verdict { rcode, authoritative: true, answer, authority }
    }

    /// The zone of ours that holds the name: of several the lowest.
    fn apex(&self, name: &WireName) -> Option<WireName> {
        let is_challenge = |suffix: &WireName| {
            let ours = |rest: WireName| self.domains.iter().any(|domain| rest.ends_with(domain));
            suffix.first().as_slice().eq_ignore_ascii_case(LABEL.as_bytes())
                && suffix.parent().is_some_and(|rest| ours(rest.to_vec()))
        };
        // The last one: below an apex of ours nobody else has cut a zone.
        let challenge = name.iter_suffixes().map(|suffix| suffix.to_vec()).filter(is_challenge).last();
        let delegation = self.delegation.clone().filter(|zone| name.ends_with(zone));
        let target = || self.targets.iter().filter(|target| name.ends_with(target)).max_by_key(|one| one.label_count());
        let zone = challenge.into_iter().chain(delegation).max_by_key(WireName::label_count);
        zone.or_else(|| target().cloned())
    }

    /// All records at a name.
    fn records(&self, name: &WireName, apex: &WireName) -> Vec<Entry> {
        let at = |ttl, data| Record::new(name.clone(), Class::IN, ttl, data);
        let txt = |value: Value| Txt::build_from_slice(value.as_str().as_bytes()).expect("43 characters are a TXT");
        let mut records: Vec<_> = self.values(name).map(|value| at(RECORD_TTL, txt(value).into())).collect();
        if name == apex {
            records.push(self.soa(apex));
            records.extend(self.servers(apex).into_iter().map(|server| at(ZONE_TTL, Ns::new(server).into())));
        }
        if self.servers(apex).contains(name) {
            records.extend(self.addresses.iter().map(|address| match address {
                IpAddr::V4(v4) => at(ZONE_TTL, A::new(*v4).into()),
                IpAddr::V6(v6) => at(ZONE_TTL, Aaaa::new(*v6).into()),
            }));
        }
        records
    }

    fn values(&self, name: &WireName) -> impl Iterator<Item = Value> {
        let owners = [Some(name.clone()), self.delegated(name)];
        let owners = owners.into_iter().flatten().filter_map(|owner| unwire(&owner));
        owners.flat_map(|owner| (self.values)(&owner))
    }

    /// N of `N.DNS_ZONE`.
    fn delegated(&self, name: &WireName) -> Option<WireName> {
        let relative = name.clone().strip_suffix(self.delegation.as_ref()?).ok()?;
        relative.into_absolute().ok()
    }

    /// Is there a name below, so that this one exists too (RFC 8020)? In DNS_ZONE every name that
    /// could hold a challenge exists, now or in a second.
    fn has_below(&self, name: &WireName, apex: &WireName) -> bool {
        let challenges =
            |owner: WireName| self.domains.iter().any(|domain| owner.ends_with(domain) || domain.ends_with(&owner));
        let ours = self.servers(apex);
        ours.iter().chain(&self.targets).any(|one| one.ends_with(name)) || self.delegated(name).is_some_and(challenges)
    }

    fn servers(&self, apex: &WireName) -> Vec<WireName> {
        match self.servers.is_empty() {
            true => vec![below("ns", apex)],
            false => self.servers.clone(),
        }
    }

    /// The serial stands still: nobody transfers these zones.
    fn soa(&self, apex: &WireName) -> Entry {
        let (hour, day) = (Ttl::from_secs(3600), Ttl::from_secs(86400));
        let server = self.servers(apex).swap_remove(0);
        let soa = Soa::new(server, below("hostmaster", apex), Serial(1), hour, hour, day, RECORD_TTL);
        Record::new(apex.clone(), Class::IN, RECORD_TTL, soa.into())
    }
}

/// `label.apex`, or the apex itself where that would be longer than a name may be.
fn below(label: &str, apex: &WireName) -> WireName {
    WireName::vec_from_str(&format!("{label}.{apex}")).unwrap_or_else(|_| apex.clone())
}

impl<'a> Query<'a> {
    /// Takes the query apart, or says with which error it is answered.
    fn read(message: &'a Message<&'a [u8]>) -> Result<Query<'a>, Rcode> {
        if message.header().opcode() != Opcode::QUERY {
            return Err(Rcode::NOTIMP);
        }
        let question = message.sole_question().map_err(|_| Rcode::FORMERR)?;
        // It is echoed byte for byte, and nothing stands before it that it could point to.
        if !message.as_slice()[HEADER..].starts_with(question.qname().to_vec().as_slice()) {
            return Err(Rcode::FORMERR);
        }
        let mut edns = None;
        for record in message.iter() {
            let (record, _) = record.map_err(|_| Rcode::FORMERR)?;
            if record.rtype() == Rtype::OPT {
                let opt = record.to_record().ok().flatten().ok_or(Rcode::FORMERR)?;
                if edns.replace(OptRecord::from_record(opt)).is_some() {
                    return Err(Rcode::FORMERR);
                }
            }
        }
        Ok(Query { question, edns })
    }
}

impl Verdict {
    fn error(rcode: OptRcode) -> Verdict {
        Verdict { rcode, authoritative: false, answer: Vec::new(), authority: Vec::new() }
    }
}

/// Writes the answer; cut short it has no records, only the request to come again over TCP.
fn compose(message: &Message<&[u8]>, query: &Query, verdict: &Verdict, cut: bool) -> Result<Vec<u8>, PushError> {
    let mut builder = start(message, verdict.rcode.rcode()).question();
    builder.header_mut().set_aa(verdict.authoritative);
    builder.header_mut().set_tc(cut);
    builder.push(query.question)?;
    let mut builder = builder.answer();
    if !cut {
        verdict.answer.iter().try_for_each(|record| builder.push(record))?;
    }
    let mut builder = builder.authority();
    if !cut {
        verdict.authority.iter().try_for_each(|record| builder.push(record))?;
    }
    let mut builder: AdditionalBuilder<_> = builder.additional();
    if query.edns.is_some() {
        builder.opt(|opt| {
            opt.set_udp_payload_size(DATAGRAM);
            opt.set_rcode(verdict.rcode);
            Ok(())
        })?;
    }
    Ok(builder.finish().into_target())
}

/// The header of an answer to `message`.
fn start(message: &Message<&[u8]>, rcode: Rcode) -> MessageBuilder<StaticCompressor<Vec<u8>>> {
    let target = StaticCompressor::new(Vec::new());
    let mut builder = MessageBuilder::from_target(target).expect("a vector takes a header");
    let header = builder.header_mut();
    header.set_id(message.header().id());
    header.set_qr(true);
    header.set_opcode(message.header().opcode());
    header.set_rd(message.header().rd());
    header.set_rcode(rcode);
    builder
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
