//! Who is calling? The only place that makes a [`Caller`].

use std::net::IpAddr;

/// Somebody who may talk to us: a user whose password was right, or an allowed host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    address: IpAddr,
    user: Option<String>,
}

impl Caller {
    /// As the ledger and the log keep it: the user's name, else the address.
    pub fn identity(&self) -> String {
        self.user.clone().unwrap_or_else(|| self.address.to_string())
    }

    #[cfg(test)]
    pub fn for_tests(user: &str) -> Caller {
        Caller { address: IpAddr::from([127, 0, 0, 1]), user: Some(user.to_string()) }
    }
}
