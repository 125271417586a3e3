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
mod tests {
    use super::*;
    use crate::random::property;
    use std::io::Read;
    use std::net::TcpListener;

    fn connection() -> (Arc<TcpStream>, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        client.set_nonblocking(true).unwrap();
        (Arc::new(listener.accept().unwrap().0), client)
    }

    fn seats(connections: usize, in_flight: usize) -> Arc<Seats> {
        let (unfinished_each, in_flight_each) = (connections / 2, in_flight / 2);
        Seats::new(Capacity { connections, unfinished_each, in_flight, in_flight_each })
    }

    /// Lets connections of these households in, one after the other, and says which were sent away
    /// again. Number 0 is a trusted proxy.
    fn sent_away(seats: &Arc<Seats>, households: &[u8]) -> Vec<usize> {
        let connections: Vec<_> = households.iter().map(|_| connection()).collect();
        let enter = |((socket, _), household): (&(Arc<TcpStream>, _), &u8)| {
            seats.take(socket, address(*household)).expect("a seat").0
        };
        let _seats: Vec<_> = connections.iter().zip(households).map(enter).collect();
        let is_closed = |index: &usize| matches!((&connections[*index].1).read(&mut [0]), Ok(0));
        (0..households.len()).filter(is_closed).collect()
    }

    fn address(household: u8) -> Household {
        (household != 0).then(|| IpAddr::from([192, 0, 2, household]))
    }

    #[test]
    fn the_engine_never_lacks_a_file_however_few_there_are() {
        for files in (64..3000).chain([1 << 20, u64::MAX]) {
            let capacity = Capacity::for_files(files).unwrap();
            let most = capacity.connections + LEAVING + FILES_IN_FLIGHT * capacity.in_flight;
            // Standard streams, listening sockets of both services, signals, the engine's; a program's pipes.
            let other = 12 + 8;
            assert!((most + other) as u64 <= files, "{files}: {capacity:?}");
            assert!(capacity.in_flight < capacity.connections && capacity.in_flight_each > 0, "{files}: {capacity:?}");
        }
        let shown = |files| Capacity::for_files(files).map(|it| (it.connections, it.in_flight, it.in_flight_each));
        assert_eq!(
            [63, 64, 1024, 1 << 20].map(shown),
            [None, Some((12, 4, 2)), Some((336, 112, 32)), Some((384, 256, 32))]
        );
    }

    #[test]
    fn when_full_the_household_with_the_most_unfinished_loses_its_oldest() {
        assert_eq!(sent_away(&seats(6, 2), &[1, 2, 2, 2, 1, 5]), [0; 0]);
        assert_eq!(sent_away(&seats(6, 2), &[1, 2, 2, 2, 1, 5, 3]), [1]);
        assert_eq!(sent_away(&seats(6, 2), &[1, 2, 2, 1, 2, 1, 3]), [0], "among equals the oldest");
        assert_eq!(sent_away(&seats(6, 2), &[1, 2, 2, 2, 1, 5, 3, 4]), [0, 1]);
    }

    #[test]
    fn a_household_has_at_most_half_of_the_places_and_then_loses_its_own() {
        assert_eq!(sent_away(&seats(8, 2), &[1, 2, 2, 2, 2, 2, 2]), [1, 2]);
    }

    #[test]
    fn connections_of_a_proxy_are_of_many_households() {
        assert_eq!(sent_away(&seats(6, 2), &[0, 0, 0, 0, 1, 1, 0]), [4]);
        assert_eq!(sent_away(&seats(4, 2), &[0, 0, 0, 0, 0]), [0]);
    }

    #[test]
    fn who_is_sent_away_counts_until_it_has_left() {
        let seats = seats(20, 2);
        let connections: Vec<_> = (0..20 + LEAVING).map(|_| connection()).collect();
        let enter = |(index, (socket, _)): (usize, &(Arc<TcpStream>, _))| {
            assert!(seats.let_in());
            seats.take(socket, address(index as u8 + 1)).unwrap()
        };
        let (mut taken, leavers): (Vec<_>, Vec<_>) = connections.iter().enumerate().map(enter).unzip();
        assert_eq!(leavers.into_iter().flatten().collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6, 7, 8], "the oldest in turn");
        assert!(!seats.let_in() && seats.take(&connections[0].0, address(2)).is_none());
        taken.remove(0);
        assert!(seats.let_in() && seats.take(&connections[0].0, address(2)).is_some());
    }

    #[test]
    fn a_household_that_has_all_it_may_have_leaves_others_the_room_to_come_in() {
        let seats = seats(20, 2);
        let connections: Vec<_> = (0..30).map(|_| connection()).collect();
        let taken: Vec<_> = connections.iter().map_while(|(socket, _)| seats.take(socket, address(1))).collect();
        assert_eq!(taken.len(), 20 / 2 + LEAVING / 2);
        assert!(seats.let_in(), "its own are still leaving");
        assert_eq!(seats.take(&connections[29].0, address(2)).map(|(_, leaver)| leaver), Some(None));
    }

    #[test]
    fn what_is_counted_is_what_is_there() {
        property(|random| {
            let seats = seats(6, 4);
            let mut taken: Vec<Seat> = Vec::new();
            let (socket, _client) = connection();
            for _ in 0..random.below(60) {
                match random.below(4) {
                    0 if !taken.is_empty() => drop(taken.swap_remove(random.below(taken.len()))),
                    1 if !taken.is_empty() => drop(taken[random.below(taken.len())].serve()),
                    _ => taken.extend(seats.take(&socket, address(random.below(4) as u8)).map(|(seat, _)| seat)),
                }
                let held = seats.taken();
                let count = |state| held.seats.values().filter(|sitting| sitting.state == state).count();
                assert_eq!((held.in_flight, held.leaving), (count(State::InFlight), count(State::Leaving)));
                assert_eq!(held.households.values().map(|own| own.in_flight).sum::<usize>(), held.in_flight);
                let unfinished = held.households.values().map(|own| own.unfinished.len()).sum::<usize>();
                assert_eq!(unfinished, count(State::Unfinished));
                assert!(held.seats.len() - held.leaving <= 6 && held.leaving <= LEAVING);
            }
        });
    }

    #[test]
    fn what_is_in_flight_stays_and_is_bounded_for_each_and_for_all() {
        let seats = seats(6, 4);
        let connections: Vec<_> = (0..10).map(|_| connection()).collect();
        let take = |index: usize, household| seats.take(&connections[index].0, address(household)).unwrap().0;
        let (first, second, third) = (take(0, 1), take(1, 1), take(2, 1));
        assert_eq!([&first, &second, &third].map(Seat::serve), [Ok(()), Ok(()), Err(Busy::Household)]);
        let (proxy, another, other) = (take(3, 0), take(4, 0), take(5, 3));
        assert_eq!([&proxy, &another, &other].map(Seat::serve), [Ok(()), Ok(()), Err(Busy::Everybody)]);
        let late: Vec<_> = (6..10).map(|index| take(index, 4)).collect();
        let is_open = |index: usize| (&connections[index].1).read(&mut [0]).is_err();
        assert_eq!([0, 1, 3, 4].map(is_open), [true; 4], "nobody in flight is sent away");
        assert_eq!(seats.in_flight(), 4);
        drop(first);
        assert_eq!(third.serve(), Err(Busy::Everybody), "it was sent away");
        assert_eq!(late[3].serve(), Ok(()));
    }
}
