use super::*;
use crate::config::Search;
use crate::scratch::Scratch;
use std::cell::RefCell;
use std::fs::read_to_string;

// Made with Python's hashlib, as in users/hash.rs.
const ALICE: &str = "alice:$8$AAECAwQFBgcICQoLDA0ODw$MzOOhrUHOP8zkhzDYswqN99FKYAcDOCwUaGU8yyqMF8\n";

fn call(action: Action, user: Option<&str>) -> Call {
    Call { action, user: user.map(str::to_string), file: None, stdin: false, generate: false }
}

fn named(path: PathBuf) -> Place {
    Place { path, is_named: true }
}

fn chosen(text: &str) -> impl FnOnce() -> Result<Password, Failure> {
    let secret = Secret::new(text.to_string());
    || Ok(Password::Chosen(secret))
}

fn nobody_asks() -> Result<Password, Failure> {
    panic!("no password is asked for before it is known to be needed")
}

fn failed(result: Result<(), Failure>) -> String {
    match result {
        Err(Failure::Failed(text)) => text,
        other => panic!("{other:?}"),
    }
}

fn usage<T>(result: Result<T, Failure>) -> String {
    match result.map(drop) {
        Err(Failure::Usage(text)) => text,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_user_is_added_verified_changed_listed_and_deleted() {
    let scratch = Scratch::new();
    let place = named(scratch.path().join("acmepasswd"));
    set(&place, "bob", false, chosen("one"), &mut Vec::new()).unwrap();
    verify(&place.path, "bob", chosen("one")).unwrap();
    assert!(failed(verify(&place.path, "bob", chosen("two"))).contains("another password"));
    set(&place, "bob", true, chosen("two"), &mut Vec::new()).unwrap();
    verify(&place.path, "bob", chosen("two")).unwrap();
    assert!(verify(&place.path, "bob", chosen("one")).is_err());
    let mut output = Vec::new();
    list(&place.path, &mut output).unwrap();
    assert_eq!(output, b"bob\n");
    delete(&place.path, "bob").unwrap();
    assert_eq!(read_to_string(&place.path).unwrap(), "");
    set(&place, "bob", false, chosen("one"), &mut Vec::new()).unwrap();
}

#[test]
fn what_the_predecessor_wrote_verifies() {
    let scratch = Scratch::new();
    let path = scratch.file("acmepasswd", ALICE);
    verify(&path, "alice", chosen("pässword: $with everything")).unwrap();
}

#[test]
fn add_is_for_new_users_and_the_others_for_old_ones() {
    let scratch = Scratch::new();
    let place = named(scratch.file("acmepasswd", ALICE));
    let mut output = Vec::new();
    assert!(failed(set(&place, "alice", false, nobody_asks, &mut output)).contains("acmegw passwd change"));
    assert!(failed(set(&place, "bob", true, nobody_asks, &mut output)).contains("acmegw passwd add"));
    assert!(failed(delete(&place.path, "bob")).contains("user bob is not there"));
    assert!(failed(verify(&place.path, "bob", nobody_asks)).contains("user bob is not there"));
    assert_eq!(read_to_string(&place.path).unwrap(), ALICE);
}

#[test]
fn a_generated_password_is_printed_once_and_is_the_users() {
    let scratch = Scratch::new();
    let place = named(scratch.path().join("acmepasswd"));
    let mut output = Vec::new();
    set(&place, "bob", false, || Ok(Password::Generated(generate())), &mut output).unwrap();
    let printed = String::from_utf8(output).unwrap();
    assert_eq!(URL_SAFE_NO_PAD.decode(printed.trim_end()).unwrap().len(), 32);
    verify(&place.path, "bob", chosen(printed.trim_end())).unwrap();
    assert!(generate().reveal() != generate().reveal());
}

#[test]
fn a_file_is_created_only_where_somebody_named_it() {
    let scratch = Scratch::new();
    let path = scratch.path().join("acmepasswd");
    let found = Place { path: path.clone(), is_named: false };
    let text = usage(set(&found, "bob", false, nobody_asks, &mut Vec::new()));
    assert!(text.contains("-f ") && text.contains("PASSWD_FILE"), "{text}");
    assert!(failed(set(&named(path.clone()), "bob", true, nobody_asks, &mut Vec::new())).contains("does not exist"));
    assert!(delete(&path, "bob").is_err() && list(&path, &mut Vec::new()).is_err() && !path.exists());
    scratch.file("acmepasswd", "");
    set(&found, "bob", false, chosen("one"), &mut Vec::new()).unwrap();
}

#[test]
fn the_file_is_the_gateways_unless_f_names_another() {
    let scratch = Scratch::new();
    let config = |text: &str| {
        let named = Some(scratch.file("dotenv", text));
        Config::load(users::SETTINGS, Vec::new(), |_| None, Search { named, file_name: "dotenv", last: None })
    };
    let list = call(Action::List, None);
    let beside = place(&list, config("")).unwrap();
    assert_eq!((beside.path, beside.is_named), (scratch.path().join("acmepasswd"), false));
    let written = place(&list, config("passwd_file = users\n")).unwrap();
    assert_eq!((written.path, written.is_named), (scratch.path().join("users"), true));
    let mistyped = place(&list, config("PASSWD_FIEL = users\n")).map(drop);
    assert!(matches!(mistyped, Err(Failure::Config(_))), "{mistyped:?}");
    let broken = Err(Failure::Usage("broken".to_string()));
    let file = Some(PathBuf::from("other"));
    assert_eq!(place(&Call { file, ..list }, broken).unwrap().path, PathBuf::from("other"));
    let none =
        Config::load(users::SETTINGS, Vec::new(), |_| None, Search { named: None, file_name: "no such", last: None });
    assert!(usage(place(&call(Action::List, None), none)).contains("-f FILE"));
}

#[test]
fn words_and_options_that_do_not_go_together_are_wrong_usage() {
    let user = Some("bob");
    let stdin = |action, user| Call { stdin: true, ..call(action, user) };
    let generate = |action, user| Call { generate: true, ..call(action, user) };
    for bad in [
        call(Action::List, user),
        call(Action::Add, None),
        call(Action::Delete, None),
        call(Action::Add, Some("a:b")),
        call(Action::Add, Some("")),
        stdin(Action::List, None),
        stdin(Action::Delete, user),
        generate(Action::Verify, user),
        generate(Action::Delete, user),
        Call { generate: true, ..stdin(Action::Add, user) },
    ] {
        usage(run(bad, Err(Failure::Failed("the configuration was asked for first".to_string()))));
    }
    for good in [stdin(Action::Verify, user), generate(Action::Change, user), call(Action::Delete, Some("a b"))] {
        assert!(check(&good).is_ok(), "{good:?}");
    }
}

#[test]
fn stdin_gives_its_first_line_without_the_line_feed() {
    let read = |text: &[u8]| {
        let secret = first_line(text).ok()?;
        check_password(&secret).ok()?;
        Some(secret.reveal().to_string())
    };
    assert_eq!(read(b" one two \nthree\n").as_deref(), Some(" one two "));
    assert_eq!(read("pässword".as_bytes()).as_deref(), Some("pässword"));
    let longest = "x".repeat(PASSWORD_LIMIT);
    assert_eq!(read(format!("{longest}\n").as_bytes()), Some(longest.clone()));
    for bad in ["", "\n", "dos\r\n", "a\tb\n", "a\0\n", &format!("{longest}x\n"), &format!("{longest}\u{e4}")] {
        assert_eq!(read(bad.as_bytes()), None, "{bad:?}");
    }
    assert_eq!(read(b"\xff\n"), None);
}

#[test]
fn a_new_password_is_asked_for_twice_and_an_old_one_once() {
    let asked = RefCell::new(0);
    let answers = |answers: [&'static str; 2]| {
        *asked.borrow_mut() = 0;
        let asked = &asked;
        move |_: &str| {
            *asked.borrow_mut() += 1;
            Ok(answers[*asked.borrow() - 1].to_string())
        }
    };
    assert_eq!(ask(true, answers(["one", "one"])).ok().unwrap().reveal(), "one");
    assert_eq!(*asked.borrow(), 2);
    assert!(failed(ask(true, answers(["one", "two"])).map(drop)).contains("not the same"));
    assert_eq!(ask(false, answers(["one", "two"])).ok().unwrap().reveal(), "one");
    assert_eq!(*asked.borrow(), 1);
    let nobody = |_: &str| Err(io::Error::from(io::ErrorKind::NotFound));
    assert!(failed(ask(true, nobody).map(drop)).contains("-i reads it from stdin"));
}
