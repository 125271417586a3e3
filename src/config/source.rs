//! The dotenv format, as the Python predecessor read it: `NAME = value`, whole-line `#` comments,
//! outer quotes removed. What a line means is not decided here.

use std::path::Path;
use std::sync::Arc;

use crate::mistake::{Mistake, Origin};

/// One `NAME = value` of the file, the name in upper case.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub name: String,
    pub value: String,
    pub line: usize,
}

/// Splits a file into its entries. A line that is none of entry, comment, blank is a mistake.
pub(super) fn parse(path: &Arc<Path>, text: &str) -> (Vec<Entry>, Vec<Mistake>) {
    let (mut entries, mut mistakes) = (Vec::new(), Vec::new());
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    for (index, content) in text.lines().map(str::trim).enumerate() {
        if content.is_empty() || content.starts_with('#') {
            continue;
        }
        let line = index + 1;
        match content.split_once('=') {
            Some((name, value)) if is_name(name.trim()) => entries.push(Entry {
                name: name.trim().to_ascii_uppercase(),
                value: unquoted(value.trim()).to_string(),
                line,
            }),
            // The line itself is not shown: it may be the rest of a password.
            _ => mistakes.push(Mistake::new(
                Origin::File { path: path.clone(), line },
                "not a line of the form NAME = value",
                "begin comments with #, and keep each value on one line",
            )),
        }
    }
    (entries, mistakes)
}

/// Is it a name as variables of the environment have them?
pub(super) fn is_name(text: &str) -> bool {
    let mut bytes = text.bytes();
    bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
        && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// Removes one pair of outer quotes, single or double.
fn unquoted(value: &str) -> &str {
    for quote in ['"', '\''] {
        if let Some(inner) = value.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote)) {
            return inner;
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(text: &str) -> Vec<(String, String, usize)> {
        let (entries, mistakes) = parse(&Arc::from(Path::new("dotenv")), text);
        assert!(mistakes.is_empty(), "{mistakes:?}");
        entries.into_iter().map(|entry| (entry.name, entry.value, entry.line)).collect()
    }

    #[test]
    fn names_in_any_case_quotes_and_comments() {
        let text = "# comment\n\nbasic_auth = required\nA=\"x # y\"\nB='it''s'\nC=\"\nD = a=b\r\nE = \"'q'\"\n";
        let expected = [
            ("BASIC_AUTH", "required", 3),
            ("A", "x # y", 4),
            ("B", "it''s", 5),
            ("C", "\"", 6),
            ("D", "a=b", 7),
            ("E", "'q'", 8),
        ];
        assert_eq!(entries(text), expected.map(|(name, value, line)| (name.to_string(), value.to_string(), line)));
    }

    #[test]
    fn a_line_without_a_name_is_a_mistake_and_is_not_shown() {
        for text in ["\nhunter2hunter2", "\n= x", "\n1A = x", "\nA B = x"] {
            let (entries, mistakes) = parse(&Arc::from(Path::new("dotenv")), text);
            assert!(entries.is_empty());
            let shown = mistakes[0].to_string();
            assert!(shown.starts_with("dotenv:2: ") && !shown.contains("hunter2"), "{shown}");
        }
    }
}
