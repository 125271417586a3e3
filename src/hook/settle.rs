//! The wait between a setup and the client's word to the CA, which looks as soon as it is told.
//!
//! A gateway that can check whether a record is visible is asked, at growing pauses, about what is
//! not visible yet; one that cannot leaves nothing but to sit out DNS_DELAY. Whatever the gateway
//! says or fails to say, the time ends there.

use std::collections::VecDeque;
use std::thread;
use std::time::{Duration, Instant};

use super::dialect::Wait;
use super::logfile::Logfile;
use super::settings::Unconfirmed;
use crate::challenge::{Name, Value};
use crate::deadline::Deadline;
use crate::failure::Failure;
use crate::gateway::{Gateway, Refusal, State};

/// The longest time for one question, each of which is a connection of its own.
const QUESTION: Duration = Duration::from_secs(10);
/// The most that is heeded of a Retry-After.
const RETRY_AFTER: Duration = Duration::from_secs(30);
/// How many names are told of that are not visible in the end.
const TOLD: usize = 5;

/// A value that this call has set.
pub struct Set {
    pub domain: Name,
    pub value: Value,
    /// Did the gateway say that it looks for it?
    pub is_looked_for: bool,
}

/// How long is waited, and what then.
pub struct Terms {
    /// DNS_DELAY.
    pub delay: Duration,
    pub unconfirmed: Unconfirmed,
    /// The first and the longest pause; each is a quarter longer than the one before, so that no more
    /// than a fifth of the time is waited in vain.
    pub pauses: (Duration, Duration),
}

impl Terms {
    pub fn new(delay: Duration, unconfirmed: Unconfirmed) -> Terms {
        Terms { delay, unconfirmed, pauses: (Duration::from_millis(500), Duration::from_secs(10)) }
    }
}

/// Returns when the CA may look for what was set. The failure is that of a record that is gone, or
/// with DNS_UNCONFIRMED = fail of one that is not visible.
pub fn settle(wait: &Wait, set: Vec<Set>, terms: &Terms, gateway: &Gateway, log: &Logfile) -> Result<(), Failure> {
    if *wait == Wait::Nothing || terms.delay.is_zero() {
        return Ok(());
    }
    let seconds = terms.delay.as_secs();
    // A gateway that was restarted in between may look for some of them only.
    if !set.iter().all(|one| one.is_looked_for) {
        log.note(format_args!("waiting {seconds} seconds until the record is seen everywhere (DNS_DELAY)"));
        thread::sleep(terms.delay);
        return Ok(());
    }
    log.note(format_args!("waiting until the name servers show it, at most {seconds} seconds (DNS_DELAY)"));
    let mut watch = Watch { open: VecDeque::new(), end: Deadline::after(terms.delay), gateway, log };
    for Set { domain, value, .. } in set {
        watch.ask_about(Question::Value(domain, value));
    }
    if let Wait::Living(domains) = wait {
        domains.iter().for_each(|domain| watch.ask_about(Question::Domain(domain.clone())));
    }
    let began = Instant::now();
    watch.watch(terms.pauses)?;
    let said = watch.unconfirmed();
    if said.is_empty() {
        log.note(format_args!("the name servers show it after {:.1} seconds", began.elapsed().as_secs_f32()));
        return Ok(());
    }
    match terms.unconfirmed {
        Unconfirmed::Proceed => {
            said.iter().for_each(|line| log.warn(format_args!("{line}: the CA is told all the same")));
            Ok(())
        }
        Unconfirmed::Fail => {
            let remedy = "raise DNS_DELAY, or see to that server (DNS_UNCONFIRMED = fail)";
            let lines: Vec<_> = said.iter().map(|line| format!("{line}: {remedy}")).collect();
            Err(Failure::Failed(lines.join("\n")))
        }
    }
}

/// What the gateway is asked.
#[derive(Clone, PartialEq, Eq)]
enum Question {
    /// What do we have living at this domain? Each is then asked about.
    Domain(Name),
    /// Is it visible?
    Value(Name, Value),
}

/// A question that is not settled, and what was said to it last.
struct Open {
    question: Question,
    said: Option<String>,
}

/// What an answer means.
enum Heard {
    /// There is nothing more to ask.
    Settled,
    /// Not yet; not to be asked again before this.
    NotYet(String, Duration),
    /// Nobody knows just now.
    Silence(String, Duration),
}

/// All that is waited for.
struct Watch<'a> {
    /// Whoever was asked last is at the end.
    open: VecDeque<Open>,
    end: Deadline,
    gateway: &'a Gateway,
    log: &'a Logfile,
}

impl Watch<'_> {
    fn ask_about(&mut self, question: Question) {
        if self.open.iter().all(|open| open.question != question) {
            self.open.push_back(Open { question, said: None });
        }
    }

    /// Asks until all is settled or the time is over.
    ///
    /// As long as the answers are good one question follows the other at once; the first that is not
    /// ends the round. The others are on their way meanwhile, and most likely visible when it is.
    fn watch(&mut self, (mut pause, longest): (Duration, Duration)) -> Result<(), Failure> {
        while !self.open.is_empty() {
            if self.end.left().is_none() {
                return self.last_look();
            }
            if let Heard::NotYet(_, earliest) | Heard::Silence(_, earliest) = self.ask_first(self.end)? {
                let pause_now = pause.max(earliest.min(RETRY_AFTER));
                thread::sleep(self.end.left().map_or(Duration::ZERO, |left| pause_now.min(left)));
                pause = (pause * 5 / 4).min(longest);
            }
        }
        Ok(())
    }

    /// When the time is over: whoever could not be asked for long may be visible by now.
    fn last_look(&mut self) -> Result<(), Failure> {
        let end = Deadline::after(QUESTION);
        for _ in 0..self.open.len() {
            if let Heard::Silence(..) = self.ask_first(end)? {
                break;
            }
        }
        Ok(())
    }

    fn ask_first(&mut self, end: Deadline) -> Result<Heard, Failure> {
        let Some(mut open) = self.open.pop_front() else { return Ok(Heard::Settled) };
        let heard = self.ask(&open.question, end.at_most(QUESTION))?;
        match &heard {
            Heard::Settled => return Ok(heard),
            Heard::NotYet(said, _) => open.said = Some(said.clone()),
            // What the name servers said before is worth more.
            Heard::Silence(said, _) => open.said = open.said.or_else(|| Some(said.clone())),
        }
        self.open.push_back(open);
        Ok(heard)
    }

    fn ask(&mut self, question: &Question, deadline: Deadline) -> Result<Heard, Failure> {
        match question {
            Question::Value(domain, value) => match self.gateway.sight(domain, value, deadline) {
                Ok(sight) => match sight.state {
                    State::Visible => Ok(Heard::Settled),
                    State::Gone => Err(gone(domain)),
                    State::Pending | State::Unconfirmed => {
                        Ok(Heard::NotYet(sight.unseen().to_string(), sight.again.unwrap_or_default()))
                    }
                },
                Err(refusal) => Ok(Heard::Silence(refusal.why, refusal.again.unwrap_or_default())),
            },
            Question::Domain(domain) => Ok(match self.gateway.living(domain, deadline) {
                Ok(values) => {
                    values.into_iter().for_each(|value| self.ask_about(Question::Value(domain.clone(), value)));
                    Heard::Settled
                }
                Err(Refusal { why, again: Some(earliest), .. }) => Heard::Silence(why, earliest),
                Err(Refusal { why, again: None, .. }) => {
                    self.log.warn(format_args!("{domain} is not waited for: {why}"));
                    Heard::Settled
                }
            }),
        }
    }

    /// A line for each name that is not visible, up to a few.
    fn unconfirmed(&self) -> Vec<String> {
        let line = |open: &Open| {
            let (Question::Domain(domain) | Question::Value(domain, _)) = &open.question;
            let said = open.said.as_deref().unwrap_or("there was no time to ask about it");
            format!("{domain}: not visible before DNS_DELAY was over: {said}")
        };
        let mut lines: Vec<_> = self.open.iter().take(TOLD).map(line).collect();
        if self.open.len() > TOLD {
            lines.push(format!("{} more are not visible", self.open.len() - TOLD));
        }
        lines
    }
}

fn gone(domain: &Name) -> Failure {
    Failure::Failed(format!(
        "{domain}: its record was removed before all name servers showed it: see the gateway's log, which says by whom"
    ))
}

#[cfg(test)]
mod tests;
