//! How many connections there may be, and who has to go when there are more: first of all those of
//! the household that has the most which have not finished their request. A household is an address, or in
//! IPv6 a network of 64 bits; each connection of a trusted proxy counts as a household of its own.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Shutdown, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Never more connections than this: each takes some 50 KiB, and the whole is to stay below 64 MiB.
const CONNECTIONS: usize = 384;
/// Never more requests in flight than this.
const IN_FLIGHT: usize = 256;
/// Requests in flight of one household.
const IN_FLIGHT_EACH: usize = 32;
/// Connections that were closed and whose threads have not ended yet.
const LEAVING: usize = 8;
/// How long a new connection waits for those threads.
const LEAVING_TIME: Duration = Duration::from_secs(1);
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
    left: Condvar,
}

#[derive(Default)]
struct Taken {
    last: u64,
    /// By number, so that the first is the oldest.
    seats: BTreeMap<u64, Sitting>,
    last_word: Option<Instant>,
}

struct Sitting {
    socket: Arc<TcpStream>,
    household: Household,
    state: State,
}

/// Who is held to account for a connection; None: a trusted proxy, which brings those of many.
type Household = Option<IpAddr>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Its request is not whole, or was refused.
    Unfinished,
    /// Its request is being carried out or answered; it is not sent away.
    InFlight,
    /// Its socket was shut down; its thread will see it.
    Leaving,
}

/// One place, given back when dropped.
pub struct Seat {
    seats: Arc<Seats>,
    number: u64,
    household: Household,
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
        Arc::new(Seats { capacity, taken: Mutex::default(), left: Condvar::new() })
    }

    pub fn capacity(&self) -> Capacity {
        self.capacity
    }

    /// A seat for the connection, made free if need be; None if that failed.
    pub fn take(self: &Arc<Seats>, socket: &Arc<TcpStream>, household: Household) -> Option<Seat> {
        let mut taken = self.taken();
        if household.is_some() && taken.count(State::Unfinished, Some(household)) >= self.capacity.unfinished_each {
            taken.send_away(|sitting| usize::from(sitting.household == household));
        } else if taken.seats.len() - taken.count(State::Leaving, None) >= self.capacity.connections {
            let weights = taken.weights();
            taken.send_away(|sitting| sitting.household.map_or(1, |household| weights[&household]));
        }
        // Sent away is not gone: each still has a file and a thread.
        let full = |taken: &mut Taken| taken.seats.len() >= self.capacity.connections + LEAVING;
        let waited = self.left.wait_timeout_while(taken, LEAVING_TIME, full);
        let (mut taken, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
        if timeout.timed_out() {
            return None;
        }
        taken.last += 1;
        let number = taken.last;
        taken.seats.insert(number, Sitting { socket: socket.clone(), household, state: State::Unfinished });
        Some(Seat { seats: self.clone(), number, household })
    }

    /// How many requests are in flight.
    pub fn in_flight(&self) -> usize {
        self.taken().count(State::InFlight, None)
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Taken {
    /// Those in that state, of all households or of one.
    fn count(&self, state: State, of: Option<Household>) -> usize {
        let counts =
            |sitting: &&Sitting| sitting.state == state && of.is_none_or(|household| sitting.household == household);
        self.seats.values().filter(counts).count()
    }

    /// How many connections with unfinished requests each household has.
    fn weights(&self) -> HashMap<IpAddr, usize> {
        let mut weights = HashMap::new();
        let unfinished = self.seats.values().filter(|sitting| sitting.state == State::Unfinished);
        unfinished
            .filter_map(|sitting| sitting.household)
            .for_each(|household| *weights.entry(household).or_default() += 1);
        weights
    }

    /// Closes the oldest of the heaviest among those that have not finished their request.
    fn send_away(&mut self, weight: impl Fn(&Sitting) -> usize) {
        let unfinished = self.seats.values_mut().filter(|sitting| sitting.state == State::Unfinished);
        // max_by_key gives the last of equals.
        let Some(chosen) = unfinished.rev().max_by_key(|sitting| weight(sitting)) else { return };
        chosen.state = State::Leaving;
        let _ = chosen.socket.shutdown(Shutdown::Both);
        if self.last_word.is_none_or(|last| last.elapsed() >= WORD_EVERY) {
            self.last_word = Some(Instant::now());
            let whose = chosen.household.map_or("a trusted proxy".to_string(), |household| household.to_string());
            log::warn!("too many connections: the oldest unfinished ones are sent away, just now one of {whose}");
        }
    }
}

impl Seat {
    /// The request is whole: from now on the connection stays until it is answered, if there is
    /// room for one more request in flight.
    pub fn serve(&self) -> Result<(), Busy> {
        let Capacity { in_flight, in_flight_each, .. } = self.seats.capacity;
        let mut taken = self.seats.taken();
        let (all, households) =
            (taken.count(State::InFlight, None), taken.count(State::InFlight, Some(self.household)));
        match taken.seats.get_mut(&self.number) {
            Some(sitting) if sitting.state == State::Unfinished && all < in_flight => {
                if self.household.is_some() && households >= in_flight_each {
                    return Err(Busy::Household);
                }
                sitting.state = State::InFlight;
                Ok(())
            }
            // Or it was sent away in this moment, and does not hear this.
            _ => Err(Busy::Everybody),
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.seats.taken().seats.remove(&self.number);
        self.seats.left.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
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
        let enter =
            |((socket, _), household): (&(Arc<TcpStream>, _), &u8)| seats.take(socket, address(*household)).unwrap();
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
    fn who_is_sent_away_counts_until_its_thread_has_ended() {
        let seats = seats(4, 2);
        let connections: Vec<_> = (0..4 + LEAVING).map(|_| connection()).collect();
        let mut taken: Vec<_> = connections.iter().map(|(socket, _)| seats.take(socket, address(1)).unwrap()).collect();
        assert!(seats.take(&connections[0].0, address(2)).is_none());
        taken.remove(0);
        assert!(seats.take(&connections[0].0, address(2)).is_some());
    }

    #[test]
    fn what_is_in_flight_stays_and_is_bounded_for_each_and_for_all() {
        let seats = seats(6, 4);
        let connections: Vec<_> = (0..10).map(|_| connection()).collect();
        let take = |index: usize, household| seats.take(&connections[index].0, address(household)).unwrap();
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
