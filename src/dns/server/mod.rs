//! The embedded authoritative DNS server: challenge names are delegated to the gateway itself,
//! and no DNS account is needed.
//!
//! [`answer`] is a pure function from query bytes to answer bytes; [`listen`] moves the bytes, as
//! many as [`flood`] lets it.

mod answer;
mod flood;
mod listen;

pub use answer::{Transport, Zones};
pub use flood::RATE;
pub use listen::{Listener, NotBound};
