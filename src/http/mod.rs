//! The HTTP client of the providers and of the hook, and the only home of ureq.
//!
//! Redirects are never followed (they would carry credentials elsewhere), an answer is limited in
//! size and time, and whatever goes wrong is one of four kinds, told in one line without secrets.

mod proxy;
mod trust;

use std::fmt;
use std::io::{self, Read, Write};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use ureq::unversioned::resolver::DefaultResolver;
use ureq::unversioned::transport::time::{Duration as Limit, Instant as Moment};
use ureq::unversioned::transport::{
    Buffers, ConnectProxyConnector, ConnectionDetails, Connector, Either, LazyBuffers, NextTimeout, TcpConnector,
    Transport, TransportAdapter,
};

use crate::deadline::Deadline;
use crate::foreign::Foreign;

pub use proxy::{SETTINGS, parse_proxy, proxy};
pub use trust::{Pin, Roots, Trust, pin_from_pem, pin_of, roots_from_pem};
pub use ureq::Proxy;
pub use ureq::http::Request;
use ureq::http::{HeaderMap, Uri, request, uri::Authority};

/// Longest wait for a connection, the proxy's part and the TLS handshake included.
const CONNECT: Duration = Duration::from_secs(10);

/// The longest head of an answer (bytes).
const HEAD_LIMIT: usize = 16 << 10;

/// The longest body of an answer (bytes).
const BODY_LIMIT: u64 = 1 << 20;

/// The address under which a service's paths lie; no trailing slash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseUrl {
    text: String,
    host: String,
}

/// Reads a base address to which credentials are sent: https, or http on loopback. The error is the
/// remedy and does not repeat the text, which may hold a password.
pub fn base_url(text: &str) -> Result<BaseUrl, String> {
    let base = address(text)?;
    match base.is_confidential() {
        true => Ok(base),
        false => Err("write https://; plain http goes to 127.0.0.1, ::1 and localhost only".to_string()),
    }
}

/// Reads a base address, plain http to any host included: whoever takes it asks
/// [`BaseUrl::is_confidential`] before a secret is sent there.
pub fn address(text: &str) -> Result<BaseUrl, String> {
    let form = || "write it as https://HOST, https://HOST:PORT or https://HOST/PATH".to_string();
    let uri: Uri = text.parse().map_err(|_| form())?;
    let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else { return Err(form()) };
    if authority.as_str().contains('@') {
        return Err("take name and password out of the address; they have settings of their own".to_string());
    }
    let host = authority.host().trim_matches(['[', ']']).to_ascii_lowercase();
    if host.is_empty() || has_wrong_port(authority) || uri.query().is_some() || text.contains('#') {
        return Err(form());
    }
    if scheme != "https" && scheme != "http" {
        return Err(form());
    }
    let authority = authority.as_str().to_ascii_lowercase();
    Ok(BaseUrl { text: format!("{scheme}://{authority}{}", uri.path().trim_end_matches('/')), host })
}

/// The crate http takes a port that is no number for no port.
fn has_wrong_port(authority: &Authority) -> bool {
    authority.port().is_none() && !authority.as_str().ends_with(authority.host())
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

impl BaseUrl {
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// In lower case, an IPv6 address without its brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    pub fn is_https(&self) -> bool {
        self.text.starts_with("https:")
    }

    /// May a password be sent there? Over TLS, or without leaving this machine.
    pub fn is_confidential(&self) -> bool {
        self.is_https() || is_loopback(&self.host)
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// A client with its trust and its proxy. Keeps connections open for a few seconds.
#[derive(Clone)]
pub struct Agent {
    inner: ureq::Agent,
}

/// What a server said, whatever the status.
pub struct Answer {
    pub status: u16,
    /// Not more than 1 MiB, or what was asked for.
    pub body: Vec<u8>,
    headers: HeaderMap,
}

/// Why there is no answer; each in one line, without a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unanswered {
    /// There was no connection; nothing was sent.
    Connect(String),
    /// TLS was refused, by us or by the server; nothing was sent.
    Tls(String),
    /// The deadline passed; the request may have been carried out.
    Late(String),
    /// The connection broke, or what came was not HTTP; the request may have been carried out.
    Broken(String),
}

/// Makes a client. The proxy sees the same trust where it is an https proxy itself.
pub fn agent(trust: &Trust, proxy: Option<Proxy>) -> Agent {
    let config = ureq::Agent::config_builder()
        .proxy(proxy)
        .http_status_as_error(false)
        .max_redirects(0)
        .user_agent(concat!("acmegw/", env!("CARGO_PKG_VERSION")))
        .timeout_connect(Some(CONNECT))
        .max_response_header_size(HEAD_LIMIT)
        .build();
    // The order of ureq's own chain; only the last link is ours.
    let chain = ().chain(ConnectProxyConnector::default()).chain(TcpConnector::default());
    let chain = chain.chain(Tls(trust::client_config(trust)));
    Agent { inner: ureq::Agent::with_parts(config, chain, DefaultResolver::default()) }
}

impl Agent {
    /// Sends one request and reads its whole answer, all before the deadline.
    pub fn send(
        &self,
        request: request::Builder,
        body: Option<&str>,
        deadline: Deadline,
    ) -> Result<Answer, Unanswered> {
        self.send_octets(request, body.map(str::as_bytes), BODY_LIMIT, deadline)
    }

    /// The same with a body that is no text, and an answer of at most `limit` bytes.
    pub fn send_octets(
        &self,
        request: request::Builder,
        body: Option<&[u8]>,
        limit: u64,
        deadline: Deadline,
    ) -> Result<Answer, Unanswered> {
        let server = request.uri_ref().and_then(Uri::authority).map(ToString::to_string).unwrap_or_default();
        self.exchange(request, body, limit, deadline).map_err(|error| self.sorted(&server, error))
    }

    fn exchange(
        &self,
        request: request::Builder,
        body: Option<&[u8]>,
        limit: u64,
        deadline: Deadline,
    ) -> Result<Answer, ureq::Error> {
        let left = deadline.left().ok_or(ureq::Error::Timeout(ureq::Timeout::Resolve))?;
        let agent = &self.inner;
        let response = match body {
            Some(body) => agent.run(agent.configure_request(request.body(body)?).timeout_global(Some(left)).build()),
            None => agent.run(agent.configure_request(request.body(())?).timeout_global(Some(left)).build()),
        }?;
        let (head, body) = response.into_parts();
        let body = body.into_with_config().limit(limit).read_to_vec()?;
        Ok(Answer { status: head.status.as_u16(), body, headers: head.headers })
    }

    fn sorted(&self, server: &str, error: ureq::Error) -> Unanswered {
        let through = self.inner.config().proxy();
        let through = through.map(|proxy| format!(" through the proxy {}:{}", proxy.host(), proxy.port()));
        let server = format!("{server}{}", through.unwrap_or_default());
        let no_connection = |why: &dyn fmt::Display| Unanswered::Connect(format!("cannot connect to {server}: {why}"));
        match error {
            ureq::Error::HostNotFound => no_connection(&"its name cannot be resolved"),
            ureq::Error::ConnectProxyFailed(why) => no_connection(&Foreign(&why)),
            ureq::Error::Timeout(ureq::Timeout::Resolve | ureq::Timeout::Connect) => no_connection(&"no time left"),
            ureq::Error::Timeout(_) => Unanswered::Late(format!("{server} did not answer in time")),
            ureq::Error::Io(error) if never_connected(error.kind()) => no_connection(&error),
            ureq::Error::Other(error) => match error.downcast_ref() {
                Some(Handshake::Refused(why)) => Unanswered::Tls(format!("no TLS with {server}: {why}")),
                _ => no_connection(&error),
            },
            ureq::Error::BodyExceedsLimit(_) | ureq::Error::LargeResponseHeader(..) => {
                Unanswered::Broken(format!("{server} answered at too great a length"))
            }
            error => Unanswered::Broken(format!("{server} broke off: {}", Foreign(&error.to_string()))),
        }
    }
}

fn never_connected(kind: io::ErrorKind) -> bool {
    use io::ErrorKind::*;
    matches!(kind, ConnectionRefused | HostUnreachable | NetworkUnreachable | NetworkDown | AddrNotAvailable)
}

impl Answer {
    #[cfg(test)]
    pub(crate) fn for_tests(status: u16, body: impl Into<Vec<u8>>) -> Answer {
        Answer { status, body: body.into(), headers: HeaderMap::new() }
    }

    /// How long the server wants us to wait, where it says so in seconds (RFC 9110 section 10.2.3).
    pub fn retry_after(&self) -> Option<Duration> {
        self.header("retry-after")?.trim().parse().ok().map(Duration::from_secs)
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

impl fmt::Display for Unanswered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unanswered::Connect(text) | Unanswered::Tls(text) => f.write_str(text),
            Unanswered::Late(text) | Unanswered::Broken(text) => f.write_str(text),
        }
    }
}

/// The last link of the chain: wraps the connection in TLS where the address is https.
#[derive(Debug)]
struct Tls(Arc<ClientConfig>);

impl<In: Transport> Connector<In> for Tls {
    type Out = Either<In, TlsTransport>;

    fn connect(&self, details: &ConnectionDetails, chained: Option<In>) -> Result<Option<Self::Out>, ureq::Error> {
        let Some(transport) = chained else { return Ok(None) };
        if !details.needs_tls() || transport.is_tls() {
            return Ok(Some(Either::A(transport)));
        }
        let host = details.uri.host().unwrap_or_default().trim_matches(['[', ']']);
        let name = ServerName::try_from(host.to_string()).map_err(|_| ureq::Error::HostNotFound)?;
        let mut conn = ClientConnection::new(self.0.clone(), name)?;
        let mut sock = TransportAdapter::new(transport.boxed(), details.current_time.clone());
        sock.set_timeout(remaining(details));
        conn.complete_io(&mut sock).map_err(Handshake::failed)?;
        let config = details.config;
        let buffers = LazyBuffers::new(config.input_buffer_size(), config.output_buffer_size());
        Ok(Some(Either::B(TlsTransport { buffers, stream: StreamOwned { conn, sock } })))
    }
}

/// What the links before us left of the time for connecting.
fn remaining(details: &ConnectionDetails) -> NextTimeout {
    let after = match (details.timeout.after, details.now, (details.current_time)()) {
        (Limit::Exact(limit), Moment::Exact(start), Moment::Exact(now)) => {
            Limit::Exact(limit.saturating_sub(now.saturating_duration_since(start)))
        }
        (limit, ..) => limit,
    };
    NextTimeout { after, ..details.timeout }
}

/// A TLS handshake that failed: told apart from what breaks later, because nothing was sent yet.
#[derive(Debug)]
enum Handshake {
    Refused(String),
    /// As a server does that is stopped or has too many connections: it may go better next time.
    BrokenOff(io::Error),
}

impl Handshake {
    fn failed(error: io::Error) -> ureq::Error {
        let failed = match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            Some(refusal) => Handshake::Refused(trust::reason(refusal)),
            None => match ureq::Error::from(error) {
                ureq::Error::Io(error) => Handshake::BrokenOff(error),
                other => return other,
            },
        };
        ureq::Error::Other(Box::new(failed))
    }
}

impl std::error::Error for Handshake {}

impl fmt::Display for Handshake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Handshake::Refused(why) => f.write_str(why),
            Handshake::BrokenOff(error) => {
                write!(f, "it broke off the TLS handshake ({error}); does it speak TLS?")
            }
        }
    }
}

struct TlsTransport {
    buffers: LazyBuffers,
    stream: StreamOwned<ClientConnection, TransportAdapter>,
}

impl Transport for TlsTransport {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), ureq::Error> {
        self.stream.get_mut().set_timeout(timeout);
        Ok(self.stream.write_all(&self.buffers.output()[..amount])?)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, ureq::Error> {
        self.stream.get_mut().set_timeout(timeout);
        let amount = self.stream.read(self.buffers.input_append_buf())?;
        self.buffers.input_appended(amount);
        Ok(amount > 0)
    }

    fn is_open(&mut self) -> bool {
        self.stream.get_mut().get_mut().is_open()
    }

    fn is_tls(&self) -> bool {
        true
    }
}

impl fmt::Debug for TlsTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TlsTransport")
    }
}

#[cfg(test)]
pub(crate) mod tests;
