//! A resolver over HTTPS, but in the clear: on loopback, with the values that a test gives it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};
use std::thread;

/// What it shows, whatever the name, and what it was asked.
pub struct Resolver {
    pub address: SocketAddr,
    values: Arc<Mutex<Vec<String>>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Resolver {
    pub fn start() -> Resolver {
        Resolver::start_with(|_| {})
    }

    /// Calls `met` at each question, before it is answered.
    pub fn start_with(met: impl Fn(&str) + Send + 'static) -> Resolver {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let resolver = Resolver { address, values: Arc::default(), asked: Arc::default() };
        let (values, asked) = (resolver.values.clone(), resolver.asked.clone());
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let mut reader = BufReader::new(&stream);
                let (mut line, mut length) = (String::new(), 0);
                while reader.read_line(&mut line).is_ok_and(|read| read > 2) {
                    let header = line.to_ascii_lowercase();
                    length = header.strip_prefix("content-length:").map_or(length, |text| text.trim().parse().unwrap());
                    line.clear();
                }
                let mut query = vec![0; length];
                if reader.read_exact(&mut query).is_err() || length < 12 {
                    continue;
                }
                let name = question(&query);
                met(&name);
                asked.lock().unwrap().push(name);
                let answer = answer(&query, &values.lock().unwrap());
                let head = format!(
                    "HTTP/1.1 200 OK\r\nContent-Type: application/dns-message\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                    answer.len()
                );
                let _ = (&stream).write_all(&[head.as_bytes(), &answer].concat());
            }
        });
        resolver
    }

    pub fn show(&self, value: &str) {
        self.values.lock().unwrap().push(value.to_string());
    }

    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    /// The gateway's settings for it, twice over: two are needed.
    pub fn settings(&self) -> String {
        let address = self.address;
        format!("PROPAGATION = doh\nDOH_URLS = http://{address}/one, http://{address}/two\n")
    }
}

/// The name that is asked for.
fn question(query: &[u8]) -> String {
    let (mut labels, mut at) = (Vec::new(), 12);
    while query[at] != 0 {
        let end = at + 1 + usize::from(query[at]);
        labels.push(String::from_utf8_lossy(&query[at + 1..end]).into_owned());
        at = end;
    }
    labels.join(".")
}

/// The question, and a TXT record for each value; NXDOMAIN where there is none.
fn answer(query: &[u8], values: &[String]) -> Vec<u8> {
    let end = query[12..].iter().position(|octet| *octet == 0).unwrap() + 12 + 5;
    let rcode = if values.is_empty() { 3 } else { 0 };
    let header = [query[0], query[1], 0x81, 0x80 | rcode, 0, 1, 0, values.len() as u8, 0, 0, 0, 0];
    let record = |value: &String| {
        let fixed = [0xc0, 12, 0, 16, 0, 1, 0, 0, 0, 1, 0, value.len() as u8 + 1, value.len() as u8];
        [&fixed, value.as_bytes()].concat()
    };
    let records: Vec<_> = values.iter().map(record).collect();
    [&header, &query[12..end], &records.concat()].concat()
}
