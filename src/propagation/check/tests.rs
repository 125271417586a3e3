//! One name's check with a clock of the test's own.

use super::*;
use crate::dns::Rcode;
use crate::ledger::Ledger;
use crate::propagation::judge::{Said, Testimony};
use crate::propagation::stand_in::{living, value};

const PACE: Pace = Pace { timeout: Duration::from_secs(300), settle: Duration::ZERO };

/// A check and the time, in milliseconds since it began.
struct Case {
    check: Check,
    start: Instant,
    pace: Pace,
}

impl Case {
    fn new(letters: &[&str], pace: Pace) -> Case {
        let (mut check, start, ledger) = (Check::new(), Instant::now(), Ledger::default());
        letters.iter().for_each(|letter| check.begin(living(&ledger, letter), Duration::ZERO, start));
        Case { check, start, pace }
    }

    fn look(&mut self, at: u64, look: &Look) {
        let at = self.start + Duration::from_millis(at);
        self.check.heard(look, self.pace, at, at);
    }

    fn state(&self, letter: &str) -> State {
        self.report(letter).state
    }

    fn report(&self, letter: &str) -> Report {
        self.check.values[&value(letter)].report(self.start)
    }

    /// When the next look is due (ms).
    fn due(&self) -> Option<u128> {
        self.check.due.map(|due| due.duration_since(self.start).as_millis())
    }
}

fn shows(server: &str, letters: &[&str]) -> Testimony {
    let values: Vec<_> = letters.iter().map(|letter| letter.repeat(43)).collect();
    let rcode = if values.is_empty() { Rcode::NXDOMAIN } else { Rcode::NOERROR };
    (server.to_string(), Said::Values(rcode, values))
}

fn seen(heard: &[Testimony]) -> Look {
    Look { heard: heard.to_vec(), ..Look::default() }
}

#[test]
fn what_all_show_is_visible_once_it_is_confirmed() {
    let mut case = Case::new(&["a"], PACE);
    case.look(0, &seen(&[shows("ns1", &[]), shows("ns2", &["a"])]));
    assert_eq!((case.state("a"), case.due()), (State::Pending, Some(500)));
    case.look(500, &seen(&[shows("ns1", &["a"]), shows("ns2", &["a"])]));
    assert_eq!((case.state("a"), case.due()), (State::Pending, Some(500)), "confirmed at once without a settle time");
    case.look(520, &seen(&[shows("ns1", &["a"]), shows("ns2", &["a"])]));
    assert_eq!((case.state("a"), case.due()), (State::Visible, None));
    let report = case.report("a");
    let after: Vec<_> = report.servers.iter().map(|seen| seen.after.map(|after| after.as_millis())).collect();
    assert_eq!((after, report.waited.as_millis()), (vec![Some(500), Some(0)], 520));
}

#[test]
fn a_value_that_is_lost_during_the_settle_time_was_not_visible() {
    let settle = Duration::from_secs(10);
    let mut case = Case::new(&["a"], Pace { settle, ..PACE });
    case.look(0, &seen(&[shows("ns1", &["a"])]));
    assert_eq!(case.due(), Some(10_000));
    // Another value's look comes in between.
    case.look(4_000, &seen(&[shows("ns1", &["a"])]));
    assert_eq!((case.state("a"), case.due()), (State::Pending, Some(10_000)));
    // Anycast: another machine answers.
    case.look(10_000, &seen(&[shows("ns1", &[])]));
    assert_eq!(case.state("a"), State::Pending);
    case.look(12_500, &seen(&[shows("ns1", &["a"])]));
    case.look(22_500, &seen(&[shows("ns1", &["a"])]));
    assert_eq!(case.state("a"), State::Visible);
}

#[test]
fn the_looks_become_rarer_and_the_last_one_is_at_the_deadline() {
    let mut case = Case::new(&["a"], PACE);
    let (mut at, mut looks) = (0, 0);
    while case.state("a") == State::Pending {
        case.look(at, &seen(&[shows("ns1", &["b"])]));
        let Some(due) = case.due() else { break };
        assert!((500..=5_000).contains(&(due as u64 - at)) || due == 300_000, "{at} {due}");
        (at, looks) = (due as u64, looks + 1);
    }
    assert_eq!((case.state("a"), at), (State::Unconfirmed, 300_000));
    assert!((60..100).contains(&looks), "{looks}");
    let report = case.report("a");
    assert_eq!(report.servers[0].sight.why.as_deref(), Some("it shows 1 other values"), "{report:?}");
}

#[test]
fn a_value_that_is_still_asked_for_after_its_time_may_yet_become_visible() {
    let mut case = Case::new(&["a"], PACE);
    case.look(300_000, &seen(&[shows("ns1", &[])]));
    assert_eq!((case.state("a"), case.due()), (State::Unconfirmed, None));
    let at = |case: &Case, ms| case.start + Duration::from_millis(ms);
    let early = at(&case, 310_000);
    case.check.again(&value("a"), early);
    assert_eq!(case.due(), None, "not at once");
    let later = at(&case, 315_000);
    case.check.again(&value("a"), later);
    assert_eq!(case.due(), Some(315_000));
    case.look(315_000, &seen(&[shows("ns1", &["a"])]));
    assert_eq!((case.state("a"), case.due()), (State::Unconfirmed, Some(315_000)));
    case.look(315_010, &seen(&[shows("ns1", &["a"])]));
    assert_eq!((case.state("a"), case.due()), (State::Visible, None));
}

#[test]
fn zones_that_are_wrong_end_the_check_at_once_with_the_reason() {
    let mut case = Case::new(&["a"], PACE);
    let reason = Some("CNAMEs lead in a circle".to_string());
    case.look(0, &Look { reason: reason.clone(), hopeless: true, ..Look::default() });
    assert_eq!((case.state("a"), case.report("a").reason), (State::Unconfirmed, reason));
}

#[test]
fn values_at_one_name_share_the_looks_and_each_has_its_own_time() {
    let mut case = Case::new(&["a", "b"], PACE);
    for at in [0, 10] {
        case.look(at, &seen(&[shows("ns1", &["a"])]));
    }
    assert_eq!((case.state("a"), case.state("b")), (State::Visible, State::Pending));
    // One that is set while somebody looks may not have been there yet when the server was asked.
    let (began, now) = (case.start + Duration::from_secs(20), case.start + Duration::from_secs(23));
    let late = living(&Ledger::default(), "c");
    case.check.begin(late, Duration::ZERO, began + Duration::from_secs(1));
    case.check.heard(&seen(&[shows("ns1", &["b", "c"])]), PACE, began, now);
    assert_eq!(case.due(), Some(23_000));
    assert_eq!(case.report("c").servers, []);
}

#[test]
fn what_a_resolver_has_in_mind_is_waited_out_and_otherwise_the_pauses_grow() {
    let by_doh =
        |wait: Option<u64>| Look { by_doh: true, wait: wait.map(Duration::from_secs), ..seen(&[shows("r1", &[])]) };
    let mut case = Case::new(&["a"], PACE);
    let mut pauses = Vec::new();
    let mut at = 0;
    for wait in [None, None, None, None, None, Some(60), Some(1)] {
        case.look(at, &by_doh(wait));
        let due = case.due().unwrap() as u64;
        pauses.push((due - at) / 1000);
        at = due;
    }
    assert_eq!(pauses, [2, 4, 8, 15, 15, 60, 2]);
}

#[test]
fn what_is_removed_is_gone_and_is_looked_for_no_more() {
    let mut case = Case::new(&["a"], PACE);
    case.check.drop_what_is_gone(|_| false, case.start);
    case.look(0, &seen(&[shows("ns1", &["a"])]));
    assert_eq!((case.state("a"), case.due()), (State::Gone, None));
}
