//! What every provider says when its service is in trouble, and that afterwards all is as it should be.

use super::*;

#[test]
fn a_session_that_ended_is_begun_again() {
    during(Trouble::SessionEnded, |outcome, _| assert!(outcome.is_ok(), "{outcome:?}"));
}

#[test]
fn wrong_credentials_are_said_to_be_wrong() {
    during(Trouble::WrongCredentials, |outcome, _| assert!(matches!(outcome, Err(Fault::Auth(_))), "{outcome:?}"));
}

/// Not Auth, after which nothing is tried for a while: other zones may be open to them.
#[test]
fn a_missing_right_is_refused_for_this_change_only() {
    during(Trouble::Forbidden, |outcome, _| assert!(matches!(outcome, Err(Fault::Refused(_))), "{outcome:?}"));
}

#[test]
fn somebody_elses_change_at_the_same_time_is_a_conflict() {
    during(Trouble::Conflict, |outcome, _| assert!(matches!(outcome, Err(Fault::Conflict(_))), "{outcome:?}"));
}

#[test]
fn a_zone_that_is_gone_is_said_to_be_gone() {
    knowing(Trouble::ZoneGone, |who, fixture| {
        let grant = fixture.grant(fixture.domains[0]);
        let zone = fixture.zone(&grant).unwrap();
        fixture.stand.happens(Some(Trouble::ZoneGone));
        let outcome = fixture.change_in(&zone, &grant.setup(value('a')), soon());
        assert!(matches!(outcome, Err(Fault::NoZone(_))), "{who}: {outcome:?}");
    });
}

#[test]
fn a_cname_at_the_name_is_refused_with_the_remedy() {
    knowing(Trouble::Cname, |who, fixture| {
        let grant = fixture.grant(fixture.domains[0]);
        fixture.stand.plant_cname(grant.owner());
        let outcome = fixture.change(&grant.setup(value('a')), soon());
        assert!(matches!(&outcome, Err(Fault::Refused(text)) if text.contains("CNAME")), "{who}: {outcome:?}");
        fixture.holds(who, &grant, "");
        fixture.remove(&grant, 'a');
    });
}

#[test]
fn a_full_rrset_is_refused_and_keeps_what_it_has() {
    knowing(Trouble::Full, |who, fixture| {
        let grant = fixture.grant(fixture.domains[0]);
        fixture.stand.limit(2);
        "ab".chars().for_each(|letter| fixture.set(&grant, letter));
        let outcome = fixture.change(&grant.setup(value('c')), soon());
        assert!(matches!(&outcome, Err(Fault::Refused(_))), "{who}: {outcome:?}");
        fixture.holds(who, &grant, "ab");
        fixture.set(&grant, 'a');
        fixture.remove(&grant, 'a');
        fixture.set(&grant, 'c');
        fixture.holds(who, &grant, "bc");
    });
}

#[test]
fn a_service_that_wants_us_to_wait_is_busy() {
    during(Trouble::TooMany, |outcome, _| assert!(matches!(outcome, Err(Fault::Busy(..))), "{outcome:?}"));
}

#[test]
fn a_broken_service_is_not_said_to_have_refused() {
    for trouble in [Trouble::Broken, Trouble::Garbage, Trouble::Silence] {
        during(trouble, |outcome, _| {
            assert!(matches!(outcome, Err(Fault::Busy(..) | Fault::Unknown(_))), "{trouble:?}: {outcome:?}");
        });
    }
}

#[test]
fn a_change_whose_answer_is_lost_is_unknown() {
    during(Trouble::DoneUnanswered, |outcome, changed| {
        assert!(changed, "the stand-in did not make the change");
        assert!(matches!(outcome, Err(Fault::Unknown(_))), "{outcome:?}");
    });
}

/// The fixtures that know of the trouble.
fn knowing(trouble: Trouble, rule: impl Fn(&str, Fixture)) {
    each(|who, fixture| {
        if fixture.troubles.contains(&trouble) {
            rule(who, fixture);
        }
    });
}

/// Sets a value, and removes one, while the trouble lasts; judges each outcome, given whether the
/// service changed something; and shows that afterwards the same goes well.
fn during(trouble: Trouble, judge: impl Fn(Result<Receipt, Fault>, bool)) {
    let brief = || match trouble {
        Trouble::Silence => Deadline::after(Duration::from_millis(200)),
        // Long enough for everything before the answer, even on a busy machine.
        Trouble::DoneUnanswered => Deadline::after(Duration::from_secs(1)),
        _ => soon(),
    };
    knowing(trouble, |who, fixture| {
        let grant = fixture.grant(fixture.domains[0]);
        fixture.set(&grant, 'a');
        let zone = fixture.zone(&grant).unwrap();
        for permit in [grant.setup(value('b')), grant.teardown(value('a'))] {
            let before = fixture.stand.held(grant.owner());
            fixture.stand.happens(Some(trouble));
            let outcome = fixture.change_in(&zone, &permit, brief());
            fixture.stand.happens(None);
            let changed = fixture.stand.held(grant.owner()) != before;
            if let Err(fault) = &outcome {
                assert!(!(changed && fault.nothing_done()), "{who} says that nothing was done: {fault:?}");
                assert!(!fault.to_string().contains('\n') && !fault.to_string().is_empty(), "{who}: {fault:?}");
            }
            judge(outcome, changed);
            fixture.change_in(&zone, &permit, soon()).unwrap();
        }
        fixture.holds(who, &grant, "b");
    });
}
