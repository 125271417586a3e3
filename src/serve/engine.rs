//! tiny_http, kept indoors: on a Unix socket in a private folder, fed by the door alone.
//!
//! The door never forwards a byte as it came. It writes each request anew with a fresh ticket, a
//! random header that is good for one request and says who the client is; a request without a
//! ticket gets nothing. What the door has counted and bounded is all that the engine ever sees.

use std::collections::HashMap;
use std::fs::{self, DirBuilder};
use std::io::{self, Read, Write};
use std::net::{IpAddr, Shutdown};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use ring::rand::{SecureRandom, SystemRandom};

use crate::deadline::Deadline;
use crate::serve::STACK;
use crate::serve::answer::{Answer, Problem};
use crate::serve::crew::Crew;
use crate::serve::framing::{BODY_LIMIT, Head};
use crate::sys;

/// The header that carries the ticket; a client's own is dropped like every header we do not use.
const TICKET: &str = "X-Ticket";
/// How long the engine's socket may refuse connections, as FreeBSD does while its queue is full,
/// and the pause before the next try. After that nobody is there any more.
const QUEUE_TIME: Duration = Duration::from_secs(2);
const QUEUE_PAUSE: Duration = Duration::from_millis(10);
/// What the private folder's name begins with, and the socket in it.
const FOLDER: &str = "acmegw-";
const SOCKET: &str = "s";
/// The longest answer of ours (bytes).
const ANSWER_LIMIT: u64 = 64 * 1024;

/// Who a request is from, and until when it has to be answered.
#[derive(Debug, Clone)]
pub struct Passenger {
    /// The request's number, in logs and in the answer.
    pub number: String,
    pub peer: IpAddr,
    pub deadline: Deadline,
}

/// A request as the request path sees it.
#[derive(Debug)]
pub struct Ask {
    pub passenger: Passenger,
    pub method: String,
    /// Path and query.
    pub target: String,
    headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Ask {
    /// All values of a header, in their order.
    pub fn values<'a>(&'a self, name: &'a str) -> Vec<&'a str> {
        let of_name = self.headers.iter().filter(|(one, _)| one.eq_ignore_ascii_case(name));
        of_name.map(|(_, value)| value.as_str()).collect()
    }

    /// A header that makes sense only once.
    pub fn value<'a>(&'a self, name: &'a str) -> Option<&'a str> {
        match self.values(name)[..] {
            [value] => Some(value),
            _ => None,
        }
    }

    #[cfg(test)]
    pub fn for_tests(method: &str, target: &str, body: &[u8]) -> Ask {
        let deadline = Deadline::after(Duration::from_secs(20));
        let passenger = Passenger { number: "1-1".to_string(), peer: IpAddr::from([127, 0, 0, 1]), deadline };
        let (method, target, body) = (method.to_string(), target.to_string(), body.to_vec());
        Ask { passenger, method, target, headers: Vec::new(), body }
    }
}

type Passengers = Mutex<HashMap<String, Passenger>>;

/// The engine as the door sees it.
pub struct Engine {
    folder: PathBuf,
    socket: PathBuf,
    /// The headers that are written anew; all others stay outside.
    forwarded: Vec<String>,
    passengers: Arc<Passengers>,
    random: SystemRandom,
}

impl Engine {
    /// Starts it. How many requests it has to carry out at once, the door bounds.
    pub fn start<H>(forwarded: Vec<String>, handle: H) -> io::Result<Engine>
    where
        H: Fn(&Ask) -> Answer + Send + Sync + 'static,
    {
        let random = ring::rand::SystemRandom::new();
        let folder = private_folder(&random)?;
        let socket = folder.join(SOCKET);
        let server = tiny_http::Server::http_unix(&socket).map_err(io::Error::other)?;
        let passengers = Arc::new(Passengers::default());
        let waiting = passengers.clone();
        let workers = Crew::start("worker", move |request| carry_out(request, &waiting, &handle))?;
        let receive = move || {
            loop {
                workers.hand(server.recv().unwrap_or_else(|error| died(&error)));
            }
        };
        thread::Builder::new().name("engine".to_string()).stack_size(STACK).spawn(receive)?;
        Ok(Engine { folder, socket, forwarded, passengers, random })
    }

    /// Has one request carried out. Fails only if the engine itself does.
    pub fn pass(&self, head: &Head, body: &[u8], passenger: Passenger) -> io::Result<Answer> {
        let patience = passenger.deadline.left().unwrap_or_default() + Duration::from_secs(10);
        let ticket = self.ticket(passenger)?;
        let answer = self.exchange(head, body, &ticket, patience);
        // Taken by the worker, unless it never came so far.
        passengers(&self.passengers).remove(&ticket);
        answer
    }

    fn exchange(&self, head: &Head, body: &[u8], ticket: &str, patience: Duration) -> io::Result<Answer> {
        let mut stream = self.connect()?;
        stream.set_read_timeout(Some(patience))?;
        stream.set_write_timeout(Some(patience))?;
        stream.write_all(&rewritten(head, body, &self.forwarded, ticket))?;
        // The engine reads to the end of the request line by line; this sets its thread free.
        stream.shutdown(Shutdown::Write)?;
        let mut answer = Vec::new();
        stream.take(ANSWER_LIMIT).read_to_end(&mut answer)?;
        read_answer(&answer)
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "the engine's answer is not HTTP"))
    }

    fn connect(&self) -> io::Result<UnixStream> {
        let deadline = Deadline::after(QUEUE_TIME);
        loop {
            match UnixStream::connect(&self.socket) {
                Err(error) if matches!(error.kind(), io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound) => {
                    if deadline.left().is_none() {
                        died(&error);
                    }
                    thread::sleep(QUEUE_PAUSE);
                }
                connected => return connected,
            }
        }
    }

    fn ticket(&self, passenger: Passenger) -> io::Result<String> {
        let ticket = random_name(&self.random)?;
        passengers(&self.passengers).insert(ticket.clone(), passenger);
        Ok(ticket)
    }

    /// Removes the socket and its folder, when the process ends.
    pub fn clean_up(&self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// The request in our own words; none of the client's bytes but those that were understood.
pub fn rewritten(head: &Head, body: &[u8], forwarded: &[String], ticket: &str) -> Vec<u8> {
    let mut request = format!(
        "{} {} HTTP/1.1\r\nHost: door\r\nConnection: close\r\n{TICKET}: {ticket}\r\n",
        head.method, head.target
    );
    for name in forwarded {
        head.values(name).for_each(|value| request.push_str(&format!("{name}: {value}\r\n")));
    }
    request.push_str(&format!("Content-Length: {}\r\n\r\n", body.len()));
    [request.as_bytes(), body].concat()
}

/// 128 bits that nobody guesses, in hexadecimal digits.
fn random_name(random: &SystemRandom) -> io::Result<String> {
    let mut bytes = [0; 16];
    random.fill(&mut bytes).map_err(|_| io::Error::other("no random bytes to be had"))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// A new folder for us alone: where the service manager gives one, else for temporary files. Its
/// path is short, since FreeBSD takes 104 bytes for a socket's.
fn private_folder(random: &SystemRandom) -> io::Result<PathBuf> {
    let given = std::env::var_os("RUNTIME_DIRECTORY").filter(|path| !path.is_empty()).map(PathBuf::from);
    let place = given.unwrap_or_else(std::env::temp_dir);
    remove_stale(&place);
    let folder = place.join(format!("{FOLDER}{}", &random_name(random)?[..16]));
    let made = DirBuilder::new().mode(0o700).create(&folder);
    made.map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", folder.display())))?;
    Ok(folder)
}

/// Removes what gateways of ours left behind that were killed: folders whose socket nobody answers.
fn remove_stale(place: &Path) {
    for folder in fs::read_dir(place).into_iter().flatten().flatten() {
        let is_ours = || folder.metadata().is_ok_and(|metadata| metadata.is_dir() && metadata.uid() == sys::user());
        let is_dead = || {
            let refused = UnixStream::connect(folder.path().join(SOCKET));
            refused.is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
        };
        if folder.file_name().to_string_lossy().starts_with(FOLDER) && is_ours() && is_dead() {
            let _ = fs::remove_dir_all(folder.path());
        }
    }
}

fn passengers(passengers: &Passengers) -> MutexGuard<'_, HashMap<String, Passenger>> {
    passengers.lock().unwrap_or_else(PoisonError::into_inner)
}

/// There is no going on without the engine.
fn died(error: &io::Error) -> ! {
    log::error!("the HTTP engine died ({error}): ending, so that the supervisor starts us again");
    std::process::exit(1);
}

fn carry_out(mut request: tiny_http::Request, waiting: &Passengers, handle: &impl Fn(&Ask) -> Answer) {
    let ticket = request.headers().iter().find(|header| header.field.equiv(TICKET)).map(|header| header.value.as_str());
    let passenger = ticket.and_then(|ticket| passengers(waiting).remove(ticket));
    let answer = match passenger {
        Some(passenger) => carried_out(&mut request, passenger, handle),
        None => Answer::text(403, "no ticket\n"),
    };
    if let Err(error) = request.respond(response(answer)) {
        log::debug!("an answer was not taken: {error}");
    }
}

fn carried_out(request: &mut tiny_http::Request, passenger: Passenger, handle: &impl Fn(&Ask) -> Answer) -> Answer {
    let mut body = Vec::new();
    let read = request.as_reader().take(BODY_LIMIT as u64 + 1).read_to_end(&mut body);
    let number = passenger.number.clone();
    let headers = request.headers().iter().map(|header| (header.field.to_string(), header.value.to_string()));
    let ask = Ask {
        method: request.method().to_string(),
        target: request.url().to_string(),
        headers: headers.collect(),
        body,
        passenger,
    };
    // A fault of ours costs one request, not a worker. What was changed is in the ledger.
    match read.map(|_| catch_unwind(AssertUnwindSafe(|| handle(&ask)))) {
        Ok(Ok(answer)) => answer,
        _ => {
            log::error!("request={number} failed within the gateway: please report this");
            Problem::new(500, "the gateway failed; its log says more").answer(&number)
        }
    }
}

fn response(answer: Answer) -> tiny_http::Response<io::Cursor<Vec<u8>>> {
    let header =
        |(name, value): &(String, String)| tiny_http::Header::from_bytes(name.as_bytes(), value.as_bytes()).ok();
    let headers = answer.headers.iter().filter_map(header).collect();
    let length = answer.body.len();
    tiny_http::Response::new(answer.status.into(), headers, io::Cursor::new(answer.body), Some(length), None)
}

/// Reads back what [`response`] wrote, without what the engine added: the door writes the answer
/// in its own words.
fn read_answer(bytes: &[u8]) -> Option<Answer> {
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut response = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(length) = response.parse(bytes).ok()? else { return None };
    let mut answer = Answer { status: response.code?, headers: Vec::new(), body: bytes[length..].to_vec() };
    for header in response.headers.iter() {
        let added = ["server", "date", "connection", "content-length"];
        if !added.iter().any(|name| header.name.eq_ignore_ascii_case(name)) {
            answer.headers.push((header.name.to_string(), std::str::from_utf8(header.value).ok()?.to_string()));
        }
    }
    Some(answer)
}

#[cfg(test)]
mod tests;
