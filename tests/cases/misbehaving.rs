use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::support::{Gateway, Reply, Scratch, VALUE, body};

const PASSWORD: &str = "hunter2-of-the-account";

/// An answer as the service's API gives it.
fn api(code: i64, data: &str) -> Vec<u8> {
    http("200 OK", "", &format!("{{\"code\":{code},\"desc\":\"said\",\"data\":{data}}}"))
}

fn http(status: &str, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}").into_bytes()
}

/// A service that answers as it should but where `odd` knows better; counts its requests.
fn service(odd: impl Fn(&str, &mut TcpStream) -> bool + Send + 'static) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = Vec::new();
            let mut piece = [0; 4096];
            // The requests here are small: head and body come within one or two reads.
            while !is_whole(&request) {
                match stream.read(&mut piece) {
                    Ok(0) | Err(_) => break,
                    Ok(length) => request.extend_from_slice(&piece[..length]),
                }
            }
            count.fetch_add(1, Ordering::SeqCst);
            let request = String::from_utf8_lossy(&request).into_owned();
            if odd(&request, &mut stream) {
                continue;
            }
            let answer = match request.split(' ').next() {
                Some("POST") => api(0, "{\"token\":\"t\"}"),
                Some("GET") if request.contains("/dns/zones/example.com ") => api(0, "{\"name\":\"example.com\"}"),
                Some("GET") => api(872, "{}"),
                _ => api(0, "{\"success\":true}"),
            };
            let _ = stream.write_all(&answer);
        }
    });
    (address, asked)
}

fn is_whole(request: &[u8]) -> bool {
    // What is no HTTP, such as a TLS handshake, is answered as servers do: at once, in plain.
    if request.first().is_some_and(|byte| !byte.is_ascii_uppercase()) {
        return true;
    }
    let text = String::from_utf8_lossy(request);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
    body.len() >= length.unwrap_or(0)
}

/// What a setup gives over that service; no secret may be in answer or log.
fn setup(url: &str, more: &str) -> (Reply, Gateway) {
    let dotenv = format!(
        "LISTEN = 127.0.0.1:0\nSSL = off\nALLOWED_HOSTS = 127.0.0.1\nDNSAPI_DOMAINS = example.com\n\
         DNSAPI_MODULE = openprovider\nDNSAPI_USERNAME = u\nDNSAPI_PASSWORD = {PASSWORD}\nDNSAPI_URL = {url}\nLOG_LEVEL = debug\n{more}\n"
    );
    let gateway = Gateway::start_in(Scratch::new(), &dotenv, &[]);
    let reply = gateway.post(&body("setup", "example.com", VALUE));
    gateway.wait_for("action=setup");
    assert!(!reply.body.contains("hunter2") && !gateway.log().contains("hunter2"), "{reply:?}\n{}", gateway.log());
    assert!(!gateway.log().contains("panicked"), "{}", gateway.log());
    (reply, gateway)
}

/// When the change itself is answered so.
fn changing(answer: impl Fn(&mut TcpStream) + Send + 'static) -> Reply {
    let odd = move |request: &str, stream: &mut TcpStream| {
        let is_change = request.starts_with("PUT");
        if is_change {
            answer(stream);
        }
        is_change
    };
    let (address, _) = service(odd);
    setup(&format!("http://{address}"), "").0
}

fn says(bytes: Vec<u8>) -> impl Fn(&mut TcpStream) + Send + 'static {
    move |stream| drop(stream.write_all(&bytes))
}

#[test]
fn a_service_in_order_is_no_error() {
    let (address, asked) = service(|_, _| false);
    assert_eq!(setup(&format!("http://{address}"), "").0.status, 201);
    assert!(asked.load(Ordering::SeqCst) >= 3, "login, zone, change");
}

#[test]
fn a_refusal_is_502_with_the_services_own_words() {
    let reply = changing(says(api(827, "{}")));
    assert_eq!(reply.status, 502);
    assert!(reply.detail().contains("code 827: said"), "{reply:?}");
}

#[test]
fn what_leaves_the_outcome_open_is_504() {
    let endless = |stream: &mut TcpStream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n");
        // Until the gateway has had enough, but never all of it.
        for _ in 0..4096 {
            if stream.write_all(&[b' '; 4096]).is_err() {
                return;
            }
        }
    };
    let half =
        |stream: &mut TcpStream| drop(stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"code\":0"));
    for (what, reply) in [
        ("closed before an answer", changing(|_| {})),
        ("broken off in the middle", changing(half)),
        ("status 500", changing(says(http("500 Internal Server Error", "", "")))),
        ("an HTML page", changing(says(http("502 Bad Gateway", "Content-Type: text/html\r\n", "<html>oops</html>")))),
        ("garbage", changing(says(http("200 OK", "", "}{")))),
        ("a body without end", changing(endless)),
    ] {
        assert_eq!(reply.status, 504, "{what}: {reply:?}");
        assert!(reply.detail().contains("did not say whether it was done"), "{what}: {reply:?}");
    }
}

#[test]
fn a_service_that_wants_us_to_wait_is_503_with_its_own_time() {
    let reply = changing(says(http("429 Too Many Requests", "Retry-After: 200\r\n", "{}")));
    assert_eq!((reply.status, reply.header("retry-after")), (503, "200"));
}

#[test]
fn a_redirect_is_not_followed_and_gets_no_credentials() {
    let (elsewhere, asked) = service(|_, _| false);
    let answer = http("307 Temporary Redirect", &format!("Location: http://{elsewhere}/\r\n"), "");
    for method in ["POST", "GET", "PUT"] {
        let answer = answer.clone();
        let odd = move |request: &str, stream: &mut TcpStream| {
            let is_it = request.starts_with(method);
            if is_it {
                stream.write_all(&answer).unwrap();
            }
            is_it
        };
        let (address, _) = service(odd);
        let (reply, _) = setup(&format!("http://{address}"), "");
        assert_eq!(reply.status, 502, "{method}: {reply:?}");
    }
    assert_eq!(asked.load(Ordering::SeqCst), 0, "nobody went there");
}

#[test]
fn another_zone_than_the_one_asked_for_is_no_zone() {
    let odd = |request: &str, stream: &mut TcpStream| {
        let is_it = request.starts_with("GET");
        if is_it {
            stream.write_all(&api(0, "{\"name\":\"example.net\"}")).unwrap();
        }
        is_it
    };
    let (address, _) = service(odd);
    let (reply, _) = setup(&format!("http://{address}"), "");
    assert_eq!(reply.status, 502, "{reply:?}");
    assert!(reply.detail().contains("holds no zone"), "{reply:?}");
}

#[test]
fn refused_credentials_are_502_and_not_sent_again() {
    let odd = |request: &str, stream: &mut TcpStream| {
        let is_it = request.starts_with("POST");
        if is_it {
            stream.write_all(&http("401 Unauthorized", "", "{\"code\":196,\"desc\":\"no\"}")).unwrap();
        }
        is_it
    };
    let (address, asked) = service(odd);
    let (reply, gateway) = setup(&format!("http://{address}"), "");
    assert_eq!(reply.status, 502, "{reply:?}");
    let before = asked.load(Ordering::SeqCst);
    assert_eq!(gateway.post(&body("setup", "example.com", VALUE)).status, 502);
    assert_eq!(asked.load(Ordering::SeqCst), before, "no second login: services block accounts for that");
}

#[test]
fn a_service_that_cannot_be_reached_or_believed_is_503() {
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    assert_eq!(setup(&format!("http://{nobody}"), "").0.status, 503);
    // Speaks no TLS: whoever is there, it is not the service.
    let (plain, _) = service(|_, _| false);
    assert_eq!(setup(&format!("https://{plain}"), "").0.status, 503);
    let (proxy, asked) = service(|request, stream| {
        assert!(request.starts_with("CONNECT api.example:443 "), "{request}");
        stream.write_all(&http("403 Forbidden", "", "")).unwrap();
        true
    });
    let (reply, gateway) = setup("https://api.example", &format!("ALL_PROXY = http://{proxy}"));
    assert_eq!(reply.status, 503, "{reply:?}");
    assert!(asked.load(Ordering::SeqCst) > 0);
    gateway.wait_for("roxy");
}
