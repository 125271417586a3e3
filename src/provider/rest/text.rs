//! TXT values as zone files write them: character-strings in quotes (RFC 1035 section 5.1).

/// One character-string in quotes. Challenge values hold nothing that had to be escaped.
pub fn quoted(value: &str) -> String {
    format!("\"{value}\"")
}

/// The text of a TXT value as a service shows it: quoted character-strings joined, escapes undone;
/// a text without quotes is itself.
pub fn unquoted(shown: &str) -> String {
    let shown = shown.trim();
    if !shown.starts_with('"') {
        return shown.to_string();
    }
    let mut text = Vec::new();
    let mut bytes = shown.bytes();
    let mut inside = false;
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => inside = !inside,
            b'\\' if inside => text.extend(escaped(&mut bytes)),
            byte if inside => text.push(byte),
            // Blanks between two character-strings.
            _ => {}
        }
    }
    String::from_utf8_lossy(&text).into_owned()
}

/// What follows a backslash: three digits are an octet, anything else is itself.
fn escaped(bytes: &mut std::str::Bytes) -> Option<u8> {
    let digits: Vec<u8> = bytes.clone().take(3).collect();
    if digits.len() == 3 && digits.iter().all(u8::is_ascii_digit) {
        let number: u32 = digits.iter().fold(0, |sum, digit| sum * 10 + u32::from(digit - b'0'));
        bytes.nth(2);
        return u8::try_from(number).ok();
    }
    bytes.next()
}

#[cfg(test)]
mod properties;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_are_undone_and_strings_joined() {
        for (shown, text) in [
            (r#""abc""#, "abc"),
            ("abc", "abc"),
            (r#""abc" "def""#, "abcdef"),
            (r#""a\"b\\c\065""#, "a\"b\\cA"),
            ("\"", ""),
            (r#""a\"#, "a"),
            ("", ""),
        ] {
            assert_eq!(unquoted(shown), text, "{shown}");
        }
    }
}
