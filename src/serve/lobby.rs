//! The lobby: whoever has come in and has not said anything yet. One thread takes all connections and
//! watches over those, so that thousands which never say a word cost no thread, and whoever speaks is
//! heard at once. From there it goes on in a thread of the door's.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use crate::deadline::Deadline;
use crate::serve::crew::Crew;
use crate::serve::door::{Door, Guest, REQUEST_TIME};
use crate::serve::seats::Number;
use crate::sys;

/// The pause after the system could not give us a connection (no files, no memory).
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// The pause until those who were sent away may have left.
const LEAVING_PAUSE: Duration = Duration::from_millis(1);
/// How many are taken in a row, before those who are there are looked after.
const AT_ONCE: usize = 64;
/// The longest wait, when nobody is there.
const LONG: Duration = Duration::from_secs(60);

pub struct Lobby {
    door: Arc<Door>,
    crew: Arc<Crew<Guest>>,
    listeners: Vec<TcpListener>,
    /// In the order in which they came, and so of their deadlines.
    guests: BTreeMap<Number, Guest>,
    /// Until then no connection can be had from the system.
    pause: Option<Deadline>,
}

impl Lobby {
    pub fn new(door: Arc<Door>, listeners: Vec<TcpListener>) -> io::Result<Lobby> {
        // One that goes away between poll and accept must not hold up all the others.
        listeners.iter().try_for_each(|listener| listener.set_nonblocking(true))?;
        let host = door.clone();
        let crew = Crew::start("door", move |guest| host.receive(guest))?;
        Ok(Lobby { door, crew, listeners, guests: BTreeMap::new(), pause: None })
    }

    /// Takes connections for good. No error of the system ends it: it is waited out.
    pub fn attend(mut self) {
        loop {
            let (speaking, calling) = self.wait().unwrap_or_else(|error| {
                log::error!("nobody can be heard just now: {error}");
                thread::sleep(ACCEPT_PAUSE);
                (Vec::new(), Vec::new())
            });
            speaking.into_iter().for_each(|number| self.hear(number));
            calling.into_iter().for_each(|listener| self.take_in(listener));
            self.send_off();
        }
    }

    /// Waits until somebody says something, or goes away, or comes in: the guests' numbers and the
    /// listeners' places.
    fn wait(&mut self) -> io::Result<(Vec<Number>, Vec<usize>)> {
        self.pause = self.pause.filter(|pause| pause.left().is_some());
        let open = self.pause.is_none() && self.door.seats.let_in();
        let mut until = self.guests.values().next().map_or(Deadline::after(LONG), |first| first.deadline);
        if !open {
            until = until.at_most(self.pause.and_then(|pause| pause.left()).unwrap_or(LEAVING_PAUSE));
        }
        let listeners = if open { &self.listeners[..] } else { &[] };
        let sockets = self.guests.values().map(|guest| guest.socket.as_fd());
        let watched: Vec<BorrowedFd<'_>> = listeners.iter().map(AsFd::as_fd).chain(sockets).collect();
        let ready = sys::any_readable(watched, until)?;
        let (calling, speaking) = ready.split_at(listeners.len());
        let calling = calling.iter().enumerate().filter_map(|(place, is)| is.then_some(place));
        let speaking = self.guests.keys().zip(speaking).filter_map(|(number, is)| is.then_some(*number));
        Ok((speaking.collect(), calling.collect()))
    }

    fn take_in(&mut self, listener: usize) {
        for _ in 0..AT_ONCE {
            if !self.door.seats.let_in() {
                return;
            }
            match self.listeners[listener].accept() {
                // The kernel may have put an IPv4 client into an IPv6 address.
                Ok((socket, peer)) => self.seat(socket, peer.ip().to_canonical()),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(error) => {
                    log::error!("no connection can be taken just now: {error}");
                    self.pause = Some(Deadline::after(ACCEPT_PAUSE));
                    return;
                }
            }
        }
    }

    fn seat(&mut self, socket: TcpStream, peer: IpAddr) {
        if self.door.closing.load(Ordering::SeqCst) || socket.set_nonblocking(true).is_err() {
            return;
        }
        let socket = Arc::new(socket);
        let Some((seat, leaver)) = self.door.seats.take(&socket, self.door.proxies.household(peer)) else { return };
        // Whoever has spoken already is with a thread, which sees by itself that it has to go.
        leaver.map(|number| self.guests.remove(&number));
        let number = seat.number();
        self.guests.insert(number, Guest { socket, peer, seat, deadline: Deadline::after(REQUEST_TIME) });
        self.hear(number);
    }

    /// Looks whether a guest says something; if so, it goes in.
    fn hear(&mut self, number: Number) {
        let Some(guest) = self.guests.get(&number) else { return };
        match guest.socket.peek(&mut [0]) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            // Somebody who looks whether we are there is not worth a line.
            Ok(0) | Err(_) => drop(self.guests.remove(&number)),
            Ok(_) => {
                if let Some(guest) = self.guests.remove(&number)
                    && guest.socket.set_nonblocking(false).is_ok()
                {
                    self.crew.hand(guest);
                }
            }
        }
    }

    /// Ends those whose time is over.
    fn send_off(&mut self) {
        while let Some(first) = self.guests.first_entry().filter(|first| first.get().deadline.left().is_none()) {
            first.remove();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::SocketAddr;
    use std::sync::atomic::AtomicBool;

    use crate::config::{Config, Mistakes, Search};
    use crate::gate::peer::{self, Proxies};
    use crate::serve::answer::Answer;
    use crate::serve::door::Numbers;
    use crate::serve::engine::Engine;
    use crate::serve::seats::{Capacity, Seats};

    /// A door whose threads panic when they are asked for this.
    const PANIC: &str = "/panic";

    fn open() -> (SocketAddr, Arc<Door>) {
        let search = Search { named: None, file_name: "no such file", last: None };
        let config = Config::load(peer::SETTINGS, Vec::new(), |_| None, search).unwrap().0;
        let door = Arc::new(Door {
            tls: None,
            engine: Engine::start(Vec::new(), |_| Answer::text(200, "here")).unwrap(),
            seats: Seats::new(Capacity::for_files(1024).unwrap()),
            proxies: Arc::new(Proxies::read(&config, &mut Mistakes::default()).unwrap()),
            patience: |path| match path {
                PANIC => panic!("on purpose"),
                _ => Duration::from_secs(20),
            },
            numbers: Numbers::new().unwrap(),
            closing: AtomicBool::new(false),
        });
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, lobby) = (listener.local_addr().unwrap(), Lobby::new(door.clone(), vec![listener]).unwrap());
        thread::spawn(move || lobby.attend());
        (address, door)
    }

    /// What a request is answered with; empty where the connection just ends.
    fn answer(address: SocketAddr, path: &str) -> String {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
        let mut answer = String::new();
        match stream.read_to_string(&mut answer) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => panic!("nobody is there any more"),
            // Ended or reset.
            _ => answer,
        }
    }

    #[test]
    fn a_panic_at_the_door_costs_one_connection_and_a_poisoned_lock_none() {
        let (address, door) = open();
        let is_here = || answer(address, "/").ends_with("here");
        assert!(is_here());
        // More than there are threads that stay.
        (0..40).for_each(|_| assert_eq!(answer(address, PANIC), ""));
        assert!(is_here());
        door.seats.poison();
        (0..40).for_each(|_| assert!(is_here()));
        door.engine.clean_up();
    }
}
