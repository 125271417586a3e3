//! Text that somebody else wrote, on its way into a log, an answer or a terminal.

use std::fmt;

/// Shows foreign text in one harmless line: control and non-ASCII characters and the backslash
/// escaped, cut at [`Foreign::LIMIT`] bytes.
pub struct Foreign<'a>(pub &'a str);

impl Foreign<'_> {
    /// Bytes shown before the text is cut.
    pub const LIMIT: usize = 256;
}

impl fmt::Display for Foreign<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = 0;
        for character in self.0.trim_end().chars() {
            let length = match character {
                ' '..='~' if character != '\\' => 1,
                _ => character.escape_default().len(),
            };
            if shown + length > Self::LIMIT {
                return f.write_str("…");
            }
            shown += length;
            match length {
                1 => fmt::Write::write_char(f, character)?,
                _ => write!(f, "{}", character.escape_default())?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::Foreign;

    #[test]
    fn control_characters_are_escaped_and_long_text_is_cut() {
        assert_eq!(Foreign("a\r\n\x1b[31mb\\ é\u{2028}").to_string(), "a\\r\\n\\u{1b}[31mb\\\\ \\u{e9}");
        let long = Foreign(&"\n".repeat(1000)).to_string();
        assert!(long.len() <= Foreign::LIMIT + '…'.len_utf8());
    }

    #[test]
    fn a_long_line_says_that_it_was_cut() {
        assert!(Foreign(&"x".repeat(257)).to_string().ends_with("x…"));
        assert_eq!(Foreign(&"x".repeat(256)).to_string().len(), 256);
    }
}
