//! Passwords and keys: a type that does not print, compares in constant time and wipes itself.

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// A secret text. It has no Debug and no Display on purpose: whoever needs it says [`Secret::reveal`].
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    pub fn new(text: String) -> Secret {
        Secret(Zeroizing::new(text))
    }

    /// The text itself, for the one place that has to send or hash it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

/// Are the two equal? In a time that depends on their lengths only.
pub fn same(a: &[u8], b: &[u8]) -> bool {
    a.ct_eq(b).into()
}
