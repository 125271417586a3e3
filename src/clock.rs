//! The time of day as the logs of gateway and hook write it, so that their lines can be laid side
//! by side.

use std::fmt;
use std::time::SystemTime;

/// Now, in UTC: RFC 3339 with milliseconds, `2026-11-23T10:11:12.345Z`.
pub fn now() -> impl fmt::Display {
    Stamp(jiff::Timestamp::now())
}

/// Now, in UTC, in ISO 8601's basic form: `20261123T101112Z`.
pub fn compact() -> String {
    jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ").to_string()
}

/// Now, in seconds since 1970.
pub fn unix() -> i64 {
    jiff::Timestamp::now().as_second()
}

/// A day, in UTC: `2026-11-23`.
pub fn day(time: SystemTime) -> impl fmt::Display {
    // What no calendar holds is from no clock of ours.
    let stamp = jiff::Timestamp::try_from(time).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    stamp.to_string().chars().take(10).collect::<String>()
}

struct Stamp(jiff::Timestamp);

impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_always_has_three_digits_of_a_second() {
        let shown = |milliseconds| Stamp(jiff::Timestamp::from_millisecond(milliseconds).unwrap()).to_string();
        assert_eq!(shown(1_795_428_672_345), "2026-11-23T10:11:12.345Z");
        assert_eq!(shown(951_782_400_000), "2000-02-29T00:00:00.000Z");
    }
}
