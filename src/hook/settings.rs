//! What the hook needs beside the gateway's address: its log, and how long it waits for the DNS.

use std::time::Duration;

use crate::config::{Config, Mistakes, Setting};
use crate::gateway::Address;

/// Of the names at the head of the predecessor's apache-mod_md.sh those that are the hook's own.
pub const SETTINGS: &[Setting] = &[
    Setting::new("DNS_DELAY", "300", "the most seconds to wait after a setup until all name servers show the record"),
    Setting::new("DNS_UNCONFIRMED", "proceed", "when they do not all show it by then: proceed, or fail"),
    Setting::new("LOGFILE", "", "the hook's log"),
];

/// The longest DNS_DELAY (seconds). Nobody's DNS takes a day; a slip of the finger does.
const LONGEST_DELAY: u64 = 86_400;

/// What a call for a change needs.
pub struct Settings {
    pub address: Address,
    pub delay: Duration,
    pub unconfirmed: Unconfirmed,
}

/// What becomes of a record that not all name servers show when [`Settings::delay`] is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unconfirmed {
    /// The CA is told all the same, as if nobody had looked.
    Proceed,
    Fail,
}

impl Settings {
    pub fn read(config: &Config, mistakes: &mut Mistakes) -> Option<Settings> {
        let address = Address::read(config, mistakes);
        let delay = mistakes.note(config.number("DNS_DELAY", 0..=LONGEST_DELAY));
        let choices = [("proceed", Unconfirmed::Proceed), ("fail", Unconfirmed::Fail)];
        let unconfirmed = mistakes.note(config.choice("DNS_UNCONFIRMED", &choices));
        Some(Settings { address: address?, delay: Duration::from_secs(delay??), unconfirmed: unconfirmed?? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hook::tests::config;

    fn settings(written: &[(&str, &str)]) -> Result<Settings, String> {
        let (config, mut mistakes) = config(written).unwrap();
        let settings = Settings::read(&config, &mut mistakes);
        mistakes.finish(settings).map_err(|failure| failure.to_string())
    }

    #[test]
    fn the_delay_is_a_number_of_seconds_up_to_a_day() {
        let uri = ("API_URI", "https://gw.example");
        for wrong in ["-1", "5m", "86401"] {
            let said = settings(&[uri, ("DNS_DELAY", wrong)]).err().unwrap();
            assert!(said.contains("a whole number from 0"), "{said}");
        }
        assert_eq!(settings(&[uri]).unwrap().delay, Duration::from_secs(300));
        assert_eq!(settings(&[uri, ("DNS_DELAY", "0")]).unwrap().delay, Duration::ZERO);
    }

    #[test]
    fn what_is_unconfirmed_proceeds_unless_it_is_to_fail() {
        let uri = ("API_URI", "https://gw.example");
        assert_eq!(settings(&[uri]).unwrap().unconfirmed, Unconfirmed::Proceed);
        assert_eq!(settings(&[uri, ("DNS_UNCONFIRMED", "Fail")]).unwrap().unconfirmed, Unconfirmed::Fail);
        let said = settings(&[uri, ("DNS_UNCONFIRMED", "maybe")]).err().unwrap();
        assert!(said.contains("DNS_UNCONFIRMED has a wrong value") && said.contains("proceed, fail"), "{said}");
    }

    #[test]
    fn every_mistake_of_the_configuration_is_told() {
        let said = settings(&[("API_USER", "alice"), ("DNS_DELAY", "x"), ("API_PIN", "y")]).err().unwrap();
        assert_eq!(said.lines().count(), 4, "{said}");
    }
}
