//! Names and values by example; [`super::properties`] has the rest.

use super::*;

#[test]
fn host_names_are_checked_and_normalised() {
    assert_eq!(Name::host("WWW.Example.COM.").unwrap().as_str(), "www.example.com");
    assert_eq!(Name::domain("_ACME-challenge.example.com").unwrap().as_str(), "example.com");
    let long_label = "a".repeat(64);
    let long_name = format!("{}.com", "a.".repeat(125));
    for bad in [
        "",
        ".",
        "a..b",
        ".a",
        "*.example.com",
        "-a.com",
        "a-.com",
        "192.0.2.1",
        "a.123",
        "[::1]",
        "::1",
        "exämple.com",
        "a b.com",
        "a\n.com",
        "a/b.com",
        "_dmarc.example.com",
        "example.com..",
        &long_label,
        &long_name,
        "_acme-challenge._acme-challenge.example.com",
        "_acme-challenge.*.example.com",
    ] {
        assert!(Name::domain(bad).is_err(), "{bad:?}");
    }
}

#[test]
fn the_longest_domain_leaves_room_for_the_challenge_label() {
    let fits = format!("{}{}", "a.".repeat(117), "abc");
    assert_eq!(fits.len(), 237);
    assert_eq!(Name::host(&fits).unwrap().challenge().as_str().len(), NAME_LIMIT);
    assert!(Name::host(&format!("b{fits}")).is_err());
}

#[test]
fn within_is_judged_on_label_boundaries() {
    let parent = Name::host("example.com").unwrap();
    let within = |text: &str| Name::host(text).unwrap().is_within(&parent);
    assert!(within("example.com") && within("a.b.example.com"));
    assert!(!within("evilexample.com") && !within("com") && !within("example.com.org"));
    assert_eq!(Name::host("a.b.example.com").unwrap().relative_to(&parent), Some("a.b"));
    assert_eq!(parent.relative_to(&parent), Some(""));
}

#[test]
fn upwards_ends_at_the_top() {
    let names: Vec<_> = Name::host("a.b.c").unwrap().upwards().map(|n| n.to_string()).collect();
    assert_eq!(names, ["a.b.c", "b.c", "c"]);
}

#[test]
fn values_are_43_characters_of_base64url() {
    let good = "BoioGwWDRRrAaNnDdOoMmTtOoKkEeNnQ9JRjEqVZnD_";
    assert!(Value::parse(good).is_ok());
    for bad in ["", &good[1..], &format!("{good}a"), &good.replace('w', "="), &good.replace('w', "ä")[..43]] {
        assert!(Value::parse(bad).is_err(), "{bad:?}");
    }
}

#[test]
fn a_key_authorization_gives_the_value_and_has_to_be_that_of_its_token() {
    let (token, print) = ("KxAy-J3NwUmg9ZQuM-gP_Mq1nStaYSaP9tYQs5_-YsE", "ksT-qywTd8058G-SHHWA3RAN72Pr0yWtPYmmY5UBpQ8");
    let value = |token: &str, text: &str| Value::of_key_authorization(text, token);
    // Reckoned with Python's hashlib.
    let expected = Value::parse("IZj8yzu_UgRkmjVrpxDxmRNKdSQSs1ow8qanb6UF5OU").unwrap();
    assert_eq!(value(token, &format!("{token}.{print}")), Ok(expected));
    for (token, text) in [
        (token, token.to_string()),
        (token, print.to_string()),
        (token, String::new()),
        (token, format!("{token}.{}", &print[1..])),
        (token, format!("{token}.{print}.{print}")),
        (token, format!("x{token}.{print}")),
        ("", format!(".{print}")),
        ("t.", format!("t..{print}")),
        ("t", format!("t{print}")),
    ] {
        assert_eq!(value(token, &text), Err(KeyAuthorizationError), "{text}");
    }
}
