//! Which gateway the hook asks, whom it believes to be that gateway, and how long it waits.

use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use crate::config::{Config, Mistake, Mistakes, Setting};
use crate::http::{self, BaseUrl, Pin, Proxy, Trust};
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
    Setting::new("DNS_DELAY", "300", "seconds to wait after a setup until the record is seen everywhere"),
    Setting::new("LOGFILE", "", "the hook's log"),
];

/// The longest DNS_DELAY (seconds). Nobody's DNS takes a day; a slip of the finger does.
const LONGEST_DELAY: u64 = 86_400;

/// What a call for a change needs.
pub struct Settings {
    pub address: Address,
    pub delay: Duration,
}

/// Where the gateway is and how to talk to it.
pub struct Address {
    pub uri: BaseUrl,
    /// The value of the Authorization header.
    pub authorization: Option<Secret>,
    pub trust: Trust,
    pub proxy: Option<Proxy>,
}

impl Settings {
    pub fn read(config: &Config, mistakes: &mut Mistakes) -> Option<Settings> {
        let uri = mistakes.note(config.required("API_URI", config.parse_unshown("API_URI", http::address)));
        let authorization = mistakes.note(authorization(config));
        let trust = mistakes.note(trust(config));
        let proxy = mistakes.note(config.parse_unshown("API_PROXY", http::parse_proxy));
        let delay = mistakes.note(config.number("DNS_DELAY", 0..=LONGEST_DELAY));
        let (uri, authorization) = (uri?, authorization?);
        if authorization.is_some() && !uri.is_confidential() {
            let remedy = "write https://; a password goes over plain http to 127.0.0.1, ::1 and localhost only";
            mistakes.push(config.mistake("API_URI", "would send API_PASSWD in clear", remedy));
        }
        let address = Address { uri, authorization, trust: trust?, proxy: proxy? };
        Some(Settings { address, delay: Duration::from_secs(delay??) })
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
fn trust(config: &Config) -> Result<Trust, Mistake> {
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
