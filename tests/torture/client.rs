//! The well-behaved client: a request every 20 ms, each on a new TLS connection, however long the
//! others take.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rustls::ClientConfig;

use crate::support::tls;

const EVERY: Duration = Duration::from_millis(20);
/// Threads that take turns, so that a request that is slow does not hold up the next.
const TURNS: u32 = 16;
/// A request that takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(10);

/// A question that needs all of the gateway but the DNS service.
pub const REQUEST: &[u8] = b"GET /challenges/example.com HTTP/1.1\r\nHost: gateway\r\n\r\n";

/// How long each request took; None: it failed.
pub struct Latencies(Vec<Option<Duration>>);

impl Latencies {
    pub fn count(&self) -> usize {
        self.0.len()
    }

    pub fn failed(&self) -> usize {
        self.0.iter().filter(|one| one.is_none()).count()
    }

    /// A failed request counts as one that took for ever.
    pub fn percentile(&self, percent: usize) -> Duration {
        let mut sorted: Vec<_> = self.0.iter().map(|one| one.unwrap_or(PATIENCE)).collect();
        sorted.sort();
        sorted[(sorted.len() * percent / 100).min(sorted.len() - 1)]
    }
}

pub fn well_behaved(to: SocketAddr, certificate: &Path, time: Duration) -> Latencies {
    let config = tls::config(certificate, rustls::ALL_VERSIONS);
    let began = Instant::now();
    let turns = |turn: u32| {
        let mut latencies = Vec::new();
        let mut due = began + EVERY * turn;
        while due < began + time {
            thread::sleep(due.saturating_duration_since(Instant::now()));
            let asked = Instant::now();
            let answered = TcpStream::connect_timeout(&to, PATIENCE).and_then(|socket| ask(&config, socket));
            latencies.push(match answered {
                Ok(200) => Some(asked.elapsed()),
                failed => {
                    eprintln!("the well-behaved client: {failed:?} after {:?}", asked.elapsed());
                    None
                }
            });
            due += EVERY * TURNS;
        }
        latencies
    };
    thread::scope(|scope| {
        let turns = &turns;
        let threads: Vec<_> = (0..TURNS).map(|turn| scope.spawn(move || turns(turn))).collect();
        Latencies(threads.into_iter().flat_map(|thread| thread.join().expect("a turn")).collect())
    })
}

/// The status of the answer, which is read to its end.
pub fn ask(config: &Arc<ClientConfig>, socket: TcpStream) -> io::Result<u16> {
    socket.set_nodelay(true)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.set_write_timeout(Some(PATIENCE))?;
    let mut stream = tls::stream(config, socket);
    stream.write_all(REQUEST)?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
    status.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "no HTTP answer"))
}
