//! What all of acmegw speaks about: names, TXT values and challenges. No I/O.
//!
//! A text from outside becomes a [`Name`] or a [`Value`] once, at the border; behind it nobody
//! has to ask again whether it is well formed, in lower case or without its trailing dot.

use std::fmt;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

/// The label under which RFC 8555 section 8.4 looks for the TXT record.
pub const LABEL: &str = "_acme-challenge";

/// The verb of [`Challenge::Canary`].
pub const CANARY: &str = "canary";

/// The longest life of a canary.
pub const CANARY_LIFE: Duration = Duration::from_secs(600);

/// The longest name in text form, without the trailing dot (RFC 1035 section 2.3.4: 255 octets on the wire).
const NAME_LIMIT: usize = 253;

/// A DNS name: lower case, no trailing dot, A-labels, at least one label.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name(String);

impl Name {
    /// A host name (RFC 1123 section 2.1) that leaves room for the challenge label in front of it.
    ///
    /// Upper case and one trailing dot are fine. Refused, each with a reason: IP addresses,
    /// wildcards, underscores, names that are not in A-label form.
    pub fn host(text: &str) -> Result<Name, NameError> {
        let name = Name::checked(text, false)?;
        if name.0.len() + LABEL.len() + 1 > NAME_LIMIT {
            return Err(NameError("longer than 237 characters, no room for _acme-challenge in front"));
        }
        let last = name.0.rsplit('.').next().unwrap_or_default();
        if last.bytes().all(|b| b.is_ascii_digit()) {
            return Err(NameError("an IP address or a number, not a host name"));
        }
        Ok(name)
    }

    /// An owner name of a record: like a host name, but labels may begin with or hold an underscore.
    pub fn owner(text: &str) -> Result<Name, NameError> {
        Name::checked(text, true)
    }

    /// The domain that a client asks about: with or without `_acme-challenge.` in front.
    pub fn domain(text: &str) -> Result<Name, NameError> {
        match text.split_once('.') {
            Some((first, rest)) if first.eq_ignore_ascii_case(LABEL) => Name::host(rest),
            _ => Name::host(text),
        }
    }

    fn checked(text: &str, underscore: bool) -> Result<Name, NameError> {
        let text = text.strip_suffix('.').unwrap_or(text);
        if text.is_empty() {
            return Err(NameError("empty"));
        }
        if !text.is_ascii() {
            return Err(NameError("not ASCII; write international names in A-label form (xn--…)"));
        }
        if text.len() > NAME_LIMIT {
            return Err(NameError("longer than 253 characters"));
        }
        for label in text.split('.') {
            check_label(label, underscore)?;
        }
        Ok(Name(text.to_ascii_lowercase()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// `_acme-challenge.` in front of this name: where the CA looks.
    pub fn challenge(&self) -> Name {
        Name(format!("{LABEL}.{}", self.0))
    }

    /// The domain of a challenge name: this name without `_acme-challenge.` in front.
    pub fn challenged(&self) -> Option<Name> {
        let (first, rest) = self.0.split_once('.')?;
        (first == LABEL).then(|| Name(rest.to_string()))
    }

    /// Is this name `parent` itself or below it, on a label boundary?
    pub fn is_within(&self, parent: &Name) -> bool {
        match self.0.strip_suffix(&parent.0) {
            Some(rest) => rest.is_empty() || rest.ends_with('.'),
            None => false,
        }
    }

    /// The name relative to `zone`; the empty string at the apex. None if it is not within.
    pub fn relative_to(&self, zone: &Name) -> Option<&str> {
        if !self.is_within(zone) {
            return None;
        }
        self.0.strip_suffix(&zone.0).map(|rest| rest.strip_suffix('.').unwrap_or(rest))
    }

    /// This name, then its parents, the top-level domain last: the order of a zone search.
    pub fn upwards(&self) -> impl Iterator<Item = Name> {
        let starts = std::iter::once(0).chain(self.0.match_indices('.').map(|(dot, _)| dot + 1));
        starts.map(|start| Name(self.0[start..].to_string()))
    }
}

fn check_label(label: &str, underscore: bool) -> Result<(), NameError> {
    if label.is_empty() {
        return Err(NameError("an empty label (two dots in a row, or a dot in front)"));
    }
    if label == "*" {
        return Err(NameError("a wildcard; the challenge of *.D is set at D"));
    }
    if label.len() > 63 {
        return Err(NameError("a label of more than 63 characters"));
    }
    let fits = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || (underscore && b == b'_');
    if !label.bytes().all(fits) {
        return Err(NameError("a character that host names do not have (letters, digits and hyphens only)"));
    }
    if label.starts_with('-') || label.ends_with('-') {
        return Err(NameError("a label that begins or ends with a hyphen"));
    }
    Ok(())
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Name({})", self.0)
    }
}

/// Why a text is not a [`Name`]; reads on after "… is".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NameError(&'static str);

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// The TXT value of a dns-01 challenge: the base64url of a SHA-256, 43 characters
/// (RFC 8555 section 8.4).
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Value(String);

impl Value {
    pub fn parse(text: &str) -> Result<Value, ValueError> {
        if text.len() != 43 || !text.bytes().all(is_base64url_digit) {
            return Err(ValueError);
        }
        Ok(Value(text.to_string()))
    }

    /// The value for a key authorization, which the RAW modes of clients send instead:
    /// `TOKEN.THUMBPRINT`, both base64url, the thumbprint a SHA-256 (RFC 8555 sections 8.1 and 8.4).
    pub fn of_key_authorization(text: &str, token: &str) -> Result<Value, KeyAuthorizationError> {
        let thumbprint = text.strip_prefix(token).and_then(|rest| rest.strip_prefix('.'));
        let is_digest = |text| Value::parse(text).is_ok();
        if token.is_empty() || !token.bytes().all(is_base64url_digit) || !thumbprint.is_some_and(is_digest) {
            return Err(KeyAuthorizationError);
        }
        let digest = ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
        Ok(Value(BASE64_URL_SAFE_NO_PAD.encode(digest)))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn is_base64url_digit(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || octet == b'-' || octet == b'_'
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Value({})", self.0)
    }
}

/// Why a text is not a [`Value`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ValueError;

impl fmt::Display for ValueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not exactly 43 characters of base64url (A-Z a-z 0-9 - _)")
    }
}

/// Why a text is not the key authorization for its token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyAuthorizationError;

impl fmt::Display for KeyAuthorizationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not the token, a dot and 43 characters of base64url")
    }
}

/// What is to be done with a TXT value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    Setup,
    Teardown,
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Action::Setup => "setup",
            Action::Teardown => "teardown",
        })
    }
}

/// What a client asks for, in whichever dialect it was said; what its name is, a domain or the owner
/// name of a record, the dialect decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Challenge {
    Setup {
        domain: Name,
        value: Value,
    },
    /// Without a value: all that the caller set at that name (mod_md version 1).
    Teardown {
        domain: Name,
        value: Option<Value>,
    },
    /// A setup that proves the way to the DNS. Nobody but its sender waits for it, and it goes by
    /// itself after `life`.
    Canary {
        domain: Name,
        value: Value,
        life: Duration,
    },
}

impl Challenge {
    pub fn domain(&self) -> &Name {
        match self {
            Challenge::Setup { domain, .. } | Challenge::Teardown { domain, .. } | Challenge::Canary { domain, .. } => {
                domain
            }
        }
    }

    pub fn action(&self) -> Action {
        match self {
            Challenge::Setup { .. } | Challenge::Canary { .. } => Action::Setup,
            Challenge::Teardown { .. } => Action::Teardown,
        }
    }

    /// What logs and the native dialect call it.
    pub fn verb(&self) -> &'static str {
        match self {
            Challenge::Setup { .. } => "setup",
            Challenge::Teardown { .. } => "teardown",
            Challenge::Canary { .. } => CANARY,
        }
    }
}

#[cfg(test)]
mod properties;

#[cfg(test)]
mod tests;
