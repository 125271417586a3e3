//! How many connections there may be, of all clients and of each, and who has to go when there are more.
//!
//! The limits bite the address that takes most: its own oldest unfinished connection goes first,
//! so that a flood from one place does not cost another its turn.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Shutdown, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ipnet::IpNet;

use crate::gate::{contains, household};

/// Never more connections than this.
const MOST: u64 = 512;
/// Open files that are not for connections; a connection takes four (its own, and the inner
/// socket's two ends, of which the engine doubles its own).
const RESERVED_FILES: u64 = 128;
const FILES_EACH: u64 = 4;
/// With fewer, the gateway could not serve even a handful of web servers.
const LEAST: u64 = 4;
/// The part of all seats that one address may have: a quarter.
const SHARE: usize = 4;
/// Requests of one address that are carried out at once.
const SERVED: usize = 32;

/// The places for connections.
pub struct Seats {
    limit: usize,
    /// Proxies speak for many clients: the limits for one address are not for them.
    exempt: Vec<IpNet>,
    taken: Mutex<Taken>,
}

#[derive(Default)]
struct Taken {
    last: u64,
    /// By number, so that the first is the oldest.
    seats: BTreeMap<u64, Sitting>,
}

struct Sitting {
    socket: Arc<TcpStream>,
    household: IpAddr,
    /// Its request is whole: it is being served, and is not sent away.
    is_served: bool,
}

/// One place, given back when dropped.
pub struct Seat {
    seats: Arc<Seats>,
    number: u64,
    peer: IpAddr,
}

impl Seats {
    /// As many as the limit of open files allows: min(512, (files − 128) / 4), but at least 4.
    pub fn for_files(files: u64, exempt: Vec<IpNet>) -> Arc<Seats> {
        let limit = (files.saturating_sub(RESERVED_FILES) / FILES_EACH).clamp(LEAST, MOST);
        Arc::new(Seats { limit: limit as usize, exempt, taken: Mutex::default() })
    }

    /// A seat for the connection; an unfinished one is closed for it where there is need.
    ///
    /// An address that has its share gives up its own oldest; when all seats are taken, the oldest
    /// of the address with the most goes. None: all of these are being served.
    pub fn take(self: &Arc<Seats>, socket: &Arc<TcpStream>, peer: IpAddr) -> Option<Seat> {
        let mut taken = self.taken();
        let household = household(peer);
        let share = (self.limit / SHARE).max(1);
        if !contains(&self.exempt, peer) && taken.of(household) >= share {
            taken.send_away(Some(household))?;
        }
        if taken.seats.len() >= self.limit {
            let most = taken.greediest();
            taken.send_away(most)?;
        }
        taken.last += 1;
        let number = taken.last;
        taken.seats.insert(number, Sitting { socket: socket.clone(), household, is_served: false });
        Some(Seat { seats: self.clone(), number, peer })
    }

    /// How many requests are being served.
    pub fn served(&self) -> usize {
        self.taken().seats.values().filter(|sitting| sitting.is_served).count()
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Taken {
    fn of(&self, household: IpAddr) -> usize {
        self.seats.values().filter(|sitting| sitting.household == household).count()
    }

    fn served(&self, household: IpAddr) -> usize {
        self.seats.values().filter(|sitting| sitting.is_served && sitting.household == household).count()
    }

    /// The address with the most connections that have not finished their request.
    fn greediest(&self) -> Option<IpAddr> {
        let mut counts: HashMap<IpAddr, usize> = HashMap::new();
        for sitting in self.seats.values().filter(|sitting| !sitting.is_served) {
            *counts.entry(sitting.household).or_default() += 1;
        }
        counts.into_iter().max_by_key(|(_, count)| *count).map(|(household, _)| household)
    }

    /// Closes the oldest unfinished connection of that address; None: it has none.
    fn send_away(&mut self, household: Option<IpAddr>) -> Option<()> {
        let mut unfinished = self.seats.iter().filter(|(_, sitting)| !sitting.is_served);
        let oldest = unfinished.find(|(_, sitting)| Some(sitting.household) == household).map(|(number, _)| *number)?;
        let _ = self.seats.remove(&oldest)?.socket.shutdown(Shutdown::Both);
        Some(())
    }
}

impl Seat {
    /// The request is whole: from now on the connection stays until it is answered. False: so many
    /// of this address are being served that this one is not.
    pub fn serve(&self) -> bool {
        let mut taken = self.seats.taken();
        if taken.served(household(self.peer)) >= SERVED && !contains(&self.seats.exempt, self.peer) {
            return false;
        }
        if let Some(sitting) = taken.seats.get_mut(&self.number) {
            sitting.is_served = true;
        }
        true
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.seats.taken().seats.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::network;
    use std::io::Read;
    use std::net::TcpListener;

    fn connection() -> (Arc<TcpStream>, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        (Arc::new(listener.accept().unwrap().0), client)
    }

    fn address(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    fn is_closed(mut client: &TcpStream) -> bool {
        client.set_nonblocking(true).unwrap();
        matches!(client.read(&mut [0]), Ok(0))
    }

    #[test]
    fn the_number_of_seats_follows_the_limit_of_open_files() {
        let limits: Vec<_> = [0, 64, 1024, 1 << 20].map(|files| Seats::for_files(files, Vec::new()).limit).into();
        assert_eq!(limits, [4, 4, 224, 512]);
    }

    #[test]
    fn when_full_the_oldest_of_the_address_with_the_most_goes() {
        // Four seats; a proxy may take more than its share of them.
        let seats = Seats::for_files(0, vec![network("192.0.2.9").unwrap()]);
        let connections: Vec<_> = (0..6).map(|_| connection()).collect();
        let from = [address(1), address(9), address(9), address(9)];
        let seated = from.iter().zip(&connections).map(|(peer, (socket, _))| seats.take(socket, *peer).unwrap());
        let taken: Vec<_> = seated.collect();
        assert!(taken[1].serve());
        let fifth = seats.take(&connections[4].0, address(2)).unwrap();
        let closed: Vec<_> = connections.iter().map(|(_, client)| is_closed(client)).collect();
        assert_eq!(closed, [false, false, true, false, false, false], "not the oldest of all, nor who is served");
        for seat in [&taken[0], &taken[3], &fifth] {
            assert!(seat.serve());
        }
        assert_eq!(seats.served(), 4);
        assert!(seats.take(&connections[5].0, address(3)).is_none(), "nobody who is served is sent away");
        drop(taken);
        assert!(seats.take(&connections[5].0, address(3)).is_some());
    }

    #[test]
    fn an_address_that_has_its_share_gives_up_its_own_oldest() {
        let seats = Seats::for_files(1024, Vec::new());
        let share = seats.limit / SHARE;
        let other = connection();
        let _other = seats.take(&other.0, address(2)).unwrap();
        let connections: Vec<_> = (0..=share).map(|_| connection()).collect();
        let _taken: Vec<_> = connections.iter().map(|(socket, _)| seats.take(socket, address(1)).unwrap()).collect();
        assert!(is_closed(&connections[0].1) && !is_closed(&connections[1].1) && !is_closed(&other.1));
    }

    #[test]
    fn an_address_is_served_so_many_times_at_once() {
        let seats = Seats::for_files(1 << 20, vec![network("192.0.2.9").unwrap()]);
        let connections: Vec<_> = (0..=SERVED).map(|_| connection()).collect();
        for (peer, expected) in [(address(1), SERVED), (address(9), SERVED + 1)] {
            let taken: Vec<_> = connections.iter().map(|(socket, _)| seats.take(socket, peer).unwrap()).collect();
            assert_eq!(taken.iter().filter(|seat| seat.serve()).count(), expected, "{peer}");
        }
    }
}
