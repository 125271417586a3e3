//! Why a DNS change was not made: what a provider says, what the ledger has to know of it, and
//! what becomes the HTTP status.

use std::fmt;
use std::time::Duration;

/// Why a provider did not do it. The text says what and, where it can, what to do; it holds no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The service said no for good; nothing was changed.
    Refused(String),
    /// The service does not take our credentials; nothing was changed.
    Auth(String),
    /// The account holds no zone for the name; nothing was changed.
    NoZone(String),
    /// Somebody else changed the same RRset; may be tried again at once.
    Conflict(String),
    /// The service cannot be reached or wants us to wait; nothing was changed.
    Busy(String, Option<Duration>),
    /// The ledger could not write it down, and so it was not tried.
    Unwritten { is_full: bool, text: String },
    /// It is not known whether the change was made: silence, a reset, garbage.
    Unknown(String),
}

impl Fault {
    /// Its kind in one word, for programs.
    pub fn kind(&self) -> &'static str {
        match self {
            Fault::Refused(_) => "refused",
            Fault::Auth(_) => "auth",
            Fault::NoZone(_) => "no_zone",
            Fault::Conflict(_) => "conflict",
            Fault::Busy(..) => "busy",
            Fault::Unwritten { .. } => "unwritten",
            Fault::Unknown(_) => "unknown",
        }
    }

    /// Is it certain that the change was not made?
    pub fn nothing_done(&self) -> bool {
        !matches!(self, Fault::Unknown(_))
    }

    /// The same in other words.
    pub fn told(mut self, words: impl Fn(&str) -> String) -> Fault {
        let (Fault::Refused(text)
        | Fault::Auth(text)
        | Fault::NoZone(text)
        | Fault::Conflict(text)
        | Fault::Busy(text, _)
        | Fault::Unwritten { text, .. }
        | Fault::Unknown(text)) = &mut self;
        *text = words(text);
        self
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Refused(text) | Fault::Auth(text) | Fault::NoZone(text) => f.write_str(text),
            Fault::Conflict(text) | Fault::Busy(text, _) | Fault::Unknown(text) => f.write_str(text),
            Fault::Unwritten { text, .. } => f.write_str(text),
        }
    }
}
