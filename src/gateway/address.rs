//! Which gateway is asked, as whom, and whom we believe to be that gateway.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use crate::config::{Config, Mistakes, Setting};
use crate::http::{self, BaseUrl, Pin, Proxy, Trust};
use crate::mistake::Mistake;
use crate::secret::Secret;

/// The names at the head of the predecessor's apache-mod_md.sh, and what TLS needs.
pub const SETTINGS: &[Setting] = &[
    Setting::new("API_URI", "", "the gateway's address, as https://HOST:8000"),
    Setting::new("API_USER", "", "the user that the gateway knows us by"),
    Setting::secret("API_PASSWD", "that user's password"),
    Setting::new("API_CA", "", "PEM file of the CA that signed the gateway's certificate (else the system's roots)"),
    Setting::new("API_PIN", "", "the pin of the gateway's key, sha256//BASE64, in place of a CA"),
    Setting::new("API_INSECURE", "no", "yes: believe any certificate"),
    Setting::new("API_PROXY", "", "forward proxy to the gateway, as http://HOST:PORT"),
];

/// Where the gateway is and how to talk to it.
pub struct Address {
    pub uri: BaseUrl,
    /// The value of the Authorization header.
    pub authorization: Option<Secret>,
    pub trust: Trust,
    pub proxy: Option<Proxy>,
}

impl Address {
    pub fn read(config: &Config, mistakes: &mut Mistakes) -> Option<Address> {
        let uri = mistakes.note(config.required("API_URI", config.parse_unshown("API_URI", http::address)));
        let authorization = mistakes.note(authorization(config));
        let trust = mistakes.note(trust(config));
        let proxy = mistakes.note(config.parse_unshown("API_PROXY", http::parse_proxy));
        let (uri, authorization) = (uri?, authorization?);
        if authorization.is_some() && !uri.is_confidential() {
            let remedy = "write https://; a password goes over plain http to 127.0.0.1, ::1 and localhost only";
            mistakes.push(config.mistake("API_URI", "would send API_PASSWD in clear", remedy));
        }
        Some(Address { uri, authorization, trust: trust?, proxy: proxy? })
    }

    /// A gateway whose address and certificate are known otherwise; as whom it is asked stands in the
    /// configuration.
    pub fn known(uri: BaseUrl, trust: Trust, config: &Config, mistakes: &mut Mistakes) -> Option<Address> {
        let authorization = mistakes.note(authorization(config))?;
        Some(Address { uri, authorization, trust, proxy: None })
    }

    /// Does the configuration say whom to believe?
    pub fn names_trust(config: &Config) -> bool {
        ["API_CA", "API_PIN", "API_INSECURE"].iter().any(|name| config.is_set(name))
    }
}

/// HTTP Basic, RFC 7617: the user's name holds no colon.
fn authorization(config: &Config) -> Result<Option<Secret>, Mistake> {
    match (config.text("API_USER"), config.secret("API_PASSWD")?) {
        (None, None) => Ok(None),
        (Some(user), _) if user.contains(':') => Err(config.mistake("API_USER", "holds a colon", "no user has one")),
        (Some(user), Some(password)) => {
            let both = Secret::new(format!("{user}:{}", password.reveal()));
            Ok(Some(Secret::new(format!("Basic {}", BASE64_STANDARD.encode(both.reveal())))))
        }
        (Some(_), None) => {
            Err(config.mistake("API_USER", "is set without a password", "set API_PASSWD or API_PASSWD_FILE"))
        }
        (None, Some(_)) => Err(config.mistake("API_PASSWD", "is set without a user", "set API_USER, or remove it")),
    }
}

/// One way to believe, not two: a pin takes the place of the chain, so that a CA beside it would
/// be a check that nobody makes.
pub fn trust(config: &Config) -> Result<Trust, Mistake> {
    let insecure = config.switch("API_INSECURE")? == Some(true);
    let pin = config.parse("API_PIN", Pin::parse)?;
    match (config.path("API_CA"), pin, insecure) {
        (None, None, false) => Ok(Trust::System),
        (Some(path), None, false) => match http::roots_from_pem(&path) {
            Ok(roots) => Ok(Trust::Roots(roots)),
            Err(reason) => {
                Err(config.mistake("API_CA", format_args!("= {}: {}", path.display(), reason.what), reason.remedy))
            }
        },
        (None, Some(pin), false) => Ok(Trust::Pin(pin)),
        (None, None, true) => Ok(Trust::Anything),
        (_, _, true) => {
            let what = "= yes would make API_CA and API_PIN void";
            Err(config.mistake("API_INSECURE", what, "remove it, and keep the certificate checked"))
        }
        (Some(_), Some(_), false) => {
            let what = "and API_CA are both set, and a pin takes the place of a CA";
            Err(config.mistake("API_PIN", what, "keep one of the two"))
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::gateway::tests::address;

    #[test]
    fn settings_that_contradict_or_endanger_are_refused_and_show_no_secret() {
        let pin = "sha256//47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
        let (uri, plain) = (("API_URI", "https://gw.example"), ("API_URI", "http://gw.example"));
        let (user, password) = (("API_USER", "alice"), ("API_PASSWD", "hunter2"));
        for (written, named) in [
            (&[][..], "API_URI is not set"),
            (&[("API_URI", "gw.example:8000")], "write it as https://HOST"),
            (&[("API_URI", "https://alice:hunter2@gw.example")], "take name and password out"),
            (&[plain, user, password], "in clear: write https://"),
            (&[uri, user], "API_USER is set without a password"),
            (&[uri, password], "API_PASSWD is set without a user"),
            (&[uri, password, ("API_USER", "a:b")], "API_USER holds a colon"),
            (&[uri, ("API_CA", "/nowhere/ca.pem")], "API_CA = /nowhere/ca.pem: cannot be read"),
            (&[uri, ("API_PIN", "sha256//x")], "write it as sha256//BASE64"),
            (&[uri, ("API_PIN", pin), ("API_CA", "/ca.pem")], "API_PIN and API_CA are both set"),
            (&[uri, ("API_PIN", pin), ("API_INSECURE", "yes")], "would make API_CA and API_PIN void"),
            (&[uri, ("API_INSECURE", "maybe")], "write one of"),
            (&[uri, ("API_PROXY", "socks5://u:hunter2@h")], "write it as http://HOST:PORT"),
        ] {
            let said = address(written).err().unwrap_or_else(|| panic!("{named}"));
            assert!(said.contains(named) && !said.contains("hunter2"), "{named}: {said}");
        }
        assert!(address(&[uri]).is_ok() && address(&[plain]).is_ok());
        assert!(address(&[("API_URI", "http://127.0.0.1:8000"), user, password]).is_ok());
    }
}
