//! What must hold for any bytes: a decision is never taken back, and what the engine is sent reads as
//! what was understood, and as nothing else.

use super::*;
use crate::random::{Random, property};
use crate::serve::engine::rewritten;

/// What requests and attacks on them are made of.
const PIECES: &[&str] = &[
    "GET ",
    "POST ",
    "M",
    "/",
    " ",
    "  ",
    "\t",
    "\r\n",
    "\r\n\r\n",
    "\r",
    "\n",
    "\n\n",
    "\0",
    ":",
    ": ",
    ",",
    "0",
    "5",
    "-1",
    "HTTP/1.1",
    "HTTP/1.0",
    "HTTP/1.1\r\n",
    "HTTP/2.0",
    "Host: a\r\n",
    "Host",
    "Content-Length: 5\r\n",
    "Content-Length",
    "Transfer-Encoding: chunked\r\n",
    "Expect: 100-continue\r\n",
    "Authorization: Basic eDp5\r\n",
    "X-Ticket: 1\r\n",
    "hello",
    "\u{e9}",
    "http://a/",
    "*",
];

/// Bytes that are often nearly a request.
fn bytes(random: &mut Random) -> Vec<u8> {
    let request = b"POST /a?b HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nAuthorization: Basic eDp5\r\n\r\nhello";
    match random.below(4) {
        0 => random.text(PIECES, 40).into_bytes(),
        1 => {
            let headers = random.text(PIECES, 12);
            format!("POST / HTTP/1.1\r\nHost: a\r\n{headers}\r\n\r\nhello").into_bytes()
        }
        // Around the limits in size and count.
        2 => {
            let (name, times) = ("N".repeat(1 + random.below(200)), random.below(70));
            format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", format!("{name}: v\r\n").repeat(times)).into_bytes()
        }
        _ => random.mutated(request),
    }
}

#[test]
fn what_was_decided_on_a_part_holds_for_the_whole() {
    property(|random| {
        let bytes = bytes(random);
        let whole = head(&bytes);
        for _ in 0..8 {
            let part = head(&bytes[..random.below(bytes.len() + 1)]);
            match (&part, &whole) {
                (Ok(None), _) => {}
                (Ok(Some(part)), Ok(Some(whole))) => assert_eq!(part, whole),
                (Err(_), Err(_)) => {}
                _ => panic!("{part:?} became {whole:?} for {:?}", bytes.escape_ascii().to_string()),
            }
        }
    });
}

#[test]
fn what_the_engine_is_sent_reads_as_what_was_understood() {
    let forwarded = ["Authorization".to_string(), "X-Forwarded-For".to_string()];
    property(|random| {
        let bytes = bytes(random);
        let Ok(Some(understood)) = head(&bytes) else { return };
        let body: Vec<u8> = bytes[understood.length..].iter().copied().take(understood.body).collect();
        let sent = rewritten(&understood, &body, &forwarded, "0123");
        let read = head(&sent).expect("well-formed").expect("whole");
        assert_eq!((&read.method, &read.target, read.body), (&understood.method, &understood.target, body.len()));
        assert_eq!(&sent[read.length..], body, "one request, and nothing behind it");
        for name in &forwarded {
            assert!(read.values(name).eq(understood.values(name)), "{name}");
        }
        assert_eq!(read.values("x-ticket").collect::<Vec<_>>(), ["0123"]);
        assert!(read.headers.iter().all(|(name, _)| {
            let ours =
                ["host", "connection", "x-ticket", "content-length"].iter().any(|one| name.eq_ignore_ascii_case(one));
            ours || forwarded.contains(name)
        }));
    });
}
