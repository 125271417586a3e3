use super::*;
use crate::deadline::Deadline;
use crate::gate::auth::Caller;
use crate::gate::scope::{Grant, Scope};
use crate::scratch::Scratch;

const TTL: Duration = Duration::from_secs(86400);

fn value(letter: &str) -> Value {
    Value::parse(&letter.repeat(43)).unwrap()
}

fn scope() -> Scope {
    Scope::new(vec![Name::host("example.com").unwrap()])
}

fn grant(caller: &str) -> Grant {
    let deadline = Deadline::after(Duration::from_secs(1));
    scope().challenge(&Caller::for_tests(caller), &Name::host("example.com").unwrap(), deadline).unwrap()
}

fn change(ledger: &Ledger, permit: &Permit, outcome: Result<(), Fault>) {
    ledger.intend(permit).unwrap().unwrap().settle(&outcome);
}

#[test]
fn a_value_is_seen_once_it_is_made_and_until_it_is_gone() {
    let (ledger, grant) = (Ledger::default(), grant("alice"));
    let permit = grant.setup(value("a"));
    let entry = ledger.intend(&permit).unwrap().unwrap();
    assert_eq!(ledger.visible(grant.owner()), []);
    assert_eq!(ledger.values(grant.owner(), "alice"), [value("a")], "written down before it is made");
    entry.settle(&Ok(()));
    assert_eq!(ledger.visible(grant.owner()), [value("a")]);
    change(&ledger, &grant.teardown(value("a")), Ok(()));
    assert_eq!(ledger.values(grant.owner(), "alice"), []);
}

#[test]
fn what_was_certainly_not_made_is_forgotten_and_what_may_be_is_kept() {
    let (ledger, grant) = (Ledger::default(), grant("alice"));
    change(&ledger, &grant.setup(value("a")), Err(Fault::Refused("no".into())));
    change(&ledger, &grant.setup(value("b")), Err(Fault::Unknown("silence".into())));
    assert_eq!(ledger.values(grant.owner(), "alice"), [value("b")]);
    change(&ledger, &grant.setup(value("b")), Err(Fault::Refused("no".into())));
    assert_eq!(ledger.values(grant.owner(), "alice"), [value("b")], "the earlier one may still be there");
}

#[test]
fn what_lives_is_made_and_still_wanted() {
    let (ledger, grant) = (Ledger::default(), grant("alice"));
    let (living, permit) = (|| ledger.living(grant.owner(), "alice"), grant.setup(value("a")));
    let entry = ledger.intend(&permit).unwrap().unwrap();
    assert_eq!(living(), [], "about to be made");
    entry.settle(&Ok(()));
    change(&ledger, &grant.setup(value("b")), Err(Fault::Unknown("silence".into())));
    assert_eq!(living(), [value("a"), value("b")], "perhaps made is as good as made");
    assert_eq!(ledger.living(grant.owner(), "bob"), []);
    change(&ledger, &grant.teardown(value("a")), Err(Fault::Busy("away".into(), None)));
    assert_eq!(living(), [value("b")], "to be removed");
}

#[test]
fn each_caller_has_values_of_its_own() {
    let ledger = Ledger::default();
    change(&ledger, &grant("alice").setup(value("a")), Ok(()));
    change(&ledger, &grant("bob").setup(value("b")), Ok(()));
    assert_eq!(ledger.values(grant("bob").owner(), "bob"), [value("b")]);
    change(&ledger, &grant("bob").setup(value("c")), Ok(()));
    assert_eq!(["alice", "bob", "carol"].map(|caller| ledger.count(caller)), [1, 2, 0]);
}

#[test]
fn a_removal_that_failed_is_due_and_goes_away_with_its_success() {
    let (ledger, grant) = (Ledger::default(), grant("alice"));
    change(&ledger, &grant.teardown(value("a")), Err(Fault::Busy("later".into(), None)));
    assert_eq!(ledger.ripe(TTL), [], "tried again after a pause, not at once");
    assert_eq!(ledger.values(grant.owner(), "alice"), [value("a")]);
    change(&ledger, &grant.teardown(value("a")), Ok(()));
    assert_eq!(ledger.values(grant.owner(), "alice"), []);
}

#[test]
fn failed_removals_of_what_nobody_set_are_bounded_for_each_caller() {
    let (ledger, alice, bob) = (Ledger::default(), grant("alice"), grant("bob"));
    let away = || Err(Fault::Busy("away".into(), None));
    change(&ledger, &alice.setup(value("a")), Ok(()));
    for number in 0..2 * UNKNOWN_REMOVALS {
        let value = Value::parse(&format!("{number:043}")).unwrap();
        change(&ledger, &alice.teardown(value.clone()), away());
        ledger.untried(&alice.teardown(value));
    }
    assert_eq!(ledger.count("alice"), UNKNOWN_REMOVALS);
    change(&ledger, &alice.teardown(value("a")), away());
    assert!(ledger.ripe(TTL).is_empty() && ledger.living(alice.owner(), "alice").is_empty(), "its own is kept in mind");
    change(&ledger, &bob.teardown(value("b")), away());
    assert_eq!(ledger.count("bob"), 1);
}

#[test]
fn the_reaper_takes_what_outlived_its_time_unless_it_was_set_again() {
    let (ledger, grant) = (Ledger::default(), grant("alice"));
    change(&ledger, &grant.setup(value("a")), Ok(()));
    assert_eq!(ledger.ripe(TTL), []);
    std::thread::sleep(Duration::from_millis(2));
    let ripe = ledger.ripe(Duration::from_millis(1));
    assert_eq!(ripe.len(), 1);
    let recall = scope().recall(&ripe[0], Deadline::after(Duration::from_secs(1))).unwrap();
    change(&ledger, &grant.setup(value("a")), Ok(()));
    assert!(ledger.intend(&recall).unwrap().is_none(), "set again in between: it stays");
    ledger.ripe(Duration::from_nanos(1));
    change(&ledger, &recall, Ok(()));
    assert_eq!(ledger.visible(grant.owner()), []);
}

#[test]
fn a_canary_is_nobodys_challenge_and_goes_after_its_own_life_across_restarts_too() {
    let (state, grant) = (Scratch::new(), grant("alice"));
    let ledger = Ledger::default();
    ledger.keep_in(state.path()).unwrap();
    change(&ledger, &grant.setup(value("a")), Ok(()));
    change(&ledger, &grant.canary(value("b"), Duration::ZERO), Ok(()));
    change(&ledger, &grant.canary(value("c"), Duration::from_secs(60)), Ok(()));
    assert_eq!(ledger.values(grant.owner(), "alice"), [value("a")], "not removed with all that alice set");
    assert_eq!(ledger.living(grant.owner(), "alice"), [value("a")], "nor waited for");
    assert_eq!(ledger.count("alice"), 3);
    drop(ledger);
    let second = Ledger::default();
    second.keep_in(state.path()).unwrap();
    let ripe: Vec<_> = second.ripe(TTL).into_iter().map(|record| record.value).collect();
    assert_eq!(ripe, [value("b")]);
    change(&second, &grant.setup(value("c")), Ok(()));
    assert_eq!(second.values(grant.owner(), "alice"), ["a", "c"].map(value), "set again it is a challenge");
}

#[test]
fn a_restart_forgets_nothing() {
    let state = Scratch::new();
    let grant = grant("alice");
    let first = Ledger::default();
    first.keep_in(state.path()).unwrap();
    change(&first, &grant.setup(value("a")), Ok(()));
    change(&first, &grant.setup(value("b")), Ok(()));
    change(&first, &grant.teardown(value("b")), Ok(()));
    change(&first, &grant.setup(value("c")), Err(Fault::Refused("no".into())));
    change(&first, &grant.setup(value("d")), Err(Fault::Unknown("silence".into())));
    change(&first, &grant.setup(value("e")), Ok(()));
    change(&first, &grant.teardown(value("e")), Err(Fault::Busy("later".into(), None)));
    let permit = grant.setup(value("f"));
    let _ended_in_the_middle = first.intend(&permit).unwrap();
    drop(first);
    let second = Ledger::default();
    second.keep_in(state.path()).unwrap();
    assert_eq!(second.values(grant.owner(), "alice"), ["a", "d", "e", "f"].map(value));
    assert_eq!(second.visible(grant.owner()), ["a", "d", "e", "f"].map(value));
    let due: Vec<_> = second.ripe(TTL).into_iter().map(|record| record.value).collect();
    assert_eq!(due, [value("e")], "a removal that failed is due at once");
}

#[test]
fn what_cannot_be_written_down_is_not_made_and_a_removal_is() {
    let state = Scratch::new();
    let (ledger, grant) = (Ledger::default(), grant("alice"));
    ledger.keep_in(state.path()).unwrap();
    change(&ledger, &grant.setup(value("a")), Ok(()));
    // A file where the folder was: nothing can be written below it, not even by root.
    std::fs::remove_dir_all(state.join("ledger")).unwrap();
    state.file("ledger", "");
    let permit = grant.setup(value("b"));
    assert!(matches!(ledger.intend(&permit), Err(Fault::Unwritten { is_full: false, .. })));
    assert_eq!(ledger.values(grant.owner(), "alice"), [value("a")]);
    change(&ledger, &grant.teardown(value("a")), Ok(()));
    assert_eq!(ledger.visible(grant.owner()), []);
}

#[test]
fn a_recall_that_could_not_be_tried_is_postponed_unless_the_value_was_set_again() {
    let (ledger, grant) = (Ledger::default(), grant("alice"));
    change(&ledger, &grant.setup(value("a")), Ok(()));
    let ripe = ledger.ripe(Duration::ZERO);
    let recall = scope().recall(&ripe[0], Deadline::after(Duration::from_secs(1))).unwrap();
    ledger.untried(&recall);
    assert_eq!(ledger.ripe(TTL), [], "tried again after a pause");
    assert_eq!(ledger.ripe(Duration::ZERO), [], "the pause is kept");
    change(&ledger, &grant.setup(value("a")), Ok(()));
    ledger.untried(&recall);
    assert_eq!(ledger.ripe(Duration::ZERO).len(), 1, "it lives, and is due when its time is over only");
}

#[test]
fn a_setup_that_was_refused_leaves_what_was_there_as_it_was() {
    let state = Scratch::new();
    let (first, alice) = (Ledger::default(), grant("alice"));
    first.keep_in(state.path()).unwrap();
    change(&first, &alice.setup(value("a")), Ok(()));
    change(&first, &alice.teardown(value("a")), Err(Fault::Busy("later".into(), None)));
    change(&first, &grant("bob").setup(value("a")), Err(Fault::Refused("no".into())));
    drop(first);
    let second = Ledger::default();
    second.keep_in(state.path()).unwrap();
    assert_eq!(second.ripe(TTL).len(), 1, "still due");
    assert_eq!(second.values(alice.owner(), "alice"), [value("a")], "still hers");
}

#[test]
fn a_lifetime_is_counted_from_what_is_written_unless_that_is_yet_to_come() {
    let (state, grant, hour) = (Scratch::new(), grant("alice"), Duration::from_secs(3600));
    let (disk, _) = Disk::open(state.path()).unwrap();
    let now = Kept::now(grant.setup(value("a")).record(), None);
    disk.write(&Kept { since: now.since - 2 * hour, ..now }).unwrap();
    let now = Kept::now(grant.setup(value("b")).record(), None);
    disk.write(&Kept { since: now.since + 100 * hour, ..now }).unwrap();
    drop(disk);
    let ledger = Ledger::default();
    ledger.keep_in(state.path()).unwrap();
    let ripe: Vec<_> = ledger.ripe(hour).into_iter().map(|record| record.value).collect();
    assert_eq!(ripe, [value("a")]);
    drop(ledger);
    let (_, kept) = Disk::open(state.path()).unwrap();
    assert!(kept.iter().all(|kept| kept.since.elapsed().is_ok()), "nothing is from a time to come any more");
}

#[test]
fn a_value_that_another_failed_to_remove_stays_that_of_the_one_who_set_it() {
    let (ledger, alice) = (Ledger::default(), grant("alice"));
    change(&ledger, &alice.setup(value("a")), Ok(()));
    change(&ledger, &grant("bob").teardown(value("a")), Err(Fault::Busy("later".into(), None)));
    ledger.untried(&grant("bob").teardown(value("a")));
    assert_eq!(ledger.values(alice.owner(), "alice"), [value("a")]);
}

#[test]
fn the_newest_stay_and_what_was_set_again_is_new() {
    let (ledger, alice, bob) = (Ledger::default(), grant("alice"), grant("bob"));
    for letter in ["a", "b", "c"] {
        change(&ledger, &alice.setup(value(letter)), Ok(()));
    }
    change(&ledger, &bob.setup(value("d")), Ok(()));
    change(&ledger, &alice.setup(value("a")), Ok(()));
    let due = || ledger.ripe(TTL).into_iter().map(|record| record.value).collect::<Vec<_>>();
    ledger.roll("alice", 3);
    assert_eq!(due(), []);
    ledger.roll("alice", 2);
    assert_eq!(due(), [value("b")]);
    ledger.roll("alice", 1);
    assert_eq!(due(), [value("b"), value("c")], "what is due already does not count");
    change(&ledger, &alice.setup(value("b")), Ok(()));
    ledger.roll("alice", 2);
    assert_eq!(due(), [value("c")]);
}

#[test]
fn the_pause_grows_with_each_failure_up_to_its_limit_and_a_restart_goes_on_where_it_was() {
    let (state, grant) = (Scratch::new(), grant("alice"));
    let away = || Err(Fault::Busy("away".into(), None));
    let line = |ledger: &Ledger| ledger.lines().values().next().cloned().unwrap();
    let now = Instant::now();
    let pause = |line: &Line| match State::removal_failed(Some(line), now) {
        State::Due { tries, next } => (tries, (next - now).as_secs()),
        state => panic!("{state:?}"),
    };
    let first = Ledger::default();
    first.keep_in(state.path()).unwrap();
    change(&first, &grant.setup(value("a")), Ok(()));
    let mut pauses = Vec::new();
    for _ in 0..3 {
        pauses.push(pause(&line(&first)));
        change(&first, &grant.teardown(value("a")), away());
    }
    drop(first);
    let second = Ledger::default();
    second.keep_in(state.path()).unwrap();
    assert_eq!(second.ripe(TTL).len(), 1, "the first try after a start is at once");
    for _ in 0..9 {
        pauses.push(pause(&line(&second)));
        change(&second, &grant.teardown(value("a")), away());
    }
    let expected = [10, 20, 40, 80, 160, 320, 640, 1280, 2560, 3600, 3600, 3600];
    assert_eq!(pauses, expected.into_iter().enumerate().map(|(tries, s)| (tries as u32, s)).collect::<Vec<_>>());
    assert_eq!(second.ripe(TTL), []);
}
