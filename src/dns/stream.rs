//! Messages over TCP: two octets of length in front of each (RFC 1035 section 4.2.2).

use std::io::{self, Read, Write};
use std::net::TcpStream;

use crate::deadline::Deadline;

/// Reads one message, of which the whole has to be here by the deadline.
///
/// The other side's end of file, a message longer than `limit` bytes and time running out are errors.
pub(super) fn read(stream: &mut TcpStream, limit: usize, deadline: Deadline) -> io::Result<Vec<u8>> {
    let mut length = [0; 2];
    fill(stream, &mut length, deadline)?;
    let length = usize::from(u16::from_be_bytes(length));
    if length > limit {
        return Err(io::Error::new(io::ErrorKind::InvalidData, format!("a message of {length} bytes")));
    }
    let mut message = vec![0; length];
    fill(stream, &mut message, deadline)?;
    Ok(message)
}

/// Writes one message; time running out is an error.
pub(super) fn write(stream: &mut TcpStream, message: &[u8], deadline: Deadline) -> io::Result<()> {
    let length = u16::try_from(message.len()).map_err(|_| io::ErrorKind::InvalidData)?;
    // In one piece, so that it leaves in one segment (RFC 7766 section 8).
    let framed = [&length.to_be_bytes(), message].concat();
    let mut rest = framed.as_slice();
    while !rest.is_empty() {
        stream.set_write_timeout(Some(left(deadline)?))?;
        match stream.write(rest) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => rest = &rest[written..],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Not `read_exact`: a byte now and then would make its time-out start anew each time.
fn fill(stream: &mut TcpStream, mut buffer: &mut [u8], deadline: Deadline) -> io::Result<()> {
    while !buffer.is_empty() {
        stream.set_read_timeout(Some(left(deadline)?))?;
        match stream.read(buffer) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(read) => buffer = &mut buffer[read..],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn left(deadline: Deadline) -> io::Result<std::time::Duration> {
    deadline.left().ok_or_else(|| io::ErrorKind::TimedOut.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;
    use std::time::{Duration, Instant};

    #[test]
    fn a_message_that_is_too_long_is_not_waited_for() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut stream, _) = listener.accept().unwrap();
        client.write_all(&[2, 1]).unwrap();
        let error = read(&mut stream, 512, Deadline::after(Duration::from_secs(20))).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    }

    #[test]
    fn a_byte_now_and_then_does_not_move_the_deadline() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut slow = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut stream, _) = listener.accept().unwrap();
        slow.write_all(&[1, 0]).unwrap();
        let dribble = std::thread::spawn(move || {
            let mut sent = 0;
            while sent < 250 && slow.write_all(b"x").is_ok() {
                std::thread::sleep(Duration::from_millis(20));
                sent += 1;
            }
            sent
        });
        let begun = Instant::now();
        assert!(read(&mut stream, 512, Deadline::after(Duration::from_millis(100))).is_err());
        assert!(begun.elapsed() >= Duration::from_millis(100));
        drop(stream);
        assert!(dribble.join().unwrap() < 250, "it gave up long before the message was whole");
    }
}
