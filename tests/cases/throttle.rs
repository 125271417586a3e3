use crate::support::{Gateway, VALUE, body};

#[test]
fn guessing_is_answered_with_429_and_the_time_to_wait() {
    let gateway = Gateway::start("BASIC_AUTH = required\nALLOWED_PROXIES = 127.0.0.1");
    gateway.add_user("alice", "secret");
    gateway.add_user("bob", "secret");
    let setup = body("setup", "example.com", VALUE);
    let from = |address: &str, who: &str| {
        let credentials = crate::support::base64(who);
        let headers = format!("X-Forwarded-For: {address}\r\nAuthorization: Basic {credentials}\r\n");
        gateway.request("POST", "/", &headers, &setup)
    };
    let statuses: Vec<_> = (0..7).map(|_| from("192.0.2.7", "alice:wrong").status).collect();
    assert_eq!(statuses, [401, 401, 401, 401, 401, 429, 429]);
    let refused = from("192.0.2.7", "alice:secret");
    assert_eq!(refused.status, 429, "not even the right one is looked at");
    assert!((1..=61).contains(&refused.header("retry-after").parse::<u32>().unwrap()), "{refused:?}");
    assert!(refused.detail().contains("wait "), "{refused:?}");
    assert_eq!(from("192.0.2.7", "bob:secret").status, 201, "another user of the same address");
    assert_eq!(from("192.0.2.8", "alice:secret").status, 201, "the same user from another address");
    assert_eq!(from("192.0.2.7", "alice:secret").status, 429, "what was verified elsewhere says nothing here");
}

#[test]
fn many_clients_at_once_are_served_or_told_to_come_again() {
    let gateway = Gateway::start("BASIC_AUTH = required\nALLOWED_PROXIES = 127.0.0.1");
    gateway.add_user("alice", "secret");
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let ask = |number: usize| {
            let gateway = &gateway;
            let headers = format!(
                "X-Forwarded-For: 192.0.2.{number}\r\nAuthorization: Basic {}\r\n",
                crate::support::base64(&format!("user{number}:wrong"))
            );
            scope.spawn(move || gateway.request("POST", "/", &headers, "{}").status)
        };
        let asked: Vec<_> = (0..100).map(ask).collect();
        asked.into_iter().map(|one| one.join().unwrap()).collect()
    });
    assert!(statuses.iter().all(|status| matches!(status, 401 | 503)), "{statuses:?}");
    assert!(statuses.contains(&401), "{statuses:?}");
}

/// A password that is remembered would otherwise outlive its user.
#[test]
fn a_user_who_is_deleted_or_whose_file_is_broken_is_out_at_once() {
    let gateway = Gateway::start("BASIC_AUTH = required");
    gateway.add_user("alice", "secret");
    gateway.add_user("bob", "secret");
    let users = crate::support::read(&gateway.folder.join("acmepasswd"));
    let alice = || gateway.post_as(Some("alice:secret"), &body("setup", "example.com", VALUE)).status;
    assert_eq!(alice(), 201);
    let bob = users.lines().find(|line| line.starts_with("bob")).unwrap();
    gateway.folder.file("acmepasswd", &format!("{bob}\n"));
    assert_eq!(alice(), 401);
    let half = &users[..users.trim_end().len() - 1];
    for (text, mode, why) in [
        (half, 0o600, "acmepasswd:2: the digest is not "),
        (&users, 0o620, "writable by group or others"),
        ("", 0o600, "holds no user"),
    ] {
        gateway.folder.file_mode("acmepasswd", text, mode);
        assert_eq!(alice(), 503, "{why}");
        let line = gateway.wait_for(why);
        assert!(line.contains("ERROR nobody is admitted by password: "), "{line}");
    }
    std::fs::remove_file(gateway.folder.join("acmepasswd")).unwrap();
    std::fs::create_dir(gateway.folder.join("acmepasswd")).unwrap();
    assert_eq!(alice(), 503, "what is there cannot be read, not even by root");
    std::fs::remove_dir(gateway.folder.join("acmepasswd")).unwrap();
    assert_eq!(alice(), 503);
    gateway.wait_for("ERROR nobody is admitted by password: ");
    gateway.wait_for("acmepasswd: does not exist");
    gateway.folder.file("acmepasswd", &users);
    assert_eq!(alice(), 201);
}
