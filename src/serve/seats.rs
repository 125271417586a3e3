//! How many connections there may be, and who has to go when there are more: first of all those of
//! the household that has the most which have not finished their request. A household is an address, or in
//! IPv6 a network of 64 bits; each connection of a trusted proxy counts as a household of its own.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::{IpAddr, Shutdown, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Never more connections than this: each takes some 50 KiB, and the whole is to stay below 64 MiB.
const CONNECTIONS: usize = 384;
/// Never more requests in flight than this.
const IN_FLIGHT: usize = 256;
/// Requests in flight of one household.
const IN_FLIGHT_EACH: usize = 32;
/// Connections that were sent away and are not closed yet, since a thread has still to see it.
const LEAVING: usize = 8;
/// Between two lines in the log that connections are sent away.
const WORD_EVERY: Duration = Duration::from_secs(10);

/// With fewer open files the gateway could not serve even a handful of web servers.
pub const LEAST_FILES: usize = 64;
/// The most open files that are kept for other things than the door: log, listening sockets, the
/// embedded server's connections, connections that the providers keep, a program's pipes.
const RESERVED_FILES: usize = 128;
/// What a request in flight takes beside its connection: our end of the engine's socket, the
/// engine's end twice (tiny_http keeps a copy), the DNS service's connection, a file.
const FILES_IN_FLIGHT: usize = 5;

/// How many there may be of what, so that the engine never lacks an open file: it would not
/// survive that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capacity {
    pub connections: usize,
    /// Of one household, with a request that is not whole.
    unfinished_each: usize,
    pub in_flight: usize,
    pub in_flight_each: usize,
}

impl Capacity {
    /// What so many open files allow; None: these are too few.
    pub fn for_files(files: u64) -> Option<Capacity> {
        let files = usize::try_from(files).unwrap_or(usize::MAX);
        let ours = (files >= LEAST_FILES).then_some(files - RESERVED_FILES.min(files / 2))?;
        let in_flight = IN_FLIGHT.min(ours / 8);
        let connections = CONNECTIONS.min(ours - FILES_IN_FLIGHT * in_flight);
        let in_flight_each = IN_FLIGHT_EACH.min(in_flight / 2);
        Some(Capacity { connections, unfinished_each: connections / 2, in_flight, in_flight_each })
    }
}

/// The places for connections.
pub struct Seats {
    capacity: Capacity,
    taken: Mutex<Taken>,
}

/// Seats have numbers in the order in which they were taken.
pub type Number = u64;

#[derive(Default)]
struct Taken {
    last: Number,
    seats: BTreeMap<Number, Sitting>,
    /// What [`Taken::seats`] says, counted as it changes: an attack asks for it thousands of times a second.
    households: HashMap<Household, Members>,
    in_flight: usize,
    leaving: usize,
    last_word: Option<Instant>,
}

struct Sitting {
    socket: Arc<TcpStream>,
    household: Household,
    state: State,
}

/// Who is held to account for a connection; None: a trusted proxy, which brings those of many.
type Household = Option<IpAddr>;

#[derive(Default)]
struct Members {
    unfinished: BTreeSet<Number>,
    in_flight: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Its request is not whole, or was refused.
    Unfinished,
    /// Its request is being carried out or answered; it is not sent away.
    InFlight,
    /// Its socket was shut down; who holds it will see it.
    Leaving,
}

/// One place, given back when dropped.
pub struct Seat {
    seats: Arc<Seats>,
    number: Number,
}

/// Why a request that is whole is not carried out.
#[derive(Debug, PartialEq, Eq)]
pub enum Busy {
    Everybody,
    /// As many of the same household are in flight as it may have.
    Household,
}

impl Seats {
    pub fn new(capacity: Capacity) -> Arc<Seats> {
        Arc::new(Seats { capacity, taken: Mutex::default() })
    }

    pub fn capacity(&self) -> Capacity {
        self.capacity
    }

    /// Is there room for one more, be it by sending somebody away? Else those who were sent away
    /// have to leave first, and whoever comes can wait in the listening queue.
    pub fn let_in(&self) -> bool {
        self.taken().leaving < LEAVING
    }

    /// A seat for the connection, and who was sent away for it; None: no seat. A household that has all
    /// that it may have gets none while its own are still leaving: half of those who may be are
    /// left to the others.
    pub fn take(
        self: &Arc<Seats>,
        socket: &Arc<TcpStream>,
        household: Option<IpAddr>,
    ) -> Option<(Seat, Option<Number>)> {
        let mut taken = self.taken();
        let of_its_own =
            taken.members(household).is_some_and(|own| own.unfinished.len() >= self.capacity.unfinished_each);
        let (leaver, may_leave) = if household.is_some() && of_its_own {
            (taken.oldest_of(household), LEAVING / 2)
        } else if taken.seats.len() - taken.leaving >= self.capacity.connections {
            (taken.oldest_of_the_heaviest(), LEAVING)
        } else {
            (None, LEAVING)
        };
        if leaver.is_some() && taken.leaving >= may_leave {
            return None;
        }
        leaver.iter().for_each(|number| taken.send_away(*number));
        taken.last += 1;
        let number = taken.last;
        taken.insert(number, Sitting { socket: socket.clone(), household, state: State::Unfinished });
        Some((Seat { seats: self.clone(), number }, leaver))
    }

    /// How many requests are in flight.
    pub fn in_flight(&self) -> usize {
        self.taken().in_flight
    }

    /// Has a thread die that holds the lock.
    #[cfg(test)]
    pub fn poison(&self) {
        let held = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let _taken = self.taken();
            panic!("on purpose")
        }));
        assert!(held.is_err() && self.taken.is_poisoned());
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Taken {
    fn members(&self, household: Household) -> Option<&Members> {
        self.households.get(&household)
    }

    fn insert(&mut self, number: Number, sitting: Sitting) {
        let members = self.households.entry(sitting.household).or_default();
        match sitting.state {
            State::Unfinished => drop(members.unfinished.insert(number)),
            State::InFlight => {
                members.in_flight += 1;
                self.in_flight += 1;
            }
            State::Leaving => self.leaving += 1,
        }
        self.seats.insert(number, sitting);
    }

    fn remove(&mut self, number: Number) -> Option<Sitting> {
        let sitting = self.seats.remove(&number)?;
        let members = self.households.entry(sitting.household).or_default();
        match sitting.state {
            State::Unfinished => drop(members.unfinished.remove(&number)),
            State::InFlight => {
                members.in_flight -= 1;
                self.in_flight -= 1;
            }
            State::Leaving => self.leaving -= 1,
        }
        if members.unfinished.is_empty() && members.in_flight == 0 {
            self.households.remove(&sitting.household);
        }
        Some(sitting)
    }

    fn oldest_of(&self, household: Household) -> Option<Number> {
        self.members(household)?.unfinished.first().copied()
    }

    /// The oldest of the household with the most; among equals the oldest of all.
    fn oldest_of_the_heaviest(&self) -> Option<Number> {
        let weighed = self.households.iter().filter_map(|(household, members)| {
            let weight = if household.is_some() { members.unfinished.len() } else { 1 };
            Some((weight, Reverse(*members.unfinished.first()?)))
        });
        weighed.max().map(|(_, Reverse(oldest))| oldest)
    }

    fn send_away(&mut self, number: Number) {
        let Some(sitting) = self.remove(number) else { return };
        let _ = sitting.socket.shutdown(Shutdown::Both);
        if self.last_word.is_none_or(|last| last.elapsed() >= WORD_EVERY) {
            self.last_word = Some(Instant::now());
            let whose = sitting.household.map_or("a trusted proxy".to_string(), |household| household.to_string());
            log::warn!("too many connections: the oldest unfinished ones are sent away, just now one of {whose}");
        }
        self.insert(number, Sitting { state: State::Leaving, ..sitting });
    }
}

impl Seat {
    pub fn number(&self) -> Number {
        self.number
    }

    /// The request is whole: from now on the connection stays until it is answered, if there is
    /// room for one more request in flight.
    pub fn serve(&self) -> Result<(), Busy> {
        let Capacity { in_flight, in_flight_each, .. } = self.seats.capacity;
        let mut taken = self.seats.taken();
        let Some(Sitting { household, state: State::Unfinished, .. }) = taken.seats.get(&self.number) else {
            // It was sent away in this moment, and does not hear this.
            return Err(Busy::Everybody);
        };
        if taken.in_flight >= in_flight {
            return Err(Busy::Everybody);
        }
        if household.is_some() && taken.members(*household).is_some_and(|own| own.in_flight >= in_flight_each) {
            return Err(Busy::Household);
        }
        if let Some(sitting) = taken.remove(self.number) {
            taken.insert(self.number, Sitting { state: State::InFlight, ..sitting });
        }
        Ok(())
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        // The socket is closed after the lock is given back.
        let _sitting = self.seats.taken().remove(self.number);
    }
}

#[cfg(test)]
mod tests;
