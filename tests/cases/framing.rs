//! Each way to write a request that two readers could take for two different things, or that none
//! should take at all, and the one right answer, on the wire, in the clear and within TLS.

use std::io::Write;

use crate::support::{Gateway, Reply, VALUE, body, reply, tls};

/// What stands where the body is meant to be.
const BODY: &str = "{body}";

/// The bytes and the answer's status; 0: the connection ends without one. `{body}` is a whole
/// setup, `{length}` its length, `{request}` a whole request that would be granted.
const TABLE: &[(&str, &str, u16)] = &[
    // What is right, so that the rest of the table says something.
    ("a request", "{request}", 201),
    ("HTTP/1.0", "POST / HTTP/1.0\r\nContent-Length: {length}\r\n\r\n{body}", 201),
    ("names in any case", "POST / HTTP/1.1\r\nHOST: a\r\ncontent-LENGTH: {length}\r\n\r\n{body}", 201),
    ("zeros in front", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 000{length}\r\n\r\n{body}", 201),
    ("blanks around a value", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: \t {length} \t\r\n\r\n{body}", 201),
    // Lengths (RFC 9112 section 6).
    ("two lengths", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\nContent-Length: 0\r\n\r\n{body}", 400),
    (
        "a length twice",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\nContent-Length: {length}\r\n\r\n{body}",
        400,
    ),
    ("a list of lengths", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}, {length}\r\n\r\n{body}", 400),
    (
        "length and encoding",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\nTransfer-Encoding: chunked\r\n\r\n{body}",
        411,
    ),
    (
        "encoding and length",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: {length}\r\n\r\n0\r\n\r\n{request}",
        411,
    ),
    (
        "chunks with trailers",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTrailer: X\r\n\r\n1\r\n{\r\n0\r\nX: y\r\n\r\n",
        411,
    ),
    (
        "an encoding that is none",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\nContent-Length: {length}\r\n\r\n{body}",
        411,
    ),
    (
        "an encoding in disguise",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\tchunked\r\nContent-Length: {length}\r\n\r\n{body}",
        411,
    ),
    ("a negative length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n{body}", 400),
    ("a length with a plus", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +{length}\r\n\r\n{body}", 400),
    ("a length in hexadecimal", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x7f\r\n\r\n{body}", 400),
    ("a length with a fraction", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}.0\r\n\r\n{body}", 400),
    ("an empty length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: \r\n\r\n{body}", 400),
    (
        "a length that wraps 64 bits",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 18446744073709551617\r\n\r\n{body}",
        413,
    ),
    ("a length of 100 GB", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000000\r\n\r\n{body}", 413),
    ("a body without a length", "POST / HTTP/1.1\r\nHost: a\r\n\r\n{body}", 400),
    ("a body that ends too early", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4000\r\n\r\n{body}", 0),
    // Lines (RFC 9112 section 2.2 and 5).
    ("a folded line", "POST / HTTP/1.1\r\nHost: a\r\nX: y\r\n z\r\nContent-Length: {length}\r\n\r\n{body}", 400),
    ("a folded length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n {length}\r\n\r\n{body}", 400),
    ("a first header that is folded", "POST / HTTP/1.1\r\n Host: a\r\nContent-Length: {length}\r\n\r\n{body}", 400),
    ("bare LF everywhere", "POST / HTTP/1.1\nHost: a\nContent-Length: {length}\n\n{body}", 400),
    ("one bare LF", "POST / HTTP/1.1\r\nHost: a\nContent-Length: {length}\r\n\r\n{body}", 400),
    ("a bare LF at the end", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\n{body}", 400),
    ("a bare CR", "POST / HTTP/1.1\r\nHost: a\rContent-Length: {length}\r\n\r\n{body}", 400),
    ("CR CR LF", "POST / HTTP/1.1\r\nHost: a\r\r\nContent-Length: {length}\r\n\r\n{body}", 400),
    ("an empty line in front", "\r\n{request}", 400),
    ("a LF in front", "\n{request}", 400),
    ("a blank before the colon", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length : {length}\r\n\r\n{body}", 400),
    ("no colon", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length {length}\r\n\r\n{body}", 400),
    ("no name", "POST / HTTP/1.1\r\nHost: a\r\n: {length}\r\n\r\n{body}", 400),
    ("a NUL in a value", "POST / HTTP/1.1\r\nHost: a\r\nX: y\0z\r\nContent-Length: {length}\r\n\r\n{body}", 400),
    ("a NUL in a name", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length\0: {length}\r\n\r\n{body}", 400),
    ("a NUL in the target", "POST /\0 HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n{body}", 400),
    ("no ASCII in a value", "POST / HTTP/1.1\r\nHost: a\r\nX: \u{e9}\r\nContent-Length: {length}\r\n\r\n{body}", 400),
    // Targets and methods (RFC 9112 section 3).
    ("absolute form", "POST http://a/ HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n{body}", 400),
    ("authority form", "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", 400),
    ("asterisk form", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("no slash", "POST x HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n{body}", 400),
    ("two blanks", "POST  / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n{body}", 400),
    ("a blank in the target", "POST / x HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n{body}", 400),
    ("a tab for a blank", "POST\t/ HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n{body}", 400),
    (
        "a huge method",
        "MMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMM / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n{body}",
        400,
    ),
    ("a method in lower case", "post / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n{body}", 405),
    // Versions.
    ("HTTP/0.9", "GET /\r\n\r\n", 400),
    ("HTTP/2's preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    ("HTTP/1.2", "POST / HTTP/1.2\r\nHost: a\r\nContent-Length: {length}\r\n\r\n{body}", 505),
    ("HTTP/11", "POST / HTTP/11\r\nHost: a\r\nContent-Length: {length}\r\n\r\n{body}", 505),
    ("http/1.1", "POST / http/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n{body}", 400),
    // Hosts (RFC 9112 section 3.2).
    ("no Host", "POST / HTTP/1.1\r\nContent-Length: {length}\r\n\r\n{body}", 400),
    ("two Hosts", "POST / HTTP/1.1\r\nHost: a\r\nHost: a\r\nContent-Length: {length}\r\n\r\n{body}", 400),
    ("two Hosts in HTTP/1.0", "POST / HTTP/1.0\r\nHost: a\r\nHost: b\r\nContent-Length: {length}\r\n\r\n{body}", 400),
    // One request a connection: the second one of these would be granted.
    ("a second request", "GET /health HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\n\r\n{request}", 200),
    ("a request in a body", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}{request}", 400),
    (
        "an upgrade",
        "GET /health HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nHTTP2-Settings: AAA\r\n\r\n{request}",
        200,
    ),
    ("a web socket", "GET /health HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", 200),
    // RFC 9110 section 10.1.1 leaves it to us.
    (
        "an unknown expectation",
        "POST / HTTP/1.1\r\nHost: a\r\nExpect: a miracle\r\nContent-Length: {length}\r\n\r\n{body}",
        201,
    ),
];

fn bytes(template: &str) -> Vec<u8> {
    let body = body("setup", "example.com", VALUE);
    let request = format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {{length}}\r\n\r\n{BODY}");
    let whole = template.replace("{request}", &request).replace(BODY, &body);
    whole.replace("{length}", &body.len().to_string()).into_bytes()
}

fn hold(gateway: &Gateway, send: impl Fn(&[u8]) -> Reply) {
    let mut granted = 0;
    for (what, template, status) in TABLE {
        let reply = send(&bytes(template));
        assert_eq!(reply.status, *status, "{what}: {reply:?}");
        granted += usize::from(reply.status == 201);
        let is_problem = reply.header("content-type") == "application/problem+json" && !reply.detail().is_empty();
        assert!(is_problem || *status < 400, "{what}: {reply:?}");
        assert_eq!(gateway.changes().lines().count(), granted, "{what}: the DNS service was asked");
        assert!(*status == 0 || reply.header("connection") == "close", "{what}: {reply:?}");
        assert!(!reply.body.contains("X-Request-Id:"), "{what}: answered twice: {reply:?}");
    }
}

#[test]
fn each_request_has_its_one_answer_in_the_clear() {
    let gateway = Gateway::start("ALLOWED_HOSTS = 127.0.0.1");
    hold(&gateway, |bytes| {
        let mut stream = gateway.connect();
        let _ = stream.write_all(bytes);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        reply(&mut stream)
    });
}

#[test]
fn each_request_has_its_one_answer_within_tls() {
    let gateway = Gateway::start("ALLOWED_HOSTS = 127.0.0.1\nSSL = on\nSTATE_DIR = .");
    let config = tls::config(&gateway.folder.join("cert.pem"), rustls::ALL_VERSIONS);
    hold(&gateway, |bytes| {
        let mut stream = tls::stream(&config, gateway.connect());
        let _ = stream.write_all(bytes);
        stream.conn.send_close_notify();
        let _ = stream.flush();
        reply(&mut stream)
    });
}
