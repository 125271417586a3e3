//! One line on a terminal that says what is being done. Nobody reads it in a log, so that there is
//! none where stderr is something else.

use std::io::{self, IsTerminal, Write};
use std::sync::{Mutex, PoisonError};

use crate::challenge::Name;

/// The longest line: what the narrowest terminal shows without breaking it.
const WIDTH: usize = 79;

/// The line, and who is at work.
pub struct Progress {
    is_shown: bool,
    /// How many are done, of how many.
    counted: Mutex<(usize, usize)>,
}

impl Progress {
    pub fn on_terminal() -> Progress {
        Progress { is_shown: io::stderr().is_terminal(), counted: Mutex::default() }
    }

    pub fn done(&self, done: usize, all: usize) {
        *self.counted.lock().unwrap_or_else(PoisonError::into_inner) = (done, all);
    }

    /// What is being done for this domain; the text is harmless.
    pub fn say(&self, domain: &Name, what: &str) {
        let (done, all) = *self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        let counted = if all > 0 { format!("{done} of {all} done; ") } else { String::new() };
        self.write(&line(&format!("{counted}{domain}: {what}")));
    }

    pub fn clear(&self) {
        self.write("");
    }

    fn write(&self, text: &str) {
        if self.is_shown {
            let _ = write!(io::stderr(), "\r\x1b[K{text}");
        }
    }
}

fn line(text: &str) -> String {
    text.chars().take(WIDTH).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_fits_a_terminal() {
        assert_eq!(line(&"x".repeat(200)).len(), WIDTH);
        assert_eq!(line("short"), "short");
    }
}
