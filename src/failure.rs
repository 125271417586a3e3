//! How a command ends badly: typed where it is made, printed once, by [`crate::run`].

use std::fmt;
use std::process::ExitCode;

use crate::mistake::Mistake;

/// Why a command did not do what was asked.
#[derive(Debug)]
pub enum Failure {
    /// The command was understood, and what it had to do failed: status 1.
    Failed(String),
    /// The command was called wrongly: status 2.
    Usage(String),
    /// The configuration is wrong, in one place or in several: status 2.
    Config(Vec<Mistake>),
}

impl Failure {
    /// 1 it failed, 2 wrong usage or configuration; never above 127, which mod_md reads as a crash.
    pub fn status(&self) -> ExitCode {
        match self {
            Failure::Failed(_) => ExitCode::from(1),
            Failure::Usage(_) | Failure::Config(_) => ExitCode::from(2),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Failed(text) | Failure::Usage(text) => f.write_str(text),
            Failure::Config(mistakes) => {
                for (number, mistake) in mistakes.iter().enumerate() {
                    if number > 0 {
                        f.write_str("\n")?;
                    }
                    write!(f, "{mistake}")?;
                }
                Ok(())
            }
        }
    }
}
