//! Services that keep whole RRsets: one is read, merged with the change, and written back under the
//! zone's lock; where the service can compare before it writes, also against writers elsewhere.

use serde_json::Value as Json;

use super::judge::Problem;
use super::text::{quoted, unquoted};
use super::{Api, Place, Service};
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

/// What a set that was asked for by its name is: status 404 is none.
pub fn found(
    answer: Result<Json, Problem>,
    read: impl Fn(&Json) -> Result<Rrset, Problem>,
) -> Result<Option<Rrset>, Problem> {
    match answer {
        Ok(json) => read(&json).map(Some),
        Err(Problem::No(no)) if no.status == 404 => Ok(None),
        Err(problem) => Err(problem),
    }
}

/// A set out of a list of values, each of which `text` takes out of its JSON.
pub fn from_json(api: &Api, values: &Json, ttl: &Json, text: impl Fn(&Json) -> Option<&str>) -> Result<Rrset, Problem> {
    let values = values.as_array().and_then(|values| values.iter().map(|one| text(one).map(str::to_string)).collect());
    match (values, ttl.as_u64()) {
        (Some(values), Some(ttl)) => Ok(Rrset { ttl, values, tag: String::new() }),
        // Hetzner: null is the zone's own.
        (Some(values), None) => Ok(Rrset { ttl: 0, values, tag: String::new() }),
        (None, _) => Err(api.strange("a set without values", false)),
    }
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
