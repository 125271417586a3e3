//! To be written.

use super::Row;

pub const ROW: Row =
    Row { name: "exec", predecessor: None, about: "", experimental: false, settings: &[], build: |_, _, _| None };
