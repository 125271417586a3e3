//! DNS messages: the only home of the crate `domain`.
//!
//! [`server`] answers for the names that are delegated to the gateway, [`client`] asks and updates
//! the servers of others. To the rest of acmegw both speak in [`Name`]s and plain values.

pub mod address;
pub mod answer;
pub mod client;
#[cfg(test)]
pub mod primary;
pub mod request;
pub mod server;
#[cfg(test)]
pub mod stand_in;
mod stream;
pub mod tsig;

use domain::base::name::ToName;

use crate::challenge::Name;

pub use domain::base::iana::{Rcode, Rtype};

/// The largest datagram that gets through everywhere without fragments (bytes; DNS flag day 2020).
const DATAGRAM: u16 = 1232;

/// A name in wire form. Compared without case.
type WireName = domain::base::Name<Vec<u8>>;

/// A [`Name`] in wire form.
fn wire(name: &Name) -> WireName {
    WireName::vec_from_str(name.as_str()).expect("a checked name has labels of 63 and at most 253 characters")
}

/// A name from the wire; None where it is none that acmegw could have to do with.
fn unwire(name: &impl ToName) -> Option<Name> {
    Name::owner(&name.to_vec().to_string()).ok()
}
