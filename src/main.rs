//! The one executable: everything is in the library, so that tests and examples reach it too.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    acmegw::run(std::env::args_os())
}
