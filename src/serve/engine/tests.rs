use super::*;
use std::sync::{Condvar, mpsc};

const WORKERS: usize = 64;

/// An engine whose folder goes with the test.
struct Running(Engine);

impl std::ops::Deref for Running {
    type Target = Engine;

    fn deref(&self) -> &Engine {
        &self.0
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.clean_up();
    }
}

fn engine(handle: impl Fn(&Ask) -> Answer + Send + Sync + 'static) -> Running {
    Running(Engine::start(vec!["Authorization".to_string()], handle).unwrap())
}

fn passenger() -> Passenger {
    let peer = IpAddr::from([192, 0, 2, 7]);
    Passenger { number: "1-1".to_string(), peer, deadline: Deadline::after(Duration::from_secs(20)) }
}

fn head(headers: &[(&str, &str)]) -> Head {
    let headers = headers.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
    Head { length: 0, method: "POST".into(), target: "/a?b".into(), headers, body: 0, expects_continue: false }
}

#[test]
fn a_request_arrives_as_it_was_and_with_the_headers_that_we_use() {
    let (sender, asked) = mpsc::channel();
    let engine = engine(move |ask| {
        let seen = (ask.method.clone(), ask.target.clone(), ask.headers.clone(), ask.body.clone(), ask.passenger.peer);
        sender.send(seen).unwrap();
        let mut answer = Answer::text(201, "done");
        answer.headers.push(("Allow".into(), "GET".into()));
        answer
    });
    let head = head(&[("authorization", "Basic eDp5"), ("X-Ticket", "forged"), ("Cookie", "a=b")]);
    let answer = engine.pass(&head, b"body", passenger()).unwrap();
    let mut expected = Answer::text(201, "done");
    expected.headers.push(("Allow".into(), "GET".into()));
    assert_eq!(answer, expected);
    let (method, target, headers, body, peer) = asked.recv().unwrap();
    assert_eq!(
        (method.as_str(), target.as_str(), body.as_slice(), peer),
        ("POST", "/a?b", &b"body"[..], IpAddr::from([192, 0, 2, 7]))
    );
    let named = |name: &str| headers.iter().filter(|(one, _)| one.eq_ignore_ascii_case(name)).count();
    assert_eq!((named("Authorization"), named("Cookie"), named("X-Ticket")), (1, 0, 1));
    assert!(!headers.iter().any(|(_, value)| value == "forged"));
    assert!(passengers(&engine.passengers).is_empty(), "the ticket is used up");
}

/// The status that a neighbour gets who has found the socket.
fn status(engine: &Engine, header: &str) -> String {
    let mut stream = UnixStream::connect(&engine.socket).unwrap();
    write!(stream, "GET / HTTP/1.1\r\nHost: a\r\n{header}\r\n").unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.split(' ').nth(1).unwrap_or_default().to_string()
}

#[test]
fn a_ticket_is_good_for_one_request_and_nothing_else_is() {
    let engine = engine(|_| Answer::text(200, "admitted"));
    passengers(&engine.passengers).insert("right".to_string(), passenger());
    let asked = ["", "X-Ticket: wrong\r\n", "X-Ticket: right\r\n", "X-Ticket: right\r\n"];
    assert_eq!(asked.map(|header| status(&engine, header)), ["403", "403", "200", "403"]);
}

#[test]
fn a_burst_is_carried_out_side_by_side() {
    let inside = (Mutex::new(0), Condvar::new());
    let engine = engine(move |_| {
        let mut count = inside.0.lock().unwrap();
        *count += 1;
        inside.1.notify_all();
        let all = inside.1.wait_timeout_while(count, Duration::from_secs(20), |count| *count < WORKERS).unwrap();
        Answer::text(if all.1.timed_out() { 504 } else { 200 }, "")
    });
    thread::scope(|scope| {
        let ask = || engine.pass(&head(&[]), b"", passenger()).unwrap().status;
        let asked: Vec<_> = (0..WORKERS).map(|_| scope.spawn(ask)).collect();
        assert!(asked.into_iter().all(|one| one.join().unwrap() == 200), "some waited for others to end");
    });
}

#[test]
fn a_panic_costs_one_request_and_no_worker() {
    let engine = engine(|ask| match ask.body.as_slice() {
        b"panic" => panic!("on purpose"),
        _ => Answer::text(200, "fine"),
    });
    for _ in 0..WORKERS + 1 {
        assert_eq!(engine.pass(&head(&[]), b"panic", passenger()).unwrap().status, 500);
    }
    assert_eq!(engine.pass(&head(&[]), b"", passenger()).unwrap().status, 200);
}

#[test]
fn the_folder_is_private_and_can_be_removed() {
    let engine = engine(|_| Answer::text(200, ""));
    let folder = engine.folder.clone();
    assert_eq!(fs::metadata(&folder).unwrap().mode() & 0o777, 0o700);
    engine.clean_up();
    assert!(!folder.exists());
}
