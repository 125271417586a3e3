//! Asks resolvers over HTTPS (RFC 8484), through the forward proxy: for where port 53 is closed.
//!
//! A resolver keeps in mind for a while that there was nothing; until then it need not be asked.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::time::Duration;

use super::judge::{Said, Testimony};
use super::places::Places;
use crate::challenge::Name;
use crate::config::{Config, Mistakes};
use crate::deadline::Deadline;
use crate::dns::answer::Answer;
use crate::dns::request::Request;
use crate::dns::{Rcode, Rtype};
use crate::foreign::Foreign;
use crate::http::{self, Agent, BaseUrl, Trust, Unanswered};

/// The media type of messages (RFC 8484 section 6), and the longest of them (bytes).
const MESSAGE: &str = "application/dns-message";
const LIMIT: u64 = 64 * 1024;

/// How long one resolver may take.
const PATIENCE: Duration = Duration::from_secs(8);

/// The longest that a negative answer is waited out.
const LONGEST: Duration = Duration::from_secs(60);

/// One resolver's address.
#[derive(Clone)]
pub struct Resolver {
    url: BaseUrl,
    agent: Agent,
}

/// All of them.
pub struct Doh {
    resolvers: Vec<Resolver>,
    places: Places,
}

impl Resolver {
    /// The proxy that leads to it is that of the providers.
    pub fn new(config: &Config, mistakes: &mut Mistakes, url: BaseUrl) -> Resolver {
        let proxy = http::proxy(config, mistakes, &url);
        Resolver { agent: http::agent(&Trust::System, proxy), url }
    }

    fn ask(&self, name: &Name, deadline: Deadline) -> Result<Answer, String> {
        let question = Request::question(name, Rtype::TXT, true);
        let request = http::Request::post(self.url.as_str()).header("content-type", MESSAGE).header("accept", MESSAGE);
        let answer = self.agent.send_octets(request, Some(question.as_slice()), LIMIT, deadline.at_most(PATIENCE));
        let answer = answer.map_err(|error| match error {
            // RFC 8484 section 5.2 leaves the version open, and some servers speak HTTP/2 only.
            Unanswered::Broken(text) => format!("{text}; a resolver has to speak HTTP/1.1, not HTTP/2 alone"),
            other => other.to_string(),
        })?;
        read(&question, answer.status, answer.header("content-type"), answer.header("location"), &answer.body)
    }
}

/// What came over HTTP, as the answer to the question; the error says what is wrong with it.
fn read(
    question: &Request,
    status: u16,
    content_type: Option<&str>,
    location: Option<&str>,
    body: &[u8],
) -> Result<Answer, String> {
    match status {
        200 => {}
        300..400 => {
            let location = Foreign(location.unwrap_or("nowhere")).to_string();
            return Err(format!("it redirects ({status}) to {location}, which is not followed; correct DOH_URLS"));
        }
        _ => return Err(format!("it answers with HTTP status {status}")),
    }
    let written = content_type.unwrap_or("nothing");
    let media_type = written.split(';').next().unwrap_or_default().trim();
    if !media_type.eq_ignore_ascii_case(MESSAGE) {
        return Err(format!("it answers with {} where {MESSAGE} belongs: no DoH server is there", Foreign(written)));
    }
    question.answered(body).map_err(|what| format!("it sent {what}"))
}

impl Doh {
    pub fn new(resolvers: Vec<Resolver>, places: Places) -> Doh {
        Doh { resolvers, places }
    }

    pub fn is_empty(&self) -> bool {
        self.resolvers.is_empty()
    }

    /// What each resolver says is at the name, and how long one that said "nothing" will go on saying so.
    pub fn look(&self, name: &Name, deadline: Deadline) -> (Vec<Testimony>, Option<Duration>) {
        let asked = name.clone();
        let job = move |(_, resolver): &(usize, Resolver)| resolver.ask(&asked, deadline);
        let unasked = |_| Said::Nothing("too many questions at once".to_string());
        let mut said: BTreeMap<usize, Said> =
            (0..self.resolvers.len()).map(|number| (number, unasked(number))).collect();
        let mut wait = None;
        let numbered = self.resolvers.iter().cloned().enumerate().collect();
        self.places.side_by_side(numbered, deadline, job, |(number, _), answer| {
            let Some(answer) = answer else { return ControlFlow::Continue(()) };
            if let Ok(answer) = &answer
                && answer.txt_at(name).is_empty()
            {
                wait = wait.max(answer.negative_ttl().map(|ttl| ttl.min(LONGEST)));
            }
            said.insert(number, testimony(name, answer));
            ControlFlow::Continue(())
        });
        let shown = said.into_iter().map(|(number, said)| (self.resolvers[number].url.to_string(), said)).collect();
        (shown, wait)
    }
}

fn testimony(name: &Name, answer: Result<Answer, String>) -> Said {
    match answer {
        Err(why) => Said::Nothing(why),
        Ok(answer) => match answer.rcode() {
            rcode @ (Rcode::NOERROR | Rcode::NXDOMAIN) => Said::Values(rcode, answer.txt_at(name)),
            rcode => Said::NotSure(rcode, "it cannot find out".to_string()),
        },
    }
}

#[cfg(test)]
mod tests;
