//! To be written.

use super::Row;

pub const ROW: Row = Row {
    name: "openprovider",
    predecessor: None,
    about: "",
    experimental: false,
    settings: &[],
    build: |_, _, _| None,
};
