//! TXT values as zone files write them: character-strings in quotes (RFC 1035 section 5.1).

/// One character-string in quotes. Challenge values hold nothing that had to be escaped.
pub fn quoted(value: &str) -> String {
    format!("\"{value}\"")
}

/// The text of a TXT value as a service shows it: quoted character-strings joined, escapes undone;
/// a text without quotes is itself.
pub fn unquoted(shown: &str) -> String {
    strings(shown).concat()
}

/// The character-strings of a TXT value, each without quotes and escapes.
pub fn strings(shown: &str) -> Vec<String> {
    let shown = shown.trim();
    if !shown.starts_with('"') {
        return vec![shown.to_string()];
    }
    let (mut all, mut text) = (Vec::new(), None);
    let mut bytes = shown.bytes();
    while let Some(byte) = bytes.next() {
        match (byte, &mut text) {
            (b'"', None) => text = Some(Vec::new()),
            (b'"', Some(_)) => all.extend(text.take()),
            (b'\\', Some(text)) => text.extend(escaped(&mut bytes)),
            (byte, Some(text)) => text.push(byte),
            // Blanks between two character-strings.
            (_, None) => {}
        }
    }
    all.extend(text);
    all.iter().map(|text| String::from_utf8_lossy(text).into_owned()).collect()
}

/// Character-strings as zone files write them, so that [`strings`] gives them back.
pub fn written(strings: &[String]) -> String {
    let one = |text: &String| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
    strings.iter().map(one).collect::<Vec<_>>().join(" ")
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
