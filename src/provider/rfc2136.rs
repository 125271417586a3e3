//! To be written.

use super::Row;

pub const ROW: Row =
    Row { name: "rfc2136", predecessor: None, about: "", experimental: false, settings: &[], build: |_, _, _| None };
