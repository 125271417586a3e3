//! Any name server that takes dynamic updates signed with TSIG: BIND, Knot, PowerDNS
//! (RFC 2136, RFC 8945).
//!
//! The zone is asked for, not configured. One TXT value is added or removed, never the whole RRset.

use super::{Provider, Receipt, Row, Surroundings, Zone};
use crate::challenge::Name;
use crate::config::{Config, Mistakes, Setting};
use crate::deadline::Deadline;
use crate::dns::address::Address;
use crate::dns::answer::Answer;
use crate::dns::client::{Client, NoAnswer};
use crate::dns::tsig::{ALGORITHMS, Key};
use crate::dns::{Rcode, Rtype};
use crate::fault::Fault;
use crate::gate::scope::Permit;

pub const ROW: Row = Row {
    name: "rfc2136",
    predecessor: None,
    about: "a name server that takes dynamic updates signed with TSIG",
    experimental: false,
    documentation: Some("https://www.rfc-editor.org/rfc/rfc2136"),
    settings: &[SETTINGS],
    build,
};

const SETTINGS: &[Setting] = &[
    Setting::new("DNSAPI_URL", "", "the primary server: IP, IP:port, [v6]:port, host or host:port").required(),
    Setting::new("DNSAPI_USERNAME", "", "the name of the TSIG key").required(),
    Setting::secret("DNSAPI_PASSWORD", "the key's secret, in base64").required(),
    Setting::new(
        "DNSAPI_ALGORITHM",
        "hmac-sha256",
        "of the TSIG key: hmac-sha256, hmac-sha512, hmac-sha384 or hmac-sha1",
    ),
];

/// A primary name server, and a key that it knows.
struct Rfc2136 {
    server: Address,
    key_name: Name,
    key: Key,
}

fn build(config: &Config, mistakes: &mut Mistakes, _: &Surroundings) -> Option<Box<dyn Provider>> {
    let name =
        |text: &str| Name::owner(text).map_err(|error| format!("write the name of the TSIG key; this is {error}"));
    let server = mistakes.note(config.required("DNSAPI_URL", config.parse("DNSAPI_URL", Address::parse)));
    let key_name = mistakes.note(config.required("DNSAPI_USERNAME", config.parse("DNSAPI_USERNAME", name)));
    let secret = mistakes.note(config.required("DNSAPI_PASSWORD", config.secret("DNSAPI_PASSWORD")));
    let algorithm = mistakes.note(config.choice("DNSAPI_ALGORITHM", &ALGORITHMS)).flatten();
    let (key_name, secret) = (key_name?, secret?);
    let not_base64 =
        || config.mistake("DNSAPI_PASSWORD", "is not base64", "copy the key's secret from the name server");
    let key = mistakes.note(Key::new(&key_name, &secret, algorithm?).ok_or_else(not_base64));
    Some(Box::new(Rfc2136 { server: server?, key_name, key: key? }))
}

impl Rfc2136 {
    /// Talks to the first of the server's addresses that can be reached.
    fn with_server(
        &self,
        deadline: Deadline,
        exchange: impl Fn(&Client) -> Result<Answer, NoAnswer>,
    ) -> Result<Answer, Untold> {
        let addresses = self.server.resolve(deadline).map_err(Untold::NotFound)?;
        let mut last = NoAnswer::Silent;
        for address in addresses {
            match exchange(&Client::new(address, Some(self.key.clone()))) {
                Err(NoAnswer::Unreachable(error)) => last = NoAnswer::Unreachable(error),
                answer => return answer.map_err(Untold::NoAnswer),
            }
        }
        Err(Untold::NoAnswer(last))
    }

    fn change(&self, zone: &Name, permit: &Permit, deadline: Deadline) -> Result<Receipt, Fault> {
        let change = (permit.action(), permit.owner(), permit.value());
        let answer = self.with_server(deadline, |client| client.update(zone, change, deadline));
        let says = |what: String| format!("{} {what}", self.server);
        match answer.map_err(|untold| self.fault(untold, true))?.rcode() {
            Rcode::NOERROR => Ok(Receipt::default()),
            rcode => Err(match rcode {
                Rcode::YXRRSET => Fault::Refused(says(format!(
                    "has a CNAME at {}, beside which no TXT can be: remove it, or let acmegw write where it points",
                    permit.owner()
                ))),
                Rcode::REFUSED => Fault::Refused(says(format!(
                    "refuses the update of {} (REFUSED): let the key {} change TXT records there (BIND: update-policy)",
                    permit.owner(),
                    self.key_name
                ))),
                Rcode::NOTAUTH | Rcode::NOTZONE | Rcode::NXDOMAIN => Fault::NoZone(says(format!(
                    "takes no updates of the zone {zone} ({rcode}): name its primary server in DNSAPI_URL"
                ))),
                Rcode::SERVFAIL => Fault::Busy(
                    says(format!("failed at the update of {} (SERVFAIL): its log says why", permit.owner())),
                    None,
                ),
                _ => Fault::Refused(says(format!("refuses the update of {} ({rcode})", permit.owner()))),
            }),
        }
    }

    fn fault(&self, untold: Untold, changing: bool) -> Fault {
        match untold {
            Untold::NotFound(text) => Fault::Busy(text, None),
            Untold::NoAnswer(reason) => {
                let text = format!("{}, key {}: {reason}", self.server, self.key_name);
                match reason {
                    NoAnswer::Unreachable(_) => Fault::Busy(text, None),
                    NoAnswer::Silent if changing => Fault::Unknown(text),
                    NoAnswer::Silent => Fault::Busy(text, None),
                    // An answer that may be anybody's says nothing about what the server did.
                    NoAnswer::Doubtful(doubt) if changing && !doubt.is_refusal() => Fault::Unknown(text),
                    NoAnswer::Doubtful(_) => Fault::Auth(text),
                }
            }
        }
    }
}

/// Why the server has not been talked to.
enum Untold {
    NotFound(String),
    NoAnswer(NoAnswer),
}

impl Provider for Rfc2136 {
    fn zone(&self, owner: &Name, deadline: Deadline) -> Result<Zone, Fault> {
        let zone = |name| Zone { service: self.server.to_string(), name: Some(name), key: String::new() };
        // Upwards, because a CNAME by wildcard in answer to the full name shows no SOA of ours.
        for name in owner.upwards() {
            let answer = self.with_server(deadline, |client| client.ask(&name, Rtype::SOA, false, deadline));
            let answer = answer.map_err(|untold| self.fault(untold, false))?;
            if !answer.is_authoritative() {
                return Err(Fault::NoZone(format!(
                    "{} holds no zone with {name} ({}): name its primary server in DNSAPI_URL, and let the key {} \
                     query it; a name that is delegated elsewhere has to be changed there",
                    self.server,
                    answer.rcode(),
                    self.key_name
                )));
            }
            if let Some(found) = answer.zone_of(&name) {
                return Ok(zone(found));
            }
        }
        Err(Fault::NoZone(format!("{} holds no zone with {owner}", self.server)))
    }

    fn apply(&self, zone: &Zone, changes: &[Permit], deadline: Deadline) -> Vec<Result<Receipt, Fault>> {
        let unnamed = || Fault::NoZone(format!("{}: a zone without a name", self.server));
        let change = |permit| self.change(zone.name.as_ref().ok_or_else(unnamed)?, permit, deadline);
        changes.iter().map(change).collect()
    }
}

#[cfg(test)]
pub(super) mod tests;
