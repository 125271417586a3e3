//! How many connections there may be, and who has to go when there are more.

use std::collections::BTreeMap;
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Never more connections than this.
const MOST: u64 = 512;
/// Open files that are not for connections; a connection takes four (its own, two ends of the
/// engine's socket, one of the provider's).
const RESERVED_FILES: u64 = 128;
const FILES_EACH: u64 = 4;
/// With fewer, the gateway could not serve even a handful of web servers.
const LEAST: u64 = 4;

/// The places for connections.
pub struct Seats {
    limit: usize,
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
    /// Its request is whole: it is being served, and is not sent away.
    is_served: bool,
}

/// One place, given back when dropped.
pub struct Seat {
    seats: Arc<Seats>,
    number: u64,
}

impl Seats {
    /// As many as the limit of open files allows: min(512, (files − 128) / 4), but at least 4.
    pub fn for_files(files: u64) -> Arc<Seats> {
        let limit = (files.saturating_sub(RESERVED_FILES) / FILES_EACH).clamp(LEAST, MOST);
        Arc::new(Seats { limit: limit as usize, taken: Mutex::default() })
    }

    pub fn limit(&self) -> usize {
        self.limit
    }

    /// A seat for the connection. When all are taken, the oldest connection that has not finished
    /// its request is closed; None if all are being served.
    pub fn take(self: &Arc<Seats>, socket: &Arc<TcpStream>) -> Option<Seat> {
        let mut taken = self.taken();
        if taken.seats.len() >= self.limit {
            let idle = taken.seats.iter().find(|(_, sitting)| !sitting.is_served).map(|(number, _)| *number)?;
            if let Some(sitting) = taken.seats.remove(&idle) {
                let _ = sitting.socket.shutdown(Shutdown::Both);
            }
        }
        taken.last += 1;
        let number = taken.last;
        taken.seats.insert(number, Sitting { socket: socket.clone(), is_served: false });
        Some(Seat { seats: self.clone(), number })
    }

    /// How many requests are being served.
    pub fn served(&self) -> usize {
        self.taken().seats.values().filter(|sitting| sitting.is_served).count()
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seat {
    /// The request is whole: from now on the connection stays until it is answered.
    pub fn serve(&self) {
        if let Some(sitting) = self.seats.taken().seats.get_mut(&self.number) {
            sitting.is_served = true;
        }
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
    use std::io::Read;
    use std::net::TcpListener;

    fn connection() -> (Arc<TcpStream>, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        (Arc::new(listener.accept().unwrap().0), client)
    }

    #[test]
    fn the_number_of_seats_follows_the_limit_of_open_files() {
        let limits: Vec<_> = [0, 64, 1024, 1 << 20].map(|files| Seats::for_files(files).limit()).into();
        assert_eq!(limits, [4, 4, 224, 512]);
    }

    #[test]
    fn when_full_the_oldest_that_is_not_served_goes() {
        let seats = Seats::for_files(0);
        let connections: Vec<_> = (0..5).map(|_| connection()).collect();
        let taken: Vec<_> = connections[..4].iter().map(|(socket, _)| seats.take(socket).unwrap()).collect();
        taken[0].serve();
        let fifth = seats.take(&connections[4].0).unwrap();
        let closed = |index: usize| {
            let mut client = &connections[index].1;
            client.set_nonblocking(true).unwrap();
            matches!(client.read(&mut [0]), Ok(0))
        };
        assert_eq!([0, 1, 2, 3, 4].map(closed), [false, true, false, false, false]);
        for seat in taken[1..].iter().chain([&fifth]) {
            seat.serve();
        }
        assert_eq!(seats.served(), 4);
        assert!(seats.take(&connections[1].0).is_none(), "nobody who is served is sent away");
        drop(taken);
        assert!(seats.take(&connections[1].0).is_some());
    }
}
