//! A socket whose every read and write ends at one absolute deadline: a byte a second, also inside
//! TLS records, gains nobody any time.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use crate::deadline::Deadline;

/// The socket is shared with the seat, which may shut it down to make room.
pub struct Timed {
    socket: Arc<TcpStream>,
    deadline: Deadline,
}

impl Timed {
    pub fn new(socket: Arc<TcpStream>, deadline: Deadline) -> Timed {
        Timed { socket, deadline }
    }

    pub fn set_deadline(&mut self, deadline: Deadline) {
        self.deadline = deadline;
    }

    /// The first byte that the client sent, without taking it; None if it sent nothing.
    pub fn first_byte(&self) -> io::Result<Option<u8>> {
        self.socket.set_read_timeout(Some(self.left()?))?;
        let mut byte = [0];
        Ok((self.socket.peek(&mut byte).map_err(timed_out)? == 1).then_some(byte[0]))
    }

    /// Ends our side, and takes in what the client still sends, within bounds: closing over unread
    /// bytes would reset the connection, and the client would never see the answer.
    pub fn linger(&mut self, bytes: u64, time: Duration) -> io::Result<()> {
        self.socket.shutdown(Shutdown::Write)?;
        self.deadline = Deadline::after(time);
        io::copy(&mut self.take(bytes), &mut io::sink()).map(drop)
    }

    fn left(&self) -> io::Result<Duration> {
        self.deadline.left().ok_or_else(|| io::ErrorKind::TimedOut.into())
    }
}

impl Read for Timed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.socket.set_read_timeout(Some(self.left()?))?;
        (&*self.socket).read(buffer).map_err(timed_out)
    }
}

impl Write for Timed {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.socket.set_write_timeout(Some(self.left()?))?;
        (&*self.socket).write(buffer).map_err(timed_out)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Sockets report a time-out as WouldBlock.
fn timed_out(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::WouldBlock => io::ErrorKind::TimedOut.into(),
        _ => error,
    }
}
