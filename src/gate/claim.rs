//! Who a request says it is from, before anything of it is believed: a user with a password or an
//! acme-dns account with a key, out of the request's headers.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use crate::acmedns::Id;
use crate::secret::Secret;

/// The headers that say who asks: a user and password, or an acme-dns account's two.
pub const HEADERS: [&str; 3] = ["Authorization", "X-Api-User", "X-Api-Key"];

/// What a request claims.
pub enum Claim {
    Nobody,
    User(String, Secret),
    Account(Id, Secret),
}

impl Claim {
    /// Out of the [`HEADERS`] of a request; `header` gives one that is there once.
    ///
    /// acme-dns's own headers count before Basic authentication, which a proxy in between may ask
    /// for. With a UUID they are an account's, else they say what Basic authentication says.
    pub fn of<'a>(header: impl Fn(&'static str) -> Option<&'a str>) -> Claim {
        let [basic, user, key] = HEADERS.map(header);
        let Some((user, key)) = user.zip(key) else {
            let user = basic.and_then(credentials);
            return user.map_or(Claim::Nobody, |(user, password)| Claim::User(user, password));
        };
        let key = Secret::new(key.to_string());
        match Id::parse(user) {
            Some(username) => Claim::Account(username, key),
            None => Claim::User(user.to_string(), key),
        }
    }
}

/// User and password out of a header of the Basic scheme (RFC 7617): the first colon separates
/// them, the password may hold more.
fn credentials(header: &str) -> Option<(String, Secret)> {
    let (scheme, encoded) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = Secret::new(String::from_utf8(BASE64_STANDARD.decode(encoded.trim()).ok()?).ok()?);
    let (user, password) = decoded.reveal().split_once(':')?;
    Some((user.to_string(), Secret::new(password.to_string())))
}
