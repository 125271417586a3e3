use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::openprovider::{self, OpenProvider, USERNAME};
use crate::support::simulator::Misbehaviour;
use crate::support::{Gateway, PATIENCE, Reply, Scratch, VALUE, body};

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

/// When requests of this method are answered so: POST is the login, GET the zone, PUT the change.
fn struck(method: &'static str, answer: impl Fn(&mut TcpStream) + Send + 'static) -> Reply {
    let odd = move |request: &str, stream: &mut TcpStream| {
        let is_it = request.starts_with(method);
        if is_it {
            answer(stream);
        }
        is_it
    };
    let (address, _) = service(odd);
    setup(&format!("http://{address}"), "").0
}

fn changing(answer: impl Fn(&mut TcpStream) + Send + 'static) -> Reply {
    struck("PUT", answer)
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

/// Says something odd to the gateway.
type Odd = Box<dyn Fn(&mut TcpStream) + Send>;

/// What is no answer of the API, in every way that there is.
fn no_answers() -> Vec<(&'static str, Odd)> {
    vec![
        ("closed before an answer", Box::new(|_| {})),
        (
            "broken off in the middle",
            Box::new(says(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"code\":0".into())),
        ),
        ("status 500", Box::new(says(http("500 Internal Server Error", "", "")))),
        ("a page", Box::new(says(http("502 Bad Gateway", "Content-Type: text/html\r\n", "<html>oops</html>")))),
        ("garbage", Box::new(says(http("200 OK", "", "}{")))),
        ("a body without end", Box::new(|stream| _ = endless(stream))),
    ]
}

/// Begins an answer of 1 GB, and says how much of it was taken before the other side had enough.
fn endless(stream: &mut TcpStream) -> usize {
    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n");
    let piece = [b' '; 4096];
    let taken = (0..1_000_000_000 / piece.len()).take_while(|_| stream.write_all(&piece).is_ok());
    taken.count() * piece.len()
}

#[test]
fn a_change_whose_outcome_is_open_is_504() {
    for (what, answer) in no_answers() {
        let reply = changing(answer);
        assert_eq!(reply.status, 504, "{what}: {reply:?}");
        assert!(reply.detail().contains("did not say whether it was done"), "{what}: {reply:?}");
    }
}

/// Each is tried three times, with pauses; so all of them at once.
#[test]
fn what_fails_before_the_change_is_503() {
    thread::scope(|scope| {
        for method in ["POST", "GET"] {
            for (what, answer) in no_answers() {
                scope.spawn(move || {
                    let reply = struck(method, answer);
                    assert_eq!(reply.status, 503, "{method} {what}: {reply:?}");
                    assert!(reply.header("retry-after").parse::<u64>().is_ok(), "{method} {what}: {reply:?}");
                    assert!(reply.detail().contains("cannot be used just now"), "{method} {what}: {reply:?}");
                });
            }
        }
    });
}

#[test]
fn an_answer_of_a_gigabyte_is_not_read_to_its_end() {
    let taken = Arc::new(AtomicUsize::new(0));
    let count = taken.clone();
    assert_eq!(changing(move |stream| _ = count.fetch_add(endless(stream), Ordering::SeqCst)).status, 504);
    let taken = taken.load(Ordering::SeqCst);
    // What is taken beyond the gateway's limit of 1 MiB lies in the system's buffers.
    assert!((1..64 << 20).contains(&taken), "{taken} bytes were taken");
}

#[test]
fn a_session_that_ends_in_the_middle_is_begun_again() {
    let (logins, changes) = (Arc::new(AtomicUsize::new(0)), AtomicUsize::new(0));
    let count = logins.clone();
    let (address, _) = service(move |request, stream| {
        count.fetch_add(usize::from(request.starts_with("POST")), Ordering::SeqCst);
        let is_first_change = request.starts_with("PUT") && changes.fetch_add(1, Ordering::SeqCst) == 0;
        if is_first_change {
            stream.write_all(&http("401 Unauthorized", "", "{\"code\":196,\"desc\":\"over\"}")).unwrap();
        }
        is_first_change
    });
    assert_eq!(setup(&format!("http://{address}"), "").0.status, 201);
    assert_eq!(logins.load(Ordering::SeqCst), 2);
}

#[test]
fn a_service_with_a_wrong_certificate_is_503_and_is_told_nothing() {
    let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_string()]).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = Arc::new(builder.with_no_client_auth().with_single_cert(vec![made.cert.der().clone()], key).unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (address, told) = (listener.local_addr().unwrap(), Arc::new(AtomicUsize::new(0)));
    let count = told.clone();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let connection = rustls::ServerConnection::new(config.clone()).unwrap();
            let read = rustls::StreamOwned::new(connection, stream).read(&mut [0; 4096]);
            count.fetch_add(read.unwrap_or(0), Ordering::SeqCst);
        }
    });
    let (reply, _) = setup(&format!("https://{address}"), "");
    assert_eq!(reply.status, 503, "{reply:?}");
    assert!(reply.detail().contains("no TLS with"), "{reply:?}");
    assert_eq!(told.load(Ordering::SeqCst), 0);
}

/// However the service misbehaved: once it behaves, a setup goes well, and a teardown leaves nothing,
/// neither at the service nor in the ledger.
#[test]
fn after_any_misbehaviour_nothing_is_left_half_done() {
    use Misbehaviour::*;
    thread::scope(|scope| {
        for (misbehaviour, status) in [
            (Status(429), 503),
            (Status(500), 503),
            (Html, 503),
            (Garbage, 503),
            (Redirect, 502),
            (DoneUnanswered, 504),
        ] {
            scope.spawn(move || {
                let (service, gateway) = simulated("");
                service.misbehave(Some(misbehaviour));
                let reply = gateway.post(&body("setup", "example.com", VALUE));
                assert_eq!(reply.status, status, "{misbehaviour:?}: {reply:?}");
                service.misbehave(None);
                assert_eq!(gateway.post(&body("setup", "example.com", VALUE)).status, 201, "{misbehaviour:?}");
                assert_eq!(service.txt("_acme-challenge.example.com"), [VALUE], "{misbehaviour:?}");
                assert_eq!(gateway.post(&body("teardown", "example.com", VALUE)).status, 200, "{misbehaviour:?}");
                assert!(service.txt("_acme-challenge.example.com").is_empty(), "{misbehaviour:?}");
                assert_eq!(std::fs::read_dir(gateway.folder.join("ledger")).unwrap().count(), 0, "{misbehaviour:?}");
            });
        }
    });
}

#[test]
fn what_was_done_without_an_answer_is_removed_when_its_time_is_over() {
    let (service, gateway) = simulated("CHALLENGE_TTL = 1");
    service.misbehave(Some(Misbehaviour::DoneUnanswered));
    assert_eq!(gateway.post(&body("setup", "example.com", VALUE)).status, 504);
    assert_eq!(service.txt("_acme-challenge.example.com"), [VALUE]);
    service.misbehave(None);
    let began = Instant::now();
    while !service.txt("_acme-challenge.example.com").is_empty() {
        assert!(began.elapsed() < PATIENCE, "it is left behind:\n{}", gateway.log());
        thread::sleep(Duration::from_millis(20));
    }
}

/// A gateway at the simulation of the service's API.
fn simulated(more: &str) -> (Arc<OpenProvider>, Gateway) {
    let (folder, service) = (Scratch::new(), OpenProvider::new(&["example.com"]));
    let dotenv = format!(
        "LISTEN = 127.0.0.1:0\nSSL = off\nALLOWED_HOSTS = 127.0.0.1\nDNSAPI_DOMAINS = example.com\n\
         DNSAPI_MODULE = openprovider\nDNSAPI_USERNAME = {USERNAME}\nDNSAPI_PASSWORD = {account}\n\
         DNSAPI_URL = http://{}/v1beta\nSTATE_DIR = {}\n{more}\n",
        service.listen(),
        folder.path().display(),
        account = openprovider::PASSWORD,
    );
    (service, Gateway::start_in(folder, &dotenv, &[]))
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
