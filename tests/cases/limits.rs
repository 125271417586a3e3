use crate::support::{Gateway, Reply, base64, body};

const HOSTS: &str = "BASIC_AUTH = sufficient\nALLOWED_HOSTS = 127.0.0.1";

fn value(number: usize) -> String {
    format!("{number:0>43}")
}

fn change(gateway: &Gateway, what: &str, number: usize) -> Reply {
    gateway.post(&body(what, "example.com", &value(number)))
}

#[test]
fn the_fifty_first_value_at_a_name_is_refused_and_says_so() {
    let gateway = Gateway::start(HOSTS);
    for number in 0..50 {
        assert_eq!(change(&gateway, "setup", number).status, 201);
    }
    let reply = change(&gateway, "setup", 50);
    assert_eq!(reply.status, 429);
    assert_eq!(reply.header("retry-after"), "", "nothing gets better by itself");
    assert!(reply.detail().starts_with("one caller may have 50 values at _acme-challenge.example.com: "), "{reply:?}");
    assert_eq!(change(&gateway, "setup", 49).status, 201, "it is there already");
    assert_eq!(change(&gateway, "teardown", 0).status, 200);
    assert_eq!(change(&gateway, "setup", 50).status, 201);
    gateway.wait_for("action=setup name=example.com status=429");
}

#[test]
fn the_sixty_first_change_in_a_minute_is_refused_and_cleaning_up_is_not() {
    let gateway = Gateway::start(HOSTS);
    gateway.add_user("alice", "secret");
    for _ in 0..60 {
        assert_eq!(change(&gateway, "setup", 0).status, 201);
    }
    let reply = change(&gateway, "setup", 1);
    assert_eq!(reply.status, 429, "{reply:?}");
    assert!((1..=61).contains(&reply.header("retry-after").parse::<u64>().unwrap()), "{reply:?}");
    assert!(reply.detail().starts_with("more than 60 changes of one caller in a minute"), "{reply:?}");
    assert_eq!(change(&gateway, "teardown", 0).status, 200);
    assert_eq!(gateway.post(&body("teardown", "example.com", "")).status, 200);
    let alice = gateway.post_as(Some("alice:secret"), &body("setup", "example.com", &value(1)));
    assert_eq!(alice.status, 201, "another caller: {alice:?}");
    let header = format!("Authorization: Basic {}\r\n", base64("alice:secret"));
    for _ in 0..100 {
        assert_eq!(gateway.request("GET", "/challenges/example.com", &header, "").status, 200, "to ask is no change");
    }
    assert_eq!(gateway.changes().lines().count(), 62);
}
