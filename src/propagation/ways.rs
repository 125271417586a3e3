//! The ways to look: at the name servers themselves, through resolvers over HTTPS, or, for `auto`,
//! the second where the first is closed.

use std::time::{Duration, Instant};

use super::doh::Doh;
use super::judge::{Testimony, anybody_knows};
use super::servers::{Finder, Found, NotFound};
use crate::challenge::Name;
use crate::deadline::Deadline;

/// How long finding the servers may take, and then asking them.
const FINDING: Duration = Duration::from_secs(10);
const ASKING: Duration = Duration::from_secs(10);

/// How long servers once found are taken for granted while a record is awaited.
const FOUND: Duration = Duration::from_secs(30);

/// Looks at which no name server knew anything, before `auto` takes the other way.
const IN_VAIN: u32 = 2;

/// The words of PROPAGATION, `off` aside.
pub enum Ways {
    Direct(Finder),
    Doh(Doh),
    Auto(Finder, Doh),
}

/// What one check remembers from look to look.
#[derive(Default)]
pub struct Trail {
    found: Option<(Found, Instant)>,
    in_vain: u32,
}

/// What one look brought.
#[derive(Debug, Default, PartialEq)]
pub struct Look {
    pub heard: Vec<Testimony>,
    /// What is wrong beyond that, where something is.
    pub reason: Option<String>,
    /// The zones are wrong: to look again does not help.
    pub hopeless: bool,
    /// Resolvers were asked, and not the name servers.
    pub by_doh: bool,
    /// A resolver said that there is nothing, and will go on saying so for this long.
    pub wait: Option<Duration>,
}

/// Whoever can look; a stand-in in tests.
pub trait Eyes: Send + Sync {
    /// What is seen at `name` now. Takes 20 seconds at most.
    fn look(&self, name: &Name, trail: &mut Trail) -> Look;

    /// How long the first look is put off: a resolver that is asked too early keeps to its answer.
    fn first(&self) -> Duration;
}

impl Eyes for Ways {
    fn look(&self, name: &Name, trail: &mut Trail) -> Look {
        match self {
            Ways::Direct(finder) => directly(finder, name, trail),
            Ways::Doh(doh) => by_doh(doh, name),
            Ways::Auto(_, doh) if trail.in_vain >= IN_VAIN => by_doh(doh, name),
            Ways::Auto(finder, doh) => {
                let look = directly(finder, name, trail);
                trail.in_vain = if look.hopeless || anybody_knows(&look.heard) { 0 } else { trail.in_vain + 1 };
                if trail.in_vain < IN_VAIN {
                    return look;
                }
                let why = look.reason.as_deref().unwrap_or("none of them answers who knows the zone");
                log::info!("{name}: the name servers cannot be asked ({why}): DoH from now on (PROPAGATION = auto)");
                by_doh(doh, name)
            }
        }
    }

    fn first(&self) -> Duration {
        match self {
            Ways::Direct(_) | Ways::Auto(..) => Duration::ZERO,
            Ways::Doh(_) => Duration::from_secs(2),
        }
    }
}

fn directly(finder: &Finder, name: &Name, trail: &mut Trail) -> Look {
    if trail.found.as_ref().is_none_or(|(_, since)| since.elapsed() >= FOUND) {
        match finder.find(name, Deadline::after(FINDING)) {
            Ok(found) => {
                if trail.found.is_none() {
                    found.notes.iter().for_each(|note| log::warn!("{name}: {note}"));
                }
                trail.found = Some((found, Instant::now()));
            }
            Err(NotFound::Wrong(reason)) => return Look { reason: Some(reason), hopeless: true, ..Look::default() },
            Err(NotFound::Unknown(reason)) => {
                trail.found = None;
                return Look { reason: Some(reason), ..Look::default() };
            }
        }
    }
    let (found, _) = trail.found.as_ref().expect("found just now, or before");
    let heard = finder.look(found, Deadline::after(ASKING));
    let reason = Some(found.notes.join("; ")).filter(|notes| !notes.is_empty());
    // Whoever does not serve the zone any more may not be its name server any more.
    if !anybody_knows(&heard) {
        trail.found = None;
    }
    Look { heard, reason, ..Look::default() }
}

fn by_doh(doh: &Doh, name: &Name) -> Look {
    let (heard, wait) = doh.look(name, Deadline::after(ASKING));
    Look { heard, by_doh: true, wait, ..Look::default() }
}
