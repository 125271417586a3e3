//! Where one request begins and ends, decided before anything is believed (RFC 9112).
//!
//! A pure function over the bytes that have come so far. What two readers could take for two
//! different requests is refused: bare LF, folded lines, two lengths, a length and an encoding.

/// The longest request line and headers (bytes).
pub const HEAD_LIMIT: usize = 8 * 1024;
/// The most headers.
const HEADERS: usize = 64;
/// The longest body (bytes).
pub const BODY_LIMIT: usize = 4 * 1024;
/// The longest method (bytes); the longest that is registered has 17.
const METHOD_LIMIT: usize = 32;

/// The head of a request, taken apart.
#[derive(Debug, PartialEq, Eq)]
pub struct Head {
    /// Bytes up to and with the empty line.
    pub length: usize,
    pub method: String,
    /// Begins with a slash; ASCII without blanks; the query, if any, is still in it.
    pub target: String,
    /// All headers as they came, the values ASCII without control characters.
    pub headers: Vec<(String, String)>,
    /// Bytes of body that follow.
    pub body: usize,
    /// The client waits for `100 Continue`.
    pub expects_continue: bool,
}

impl Head {
    /// The values of all headers of that name.
    pub fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let of_name = move |(one, _): &&(String, String)| one.eq_ignore_ascii_case(name);
        self.headers.iter().filter(of_name).map(|(_, value)| value.as_str())
    }
}

/// Why the bytes are no request that we take: the HTTP status and a text for the client.
#[derive(Debug, PartialEq, Eq)]
pub struct Malformed {
    pub status: u16,
    pub what: &'static str,
}

const fn malformed(status: u16, what: &'static str) -> Malformed {
    Malformed { status, what }
}

/// Reads the head out of what has come so far; None: more is needed.
pub fn head(bytes: &[u8]) -> Result<Option<Head>, Malformed> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").map(|at| at + 4);
    let seen = &bytes[..end.unwrap_or(bytes.len())];
    if seen.len() > HEAD_LIMIT {
        return Err(malformed(431, "the request line and headers are longer than 8 KiB"));
    }
    check_lines(seen, end.is_some())?;
    let mut headers = [httparse::EMPTY_HEADER; HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    match request.parse(seen) {
        Ok(httparse::Status::Complete(_)) => {}
        Ok(httparse::Status::Partial) if end.is_none() => return Ok(None),
        Ok(httparse::Status::Partial) => return Err(malformed(400, "the headers do not end where they seem to")),
        Err(httparse::Error::TooManyHeaders) => return Err(malformed(431, "more than 64 headers")),
        Err(httparse::Error::Version) if names_version(seen) => return Err(malformed(505, "not HTTP/1.1 or HTTP/1.0")),
        Err(_) => return Err(malformed(400, "the request is not well-formed HTTP")),
    }
    take_apart(&request, seen.len()).map(Some)
}

/// Is the third word of the request line a version of HTTP?
fn names_version(seen: &[u8]) -> bool {
    seen.split(|byte| *byte == b' ').nth(2).is_some_and(|word| word.starts_with(b"HTTP/"))
}

/// Each line ends with CR LF, and neither stands alone; no line in front of the request line.
fn check_lines(seen: &[u8], complete: bool) -> Result<(), Malformed> {
    if seen.first().is_some_and(|byte| matches!(byte, b'\r' | b'\n')) {
        return Err(malformed(400, "an empty line before the request"));
    }
    for (at, byte) in seen.iter().enumerate() {
        let alone = match byte {
            b'\n' => at == 0 || seen[at - 1] != b'\r',
            b'\r' => seen.get(at + 1).map_or(complete, |next| *next != b'\n'),
            _ => false,
        };
        if alone {
            return Err(malformed(400, "a line that does not end with CR LF"));
        }
    }
    Ok(())
}

fn take_apart(request: &httparse::Request<'_, '_>, length: usize) -> Result<Head, Malformed> {
    let (Some(method), Some(target), Some(version)) = (request.method, request.path, request.version) else {
        return Err(malformed(400, "the request is not well-formed HTTP"));
    };
    if method.len() > METHOD_LIMIT {
        return Err(malformed(400, "a method of more than 32 characters"));
    }
    if !target.starts_with('/') || !target.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(malformed(400, "the request target is not a path that begins with / and is plain ASCII"));
    }
    let headers = request.headers.iter().map(|header| {
        let value = std::str::from_utf8(header.value).ok().filter(|value| value.bytes().all(is_plain));
        let value = value.ok_or(malformed(400, "a header that is not plain ASCII"))?;
        Ok((header.name.to_string(), value.to_string()))
    });
    let head = Head {
        length,
        method: method.to_string(),
        target: target.to_string(),
        headers: headers.collect::<Result<_, Malformed>>()?,
        body: 0,
        expects_continue: false,
    };
    if head.values("transfer-encoding").next().is_some() {
        return Err(malformed(411, "send the body with a Content-Length, not with a Transfer-Encoding"));
    }
    match head.values("host").count() {
        1 => {}
        0 if version == 0 => {}
        _ => return Err(malformed(400, "not exactly one Host header")),
    }
    let body = content_length(&head)?;
    let expects_continue = head.values("expect").any(|value| value.eq_ignore_ascii_case("100-continue"));
    Ok(Head { body, expects_continue, ..head })
}

/// Tabs and what can be seen: what our own writing of the request can carry.
fn is_plain(byte: u8) -> bool {
    matches!(byte, b'\t' | b' '..=b'~')
}

fn content_length(head: &Head) -> Result<usize, Malformed> {
    let mut lengths = head.values("content-length");
    let Some(text) = lengths.next() else { return Ok(0) };
    if lengths.next().is_some() {
        return Err(malformed(400, "more than one Content-Length"));
    }
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(malformed(400, "a Content-Length that is not a number"));
    }
    // A number too large to be read is too large all the more.
    let length = text.parse().unwrap_or(usize::MAX);
    match length > BODY_LIMIT {
        true => Err(malformed(413, "the body is longer than 4 KiB")),
        false => Ok(length),
    }
}

#[cfg(test)]
mod properties;

#[cfg(test)]
mod tests {
    use super::*;

    fn status(text: &str) -> u16 {
        match head(text.as_bytes()) {
            Ok(Some(_)) => 200,
            Ok(None) => 0,
            Err(malformed) => malformed.status,
        }
    }

    #[test]
    fn a_request_is_taken_apart() {
        let text = "POST /x?y HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-Continue\r\nX-A: 1\r\nx-a: 2\r\n\r\nhello";
        let head = head(text.as_bytes()).unwrap().unwrap();
        assert_eq!((head.method.as_str(), head.target.as_str(), head.body), ("POST", "/x?y", 5));
        assert!(head.expects_continue);
        assert_eq!(head.length + head.body, text.len());
        assert_eq!(head.values("X-a").collect::<Vec<_>>(), ["1", "2"]);
    }

    #[test]
    fn every_beginning_of_a_request_asks_for_more() {
        let text = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n";
        for end in 0..text.len() {
            assert_eq!(status(&text[..end]), 0, "{:?}", &text[..end]);
        }
        assert_eq!(status(text), 200);
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_refused() {
        let post = |headers: &str| status(&format!("POST / HTTP/1.1\r\nHost: a\r\n{headers}\r\n"));
        for (headers, expected) in [
            ("Content-Length: 4096\r\n", 200),
            ("Content-Length: 4097\r\n", 413),
            ("Content-Length: 99999999999999999999999\r\n", 413),
            ("Content-Length: 1\r\nContent-Length: 1\r\n", 400),
            ("Content-Length: 1, 1\r\n", 400),
            ("Content-Length: -1\r\n", 400),
            ("Content-Length: +1\r\n", 400),
            ("Content-Length:\r\n", 400),
            ("Content-Length: 0x10\r\n", 400),
            ("Content-Length : 1\r\n", 400),
            ("Transfer-Encoding: chunked\r\n", 411),
            ("Content-Length: 1\r\nTransfer-Encoding: chunked\r\n", 411),
            ("Transfer-Encoding: identity\r\n", 411),
            ("A: b\r\n c\r\n", 400),
            ("A: b\nC: d\r\n", 400),
            ("A: b\rC: d\r\n", 400),
            ("A: b\0\r\n", 400),
            ("A: é\r\n", 400),
            ("Host: b\r\n", 400),
            ("A b: c\r\n", 400),
            (": c\r\n", 400),
        ] {
            assert_eq!(post(headers), expected, "{headers:?}");
        }
        for (text, expected) in [
            ("GET /\r\n\r\n", 400),
            ("GET / HTTP/2.0\r\n\r\n", 505),
            ("GET / HTTP/1.0\r\n\r\n", 200),
            ("GET / HTTP/1.1\r\n\r\n", 400),
            ("GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400),
            ("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", 400),
            ("CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
            ("GET /é HTTP/1.1\r\nHost: a\r\n\r\n", 400),
            ("GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
            ("\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
            ("GET / HTTP/1.1\nHost: a\n\n", 400),
            ("\u{16}\u{3}\u{1}", 400),
        ] {
            assert_eq!(status(text), expected, "{text:?}");
        }
        assert_eq!(status(&format!("{} / HTTP/1.1\r\nHost: a\r\n\r\n", "M".repeat(33))), 400);
    }

    #[test]
    fn the_head_is_bounded_in_size_and_count() {
        assert_eq!(status(&format!("GET /{}", "a".repeat(HEAD_LIMIT))), 431);
        assert_eq!(status(&format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "A: b\r\n".repeat(64))), 431);
        assert_eq!(status(&format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "A: b\r\n".repeat(63))), 200);
    }
}
