//! The users file as it may be found: half written, edited by hand, or another file altogether.

use std::collections::HashSet;

use super::*;
use crate::random::property;

const HASH: &str = "$8$AAECAwQFBgcICQoLDA0ODw$MzOOhrUHOP8zkhzDYswqN99FKYAcDOCwUaGU8yyqMF8";

const PIECES: &[&str] = &[
    "\n",
    "\n",
    "\r\n",
    "alice",
    "bob",
    ":",
    "#",
    "$",
    "$8$",
    "$7$",
    "$9$",
    " ",
    "\0",
    "ü",
    "=",
    "AAECAwQFBgcICQoLDA0ODw",
    "MzOOhrUHOP8zkhzDYswqN99FKYAcDOCwUaGU8yyqMF8",
];

#[test]
fn any_users_file_is_taken_whole_or_refused_with_its_line_and_without_its_text() {
    let lines = ["alice", "bob", "carol", "", "#", "alice "].map(|name| format!("{name}:{HASH}\n"));
    let mut pieces: Vec<&str> = PIECES.to_vec();
    lines.iter().for_each(|line| pieces.extend([line.as_str(); 4]));
    property(|random| {
        let text = random.text(&pieces, 9);
        match Users::parse(&text) {
            Ok(users) => {
                let names: Vec<&str> = users.names().collect();
                assert_eq!(names.len(), names.iter().collect::<HashSet<_>>().len(), "{text:?}");
                let meant = text.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty());
                assert_eq!(names, meant.map(|line| line.split(':').next().unwrap()).collect::<Vec<_>>(), "{text:?}");
                let again = users.text();
                assert_eq!(
                    again.strip_suffix('\n').unwrap_or(""),
                    text.strip_suffix('\n').unwrap_or(&text),
                    "{text:?}"
                );
            }
            Err((line, refusal)) => {
                assert!((1..=text.split('\n').count()).contains(&line), "{text:?}: {line}");
                let shown = format!("{} {}", refusal.what, refusal.remedy);
                assert!(!shown.contains("AAEC") && !shown.contains("MzOO"), "{shown}");
            }
        }
    });
}

#[test]
fn any_change_of_one_user_leaves_the_others_alone() {
    property(|random| {
        let names = random.some(5, |random| random.one_of(&["alice", "bob", "bobby", "carol", "# note", "\n#"]));
        let text: String = names.iter().map(|name| format!("{name}:{HASH}\n")).collect();
        let Ok(mut users) = Users::parse(&text) else { return };
        let before: Vec<String> = users.names().map(str::to_string).collect();
        let changed = random.one_of(&["alice", "bob", "erin"]);
        let is_removed = random.once_in(2);
        match is_removed {
            true => users.remove(changed),
            false => users.set(changed, Hash::parse(HASH).ok().unwrap()),
        }
        let mut expected: Vec<&str> =
            before.iter().map(String::as_str).filter(|name| !is_removed || *name != changed).collect();
        if !is_removed && !expected.contains(&changed) {
            expected.push(changed);
        }
        let after = Users::parse(&users.text()).unwrap_or_else(|(line, _)| panic!("line {line} of {text:?}"));
        assert_eq!(after.names().collect::<Vec<_>>(), expected, "{text:?}");
    });
}
