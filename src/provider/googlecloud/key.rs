//! A service account's key, as Google's console gives it out, and the assertion that it signs.

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use serde_json::{Value as Json, json};

use crate::clock;
use crate::config::{Config, FILE_LIMIT};
use crate::http::{BaseUrl, base_url};
use crate::mistake::Mistake;
use crate::provider::rest::oauth::Form;
use crate::secret::Secret;
use crate::sys;

/// The least that lets DNS be changed, and nothing else.
const SCOPE: &str = "https://www.googleapis.com/auth/ndev.clouddns.readwrite";

/// How long an assertion may be used (seconds): the most that the service takes.
const LIFETIME: i64 = 3600;

pub struct ServiceAccount {
    pub project: String,
    /// Where it asks for tokens.
    pub address: BaseUrl,
    email: String,
    key_id: String,
    key: RsaKeyPair,
}

impl ServiceAccount {
    /// Reads the file of DNSAPI_KEY_FILE.
    pub fn read(config: &Config) -> Result<ServiceAccount, Mistake> {
        const NAME: &str = "DNSAPI_KEY_FILE";
        let path = config.required(NAME, Ok(config.path(NAME)))?;
        let text = sys::read_trusted(&path, FILE_LIMIT).map_err(|reason| {
            config.mistake(NAME, format_args!("= {}: {}", path.display(), reason.what), reason.remedy)
        })?;
        let text = Secret::new(text);
        let wrong = |what: &str| {
            let remedy = "make a new key of the service account, in JSON, and put it there as it is";
            config.mistake(NAME, format_args!("= {}: {what}", path.display()), remedy)
        };
        let json: Json = serde_json::from_str(text.reveal()).map_err(|_| wrong("it is not JSON"))?;
        let field = |name: &str| match json[name].as_str() {
            Some(text) if !text.is_empty() => Ok(text.to_string()),
            _ => Err(wrong(&format!("it has no {name}"))),
        };
        let pem = Secret::new(field("private_key")?);
        let key = rsa(pem.reveal()).ok_or_else(|| wrong("its private_key is not an RSA key"))?;
        let address = base_url(&field("token_uri")?).map_err(|_| wrong("its token_uri is no https address"))?;
        let project = field("project_id")?;
        if !project.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.:".contains(&byte)) {
            return Err(wrong("its project_id is none"));
        }
        Ok(ServiceAccount { project, address, email: field("client_email")?, key_id: field("private_key_id")?, key })
    }

    /// A JSON Web Token (RFC 7519), signed with RS256.
    fn assertion(&self, now: i64) -> String {
        let header = json!({"alg": "RS256", "typ": "JWT", "kid": self.key_id});
        let audience = self.address.as_str();
        let claims = json!({"iss": self.email, "scope": SCOPE, "aud": audience, "iat": now, "exp": now + LIFETIME});
        let part = |json: Json| BASE64_URL_SAFE_NO_PAD.encode(json.to_string());
        let signed = format!("{}.{}", part(header), part(claims));
        let mut signature = vec![0; self.key.public().modulus_len()];
        let made = self.key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature);
        // Without random bytes there is no TLS either; an empty signature is refused, and that is said.
        if made.is_err() {
            signature.clear();
        }
        format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
    }
}

impl Form for ServiceAccount {
    fn fields(&self) -> Vec<(&'static str, Secret)> {
        let grant = "urn:ietf:params:oauth:grant-type:jwt-bearer".to_string();
        vec![("grant_type", Secret::new(grant)), ("assertion", Secret::new(self.assertion(clock::unix())))]
    }
}

/// A private key out of its PEM: PKCS #8, as the console makes it.
fn rsa(pem: &str) -> Option<RsaKeyPair> {
    let (_, rest) = pem.split_once("-----BEGIN PRIVATE KEY-----")?;
    let (body, _) = rest.split_once("-----END PRIVATE KEY-----")?;
    let body: String = body.chars().filter(|character| !character.is_ascii_whitespace()).collect();
    RsaKeyPair::from_pkcs8(&BASE64_STANDARD.decode(body).ok()?).ok()
}
