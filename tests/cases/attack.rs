//! Short forms of the attacks of `make torture`, with as few open files as the gateway starts with:
//! twelve connections, four requests in flight, two of them of one client.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpStream, UdpSocket};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::figures::Figures;
use crate::support::{Gateway, PATIENCE, Scratch, VALUE, acmegw, body, connect_from, myself, reply, stderr, tls};

const FEW_FILES: u32 = 64;
const HERE: Ipv4Addr = Ipv4Addr::LOCALHOST;
const ELSEWHERE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
const QUESTION: &[u8] = b"GET /challenges/example.com HTTP/1.1\r\nHost: a\r\n\r\n";

/// A gateway whose provider waits for the file `go`.
fn cramped() -> Gateway {
    let folder = Scratch::new();
    let program = "echo \"$@\" >>\"${0%/*}/changes\"\nuntil [ -e \"${0%/*}/go\" ]; do sleep 0.05; done\n";
    let program = folder.program("program", program);
    let dotenv = format!(
        "LISTEN = 127.0.0.1:0\nSSL = off\nDNSAPI_MODULE = exec\nDNSAPI_PROGRAM = {}\nDNSAPI_DOMAINS = example.com\n\
         ALLOWED_HOSTS = 127.0.0.0/8\n",
        program.display()
    );
    Gateway::start_with_files(folder, &dotenv, FEW_FILES)
}

/// FreeBSD has 127.0.0.1 only, until it is told otherwise.
fn lacks_other_addresses() -> bool {
    let lacks = std::net::TcpListener::bind((ELSEWHERE, 0)).is_err();
    if lacks {
        eprintln!("SKIPPED: 127.0.0.2 is not an address here");
    }
    lacks
}

fn asked(mut stream: TcpStream) -> u16 {
    let _ = stream.write_all(QUESTION);
    reply(&mut stream).status
}

/// Asks until it is answered, as long as the connections of an attack are being ended.
fn is_well(gateway: &Gateway) {
    let began = Instant::now();
    while asked(gateway.connect()) != 200 {
        assert!(began.elapsed() < PATIENCE, "it is not well again");
    }
}

#[test]
fn an_attacker_pushes_out_its_own_connections_and_nobody_elses() {
    if lacks_other_addresses() {
        return;
    }
    let gateway = cramped();
    let early: Vec<_> = (0..2).map(|_| gateway.connect()).collect();
    let silent: Vec<_> = (0..60).map(|_| connect_from(ELSEWHERE, gateway.address()).unwrap()).collect();
    // The last of them is in, so that all of them were.
    assert_eq!(asked(connect_from(ELSEWHERE, gateway.address()).unwrap()), 200);
    assert_eq!(early.into_iter().map(asked).collect::<Vec<_>>(), [200, 200]);
    let is_closed = |stream: &TcpStream| {
        stream.set_nonblocking(true).unwrap();
        matches!((&*stream).read(&mut [0]), Ok(0))
    };
    let closed: Vec<_> = silent.iter().map(is_closed).collect();
    assert!(closed[..50].iter().all(|is| *is), "the oldest go first: {closed:?}");
    assert_eq!(asked(gateway.connect()), 200);
}

#[test]
fn who_says_nothing_costs_no_thread_and_goes_when_its_time_is_over() {
    let gateway = Gateway::start("ALLOWED_HOSTS = 127.0.0.1");
    assert_eq!(asked(gateway.connect()), 200);
    let idle = Figures::of(gateway.pid());
    let silent: Vec<_> = (0..100).map(|_| gateway.connect()).collect();
    // Whoever comes after them is answered, so that all of them were let in.
    assert_eq!(asked(gateway.connect()), 200);
    let now = Figures::of(gateway.pid());
    assert!(now.threads <= idle.threads && now.files >= silent.len(), "{now:?} after {idle:?}");
    // Unlike read, it goes on when a signal comes in between.
    silent.into_iter().for_each(|mut stream| assert_eq!(stream.read_to_end(&mut Vec::new()).unwrap(), 0));
}

#[test]
fn one_client_has_so_many_requests_in_flight_and_others_are_served() {
    if lacks_other_addresses() {
        return;
    }
    let gateway = cramped();
    let text = body("setup", "example.com", VALUE);
    let setup = |from| {
        let mut stream = connect_from(from, gateway.address()).unwrap();
        write!(stream, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{text}", text.len()).unwrap();
        stream
    };
    let mut waiting = [setup(ELSEWHERE), setup(ELSEWHERE)];
    gateway.wait_for_a_change();
    let began = Instant::now();
    let refused = loop {
        // Until both of them have come in.
        let mut third = connect_from(ELSEWHERE, gateway.address()).unwrap();
        third.write_all(QUESTION).unwrap();
        let refused = reply(&mut third);
        if refused.status != 200 {
            break refused;
        }
        assert!(began.elapsed() < PATIENCE);
    };
    assert_eq!((refused.status, refused.header("retry-after")), (503, "5"), "{refused:?}");
    assert!(refused.detail().contains("2 requests of this client"), "{refused:?}");
    assert_eq!(asked(connect_from(HERE, gateway.address()).unwrap()), 200);
    gateway.folder.file("go", "");
    assert_eq!(waiting.each_mut().map(|stream| reply(stream).status), [201, 201]);
    assert_eq!(asked(connect_from(ELSEWHERE, gateway.address()).unwrap()), 200);
}

#[test]
fn with_hardly_any_files_it_lives_through_a_flood_and_is_well_again() {
    let gateway = cramped();
    for round in 0..4 {
        let flood: Vec<_> = (0..100).map(|_| gateway.connect()).collect();
        for mut stream in flood {
            match round {
                0 => drop(stream.write_all(QUESTION)),
                1 => drop(stream.write_all(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4000\r\n\r\n")),
                2 => drop(stream.shutdown(Shutdown::Both)),
                _ => {}
            }
        }
    }
    is_well(&gateway);
    assert!(!gateway.log().contains("panicked"));
}

/// The system has none to give for a while: to whoever wants to come in, and then to look at anybody.
#[test]
fn no_files_left_are_waited_out_and_nobody_who_came_is_lost() {
    let gateway = cramped();
    let allow = |files: u32| {
        let pid = gateway.pid().to_string();
        let prlimit = Command::new("prlimit").args(["--pid", &pid, &format!("--nofile={files}:")]).status();
        prlimit.is_ok_and(|status| status.success())
    };
    if !allow(FEW_FILES) {
        eprintln!("SKIPPED: there is no prlimit to take a running process's files away");
        return;
    }
    for (files, said) in [(3, "no connection can be taken just now"), (0, "nobody can be heard just now")] {
        assert!(allow(files));
        let mut waiting = gateway.connect();
        waiting.write_all(QUESTION).unwrap();
        gateway.wait_for(said);
        assert!(allow(FEW_FILES));
        assert_eq!(reply(&mut waiting).status, 200, "{said}");
    }
}

/// Of many questions from one place, one second's worth of answers for each second that they took.
#[test]
fn the_gateways_dns_answers_a_network_twenty_times_a_second() {
    const QUERY: &[u8] = b"\0\x07\x01\0\0\x01\0\0\0\0\0\0\x0f_acme-challenge\x07example\x03com\0\0\x10\0\x01";
    const CUT: u8 = 0x02;
    let dotenv = "LISTEN = 127.0.0.1:0\nSSL = off\nDNSAPI_DOMAINS = example.com\nDNS_LISTEN = 127.0.0.1:0\nALLOWED_HOSTS = ::1\n";
    let gateway = Gateway::start_in(Scratch::new(), dotenv, &[]);
    let socket = UdpSocket::bind((HERE, 0)).unwrap();
    socket.connect(gateway.logged("answering DNS on ")).unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
    let began = Instant::now();
    (0..400).for_each(|_| drop(socket.send(QUERY)));
    let (mut whole, mut cut, mut packet) = (0, 0, [0; 512]);
    while socket.recv(&mut packet).is_ok() {
        if packet[2] & CUT == 0 { whole += 1 } else { cut += 1 }
    }
    let most = 20 * (began.elapsed().as_secs() + 2);
    assert!((1..=most).contains(&whole) && cut > 0, "{whole} whole, {cut} cut, at most {most}");
}

#[test]
fn with_too_few_files_it_does_not_start_and_says_so() {
    let folder = Scratch::new();
    let dotenv = "LISTEN = 127.0.0.1:0\nSSL = off\nDNSAPI_DOMAINS = example.com\nDNS_LISTEN = 127.0.0.1:0\nALLOWED_HOSTS = ::1\n";
    let file = folder.file("dotenv", dotenv);
    let program = acmegw(&[]).get_program().to_owned();
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -n 63; exec \"$0\" serve -e \"$1\""]).arg(program).arg(file);
    command.env_clear().env("RUN_AS_USER", myself()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let (mut child, began) = (command.spawn().unwrap(), Instant::now());
    while child.try_wait().unwrap().is_none() {
        if began.elapsed() >= PATIENCE {
            child.kill().unwrap();
        }
        thread::sleep(Duration::from_millis(5));
    }
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("only 63 open files are allowed: at least 64"), "{}", stderr(&output));
}

/// rustls before 0.23.5 went on for ever (RUSTSEC-2024-0336).
#[test]
fn a_goodbye_in_place_of_a_handshake_ends_the_connection() {
    let gateway = Gateway::start("ALLOWED_HOSTS = 127.0.0.1\nSSL = on\nSTATE_DIR = .");
    let config = tls::config(&gateway.folder.join("cert.pem"), rustls::ALL_VERSIONS);
    let mut hello = Vec::new();
    tls::connection(&config).write_tls(&mut hello).unwrap();
    let mut stream = gateway.connect();
    // An alert record: warning, close_notify (RFC 8446 section 6).
    stream.write_all(&[&hello[..], &[21, 3, 3, 0, 2, 1, 0]].concat()).unwrap();
    // To its end, which would not come before the deadline if anybody still waited.
    let began = Instant::now();
    let _ = stream.read_to_end(&mut Vec::new());
    assert!(began.elapsed() < PATIENCE / 3, "it was held until its deadline");
}

/// Without its engine the gateway answers nobody: it ends, and its supervisor starts it again.
#[test]
fn without_its_engine_it_ends_with_1() {
    let folder = Scratch::new();
    let runtime = folder.path().display().to_string();
    let dotenv = "LISTEN = 127.0.0.1:0\nSSL = off\nDNSAPI_DOMAINS = example.com\nDNS_LISTEN = 127.0.0.1:0\nALLOWED_HOSTS = 127.0.0.1\n";
    let mut gateway = Gateway::start_in(folder, dotenv, &[("RUNTIME_DIRECTORY", &runtime)]);
    assert_eq!(asked(gateway.connect()), 200);
    let entries = std::fs::read_dir(&runtime).unwrap().map(|entry| entry.unwrap().path());
    let engine = entries.into_iter().find(|path| path.join("s").exists()).unwrap();
    std::fs::remove_file(engine.join("s")).unwrap();
    assert_eq!(asked(gateway.connect()), 0);
    assert_eq!(gateway.ended(), Some(1));
    gateway.wait_for("the HTTP engine died");
}
