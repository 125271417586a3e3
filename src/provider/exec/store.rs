//! What the suite for all providers sees of exec: a program that keeps its values in files.

use std::sync::Arc;

use super::tests::exec;
use crate::challenge::Name;
use crate::ledger::Ledger;
use crate::provider::Provider;
use crate::provider::conformance::{Fixture, Stand, Trouble};
use crate::scratch::Scratch;

/// What the suite for all providers runs on: a program that keeps its values in files.
pub fn fixture() -> Fixture {
    let store = Store::open();
    Fixture {
        provider: store.provider(),
        ledger: Arc::new(Ledger::default()),
        stand: Box::new(store),
        domains: &["example.com", "www.example.com"],
        zones: &[],
        foreign: 300,
        troubles: &[Trouble::Silence, Trouble::DoneUnanswered],
        settings: &[],
        recorded: "",
        files: None,
    }
}

/// One folder a name, one file a value; `before` and `after` are run around the change.
const STORE: &str = r#"
cd "${0%/*}"
. ./before
case $1 in
    setup) mkdir -p "$2" && : >"$2/$3" ;;
    teardown) rm -f "$2/$3" ;;
    *) exit 2 ;;
esac
. ./after
"#;

struct Store(Scratch);

impl Store {
    fn open() -> Store {
        let scratch = Scratch::new();
        scratch.program("provider", STORE);
        let store = Store(scratch);
        store.happens(None);
        store
    }

    fn provider(&self) -> Box<dyn Provider> {
        Box::new(exec(self.0.path().join("provider")))
    }
}

impl Stand for Store {
    fn held(&self, owner: &Name) -> Vec<String> {
        let files = std::fs::read_dir(self.0.path().join(owner.as_str())).into_iter().flatten();
        files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect()
    }

    fn plant(&self, owner: &Name, values: &[String]) {
        let folder = self.0.path().join(owner.as_str());
        std::fs::create_dir_all(&folder).unwrap();
        values.iter().for_each(|value| std::fs::write(folder.join(value), "").unwrap());
    }

    fn happens(&self, trouble: Option<Trouble>) {
        let (before, after) = match trouble {
            Some(Trouble::Silence) => ("sleep 600", ""),
            Some(Trouble::DoneUnanswered) => ("", "sleep 600"),
            _ => ("", ""),
        };
        self.0.file("before", before);
        self.0.file("after", after);
    }
}
