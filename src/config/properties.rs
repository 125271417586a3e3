//! The dotenv format on files that nobody would write on purpose.

use std::path::Path;
use std::sync::Arc;

use super::source::{is_name, parse};
use crate::random::property;

const PIECES: &[&str] = &[
    "\n",
    "\n",
    "\r\n",
    "\r",
    "=",
    "=",
    " = ",
    "#",
    "\"",
    "'",
    " ",
    "\t",
    "LISTEN",
    "basic_auth",
    "_A1",
    "1A",
    "ALLOWED_HOSTS",
    "hunter2",
    "\u{feff}",
    "\0",
    "ü",
    "\u{2028}",
    "\u{b}",
    "a b",
    "x",
    ",",
    "\\",
];

fn path() -> Arc<Path> {
    Arc::from(Path::new("dotenv"))
}

#[test]
fn any_file_is_read_line_by_line_and_what_is_no_entry_is_a_mistake_that_does_not_show_it() {
    property(|random| {
        let text = random.text(PIECES, 30);
        let (entries, mistakes) = parse(&path(), &text);
        let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
        let lines: Vec<&str> = text.split('\n').map(str::trim).collect();
        let meant = lines.iter().enumerate().filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
        let meant: Vec<usize> = meant.map(|(index, _)| index + 1).collect();
        let mut read: Vec<usize> = entries.iter().map(|entry| entry.line).collect();
        read.extend(mistakes.iter().map(|mistake| match &mistake.origin {
            crate::mistake::Origin::File { line, .. } => *line,
            other => panic!("{other}"),
        }));
        read.sort();
        assert_eq!(read, meant, "each line once: {text:?}");
        for entry in &entries {
            assert!(is_name(&entry.name) && entry.name == entry.name.to_ascii_uppercase(), "{text:?}");
            assert!(lines[entry.line - 1].contains(&entry.value), "{text:?}");
        }
        assert!(mistakes.iter().all(|mistake| !mistake.to_string().contains("hunter2")), "{text:?}");
    });
}

#[test]
fn any_value_in_quotes_is_read_back_as_it_is() {
    property(|random| {
        let value = random.text(&PIECES[4..], 12).replace(['\n', '\r'], "");
        let quote = random.one_of(&["\"", "'"]);
        let (entries, mistakes) = parse(&path(), &format!("name={quote}{value}{quote}\n"));
        assert!(mistakes.is_empty() && entries.len() == 1, "{value:?}");
        assert_eq!((entries[0].name.as_str(), &entries[0].value), ("NAME", &value));
    });
}
