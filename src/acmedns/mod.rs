//! Accounts of acme-dns clients: who may set values at which names, by a key and not by a password.
//!
//! An account has one place for all its values, its full domain, since a client says to which
//! account a value belongs and never to which name. That is the challenge name itself, or a name in
//! DNS_ZONE to which the challenge names are CNAMEs. [`store`] keeps the accounts, a file each.

#[cfg(test)]
mod properties;
pub mod store;

use std::fmt;
use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ipnet::IpNet;
use ring::digest::{SHA256, SHA256_OUTPUT_LEN, digest};
use ring::rand::{SecureRandom, SystemRandom};
use zeroize::Zeroizing;

use crate::challenge::Name;
use crate::foreign::Foreign;
use crate::secret::{Secret, same};

/// The most names of one account, and the most values that it may want at a time: no public CA puts
/// more names into one certificate (Let's Encrypt's limit).
pub const NAMES: usize = 100;
/// The most networks in an account's allowfrom.
pub const NETWORKS: usize = 32;
/// Bytes of a new key: 240 bits, which are the 40 characters that acme-dns clients expect.
const KEY: usize = 30;

/// A UUID as acme-dns writes it: 36 characters, in lower case.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Id(String);

impl Id {
    /// In any case; of the forms that RFC 9562 section 4 knows only the one with hyphens.
    pub fn parse(text: &str) -> Option<Id> {
        let is_right = |(at, byte): (usize, u8)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        };
        let is_id = text.len() == 36 && text.bytes().enumerate().all(is_right);
        is_id.then(|| Id(text.to_ascii_lowercase()))
    }

    /// A random one (RFC 9562 section 5.4).
    pub fn random() -> Id {
        let mut bytes = [0; 16];
        SystemRandom::new().fill(&mut bytes).expect("the system gives random bytes");
        bytes[6] = bytes[6] & 0x0f | 0x40;
        bytes[8] = bytes[8] & 0x3f | 0x80;
        let hex = hex(&bytes);
        Id([&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-"))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The SHA-256 of a key. A key is random and long, so that nothing slower is called for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Digest([u8; SHA256_OUTPUT_LEN]);

impl Digest {
    pub fn of(key: &Secret) -> Digest {
        let mut bytes = [0; SHA256_OUTPUT_LEN];
        bytes.copy_from_slice(digest(&SHA256, key.reveal().as_bytes()).as_ref());
        Digest(bytes)
    }

    /// Is it this key's? In constant time.
    pub fn is_of(&self, key: &Secret) -> bool {
        same(&self.0, &Digest::of(key).0)
    }

    fn parse(text: &str) -> Option<Digest> {
        let digits = text.as_bytes();
        let lower = |digit: &u8| digit.is_ascii_digit() || (b'a'..=b'f').contains(digit);
        if digits.len() != 2 * SHA256_OUTPUT_LEN || !digits.iter().all(lower) {
            return None;
        }
        let mut bytes = [0; SHA256_OUTPUT_LEN];
        for (byte, at) in bytes.iter_mut().zip((0..).step_by(2)) {
            *byte = u8::from_str_radix(&text[at..at + 2], 16).ok()?;
        }
        Some(Digest(bytes))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

/// One account. What is secret of it is not in here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    pub username: Id,
    /// By which the client names the account's place.
    pub subdomain: Id,
    /// Where its values are.
    pub fulldomain: Name,
    pub key: Digest,
    /// The domains that it may get certificates for. None: whoever registered it got its full
    /// domain, and nothing else.
    pub names: Vec<Name>,
    /// From where it may be used; empty: from everywhere.
    pub allow_from: Vec<IpNet>,
    pub since: SystemTime,
    /// Who registered it; None: the administrator made it.
    pub by: Option<String>,
}

impl Account {
    /// For the administrator: with its place in `zone`, or at the challenge name of its first name.
    /// None: a name there would be too long, or there is no name at all.
    pub fn new(names: Vec<Name>, zone: Option<&Name>, allow_from: Vec<IpNet>) -> Option<(Account, Secret)> {
        let subdomain = Id::random();
        let fulldomain = match zone {
            Some(zone) => in_zone(&subdomain, zone)?,
            None => names.first()?.challenge(),
        };
        names.first()?;
        Some(Account::made(subdomain, fulldomain, names, allow_from, None))
    }

    /// For whoever registers: a place in `zone`. None: a name there would be too long.
    pub fn registered(zone: &Name, allow_from: Vec<IpNet>, by: &str) -> Option<(Account, Secret)> {
        let subdomain = Id::random();
        let fulldomain = in_zone(&subdomain, zone)?;
        Some(Account::made(subdomain, fulldomain, Vec::new(), allow_from, Some(by.to_string())))
    }

    fn made(
        subdomain: Id,
        fulldomain: Name,
        names: Vec<Name>,
        allow_from: Vec<IpNet>,
        by: Option<String>,
    ) -> (Account, Secret) {
        let mut bytes = Zeroizing::new([0; KEY]);
        SystemRandom::new().fill(&mut *bytes).expect("the system gives random bytes");
        let key = Secret::new(URL_SAFE_NO_PAD.encode(*bytes));
        let (username, since) = (Id::random(), SystemTime::now());
        (Account { username, subdomain, fulldomain, key: Digest::of(&key), names, allow_from, since, by }, key)
    }

    /// Does its full domain lie in this zone, and not somewhere else?
    pub fn is_in(&self, zone: &Name) -> bool {
        in_zone(&self.subdomain, zone).as_ref() == Some(&self.fulldomain)
    }

    /// How many values it may want at a time: each name and its wildcard have one.
    pub fn values(&self) -> usize {
        match self.names.len() {
            // Nobody knows how many names point to it.
            0 => NAMES,
            names => (2 * names).min(NAMES),
        }
    }

    /// As acme-dns answers a registration, and as its clients keep it: one line of JSON.
    pub fn json(&self, key: &Secret) -> Secret {
        let Account { username, subdomain, fulldomain, .. } = self;
        // None of the texts has a character that JSON would escape.
        let networks: Vec<_> = self.allow_from.iter().map(|network| format!("\"{network}\"")).collect();
        Secret::new(format!(
            r#"{{"username":"{username}","password":"{}","fulldomain":"{fulldomain}","subdomain":"{subdomain}","allowfrom":[{}]}}"#,
            key.reveal(),
            networks.join(",")
        ))
    }

    /// As it is kept.
    fn text(&self) -> String {
        let Account { username, subdomain, fulldomain, key, .. } = self;
        let names: Vec<_> = self.names.iter().map(Name::as_str).collect();
        let networks: Vec<_> = self.allow_from.iter().map(IpNet::to_string).collect();
        let since = self.since.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
        let by = self.by.as_ref().map(|by| format!("by = {}\n", Foreign(by))).unwrap_or_default();
        format!(
            "username = {username}\nsubdomain = {subdomain}\nfulldomain = {fulldomain}\nkey = {key}\n\
             names = {}\nallowfrom = {}\nsince = {since}\n{by}",
            names.join(" "),
            networks.join(" ")
        )
    }

    fn parse(text: &str) -> Option<Account> {
        let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(" = "));
        let names: Option<Vec<_>> = field("names")?.split_whitespace().map(|name| Name::host(name).ok()).collect();
        let networks: Option<Vec<_>> = field("allowfrom")?.split_whitespace().map(network).collect();
        let account = Account {
            username: Id::parse(field("username")?)?,
            subdomain: Id::parse(field("subdomain")?)?,
            fulldomain: Name::owner(field("fulldomain")?).ok()?,
            key: Digest::parse(field("key")?)?,
            names: names.filter(|names| names.len() <= NAMES)?,
            allow_from: networks.filter(|networks| networks.len() <= NETWORKS)?,
            since: SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(field("since")?.parse().ok()?))?,
            by: field("by").map(str::to_string),
        };
        // Else somebody who registered would have names, or an account that was made for names has lost them.
        (account.names.is_empty() == account.by.is_some()).then_some(account)
    }
}

/// A network as acme-dns takes it in allowfrom: always with its length, host bits and the brackets of
/// IPv6 are fine. An address without a length is refused there, too.
pub fn network(text: &str) -> Option<IpNet> {
    text.replace(['[', ']'], "").parse().ok()
}

fn in_zone(subdomain: &Id, zone: &Name) -> Option<Name> {
    Name::owner(&format!("{subdomain}.{zone}")).ok()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<Name> {
        names.iter().map(|name| Name::host(name).unwrap()).collect()
    }

    #[test]
    fn ids_and_keys_are_of_the_form_that_clients_expect_and_never_the_same() {
        let (account, key) = Account::new(names(&["example.com"]), None, Vec::new()).unwrap();
        let (other, other_key) = Account::new(names(&["example.com"]), None, Vec::new()).unwrap();
        let ids = [&account.username, &account.subdomain, &other.username, &other.subdomain];
        for (number, id) in ids.iter().enumerate() {
            assert_eq!(Id::parse(id.as_str()).as_ref(), Some(*id));
            assert!(id.as_str().as_bytes()[14] == b'4' && "89ab".contains(&id.as_str()[19..20]), "{id}");
            assert!(ids[..number].iter().all(|before| before != id));
        }
        for key in [&key, &other_key] {
            let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
            assert!(key.reveal().len() == 40 && key.reveal().bytes().all(fits));
        }
        assert!(account.key.is_of(&key) && !account.key.is_of(&other_key));
    }

    #[test]
    fn what_is_no_uuid_with_hyphens_is_no_id() {
        let good = "c36f50e8-4632-44f0-83fe-e070fef28a10";
        assert_eq!(Id::parse(&good.to_ascii_uppercase()).unwrap().as_str(), good);
        let ends = [&good[1..], &format!("{good}0"), &format!("{{{good}}}"), &format!("urn:uuid:{good}")];
        let within = [good.replace('-', ""), good.replace('a', "g"), good.replace('-', "0"), good.replace('a', "/")];
        for bad in ends.into_iter().chain(within.iter().map(String::as_str)).chain(["", "alice"]) {
            assert_eq!(Id::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn its_place_is_the_challenge_name_or_in_the_zone() {
        let zone = Name::owner("acme.example.net").unwrap();
        let (plain, _) = Account::new(names(&["example.com", "example.org"]), None, Vec::new()).unwrap();
        assert_eq!(plain.fulldomain.as_str(), "_acme-challenge.example.com");
        let (zoned, _) = Account::new(names(&["example.com"]), Some(&zone), Vec::new()).unwrap();
        assert_eq!(zoned.fulldomain.as_str(), format!("{}.acme.example.net", zoned.subdomain));
        assert!(zoned.is_in(&zone) && !plain.is_in(&zone));
        assert!(!zoned.is_in(&Name::owner("example.net").unwrap()), "only right below it");
        assert!(Account::new(Vec::new(), Some(&zone), Vec::new()).is_none(), "for no name at all");
        let long = Name::owner(&format!("{}net", "a.".repeat(110))).unwrap();
        assert!(Account::registered(&long, Vec::new(), "alice").is_none());
    }

    #[test]
    fn what_is_kept_is_what_was_made_and_the_key_is_not_in_it() {
        let networks = ["192.0.2.1/24", "2001:db8::/32"].iter().map(|text| network(text).unwrap()).collect();
        let (account, key) = Account::new(names(&["example.com", "www.example.com"]), None, networks).unwrap();
        let text = account.text();
        let again = Account::parse(&text).unwrap();
        assert_eq!((again.text(), again.names), (text.clone(), account.names.clone()));
        assert!(!text.contains(key.reveal()), "{text}");
        let zone = Name::owner("acme.example.net").unwrap();
        let (registered, _) = Account::registered(&zone, Vec::new(), "a\nnames = example.com").unwrap();
        let again = Account::parse(&registered.text()).unwrap();
        assert!(again.names.is_empty() && again.by.is_some(), "{again:?}");
        let wrong = |from: &str, to: &str| assert_eq!(Account::parse(&text.replace(from, to)), None, "{to}");
        for (from, to) in [("key = ", "key = 0"), ("names = ", "name = "), ("names = example.com www.", "names = *.")] {
            wrong(from, to);
        }
        wrong("names = example.com www.example.com", "names = ");
        wrong("since = ", "by = alice\nsince = ");
    }

    #[test]
    fn allowfrom_is_what_acme_dns_takes_and_nothing_else() {
        for good in ["192.168.100.1/24", "1.2.3.4/32", "2002:c0a8:2a00::0/40", "[2001:db8::1]/64", "0.0.0.0/0"] {
            assert!(network(good).is_some(), "{good}");
        }
        for bad in
            ["", "192.0.2.1", "192.0.2.1/33", "192.0.2.1/0]24", "192.0.2/24", "localhost/8", "::1", "1.2.3.4/32 ", "/0"]
        {
            assert_eq!(network(bad), None, "{bad}");
        }
    }

    #[test]
    fn its_json_is_one_line_that_acme_dns_s_clients_read() {
        let networks = vec![network("[2001:db8::1]/64").unwrap()];
        let (account, key) = Account::new(names(&["example.com"]), None, networks).unwrap();
        let json = account.json(&key);
        assert!(!json.reveal().contains('\n'));
        let read: serde_json::Value = serde_json::from_str(json.reveal()).unwrap();
        assert_eq!(read["username"], account.username.as_str());
        assert_eq!(read["password"], key.reveal());
        assert_eq!(read["subdomain"], account.subdomain.as_str());
        assert_eq!(read["fulldomain"], "_acme-challenge.example.com");
        assert_eq!(read["allowfrom"], serde_json::json!(["2001:db8::1/64"]));
    }

    #[test]
    fn it_may_want_a_value_for_each_name_and_its_wildcard() {
        let of = |count: usize| {
            let names = (0..count).map(|number| Name::host(&format!("n{number}.example.com")).unwrap()).collect();
            Account::new(names, None, Vec::new()).unwrap().0.values()
        };
        assert_eq!([of(1), of(3), of(100)], [2, 6, 100]);
    }
}
