//! Many checks, with somebody else's eyes.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use super::*;
use crate::dns::Rcode;
use crate::propagation::judge::Said;
use crate::propagation::stand_in::{grant, living, living_at, remove, value};

const PACE: Pace = Pace { timeout: Duration::from_secs(300), settle: Duration::ZERO };

/// Shows every value from when it is opened, and is slow at some names.
#[derive(Clone, Default)]
struct Scene {
    open: Arc<AtomicBool>,
    looks: Arc<AtomicUsize>,
    busy: Arc<Mutex<BTreeSet<Name>>>,
    clashes: Arc<AtomicUsize>,
    /// A look at a name that begins with `slow` ends when this is released.
    released: Arc<AtomicBool>,
    panics: Arc<AtomicBool>,
}

impl Eyes for Scene {
    fn look(&self, name: &Name, _: &mut Trail) -> Look {
        assert!(!self.panics.swap(false, Ordering::SeqCst), "for the test");
        let is_alone = self.busy.lock().unwrap().insert(name.clone());
        self.clashes.fetch_add(usize::from(!is_alone), Ordering::SeqCst);
        self.looks.fetch_add(1, Ordering::SeqCst);
        thread::sleep(Duration::from_millis(2));
        self.busy.lock().unwrap().remove(name);
        if name.as_str().contains("slow") {
            while !self.released.load(Ordering::SeqCst) {
                thread::sleep(Duration::from_millis(2));
            }
        }
        let letters = if self.open.load(Ordering::SeqCst) { "abcdefghij" } else { "" };
        let values = letters.chars().map(|letter| letter.to_string().repeat(43)).collect();
        Look { heard: vec![("ns1".to_string(), Said::Values(Rcode::NOERROR, values))], ..Look::default() }
    }

    fn first(&self) -> Duration {
        Duration::ZERO
    }
}

fn started(scene: &Scene) -> (Arc<Checks>, Arc<Ledger>) {
    let ledger = Arc::<Ledger>::default();
    let checks = Arc::new(Checks::new(Box::new(scene.clone()), PACE, ledger.clone()));
    checks.start().unwrap();
    (checks, ledger)
}

fn soon() -> Deadline {
    Deadline::after(Duration::from_secs(20))
}

fn state(checks: &Checks, living: &Living) -> State {
    checks.report(living.clone()).unwrap().state
}

#[test]
fn one_check_runs_for_a_name_however_many_ask_and_values_there_are() {
    let scene = Scene::default();
    let (checks, ledger) = started(&scene);
    let all: Vec<_> = "abcdefghij".chars().map(|letter| living(&ledger, &letter.to_string())).collect();
    all.iter().for_each(|living| assert!(checks.begin(living.clone())));
    thread::scope(|threads| {
        for living in all.iter().chain(&all) {
            let checks = &checks;
            threads.spawn(move || (0..50).for_each(|_| drop(checks.report(living.clone()))));
        }
    });
    scene.open.store(true, Ordering::SeqCst);
    for living in &all {
        checks.wait(living, soon());
        assert_eq!(state(&checks, living), State::Visible);
    }
    let looks = scene.looks.load(Ordering::SeqCst);
    assert!(looks < 30, "{looks} looks for ten values that were asked for a thousand times");
    assert_eq!(scene.clashes.load(Ordering::SeqCst), 0, "never two looks at one name at once");
}

#[test]
fn a_name_whose_servers_are_slow_holds_up_no_other() {
    let scene = Scene::default();
    scene.open.store(true, Ordering::SeqCst);
    let (checks, ledger) = started(&scene);
    let slow = living_at(&ledger, "slow.example.com", "a");
    checks.begin(slow.clone());
    for number in 0..20 {
        let quick = living_at(&ledger, &format!("n{number}.example.com"), "a");
        checks.begin(quick.clone());
        checks.wait(&quick, soon());
        assert_eq!(state(&checks, &quick), State::Visible);
    }
    assert_eq!(state(&checks, &slow), State::Pending);
    scene.released.store(true, Ordering::SeqCst);
    checks.wait(&slow, soon());
    assert_eq!(state(&checks, &slow), State::Visible);
}

#[test]
fn what_is_removed_is_gone_to_whoever_had_set_it_and_unknown_to_others() {
    let scene = Scene::default();
    let (checks, ledger) = started(&scene);
    let living = living(&ledger, "a");
    checks.begin(living.clone());
    let told = |caller: &str, domain: &str| checks.gone(&grant(caller, domain), &value("a")).map(|report| report.state);
    remove(&ledger, &living);
    assert_eq!(told("alice", "example.com"), Some(State::Gone));
    assert_eq!((told("bob", "example.com"), told("alice", "www.example.com")), (None, None));
    checks.wait(&living, soon());
    let looks = scene.looks.load(Ordering::SeqCst);
    thread::sleep(Duration::from_millis(1200));
    assert_eq!(scene.looks.load(Ordering::SeqCst), looks, "and nobody looks for it any more");
}

#[test]
fn a_record_that_was_set_again_is_looked_for_again() {
    let scene = Scene::default();
    scene.open.store(true, Ordering::SeqCst);
    let (checks, ledger) = started(&scene);
    let first = living(&ledger, "a");
    checks.begin(first.clone());
    checks.wait(&first, soon());
    remove(&ledger, &first);
    scene.open.store(false, Ordering::SeqCst);
    let second = living(&ledger, "a");
    checks.begin(second.clone());
    assert_eq!(state(&checks, &second), State::Pending);
}

/// As after a restart: the ledger has it, and no check is there.
#[test]
fn whoever_asks_for_a_record_without_a_check_begins_one() {
    let scene = Scene::default();
    scene.open.store(true, Ordering::SeqCst);
    let (checks, ledger) = started(&scene);
    let living = living(&ledger, "a");
    assert_eq!(state(&checks, &living), State::Pending);
    checks.wait(&living, soon());
    assert_eq!(state(&checks, &living), State::Visible);
}

#[test]
fn a_fault_of_our_own_costs_one_look_and_no_thread() {
    let scene = Scene::default();
    scene.open.store(true, Ordering::SeqCst);
    scene.panics.store(true, Ordering::SeqCst);
    let (checks, ledger) = started(&scene);
    let living = living(&ledger, "a");
    checks.begin(living.clone());
    checks.wait(&living, soon());
    assert_eq!(state(&checks, &living), State::Visible);
}

#[test]
fn the_wait_ends_at_its_deadline() {
    let scene = Scene::default();
    let (checks, ledger) = started(&scene);
    let living = living(&ledger, "a");
    checks.begin(living.clone());
    checks.wait(&living, Deadline::after(Duration::from_millis(50)));
    assert_eq!(state(&checks, &living), State::Pending);
}

#[test]
fn the_table_is_bounded_and_loses_what_was_decided_longest_ago() {
    let checks = Checks::new(Box::new(Scene::default()), PACE, Arc::default());
    let ledger = Ledger::default();
    let record = |number: usize| living_at(&ledger, &format!("n{number}.example.com"), "a");
    for number in 0..VALUES {
        assert!(checks.begin(record(number)));
    }
    assert!(!checks.begin(record(VALUES)), "all are still looked for");
    let look = Look { hopeless: true, ..Look::default() };
    for number in [7, 3] {
        let name = record(number).seen_at();
        let now = Instant::now();
        checks.table().get_mut(&name).unwrap().heard(&look, PACE, now, now);
    }
    assert!(checks.begin(record(VALUES)));
    let table = checks.table();
    assert_eq!((table.len(), table.contains_key(&record(7).seen_at())), (VALUES, false));
}
