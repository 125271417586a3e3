//! The languages that clients speak. Each is one file that turns a request into a [`Challenge`],
//! its success and its errors into answers, and one row in [`DIALECTS`].

pub mod acmedns;
mod httpreq;
mod json;
mod native;
#[cfg(test)]
mod properties;

use std::time::Duration;

use crate::challenge::{Challenge, Name, Value};
use crate::deadline::Deadline;
use crate::gate::auth::Caller;
use crate::gate::scope::{Grant, OutOfScope, Scope};
use crate::serve::answer::{Answer, Problem};
use crate::serve::engine::Ask;

/// A door of [`Scope`]'s for clients.
type Door = fn(&Scope, &Caller, &Name, Deadline) -> Result<Grant, OutOfScope>;

/// A row of the table.
pub struct Dialect {
    /// Does this path speak it? The first row that says so decides.
    speaks: fn(&str) -> bool,
    /// The methods that it takes, as the header Allow shows them.
    allow: &'static str,
    /// How long its clients wait for an answer.
    patience: Duration,
    /// Its clients cannot ask whether what they have set is visible: where the gateway checks it,
    /// they are answered when it is, or shortly before their patience ends.
    pub waits: bool,
    pub read: fn(&Ask) -> Result<Challenge, Problem>,
    /// What its names are: domains, or the owner names of records.
    pub door: Door,
    /// What was carried out, as its client wants to hear it: some want back what they sent.
    pub answer: fn(&Challenge, &Ask) -> Answer,
    /// Any error, once the path has decided for the dialect: who is not admitted hears it like this too.
    refuse: fn(&Problem, &Ask) -> Answer,
}

/// All dialects; the native one, which takes every path, is the last.
const DIALECTS: &[Dialect] = &[httpreq::DIALECT, acmedns::DIALECT, native::DIALECT];

/// What a path ends with at which anybody may ask whether we are there, as at acme-dns's. By itself
/// it is no dialect's.
const HEALTH: &str = "health";
/// The paths that are no dialect's, whatever they end with.
const CHALLENGES: &str = "/challenges/";

/// What a request is about.
pub enum Route<'a> {
    /// Is the gateway there? Open to all.
    Health,
    /// Anything else: only for who is admitted.
    Caller(Errand<'a>),
}

/// What a caller may be here for.
pub enum Errand<'a> {
    /// May the caller touch this domain?
    May(&'a str),
    /// Somebody wants an acme-dns account.
    Register,
    /// Is this value visible at this domain?
    Visible(&'a str, &'a str),
    Dialect(&'static Dialect),
}

/// Decides by the path, and refuses methods that the path does not take.
pub fn route(ask: &Ask) -> Result<Route<'_>, Problem> {
    let path = path(&ask.target);
    let allowed = |allow: &str| match allow.split(", ").any(|method| method == ask.method) {
        true => Ok(()),
        false => Err(Problem::new(405, format!("this path takes {allow}")).with("Allow", allow)),
    };
    if is_health(path) || ask.method == "GET" && last_segment(path) == HEALTH && !path.starts_with(CHALLENGES) {
        return allowed("GET").map(|()| Route::Health);
    }
    if let Some(rest) = path.strip_prefix(CHALLENGES) {
        return allowed("GET").map(|()| match rest.split_once('/') {
            Some((domain, value)) => Route::Caller(Errand::Visible(domain, value)),
            None => Route::Caller(Errand::May(rest)),
        });
    }
    let dialect = spoken(path);
    allowed(dialect.allow)?;
    Ok(Route::Caller(if acmedns::is_register(path) { Errand::Register } else { Errand::Dialect(dialect) }))
}

/// An error, told in the language of the path that was asked.
pub fn refuse(problem: &Problem, ask: &Ask) -> Answer {
    (spoken(path(&ask.target)).refuse)(problem, ask)
}

/// How long the client of that target waits for its answer.
pub fn patience(target: &str) -> Duration {
    spoken(path(target)).patience
}

/// A domain as a client writes it, with or without `_acme-challenge.` in front.
pub fn domain(text: &str) -> Result<Name, Problem> {
    Name::domain(text).map_err(|error| Problem::new(400, format!("the domain is {error}")))
}

/// The path at which a client asks whether the value that it has set is visible.
pub fn resource(domain: &Name, value: &Value) -> String {
    format!("{CHALLENGES}{domain}/{value}")
}

fn spoken(path: &str) -> &'static Dialect {
    let last = &DIALECTS[DIALECTS.len() - 1];
    let is_ours = is_health(path) || path.starts_with(CHALLENGES);
    DIALECTS.iter().find(|dialect| !is_ours && (dialect.speaks)(path)).unwrap_or(last)
}

fn is_health(path: &str) -> bool {
    path.strip_prefix('/') == Some(HEALTH)
}

/// What decides for a dialect, whatever is in front of it.
fn last_segment(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or_default()
}

fn path(target: &str) -> &str {
    target.split_once('?').map_or(target, |(path, _)| path)
}
