//! Shared keys that sign messages, and what can be wrong with them (TSIG, RFC 8945).

use std::fmt;

use base64::Engine;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use domain::base::Message;
use domain::base::iana::TsigRcode;
use domain::base::message_builder::AdditionalBuilder;
use domain::base::name::ParsedName;
use domain::rdata::tsig::{Time48, Tsig};
use domain::tsig::{self, ClientTransaction, ValidationError};
use zeroize::Zeroizing;

use crate::challenge::Name;
use crate::dns::wire;
use crate::secret::Secret;

/// The algorithms of RFC 8945 section 6 that are not broken.
pub const ALGORITHMS: [(&str, Algorithm); 4] = [
    ("hmac-sha256", Algorithm(tsig::Algorithm::Sha256)),
    ("hmac-sha512", Algorithm(tsig::Algorithm::Sha512)),
    ("hmac-sha384", Algorithm(tsig::Algorithm::Sha384)),
    ("hmac-sha1", Algorithm(tsig::Algorithm::Sha1)),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Algorithm(tsig::Algorithm);

/// Keys are copied with and without the padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A shared key.
#[derive(Clone)]
pub struct Key(pub(super) tsig::Key);

/// Why an answer does not count, or why the server did not count our request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doubt {
    /// BADKEY: the server knows no key of that name and algorithm.
    UnknownKey,
    /// BADSIG: the server has another secret.
    OtherSecret,
    /// BADTIME: how far our clock is ahead of the server's, seconds.
    Clock(i64),
    /// The answer carries no signature.
    Unsigned,
    /// The answer's signature is not by our key, or not of our time.
    Forged,
}

impl Doubt {
    /// Did the server say that it did not take the request?
    pub fn is_refusal(self) -> bool {
        matches!(self, Doubt::UnknownKey | Doubt::OtherSecret | Doubt::Clock(_))
    }
}

/// A request that was signed; it alone can tell whether an answer belongs to it.
pub(super) struct Signed(ClientTransaction<tsig::Key>);

impl Key {
    /// The secret is base64, as name servers have it in their configuration. None: it is not.
    pub fn new(name: &Name, secret: &Secret, algorithm: Algorithm) -> Option<Key> {
        let bytes = Zeroizing::new(BASE64.decode(secret.reveal()).ok().filter(|bytes| !bytes.is_empty())?);
        let name = wire(name).to_string().parse().ok()?;
        tsig::Key::new(algorithm.0, &bytes, name, None, None).ok().map(Key)
    }

    pub(super) fn sign(&self, message: &mut AdditionalBuilder<Vec<u8>>) -> Signed {
        let signed = ClientTransaction::request(self.0.clone(), message, Time48::now());
        Signed(signed.expect("a vector has room for a signature"))
    }
}

impl Signed {
    /// Is this the answer, unchanged and in time? Takes the signature off.
    pub fn verify(&self, answer: &mut Message<Vec<u8>>) -> Result<(), Doubt> {
        self.0.answer(answer, Time48::now()).map_err(|error| match error {
            ValidationError::ServerBadKey => Doubt::UnknownKey,
            ValidationError::ServerBadSig => Doubt::OtherSecret,
            ValidationError::ServerUnsigned => Doubt::Unsigned,
            _ => clock(answer).map_or(Doubt::Forged, Doubt::Clock),
        })
    }
}

/// What a BADTIME answer says about the clocks, signed or not: it is only shown, never relied on.
///
/// Its signature would fail even where it is right: `domain` 0.12.3 puts eight octets of the
/// server's time under it, where RFC 8945 section 4.2 and BIND have six.
fn clock(answer: &Message<Vec<u8>>) -> Option<i64> {
    let tsig = answer.get_last_additional::<Tsig<_, ParsedName<_>>>()?.into_data();
    let server = tsig.other_time().filter(|_| tsig.error() == TsigRcode::BADTIME)?;
    Some(seconds(tsig.time_signed()) - seconds(server))
}

fn seconds(time: Time48) -> i64 {
    time.into_octets().into_iter().fold(0, |seconds, octet| seconds << 8 | i64::from(octet))
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Doubt::UnknownKey => f.write_str("it does not know the key (BADKEY): check the key's name and algorithm"),
            Doubt::OtherSecret => f.write_str("it has another secret for the key (BADSIG): check the secret"),
            Doubt::Clock(ahead) => {
                let (by, way) = (ahead.unsigned_abs(), if *ahead > 0 { "ahead of" } else { "behind" });
                write!(f, "our clock is {by} s {way} its clock (BADTIME): set the clocks right")
            }
            Doubt::Unsigned => f.write_str("its answers are not signed: check that the key is configured there"),
            Doubt::Forged => f.write_str(
                "its answers are not signed with our key, or at another time: check the secret and the clock, \
                 and who else might answer",
            ),
        }
    }
}
