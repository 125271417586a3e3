//! Services that keep whole RRsets: one is read, merged with the change, and written back under the
//! zone's lock; where the service can compare before it writes, also against writers elsewhere.

use super::judge::Problem;
use super::text::{quoted, unquoted};
use super::{Place, Service};
use crate::challenge::{Action, Value};
use crate::deadline::Deadline;
use crate::provider::Receipt;

/// A TXT RRset as the service shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rrset {
    /// Seconds. That of a set that is there stays as it is.
    pub ttl: u64,
    /// As the service shows them, and gets them back: quotes and escapes are its own.
    pub values: Vec<String>,
    /// What the service compares before it writes, for those that do.
    pub tag: String,
}

pub trait Rrsets: Service {
    /// The TTL of a new set (seconds).
    fn ttl(&self, place: &Place) -> u64;

    /// The TXT RRset at exactly this owner.
    fn read(&self, place: &Place, deadline: Deadline) -> Result<Option<Rrset>, Problem>;

    /// Puts `after` in the place of `before`; None: there is none. Never both.
    fn write(
        &self,
        place: &Place,
        before: Option<&Rrset>,
        after: Option<&Rrset>,
        deadline: Deadline,
    ) -> Result<Receipt, Problem>;
}

/// [`Service::change`] by reading and writing; nothing is written where nothing changes.
pub fn change(
    service: &impl Rrsets,
    place: &Place,
    action: Action,
    value: &Value,
    deadline: Deadline,
) -> Result<Receipt, Problem> {
    let before = service.read(place, deadline)?;
    let current = before.as_ref().map_or(&[][..], |set| &set.values);
    let Some(values) = merge(current, &[(action, value)]) else { return Ok(Receipt::default()) };
    let (ttl, tag) = match &before {
        Some(set) => (set.ttl, set.tag.clone()),
        None => (service.ttl(place), String::new()),
    };
    let after = Some(Rrset { ttl, values, tag }).filter(|set| !set.values.is_empty());
    service.write(place, before.as_ref(), after.as_ref(), deadline)
}

/// The values after the changes, in the order in which they were, new ones quoted at the end; None
/// where nothing changes. Values that the changes do not name stay as they are, to the letter.
pub fn merge(current: &[String], changes: &[(Action, &Value)]) -> Option<Vec<String>> {
    let mut values = current.to_vec();
    for (action, value) in changes {
        match action {
            Action::Setup if values.iter().any(|held| unquoted(held) == value.as_str()) => {}
            Action::Setup => values.push(quoted(value.as_str())),
            Action::Teardown => values.retain(|held| unquoted(held) != value.as_str()),
        }
    }
    (values != current).then_some(values)
}

#[cfg(test)]
mod properties;
