//! What an answer says. It was found to belong to its question before; what its records hold is
//! still whatever the other side wrote, so that reading them ends and gives checked [`Name`]s.

use std::net::IpAddr;
use std::time::Duration;

use domain::base::iana::{Class, Rcode};
use domain::base::message::RecordSection;
use domain::base::name::ParsedName;
use domain::base::rdata::ParseRecordData;
use domain::base::{Message, Record};
use domain::rdata::{A, Aaaa, Cname, Ns, Soa, Txt};

use super::unwire;
use crate::challenge::Name;

/// CNAMEs that are followed, within one answer and from one to the next.
pub const ALIASES: usize = 8;

/// An answer that was found to belong to the question.
#[derive(Debug)]
pub struct Answer(Message<Vec<u8>>);

/// A server's word that others answer for the names below a zone cut.
#[derive(Debug, PartialEq, Eq)]
pub struct Referral {
    pub zone: Name,
    pub servers: Vec<Name>,
    /// The addresses that it gave with them.
    pub glue: Vec<(Name, IpAddr)>,
}

type Records<'a, Data> = Vec<Record<ParsedName<&'a [u8]>, Data>>;

impl Answer {
    pub(super) fn new(message: Message<Vec<u8>>) -> Answer {
        Answer(message)
    }

    pub fn rcode(&self) -> Rcode {
        self.0.header().rcode()
    }

    /// Does the server hold the zone itself?
    pub fn is_authoritative(&self) -> bool {
        self.0.header().aa()
    }

    /// All TXT values, the character-strings of each joined (RFC 7208 section 3.3 has the custom).
    pub fn txt(&self) -> Vec<String> {
        in_section(self.0.answer().ok()).iter().map(joined).collect()
    }

    /// The TXT values at `name`, or where the CNAMEs of this answer lead from there.
    pub fn txt_at(&self, name: &Name) -> Vec<String> {
        let end = self.end_of(name);
        let here = in_section::<Txt<_>>(self.0.answer().ok());
        here.iter().filter(|record| unwire(record.owner()).as_ref() == Some(&end)).map(joined).collect()
    }

    /// Where the CNAME at `name` points, if one stands there. The inner None: to what is no name for us.
    pub fn alias(&self, name: &Name) -> Option<Option<Name>> {
        let all = in_section::<Cname<_>>(self.0.answer().ok());
        let here = all.iter().find(|record| unwire(record.owner()).as_ref() == Some(name))?;
        Some(unwire(here.data().cname()))
    }

    /// The zone that `name` lies in, by the SOA record that says so (RFC 2308 section 3).
    pub fn zone_of(&self, name: &Name) -> Option<Name> {
        let mut zones = self.soas().into_iter().filter_map(|soa| unwire(soa.owner()));
        zones.find(|zone| name.is_within(zone))
    }

    /// How long a resolver may keep to it that there is nothing (RFC 2308 section 5).
    pub fn negative_ttl(&self) -> Option<Duration> {
        let soa = self.soas();
        let soa = soa.first()?;
        Some(soa.ttl().min(soa.data().minimum()).into_duration())
    }

    /// The name servers that the answer has for `zone`.
    pub fn servers(&self, zone: &Name) -> Vec<Name> {
        servers_in(in_section(self.0.answer().ok()), zone)
    }

    /// The addresses of `host`, CNAMEs followed.
    pub fn addresses(&self, host: &Name) -> Vec<IpAddr> {
        let end = self.end_of(host);
        let of_host = addresses_in(|| self.0.answer().ok()).into_iter().filter(|(owner, _)| *owner == end);
        of_host.map(|(_, address)| address).collect()
    }

    /// Does the answer send us on, to the servers of a zone that `name` lies in?
    pub fn referral(&self, name: &Name) -> Option<Referral> {
        let counts = self.0.header_counts();
        if self.is_authoritative() || self.rcode() != Rcode::NOERROR || counts.ancount() != 0 {
            return None;
        }
        let all = || in_section::<Ns<_>>(self.0.authority().ok());
        let mut cuts = all().into_iter().filter_map(|record| unwire(record.owner()));
        let zone = cuts.find(|zone| name.is_within(zone))?;
        let servers = servers_in(all(), &zone);
        let glue = addresses_in(|| self.0.additional().ok());
        let glue = glue.into_iter().filter(|(owner, _)| servers.contains(owner)).collect();
        Some(Referral { servers, glue, zone })
    }

    /// Where the CNAMEs of the answer lead from `name`; as far as they are followed.
    fn end_of(&self, name: &Name) -> Name {
        let mut end = name.clone();
        for _ in 0..ALIASES {
            match self.alias(&end) {
                Some(Some(target)) => end = target,
                _ => break,
            }
        }
        end
    }

    fn soas(&self) -> Records<'_, Soa<ParsedName<&[u8]>>> {
        let sections = [self.0.answer().ok(), self.0.authority().ok()];
        sections.into_iter().flat_map(in_section).collect()
    }
}

/// The records of one type, up to the first that cannot be read.
fn in_section<'a, Data: ParseRecordData<'a, Vec<u8>>>(
    section: Option<RecordSection<'a, Vec<u8>>>,
) -> Records<'a, Data> {
    let records = section.into_iter().flat_map(|section| section.limit_to::<Data>());
    records.map_while(Result::ok).filter(|record| record.class() == Class::IN).collect()
}

fn joined(record: &Record<ParsedName<&[u8]>, Txt<&[u8]>>) -> String {
    String::from_utf8_lossy(&record.data().text::<Vec<u8>>()).into_owned()
}

fn servers_in(records: Records<'_, Ns<ParsedName<&[u8]>>>, zone: &Name) -> Vec<Name> {
    let at_zone = records.iter().filter(|record| unwire(record.owner()).as_ref() == Some(zone));
    at_zone.filter_map(|record| unwire(record.data().nsdname())).collect()
}

fn addresses_in<'a>(section: impl Fn() -> Option<RecordSection<'a, Vec<u8>>>) -> Vec<(Name, IpAddr)> {
    let v4 = in_section::<A>(section());
    let v4 = v4.iter().filter_map(|record| Some((unwire(record.owner())?, IpAddr::from(record.data().addr()))));
    let v6 = in_section::<Aaaa>(section());
    let v6 = v6.iter().filter_map(|record| Some((unwire(record.owner())?, IpAddr::from(record.data().addr()))));
    v4.chain(v6).collect()
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
