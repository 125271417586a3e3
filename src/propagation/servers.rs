//! Finds the name servers that the CA will end up at: from the zone above downwards, along
//! referrals and CNAMEs, as a resolver does it.
//!
//! A resolver finds the zone above, and addresses. The name itself is only asked for at its own
//! servers: a resolver would keep in mind that there is nothing yet, and the CA may ask the same
//! one (RFC 2308). The zone is the owner of the SOA that holds the name, so that a challenge name
//! which is delegated by itself is found too.

use std::collections::BTreeSet;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use super::address::Gate;
use super::places::Places;
use super::resolvers::Resolvers;
use crate::challenge::Name;
use crate::deadline::Deadline;
use crate::dns::answer::{ALIASES, Answer};
use crate::dns::client::{Client, NoAnswer};
use crate::dns::{Rcode, Rtype};

/// Name servers of a zone, and their addresses, that are asked: as many as the root has. More is
/// cut, and said.
const NAMES: usize = 13;
const ADDRESSES: usize = 26;

/// Zone cuts between the first zone that is found and the name.
const CUTS: usize = 8;

/// How long one server may take: two datagrams, and TCP in the rest.
pub const PATIENCE: Duration = Duration::from_secs(3);

/// Where an address is reached: at port 53, but for tests.
pub type Reach = Arc<dyn Fn(IpAddr) -> SocketAddr + Send + Sync>;

/// One address of a name server.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Server {
    pub name: Name,
    pub address: IpAddr,
}

/// The servers of the zone that a name ends up in.
#[derive(Debug, Clone)]
pub struct Found {
    /// The name where the CNAMEs end.
    pub name: Name,
    pub zone: Name,
    pub servers: Vec<Server>,
    /// At addresses that are not asked (see [`Gate`]).
    pub barred: Vec<Server>,
    /// What was not taken: more servers than are asked, names without an address.
    pub notes: Vec<String>,
}

/// Why there are none.
#[derive(Debug, PartialEq, Eq)]
pub enum NotFound {
    /// The zones are wrong, and asking again would not help: CNAMEs in a circle.
    Wrong(String),
    /// Nobody who knows could be asked: it may go better next time.
    Unknown(String),
}

/// What is needed to find them.
pub struct Finder {
    pub resolvers: Resolvers,
    pub gate: Gate,
    pub places: Places,
    pub reach: Reach,
}

/// What a server of a zone says about a name.
enum Step {
    /// It is in this zone; the server's own list of name servers.
    Here(Vec<Name>),
    Alias(Name),
    Below(Found),
}

impl Finder {
    /// The servers that know what is at `asked`.
    pub fn find(&self, asked: &Name, deadline: Deadline) -> Result<Found, NotFound> {
        let mut way = vec![asked.clone()];
        loop {
            let name = way.last().expect("it begins with one");
            let target = match self.follow(name, deadline)? {
                Ok(found) => return Ok(found),
                Err(target) => target,
            };
            let shown = || way.iter().chain([&target]).map(Name::as_str).collect::<Vec<_>>().join(" -> ");
            if way.contains(&target) {
                return Err(NotFound::Wrong(format!("CNAMEs lead in a circle: {}", shown())));
            }
            if way.len() > ALIASES {
                return Err(NotFound::Wrong(format!("more than {ALIASES} CNAMEs: {}", shown())));
            }
            way.push(target);
        }
    }

    /// Down to the zone that holds `name`, or to the CNAME that stands there.
    fn follow(&self, name: &Name, deadline: Deadline) -> Result<Result<Found, Name>, NotFound> {
        let mut found = self.above(name, deadline)?;
        for _ in 0..CUTS {
            match self.step(&found, deadline)? {
                Step::Alias(target) => return Ok(Err(target)),
                Step::Below(below) => found = below,
                Step::Here(names) => {
                    let all = || found.servers.iter().chain(&found.barred).map(|server| &server.name);
                    let known = all().collect::<BTreeSet<_>>().len();
                    let new = names.into_iter().filter(|name| all().all(|one| one != name));
                    let new: Vec<_> = new.take(NAMES.saturating_sub(known)).collect();
                    if !new.is_empty() {
                        let more = self.addressed(&found.name, &found.zone, new, &[], deadline);
                        found.servers.extend(more.servers);
                        found.barred.extend(more.barred);
                        found.notes.extend(more.notes);
                        found.bound();
                    }
                    return Ok(Ok(found));
                }
            }
        }
        Err(NotFound::Wrong(format!("{name} is delegated more than {CUTS} times below {}", found.zone)))
    }

    /// The lowest zone that a resolver knows above the name.
    fn above(&self, name: &Name, deadline: Deadline) -> Result<Found, NotFound> {
        for parent in name.upwards().skip(1) {
            let answer = self.resolvers.ask(&parent, Rtype::SOA, deadline).map_err(NotFound::Unknown)?;
            // A CNAME at the parent leads into a zone that the name is not in.
            let Some(zone) = answer.zone_of(&parent) else { continue };
            let answer = self.resolvers.ask(&zone, Rtype::NS, deadline).map_err(NotFound::Unknown)?;
            let names = answer.servers(&zone);
            if !names.is_empty() {
                return Ok(self.addressed(name, &zone, names, &[], deadline));
            }
        }
        Err(NotFound::Unknown(format!("no zone is found above {name}; see to RESOLVERS")))
    }

    /// Asks all servers of a zone about the name, and takes the first word of one who knows.
    ///
    /// For a CNAME: nobody follows it in answer to that, so that BIND does not fail at a circle, and
    /// where there is none the SOA comes with the answer (RFC 2308 section 2).
    fn step(&self, found: &Found, deadline: Deadline) -> Result<Step, NotFound> {
        let (name, reach) = (found.name.clone(), self.reach.clone());
        let job = move |server: &Server| {
            Client::new(reach(server.address), None).ask(&name, Rtype::CNAME, false, deadline.at_most(PATIENCE))
        };
        let (mut first, mut said) = (None, Vec::new());
        self.places.side_by_side(found.servers.clone(), deadline, job, |server, answer| {
            match word(found, answer) {
                Ok(word) => {
                    first = Some((server, word));
                    return ControlFlow::Break(());
                }
                Err(why) => said.push(format!("{server}: {why}")),
            }
            ControlFlow::Continue(())
        });
        let Some((server, word)) = first else { return Err(found.nobody(&said)) };
        Ok(match word {
            Word::Alias(target) => Step::Alias(target),
            Word::In(zone) => {
                let answer = Client::new((self.reach)(server.address), None).ask(
                    &zone,
                    Rtype::NS,
                    false,
                    deadline.at_most(PATIENCE),
                );
                let names = answer.map(|answer| answer.servers(&zone)).unwrap_or_default();
                match zone == found.zone || names.is_empty() {
                    true => Step::Here(names),
                    // The server has the zone below as well: there is no referral from itself to itself.
                    false => Step::Below(self.addressed(&found.name, &zone, names, &[], deadline)),
                }
            }
            Word::Referral { zone, servers, glue } => {
                // Only what the zone above may know itself counts as an address.
                let glue: Vec<_> = glue.into_iter().filter(|(name, _)| name.is_within(&found.zone)).collect();
                Step::Below(self.addressed(&found.name, &zone, servers, &glue, deadline))
            }
        })
    }

    /// The addresses of name servers, of both families.
    fn addressed(
        &self,
        name: &Name,
        zone: &Name,
        mut names: Vec<Name>,
        glue: &[(Name, IpAddr)],
        deadline: Deadline,
    ) -> Found {
        let mut notes = Vec::new();
        names.sort();
        names.dedup();
        if names.len() > NAMES {
            notes.push(format!("{zone} has {} name servers, of which {NAMES} are asked", names.len()));
            names.truncate(NAMES);
        }
        let mut all: Vec<Server> = Vec::new();
        let of_glue = glue.iter().filter(|(name, _)| names.contains(name));
        all.extend(of_glue.map(|(name, address)| Server { name: name.clone(), address: *address }));
        let unknown = names.iter().filter(|name| all.iter().all(|server| server.name != **name));
        let questions = unknown.flat_map(|name| [(name.clone(), Rtype::A), (name.clone(), Rtype::AAAA)]).collect();
        let resolvers = self.resolvers.clone();
        let job = move |(name, rtype): &(Name, Rtype)| {
            resolvers.ask(name, *rtype, deadline).map(|answer| answer.addresses(name))
        };
        self.places.side_by_side(questions, deadline, job, |(name, _), addresses| {
            let addresses = addresses.unwrap_or(Ok(Vec::new())).unwrap_or_default();
            all.extend(addresses.into_iter().map(|address| Server { name: name.clone(), address }));
            ControlFlow::Continue(())
        });
        let without = names.iter().filter(|name| all.iter().all(|server| server.name != **name));
        notes.extend(without.map(|name| format!("the name server {name} has no address")));
        let (servers, barred) = all.into_iter().partition(|server| self.gate.lets(server.address));
        let mut found = Found { name: name.clone(), zone: zone.clone(), servers, barred, notes };
        found.bound();
        found
    }
}

impl Found {
    /// In one order, each once, and no more than are asked.
    fn bound(&mut self) {
        for list in [&mut self.servers, &mut self.barred] {
            list.sort();
            list.dedup();
        }
        if self.servers.len() > ADDRESSES {
            let count = self.servers.len();
            self.notes
                .push(format!("{} has name servers at {count} addresses, of which {ADDRESSES} are asked", self.zone));
        }
        self.servers.truncate(ADDRESSES);
        self.barred.truncate(ADDRESSES);
    }

    /// Nobody answered who knows the zone.
    fn nobody(&self, said: &[String]) -> NotFound {
        let barred =
            self.barred.iter().map(|server| format!("{server}: not asked, since PROPAGATION_NETS does not list it"));
        let all: Vec<_> = said.iter().cloned().chain(barred).chain(self.notes.clone()).collect();
        NotFound::Unknown(format!("no name server of {} says what is at {} ({})", self.zone, self.name, all.join("; ")))
    }
}

/// What counts of an answer.
enum Word {
    Alias(Name),
    In(Name),
    Referral { zone: Name, servers: Vec<Name>, glue: Vec<(Name, IpAddr)> },
}

fn word(found: &Found, answer: Option<Result<Answer, NoAnswer>>) -> Result<Word, String> {
    let answer = answer.ok_or("too many questions at once")?.map_err(|error| error.to_string())?;
    if answer.is_authoritative() && matches!(answer.rcode(), Rcode::NOERROR | Rcode::NXDOMAIN) {
        if let Some(target) = answer.alias(&found.name) {
            return target.map(Word::Alias).ok_or_else(|| "a CNAME to what is no name".to_string());
        }
        let zone = answer.zone_of(&found.name).unwrap_or_else(|| found.zone.clone());
        return match zone.is_within(&found.zone) {
            true => Ok(Word::In(zone)),
            false => Err(format!("answers for {zone} and not for {}", found.zone)),
        };
    }
    let referral = answer
        .referral(&found.name)
        .filter(|referral| referral.zone.is_within(&found.zone) && referral.zone != found.zone);
    match referral {
        Some(referral) => Ok(Word::Referral { zone: referral.zone, servers: referral.servers, glue: referral.glue }),
        None if answer.rcode() == Rcode::NOERROR => Err("it is not authoritative".to_string()),
        None => Err(answer.rcode().to_string()),
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.name, self.address)
    }
}

#[cfg(test)]
mod tests;
