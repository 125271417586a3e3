//! What the gateway knows of a value in the DNS (`GET /challenges/DOMAIN/VALUE`), and which values
//! live at a name (`GET /challenges/DOMAIN`), read with a limit for everything.

use std::fmt;
use std::time::Duration;

use serde_json::Value as Json;

use crate::challenge::Value;
use crate::foreign::Foreign;
use crate::http::Answer;

/// The most name servers that are read: a zone with 13 of them has 26 addresses.
const SERVERS: usize = 64;
/// The most name servers that are named in one line.
const NAMED: usize = 8;

/// How far a value is on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It is being looked for.
    Pending,
    /// Every name server shows it.
    Visible,
    /// It was looked for as long as the gateway looks, and is not everywhere.
    Unconfirmed,
    /// It was removed.
    Gone,
}

/// The gateway's answer about one value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sight {
    pub state: State,
    pub servers: Vec<Server>,
    /// How long the gateway has looked for it, or had when it saw it.
    pub waited: Duration,
    /// What is wrong beyond what the servers said; foreign.
    pub reason: Option<String>,
    /// How long the gateway wants not to be asked, where it says so.
    pub again: Option<Duration>,
}

/// What one name server said last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// `NAME/ADDRESS`; foreign.
    pub server: String,
    pub seen: bool,
    /// NOERROR, SERVFAIL, …, or `none` where there was no answer; foreign.
    pub rcode: String,
    /// Why it is not seen, where the code alone does not say it; foreign.
    pub why: Option<String>,
    /// How long it was looked for until this server showed it, where the gateway says so.
    pub after: Option<Duration>,
}

impl Sight {
    /// Reads the answer's body; the error says what is wrong with it.
    pub fn read(answer: &Answer) -> Result<Sight, String> {
        let body = object(answer)?;
        let state = match body["state"].as_str() {
            Some("pending") => State::Pending,
            Some("visible") => State::Visible,
            Some("unconfirmed") => State::Unconfirmed,
            Some("gone") => State::Gone,
            Some(other) => return Err(format!("the gateway answers with an unknown state, '{}'", Foreign(other))),
            None => return Err("the gateway answers without a state".to_string()),
        };
        let servers = body["servers"].as_array().map(Vec::as_slice).unwrap_or_default();
        let servers = servers.iter().take(SERVERS).filter_map(Server::read).collect();
        let waited = milliseconds(&body["waited_ms"]).unwrap_or_default();
        Ok(Sight { state, servers, waited, reason: text(&body["reason"]), again: answer.retry_after() })
    }

    /// Which name servers do not show it, and what they said, in one line.
    pub fn unseen(&self) -> impl fmt::Display {
        Unseen(self)
    }
}

impl Sight {
    /// Is there a name server that shows it at none of its addresses? The gateway passes over whoever
    /// does not answer, as long as others do; an address of a family that it cannot reach is no fault.
    pub fn lacks_a_server(&self) -> bool {
        let name = |server: &Server| server.server.rsplit_once('/').map_or("", |(name, _)| name).to_string();
        let seen: Vec<_> = self.servers.iter().filter(|server| server.seen).map(name).collect();
        self.servers.iter().any(|server| !seen.contains(&name(server)))
    }
}

impl Server {
    fn read(json: &Json) -> Option<Server> {
        Some(Server {
            server: json["server"].as_str()?.to_string(),
            seen: json["seen"].as_bool()?,
            rcode: text(&json["rcode"]).unwrap_or_default(),
            why: text(&json["why"]),
            after: milliseconds(&json["after_ms"]),
        })
    }
}

struct Unseen<'a>(&'a Sight);

impl fmt::Display for Unseen<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unseen: Vec<_> = self.0.servers.iter().filter(|server| !server.seen).collect();
        match (&self.0.reason, unseen.is_empty()) {
            (Some(reason), true) => return Foreign(reason).fmt(f),
            (None, true) => return f.write_str("no name server has shown it yet"),
            (Some(reason), false) => write!(f, "{}; ", Foreign(reason))?,
            (None, false) => {}
        }
        for (number, server) in unseen.iter().take(NAMED).enumerate() {
            let comma = if number > 0 { ", " } else { "" };
            let said = server.why.as_ref().unwrap_or(&server.rcode);
            write!(f, "{comma}{} does not show it ({})", Foreign(&server.server), Foreign(said))?;
        }
        match unseen.len() - unseen.len().min(NAMED) {
            0 => Ok(()),
            more => write!(f, ", nor do {more} more"),
        }
    }
}

/// The values of the answer to `GET /challenges/DOMAIN`.
pub fn living(answer: &Answer) -> Result<Vec<Value>, String> {
    let body = object(answer)?;
    let values = body["values"].as_array().ok_or("the gateway does not say which values live there")?;
    let value = |json: &Json| Value::parse(json.as_str().unwrap_or_default());
    values
        .iter()
        .map(value)
        .collect::<Result<_, _>>()
        .map_err(|error| format!("the gateway names a value that is {error}"))
}

fn object(answer: &Answer) -> Result<Json, String> {
    match serde_json::from_slice(&answer.body) {
        Ok(body @ Json::Object(_)) => Ok(body),
        _ => Err("the gateway's answer is no JSON object".to_string()),
    }
}

fn text(json: &Json) -> Option<String> {
    json.as_str().map(str::to_string)
}

fn milliseconds(json: &Json) -> Option<Duration> {
    json.as_u64().map(Duration::from_millis)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::property;

    fn answer(body: impl Into<Vec<u8>>) -> Answer {
        Answer::for_tests(200, body)
    }

    fn server(number: usize, seen: bool) -> String {
        format!(r#"{{"server":"ns{number}.example.net/192.0.2.{number}","seen":{seen},"rcode":"SERVFAIL"}}"#)
    }

    #[test]
    fn a_sight_names_the_servers_that_do_not_show_it_and_what_they_said() {
        let servers = [server(1, true), server(2, false)].join(",");
        let read = Sight::read(&answer(format!(r#"{{"state":"pending","servers":[{servers}],"waited_ms":1500}}"#)));
        let sight = read.unwrap();
        assert_eq!((sight.state, sight.waited), (State::Pending, Duration::from_millis(1500)));
        assert_eq!(sight.unseen().to_string(), "ns2.example.net/192.0.2.2 does not show it (SERVFAIL)");
        let silent = server(3, false).replace('}', r#","why":"no answer","after_ms":7}"#);
        let body = format!(r#"{{"state":"pending","servers":[{silent}],"reason":"no SOA"}}"#);
        let sight = Sight::read(&answer(body)).unwrap();
        assert_eq!(sight.unseen().to_string(), "no SOA; ns3.example.net/192.0.2.3 does not show it (no answer)");
        assert_eq!(sight.servers[0].after, Some(Duration::from_millis(7)));
    }

    #[test]
    fn a_server_that_shows_it_at_one_address_is_not_lacking() {
        let lacks = |servers: &[&str]| {
            let servers = servers.iter().map(|server| {
                let (server, seen) = server.split_once(' ').unwrap();
                format!(r#"{{"server":"{server}","seen":{seen},"rcode":"none"}}"#)
            });
            let servers = servers.collect::<Vec<_>>().join(",");
            Sight::read(&answer(format!(r#"{{"state":"visible","servers":[{servers}]}}"#))).unwrap().lacks_a_server()
        };
        assert!(!lacks(&["ns1.example/192.0.2.1 true", "ns1.example/2001:db8::1 false"]));
        assert!(lacks(&["ns1.example/192.0.2.1 true", "ns2.example/192.0.2.2 false"]));
        assert!(!lacks(&["ns1.example/192.0.2.1 true", "ns2.example/192.0.2.2 true"]) && !lacks(&[]));
    }

    #[test]
    fn foreign_words_are_escaped_and_a_long_list_is_cut() {
        let servers: Vec<_> = (0..200).map(|number| server(number, false).replace("SERVFAIL", "\\u001b[31m")).collect();
        let body = format!(r#"{{"state":"unconfirmed","servers":[{}]}}"#, servers.join(","));
        let sight = Sight::read(&answer(body)).unwrap();
        assert_eq!(sight.servers.len(), SERVERS);
        let said = sight.unseen().to_string();
        assert!(said.ends_with("does not show it (\\u{1b}[31m), nor do 56 more"), "{said}");
        assert!(said.bytes().all(|byte| byte >= b' ') && said.len() < 600, "{said}");
    }

    #[test]
    fn whatever_is_no_sight_is_told() {
        for (body, told) in [
            ("", "no JSON object"),
            ("[]", "no JSON object"),
            ("{}", "without a state"),
            (r#"{"state":7}"#, "without a state"),
            (r#"{"state":"lost\n"}"#, r"unknown state, 'lost'"),
        ] {
            assert!(Sight::read(&answer(body)).unwrap_err().contains(told), "{body}");
        }
    }

    #[test]
    fn values_are_read_whole_or_not_at_all() {
        let value = "v".repeat(43);
        let read = |body: String| living(&answer(body)).map(|values| values.len());
        assert_eq!(read(format!(r#"{{"values":["{value}","{value}"]}}"#)), Ok(2));
        assert_eq!(read(r#"{"values":[]}"#.to_string()), Ok(0));
        for wrong in [r#"{"domain":"example.com"}"#, r#"{"values":["short"]}"#, r#"{"values":[1]}"#, "x"] {
            assert!(read(wrong.to_string()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn any_body_is_read_or_refused_in_one_harmless_line() {
        let whole = format!(
            r#"{{"state":"visible","values":["{}"],"servers":[{}],"waited_ms":1}}"#,
            "v".repeat(43),
            server(1, true)
        );
        property(|random| {
            let answer = answer(random.mutated(whole.as_bytes()));
            let harmless = |text: &str| assert!(text.bytes().all(|byte| (b' '..0x7f).contains(&byte)), "{text}");
            match Sight::read(&answer) {
                Ok(sight) => harmless(&sight.unseen().to_string()),
                Err(told) => harmless(&told),
            }
            let _ = living(&answer).inspect_err(|told| harmless(told));
        });
    }
}
