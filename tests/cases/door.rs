use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use rustls::{ClientConnection, StreamOwned};

use crate::support::{Gateway, PATIENCE, Scratch, VALUE, body, read, reply, tls};

const HOSTS: &str = "ALLOWED_HOSTS = 127.0.0.1";

/// A gateway with a self-signed pair of its own making, on the embedded server.
fn with_tls() -> Gateway {
    let folder = Scratch::new();
    let state = folder.path().display().to_string();
    let dotenv = format!(
        "LISTEN = 127.0.0.1:0\nDNSAPI_DOMAINS = example.com\nDNS_LISTEN = 127.0.0.1:0\nSTATE_DIR = {state}\n{HOSTS}\n"
    );
    Gateway::start_in(folder, &dotenv, &[])
}

/// The gateway's certificate as the only root, so that chain and name are checked.
fn client(gateway: &Gateway) -> StreamOwned<ClientConnection, TcpStream> {
    tls::stream(&tls::config(&gateway.folder.join("cert.pem"), rustls::ALL_VERSIONS), gateway.connect())
}

fn request(text: &str) -> Vec<u8> {
    format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{text}", text.len()).into_bytes()
}

#[test]
fn a_request_within_tls_is_answered_and_the_connection_ends_in_order() {
    let gateway = with_tls();
    let mut stream = client(&gateway);
    stream.write_all(&request(&body("setup", "example.com", VALUE))).unwrap();
    let mut answer = String::new();
    // read_to_string fails where close_notify is missing.
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 201 Created\r\n") && answer.contains("\r\nConnection: close\r\n"), "{answer}");
    assert_eq!(answer.to_ascii_lowercase().matches("\r\nserver:").count(), 0, "the engine is not to be seen: {answer}");
}

#[test]
fn the_self_signed_pair_is_made_once_and_kept() {
    let first = with_tls();
    let (pin, pair) =
        (first.logged("API_PIN = "), (read(&first.folder.join("cert.pem")), read(&first.folder.join("key.pem"))));
    let folder = Scratch::new();
    let old = first.folder.path().display().to_string();
    let dotenv = read(&first.folder.join("dotenv")).replace(&old, &folder.path().display().to_string());
    folder.file("cert.pem", &pair.0);
    folder.file("key.pem", &pair.1);
    drop(first);
    let again = Gateway::start_in(folder, &dotenv, &[]);
    assert_eq!(again.logged("API_PIN = "), pin, "the pair beside the dotenv is taken");
    use std::os::unix::fs::MetadataExt;
    let fresh = with_tls();
    assert_ne!(fresh.logged("API_PIN = "), pin);
    assert_eq!(std::fs::metadata(fresh.folder.join("key.pem")).unwrap().mode() & 0o777, 0o600);
}

#[test]
fn a_renewed_certificate_is_shown_without_a_restart() {
    let gateway = with_tls();
    let [certificate, key] = ["cert.pem", "key.pem"].map(|name| gateway.folder.join(name));
    let old = tls::config(&certificate, rustls::ALL_VERSIONS);
    let renewed = rcgen::generate_simple_self_signed(["127.0.0.1".to_string()]).unwrap();
    std::fs::write(&key, renewed.signing_key.serialize_pem()).unwrap();
    std::fs::write(&certificate, renewed.cert.pem()).unwrap();
    let new = tls::config(&certificate, rustls::ALL_VERSIONS);
    let is_believed = |config| tls::stream(config, gateway.connect()).write_all(b"GET /health HTTP/1.1\r\n").is_ok();
    let began = Instant::now();
    while !is_believed(&new) {
        assert!(began.elapsed() < PATIENCE, "still the old one: {}", gateway.log());
        thread::sleep(Duration::from_millis(50));
    }
    assert!(!is_believed(&old));
    gateway.wait_for("cert.pem is new, API_PIN = ");
}

#[test]
fn plain_http_on_the_tls_port_is_told_so_in_plain() {
    let gateway = with_tls();
    let reply = gateway.send(b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(reply.status, 400);
    assert!(reply.detail().contains("https://"), "{reply:?}");
}

#[test]
fn what_is_no_tls_and_what_breaks_off_harms_nobody() {
    let gateway = with_tls();
    for bytes in [&b""[..], b"\x16", b"\x16\x03\x01\x00\x05hello", b"\x16\x03\x01\xff\xff", &[0x16; 600]] {
        let mut stream = gateway.connect();
        let _ = stream.write_all(bytes);
        let _ = stream.shutdown(Shutdown::Write);
        assert_eq!(reply(&mut stream).status, 0);
    }
    let mut stream = client(&gateway);
    stream.write_all(&request("x")).unwrap();
    assert_eq!(reply(&mut stream).status, 400);
}

#[test]
fn a_request_may_come_byte_by_byte_and_expect_100_continue() {
    let gateway = Gateway::start(HOSTS);
    let text = body("setup", "example.com", VALUE);
    let mut stream = gateway.connect();
    stream.set_nodelay(true).unwrap();
    for byte in request(&text) {
        stream.write_all(&[byte]).unwrap();
    }
    assert_eq!(reply(&mut stream).status, 201);
    let mut stream = gateway.connect();
    let head = format!("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: {}\r\n\r\n", text.len());
    stream.write_all(head.as_bytes()).unwrap();
    let mut interim = [0; 25];
    stream.read_exact(&mut interim).unwrap();
    assert_eq!(&interim, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(text.as_bytes()).unwrap();
    assert_eq!(reply(&mut stream).status, 201);
}

/// Two readers must never see two requests in what the door passes on as one.
#[test]
fn a_smuggled_request_reaches_nobody() {
    let gateway = Gateway::start(HOSTS);
    let evil = String::from_utf8(request(&body("setup", "example.com", VALUE))).unwrap();
    for (framed, status) in [
        (
            format!(
                "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nContent-Length: {}\r\n\r\n{{}}{evil}",
                2 + evil.len()
            ),
            400,
        ),
        (
            format!(
                "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{evil}"
            ),
            411,
        ),
        (format!("GET /health HTTP/1.1\nHost: a\n\n{evil}"), 400),
        (format!("GET /health HTTP/1.1\r\nHost: a\r\nX: y\n\n{evil}"), 400),
        (format!("GET /health HTTP/1.1\r\nHost: a\r\n\r\n{evil}"), 200),
        (format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{{}}{evil}"), 400),
    ] {
        assert_eq!(gateway.send(framed.as_bytes()).status, status, "{framed}");
    }
    assert_eq!(gateway.changes(), "");
}

#[test]
fn the_client_sees_an_early_error_and_not_a_reset() {
    let gateway = Gateway::start(HOSTS);
    let long = vec![b'x'; 48 * 1024];
    let head = format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", long.len());
    for (begin, status) in [(head.as_bytes(), "413"), (b"GET / HTTP/1.1\r\nHost: a\r\nX: ", "431")] {
        let mut stream = gateway.connect();
        stream.write_all(&[begin, &long].concat()).unwrap();
        let mut answer = String::new();
        // Fails where the connection is reset instead of ended.
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
    }
}

#[test]
fn a_burst_over_a_slow_provider_is_answered_to_the_last() {
    let gateway = Gateway::start(&format!("{HOSTS}\nDNSAPI_DOMAINS = example.com"));
    gateway.folder.program("program", "sleep 0.02\n");
    let statuses: Vec<u16> = thread::scope(|scope| {
        let ask = |number: usize| {
            let gateway = &gateway;
            scope.spawn(move || gateway.post(&body("setup", &format!("h{number}.example.com"), VALUE)).status)
        };
        let asked: Vec<_> = (0..100).map(ask).collect();
        asked.into_iter().map(|one| one.join().unwrap()).collect()
    });
    // A program knows no zones: 1 at work, 16 in line, the others are told to come back; as are
    // those who are more than one address may have at once, or one caller in a minute.
    assert!(statuses.iter().all(|status| matches!(status, 201 | 429 | 503)), "{statuses:?}");
    assert!(statuses.iter().filter(|status| **status == 201).count() >= 17, "{statuses:?}");
    assert_eq!(gateway.request("GET", "/challenges/example.com", "", "").status, 200);
}

#[test]
fn silent_connections_do_not_keep_others_out() {
    let gateway = Gateway::start(HOSTS);
    let silent: Vec<_> = (0..600).map(|_| gateway.connect()).collect();
    for _ in 0..3 {
        assert_eq!(gateway.request("GET", "/health", "", "").status, 200);
    }
    drop(silent);
}

#[test]
fn a_flood_from_one_address_takes_nothing_from_another() {
    let gateway = Gateway::start(HOSTS);
    let text = String::from_utf8(request(&body("setup", "example.com", VALUE))).unwrap();
    let (begin, end) = text.split_at(20);
    let mut patient = gateway.connect();
    patient.write_all(begin.as_bytes()).unwrap();
    let flood: Option<Vec<_>> = (0..700).map(|_| gateway.connect_from([127, 0, 0, 2])).collect();
    let Some(_flood) = flood else {
        eprintln!("SKIPPED: this machine has one loopback address only");
        return;
    };
    patient.write_all(end.as_bytes()).unwrap();
    assert_eq!(reply(&mut patient).status, 201, "its connection was older than those of the flood");
    assert_eq!(gateway.post(&body("setup", "example.com", VALUE)).status, 201);
}

#[test]
fn a_request_that_is_not_whole_in_time_is_ended() {
    let gateway = Gateway::start(HOSTS);
    let mut stream = gateway.connect();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n").unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
    // A byte now and then gains no time.
    let began = std::time::Instant::now();
    let mut first = [0; 12];
    while stream.read(&mut first).is_err() {
        assert!(began.elapsed() < PATIENCE);
        let _ = stream.write_all(b"X");
    }
    assert_eq!(&first, b"HTTP/1.1 408");
}

#[test]
fn the_engines_socket_is_in_a_private_folder_that_goes_with_the_gateway() {
    use std::os::unix::fs::MetadataExt;
    let mut gateway = Gateway::start(HOSTS);
    let place = gateway.folder.path().to_path_buf();
    let folders = || {
        let entries = std::fs::read_dir(&place).unwrap().map(|entry| entry.unwrap());
        entries.filter(|entry| entry.file_name().to_string_lossy().starts_with("acmegw-")).collect::<Vec<_>>()
    };
    let made = folders();
    assert_eq!(made.len(), 1);
    assert_eq!(made[0].metadata().unwrap().mode() & 0o777, 0o700);
    gateway.signal("TERM");
    assert_eq!(gateway.ended(), Some(0));
    assert_eq!(folders().len(), 0);
}

#[test]
fn what_a_killed_gateway_left_behind_is_removed_and_a_living_ones_is_not() {
    let mut killed = Gateway::start(HOSTS);
    let place = killed.folder.path().display().to_string();
    killed.signal("KILL");
    killed.ended();
    let count = || {
        std::fs::read_dir(&place)
            .unwrap()
            .filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().starts_with("acmegw-"))
            .count()
    };
    assert_eq!(count(), 1);
    let dotenv = read(&killed.folder.join("dotenv"));
    let start = || Gateway::start_in(Scratch::new(), &dotenv, &[("RUNTIME_DIRECTORY", &place)]);
    let first = start();
    assert_eq!(count(), 1, "the dead one's is gone");
    let second = start();
    assert_eq!(count(), 2, "the living one's stays");
    drop((first, second));
}
