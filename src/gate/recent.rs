//! How often something happened within the last minute, counted by its moments and not by the
//! clock's minutes, so that nobody gets twice as much around the turn of one.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// What "a minute" is in every limit that is one a minute.
pub const MINUTE: Duration = Duration::from_secs(60);

/// The moments of the last minute, the oldest first.
#[derive(Default)]
pub struct Recent(VecDeque<Instant>);

impl Recent {
    /// Counts `number` more (all of them or none) where at most `most` fit into a minute.
    /// The error is how long it takes until they fit.
    pub fn add(&mut self, number: usize, most: usize, now: Instant) -> Result<(), Duration> {
        let number = number.min(most);
        let excess = (self.count(now) + number).saturating_sub(most);
        if let Some(last) = excess.checked_sub(1) {
            return Err((self.0[last] + MINUTE).saturating_duration_since(now));
        }
        self.0.extend(std::iter::repeat_n(now, number));
        Ok(())
    }

    /// How many there were in the minute before `now`.
    pub fn count(&mut self, now: Instant) -> usize {
        while self.0.front().is_some_and(|first| now.saturating_duration_since(*first) >= MINUTE) {
            self.0.pop_front();
        }
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_no_minute_are_there_more_than_fit() {
        let (mut recent, start) = (Recent::default(), Instant::now());
        let mut add = |number, seconds| recent.add(number, 3, start + Duration::from_secs(seconds));
        let wait = |seconds| Err(Duration::from_secs(seconds));
        assert_eq!([add(1, 0), add(2, 50), add(1, 55)], [Ok(()), Ok(()), wait(5)]);
        assert_eq!([add(2, 60), add(1, 60), add(1, 61)], [wait(50), Ok(()), wait(49)]);
        assert_eq!([add(3, 110), add(2, 110)], [wait(10), Ok(())], "all or none");
    }

    #[test]
    fn more_than_ever_fits_is_as_much_as_fits() {
        let (mut recent, now) = (Recent::default(), Instant::now());
        assert_eq!([recent.add(9, 3, now), recent.add(1, 3, now)], [Ok(()), Err(MINUTE)]);
        assert_eq!(recent.add(0, 3, now), Ok(()));
    }
}
