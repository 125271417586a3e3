//! One fault of the configuration: where it is written, what is wrong, and what to do about it.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

/// Where a value was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The long flag, without its hyphens.
    Argument(&'static str),
    Environment,
    File {
        path: Arc<Path>,
        line: usize,
    },
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Argument(flag) => write!(f, "argument --{flag}"),
            Origin::Environment => f.write_str("environment"),
            // Line 0 is the file itself.
            Origin::File { path, line: 0 } => write!(f, "{}", path.display()),
            Origin::File { path, line } => write!(f, "{}:{line}", path.display()),
            Origin::Default => f.write_str("configuration"),
        }
    }
}

/// One fault of the configuration: where, what, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    pub origin: Origin,
    pub what: String,
    pub remedy: String,
}

impl Mistake {
    pub fn new(origin: Origin, what: impl Into<String>, remedy: impl Into<String>) -> Mistake {
        Mistake { origin, what: what.into(), remedy: remedy.into() }
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.origin, self.what, self.remedy)
    }
}
