//! `make bench`: what a request costs the gateway, over TLS with a new connection each, against a
//! baseline in the same run: a constant answer from the same TLS library with a thread a
//! connection, which is as little as a gateway of this make could do. The two take turns, so that what else
//! the machine does meets both.

mod baseline;
#[allow(dead_code)] // The cases of `cargo test` use all of it.
#[path = "../support/mod.rs"]
mod support;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rustls::ClientConfig;

use baseline::Baseline;
use support::{Gateway, MANY_CLIENTS, PATIENCE, Scratch, tls};

/// Clients that ask one request after the other.
const CLIENTS: [usize; 2] = [4, 32];
/// How often each has its turn, and for how long.
const TURNS: usize = 4;
const TURN: Duration = Duration::from_secs(3);

fn main() {
    if let [mode, folder] = &std::env::args().skip(1).collect::<Vec<_>>()[..]
        && mode == "baseline"
    {
        return baseline::serve(Path::new(folder));
    }
    let gateway = start();
    let baseline = Baseline::start(gateway.folder.path());
    let config = tls::config(&gateway.folder.join("cert.pem"), rustls::ALL_VERSIONS);
    println!("{:<8} {:<22} {:>10} {:>8} {:>8}", "clients", "server", "requests/s", "p50 ms", "p99 ms");
    for clients in CLIENTS {
        let mut figures = [Figures::default(), Figures::default()];
        for _ in 0..TURNS {
            for (own, address) in figures.iter_mut().zip([baseline.address, gateway.address()]) {
                own.add(ask(address, &config, clients));
            }
        }
        let [base, ours] = figures.map(Figures::sum);
        let line = |server: &str, [rate, p50, p99]: [f64; 3]| {
            println!("{clients:<8} {server:<22} {rate:>10.0} {p50:>8.2} {p99:>8.2}");
        };
        line(baseline::NAME, base);
        line("acmegw", ours);
        let ratio: Vec<f64> = ours.iter().zip(base).map(|(ours, base)| ours / base).collect();
        println!("{clients:<8} {:<22} {:>10.2} {:>8.2} {:>8.2}", "acmegw / baseline", ratio[0], ratio[1], ratio[2]);
    }
}

/// A gateway to which each request comes from a client of its own, as behind a proxy: what is
/// measured is the gateway and not its limits for one client.
fn start() -> Gateway {
    let folder = Scratch::new();
    let state = folder.path().display().to_string();
    let dotenv = format!(
        "LISTEN = 127.0.0.1:0\nDNSAPI_DOMAINS = example.com\nDNS_LISTEN = 127.0.0.1:0\nSTATE_DIR = {state}\n{MANY_CLIENTS}"
    );
    Gateway::start_in(folder, &dotenv, &[])
}

/// How long the requests of one server took, over all of its turns.
#[derive(Default)]
struct Figures {
    latencies: Vec<Duration>,
    time: Duration,
}

impl Figures {
    fn add(&mut self, (latencies, time): (Vec<Duration>, Duration)) {
        self.latencies.extend(latencies);
        self.time += time;
    }

    /// Requests a second, p50 and p99 (ms).
    fn sum(mut self) -> [f64; 3] {
        self.latencies.sort();
        let count = self.latencies.len();
        let percentile = |percent: usize| self.latencies[count * percent / 100].as_secs_f64() * 1e3;
        [count as f64 / self.time.as_secs_f64(), percentile(50), percentile(99)]
    }
}

/// So many clients at once, each with a new connection for each request; a request that fails ends it all.
fn ask(to: SocketAddr, config: &Arc<ClientConfig>, clients: usize) -> (Vec<Duration>, Duration) {
    let began = Instant::now();
    let client = |number: usize| {
        let request = format!(
            "GET /challenges/example.com HTTP/1.1\r\nHost: gateway\r\nX-Forwarded-For: 10.0.0.{number}\r\n\r\n"
        );
        let mut latencies = Vec::new();
        while began.elapsed() < TURN {
            let asked = Instant::now();
            let socket = TcpStream::connect_timeout(&to, PATIENCE).expect("a connection");
            socket.set_nodelay(true).expect("an option");
            let mut stream = tls::stream(config, socket);
            stream.write_all(request.as_bytes()).expect("a request");
            let mut answer = String::new();
            stream.read_to_string(&mut answer).expect("an answer");
            assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
            latencies.push(asked.elapsed());
        }
        latencies
    };
    let latencies = thread::scope(|scope| {
        let clients: Vec<_> = (0..clients).map(|number| scope.spawn(move || client(number))).collect();
        clients.into_iter().flat_map(|one| one.join().expect("a client")).collect()
    });
    (latencies, began.elapsed())
}
