//! Who may do what. Each check makes the value that the next one needs, and only that check can
//! make it: [`auth`] a Caller, [`scope`] a Grant and its Permits. A check that is forgotten does
//! not compile.

pub mod auth;
pub mod scope;
