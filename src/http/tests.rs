//! The client against servers on loopback: whom it believes, what it refuses, how it says so.

use crate::scratch::Scratch;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rustls::pki_types::PrivateKeyDer;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ServerConfig, ServerConnection, StreamOwned, SupportedProtocolVersion};

use super::*;

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nRetry-After: 7\r\nConnection: close\r\n\r\nok";

fn soon() -> Deadline {
    Deadline::after(Duration::from_secs(10))
}

fn get(trust: &Trust, url: &str) -> Result<Answer, Unanswered> {
    agent(trust, None).send(Request::get(url), None, soon())
}

/// A server of one connection, which is handed to `serve`.
fn serve(serve: impl FnOnce(TcpStream) + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || serve(listener.accept().unwrap().0));
    address
}

/// Reads a head, gives its first line and sends `answer`.
fn answer(mut stream: impl Read + Write, answer: &str) -> String {
    let mut lines = BufReader::new(&mut stream).lines().map_while(Result::ok);
    let first = lines.next().unwrap_or_default();
    lines.find(|line| line.is_empty());
    drop(lines);
    let _ = stream.write_all(answer.as_bytes());
    let _ = stream.flush();
    first
}

fn plain(text: &'static str) -> String {
    format!("http://{}", serve(move |stream| drop(answer(stream, text))))
}

/// Shows a certificate and signs with a key, which need not belong together.
#[derive(Debug)]
struct Shows(Arc<CertifiedKey>);

impl ResolvesServerCert for Shows {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.clone())
    }
}

/// A certificate and the key that belongs to it.
pub(crate) struct Identity {
    pub certificate: rustls::pki_types::CertificateDer<'static>,
    pub key: PrivateKeyDer<'static>,
}

impl Identity {
    pub fn pem(&self) -> String {
        let base64 = base64::Engine::encode(&base64::prelude::BASE64_STANDARD, &self.certificate);
        format!("-----BEGIN CERTIFICATE-----\n{base64}\n-----END CERTIFICATE-----\n")
    }
}

pub(crate) fn identity(name: &str) -> Identity {
    let made = rcgen::generate_simple_self_signed(vec![name.to_string()]).unwrap();
    let key = PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
    Identity { certificate: made.cert.der().clone(), key }
}

/// A server of one connection that shows one certificate and signs with the key of another.
pub(crate) fn tls(shown: &Identity, signs: &Identity, version: &'static SupportedProtocolVersion) -> SocketAddr {
    let crypto = Arc::new(rustls::crypto::ring::default_provider());
    let key = crypto.key_provider.load_private_key(signs.key.clone_key()).unwrap();
    let shows = Shows(Arc::new(CertifiedKey::new(vec![shown.certificate.clone()], key)));
    let config = ServerConfig::builder_with_provider(crypto).with_protocol_versions(&[version]).unwrap();
    let config = Arc::new(config.with_no_client_auth().with_cert_resolver(Arc::new(shows)));
    serve(move |stream| {
        let connection = ServerConnection::new(config).unwrap();
        let mut stream = StreamOwned::new(connection, stream);
        answer(&mut stream, OK);
        stream.conn.send_close_notify();
        let _ = stream.flush();
    })
}

pub(crate) fn url(address: SocketAddr) -> String {
    format!("https://127.0.0.1:{}/", address.port())
}

fn refusal(answer: Result<Answer, Unanswered>) -> String {
    match answer {
        Err(Unanswered::Tls(text)) => text,
        Err(other) => panic!("not refused by TLS: {other:?}"),
        Ok(answer) => panic!("answered {}", answer.status),
    }
}

#[test]
fn a_pin_replaces_chain_and_name() {
    let server = identity("another.example");
    let pin = Trust::Pin(pin_of(&server.certificate).unwrap());
    for version in [&rustls::version::TLS13, &rustls::version::TLS12] {
        let answer = get(&pin, &url(tls(&server, &server, version))).unwrap();
        assert_eq!((answer.status, answer.body.as_slice()), (200, b"ok".as_slice()), "{:?}", version.version);
    }
}

#[test]
fn the_pinned_certificate_signed_with_another_key_is_refused() {
    let (pinned, thief) = (identity("127.0.0.1"), identity("127.0.0.1"));
    let everybody = [Trust::Pin(pin_of(&pinned.certificate).unwrap()), Trust::Anything];
    for trust in &everybody {
        for version in [&rustls::version::TLS13, &rustls::version::TLS12] {
            let text = refusal(get(trust, &url(tls(&pinned, &thief, version))));
            assert!(text.contains("does not hold the key"), "{trust:?}: {text}");
        }
    }
}

#[test]
fn a_wrong_pin_is_refused_and_the_right_one_is_said() {
    let (server, other) = (identity("127.0.0.1"), identity("127.0.0.1"));
    let pin = Trust::Pin(pin_of(&other.certificate).unwrap());
    let text = refusal(get(&pin, &url(tls(&server, &server, &rustls::version::TLS13))));
    let seen = pin_of(&server.certificate).unwrap();
    assert!(text.contains(&format!("the pin of its key is {seen}")), "{text}");
    assert_eq!(Pin::parse(&seen.to_string()), Ok(seen));
}

#[test]
fn the_system_does_not_believe_a_self_signed_certificate_and_its_pin_is_said() {
    let server = identity("127.0.0.1");
    let text = refusal(get(&Trust::System, &url(tls(&server, &server, &rustls::version::TLS13))));
    let seen = pin_of(&server.certificate).unwrap().to_string();
    assert!(text.contains("not signed by a CA") && text.contains(&seen), "{text}");
}

#[test]
fn roots_believe_what_is_under_them_and_only_for_its_name() {
    let folder = Scratch::new();
    let (right, wrong) = (identity("127.0.0.1"), identity("another.example"));
    let path = folder.file("ca.pem", &(right.pem() + &wrong.pem()));
    let trust = Trust::Roots(roots_from_pem(&path).unwrap());
    std::fs::write(&path, "nothing").unwrap();
    let empty = roots_from_pem(&path).unwrap_err();
    assert_eq!(empty.what, "holds no certificate");
    assert_eq!(get(&trust, &url(tls(&right, &right, &rustls::version::TLS13))).unwrap().status, 200);
    let text = refusal(get(&trust, &url(tls(&wrong, &wrong, &rustls::version::TLS13))));
    assert!(text.contains("not valid for name"), "{text}");
}

#[test]
fn a_pin_is_43_characters_and_an_equals_sign_after_sha256() {
    let good = "sha256//47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
    assert_eq!(Pin::parse(good).unwrap().to_string(), good);
    for bad in
        ["", "sha256//", &good[8..], &good[..51], "sha256//AAAA", "sha1//47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="]
    {
        assert!(Pin::parse(bad).unwrap_err().contains("sha256//BASE64"), "{bad}");
    }
}

#[test]
fn plain_http_goes_to_loopback_only_and_credentials_never_stand_in_the_address() {
    for good in ["https://api.example", "http://127.0.0.9:80", "http://[::1]:8000", "http://localhost:1/v1"] {
        assert_eq!(base_url(good).unwrap().as_str(), good);
    }
    let normalised = base_url("HTTPS://API.Example:8443/v1beta/").unwrap();
    assert_eq!((normalised.as_str(), normalised.host()), ("https://api.example:8443/v1beta", "api.example"));
    assert_eq!(base_url("http://[::1]:8000").unwrap().host(), "::1");
    for (bad, remedy) in [
        ("http://api.example", "https"),
        ("http://localhost.example", "https"),
        ("http://127.0.0.1.example", "https"),
        ("http://10.0.0.1", "https"),
        ("https://me:hunter2@api.example", "take name and password out"),
        ("http://me@127.0.0.1", "take name and password out"),
        ("api.example", "https://HOST"),
        ("ftp://api.example", "https://HOST"),
        ("https://api.example/?a=b", "https://HOST"),
        ("https://api.example/#a", "https://HOST"),
        ("https://", "https://HOST"),
        ("https://api.example:x", "https://HOST"),
        ("https://api.example:99999", "https://HOST"),
        ("https://api.example:", "https://HOST"),
        ("", "https://HOST"),
    ] {
        let said = base_url(bad).unwrap_err();
        assert!(said.contains(remedy) && !said.contains("hunter2"), "{bad}: {said}");
    }
    for (text, confidential) in
        [("http://api.example", false), ("https://api.example", true), ("http://127.0.0.1:8000", true)]
    {
        assert_eq!(address(text).unwrap().is_confidential(), confidential, "{text}");
    }
}

#[test]
fn a_redirect_is_an_answer_and_is_not_followed() {
    let target = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let head = format!(
        "HTTP/1.1 307 Moved\r\nLocation: http://{}/\r\nContent-Length: 0\r\n\r\n",
        target.local_addr().unwrap()
    );
    let address = serve(move |stream| drop(answer(stream, &head)));
    let request = Request::post(format!("http://{address}/")).header("authorization", "Bearer secret");
    assert_eq!(agent(&Trust::System, None).send(request, Some("{}"), soon()).unwrap().status, 307);
    target.set_nonblocking(true).unwrap();
    assert!(target.accept().is_err(), "somebody followed the redirect");
}

#[test]
fn an_error_status_is_an_answer_with_its_body_and_its_retry_after() {
    let url = plain("HTTP/1.1 429 Slow\r\nRetry-After: 30\r\nContent-Length: 4\r\n\r\nwait");
    let answer = get(&Trust::System, &url).unwrap();
    assert_eq!((answer.status, answer.retry_after()), (429, Some(Duration::from_secs(30))));
    assert_eq!(answer.body, b"wait");
}

/// An address that is taken, so that no other test gets it, and on which nobody listens.
pub(crate) fn nobody_listens() -> (String, std::os::fd::OwnedFd) {
    use nix::sys::socket::{AddressFamily, SockFlag, SockType, SockaddrIn, bind, getsockname, socket};
    use std::os::fd::AsRawFd;
    let taken = socket(AddressFamily::Inet, SockType::Stream, SockFlag::empty(), None).unwrap();
    bind(taken.as_raw_fd(), &SockaddrIn::new(127, 0, 0, 1, 0)).unwrap();
    let address: SockaddrIn = getsockname(taken.as_raw_fd()).unwrap();
    (address.to_string(), taken)
}

#[test]
fn what_goes_wrong_is_told_apart() {
    let nobody = nobody_listens();
    let connect = get(&Trust::System, &format!("http://{}/", nobody.0));
    assert!(matches!(&connect, Err(Unanswered::Connect(text)) if text.contains(&nobody.0)));

    let agent = agent(&Trust::System, None);
    let silent = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let request = Request::get(format!("http://{}/", silent.local_addr().unwrap()));
    let late = agent.send(request, None, Deadline::after(Duration::from_millis(300)));
    assert!(matches!(late, Err(Unanswered::Late(_))), "{:?}", late.err());

    let request = Request::get(format!("http://{}/", silent.local_addr().unwrap()));
    let unsent = agent.send(request, None, Deadline::after(Duration::ZERO));
    assert!(matches!(unsent, Err(Unanswered::Connect(_))), "nothing was sent once the time is up");

    for garbage in ["", "SSH-2.0-OpenSSH\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\ncut"] {
        assert!(matches!(get(&Trust::System, &plain(garbage)), Err(Unanswered::Broken(_))), "{garbage:?}");
    }
    let speaks_plain = serve(|mut stream| drop(stream.write_all(b"HTTP/1.1 400 Bad\r\n\r\n")));
    let text = refusal(get(&Trust::System, &url(speaks_plain)));
    assert!(text.contains("plain http"), "{text}");
    let closes = serve(drop);
    let unshaken = get(&Trust::System, &url(closes));
    assert!(matches!(&unshaken, Err(Unanswered::Connect(text)) if text.contains("handshake")));
}

#[test]
fn heads_and_bodies_have_a_limit() {
    let endless = "HTTP/1.1 200 OK\r\n".to_string() + &format!("X-Pad: {}\r\n", "x".repeat(HEAD_LIMIT)) + "\r\n";
    let body = "x".repeat(BODY_LIMIT as usize + 1);
    let long = format!("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{body}");
    for text in [endless, long] {
        let address = serve(move |stream| drop(answer(stream, &text)));
        let broken = get(&Trust::System, &format!("http://{address}/"));
        assert!(matches!(&broken, Err(Unanswered::Broken(text)) if text.contains("length")), "{:?}", broken.err());
    }
}

#[test]
fn a_proxy_is_asked_to_connect_and_the_server_is_still_checked() {
    let server = identity("service.example");
    let target = tls(&server, &server, &rustls::version::TLS13);
    let (sender, asked) = std::sync::mpsc::channel();
    let proxy = serve(move |mut client| {
        let line = answer(&mut client, "HTTP/1.1 200 Connected\r\n\r\n");
        sender.send(line).unwrap();
        let mut server = TcpStream::connect(target).unwrap();
        let (mut from, mut to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
        thread::spawn(move || std::io::copy(&mut from, &mut to));
        let _ = std::io::copy(&mut server, &mut client);
    });
    let pin = Trust::Pin(pin_of(&server.certificate).unwrap());
    let through = agent(&pin, Some(parse_proxy(&proxy.to_string()).unwrap()));
    let said = through.send(Request::get("https://service.example/"), None, soon()).unwrap();
    assert_eq!((said.status, asked.recv().unwrap().as_str()), (200, "CONNECT service.example:443 HTTP/1.1"));

    let refuses = serve(|stream| drop(answer(stream, "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")));
    let through = agent(&pin, Some(parse_proxy(&refuses.to_string()).unwrap()));
    let Err(Unanswered::Connect(text)) = through.send(Request::get("https://service.example/"), None, soon()) else {
        panic!("a refusal of the proxy is no connection");
    };
    assert!(text.contains(&refuses.to_string()) && text.contains("403"), "{text}");
}
