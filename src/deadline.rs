//! One absolute moment by which something has to be over, handed down instead of a time-out a call.

use std::time::{Duration, Instant};

/// An absolute deadline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline(Instant);

impl Deadline {
    pub fn after(duration: Duration) -> Deadline {
        Deadline(Instant::now() + duration)
    }

    /// What is left; None once it has passed. Never a zero duration, which sockets refuse.
    pub fn left(&self) -> Option<Duration> {
        self.0.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())
    }

    /// The earlier of this and `duration` from now.
    pub fn at_most(&self, duration: Duration) -> Deadline {
        Deadline(self.0.min(Instant::now() + duration))
    }
}
