//! TXT values as services show them: whatever they show, and what was written comes back.

use super::*;
use crate::random::property;

#[test]
fn whatever_a_service_shows_is_read_to_an_end() {
    property(|random| {
        let shown = random.text(&["\"", "\\", "0", "6", "5", " ", "a", "é"], 12);
        // Only bytes that are no UTF-8 any more grow, to the three of the replacement character.
        assert!(unquoted(&shown).len() <= 3 * shown.len());
    });
}

/// Written as RFC 1035 says, in several strings, with every escape that there is.
#[test]
fn what_was_written_in_quotes_comes_back() {
    property(|random| {
        let text = random.text(&["\"", "\\", "7", " ", "a"], 12);
        let text: String = text.chars().filter(char::is_ascii).collect();
        let mut shown = String::from("\"");
        for letter in text.chars() {
            match (letter, random.below(3)) {
                ('"' | '\\', 0) => shown.push_str(&format!("\\{letter}")),
                ('"' | '\\', _) | (_, 0) => shown.push_str(&format!("\\{:03}", letter as u32)),
                (_, 1) => shown.push_str(&format!("\" \"{letter}")),
                _ => shown.push(letter),
            }
        }
        shown.push('"');
        assert_eq!(unquoted(&shown), text, "{shown}");
        let value: String = text.chars().filter(char::is_ascii_alphanumeric).collect();
        assert_eq!(unquoted(&quoted(&value)), value);
    });
}

#[test]
fn strings_that_are_written_come_back_one_by_one() {
    property(|random| {
        let mut all = random.some(3, |random| random.text(&["\"", "\\", "065", " ", "a", "é"], 6));
        all.push("z".to_string());
        assert_eq!(strings(&written(&all)), all);
    });
}
