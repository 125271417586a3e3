//! `merge` against a naive twin that thinks in sets.

use std::collections::BTreeSet;

use super::*;
use crate::random::property;

#[test]
fn a_merge_is_set_arithmetic_and_foreign_values_stay_to_the_letter() {
    property(|random| {
        let ours: Vec<Value> = "abc".chars().map(|l| Value::parse(&l.to_string().repeat(43)).unwrap()).collect();
        let current = random.some(6, |random| match random.below(4) {
            0 => "v=spf1 -all".to_string(),
            1 => r#""x\"y" "z""#.to_string(),
            2 => random.one_of(&ours).to_string(),
            _ => quoted(random.one_of(&ours).as_str()),
        });
        let changes =
            random.some(4, |random| (random.one_of(&[Action::Setup, Action::Teardown]), random.one_of(&ours)));
        let changes: Vec<_> = changes.iter().map(|(action, value)| (*action, value)).collect();

        let mut expected: BTreeSet<String> = current.iter().map(|held| unquoted(held)).collect();
        for (action, value) in &changes {
            match action {
                Action::Setup => expected.insert(value.to_string()),
                Action::Teardown => expected.remove(value.as_str()),
            };
        }
        let merged = merge(&current, &changes);
        let after = merged.clone().unwrap_or(current.clone());
        assert_eq!(after.iter().map(|held| unquoted(held)).collect::<BTreeSet<_>>(), expected);
        assert_ne!(merged.as_ref(), Some(&current), "nothing changed, and yet it is to be written");

        let foreign = |values: &[String]| -> Vec<String> {
            let strange = |held: &&String| ours.iter().all(|value| unquoted(held) != value.as_str());
            values.iter().filter(strange).cloned().collect()
        };
        assert_eq!(foreign(&after), foreign(&current));
    });
}
