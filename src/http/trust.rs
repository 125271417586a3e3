//! Which TLS servers are believed: by a chain to a root and the name, or by a pinned key.
//!
//! Whatever the kind of trust, the server has to sign the handshake with the key of its
//! certificate: a pin of a public key, which everybody can copy, would mean nothing otherwise.
//! Every refusal says the pin that was seen, so that the operator can compare it.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, OtherError, RootCertStore, SignatureScheme};
use webpki::EndEntityCert;

use crate::config::FILE_LIMIT;
use crate::foreign::Foreign;
use crate::sys::{self, Refusal};

/// Whom a client believes.
#[derive(Debug, Clone)]
pub enum Trust {
    /// The system's roots, or Mozilla's where the system has none (an empty chroot).
    System,
    /// These roots only.
    Roots(Roots),
    /// The server that holds this key, whatever its certificate says.
    Pin(Pin),
    /// Everybody. For those who insist.
    Anything,
}

/// At least one root certificate; made by [`roots_from_pem`].
#[derive(Debug, Clone)]
pub struct Roots(Arc<RootCertStore>);

/// The SHA-256 of a certificate's SubjectPublicKeyInfo, written as curl's `--pinnedpubkey` takes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pin([u8; 32]);

impl Pin {
    /// Reads `sha256//BASE64`; the error is the remedy.
    pub fn parse(text: &str) -> Result<Pin, String> {
        let digest = text.strip_prefix("sha256//").and_then(|base64| BASE64_STANDARD.decode(base64).ok());
        let digest = digest.and_then(|digest| digest.try_into().ok());
        digest.map(Pin).ok_or_else(|| {
            "write it as sha256//BASE64, the SHA-256 of the public key as the gateway logs it at its start".to_string()
        })
    }
}

impl fmt::Display for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256//{}", BASE64_STANDARD.encode(self.0))
    }
}

/// The pin of a certificate's key.
pub fn pin_of(certificate: &CertificateDer<'_>) -> Result<Pin, webpki::Error> {
    let key = EndEntityCert::try_from(certificate)?.subject_public_key_info();
    let digest = ring::digest::digest(&ring::digest::SHA256, &key);
    Ok(Pin(digest.as_ref().try_into().expect("SHA-256 has 32 bytes")))
}

/// The pin of the certificate in a PEM file, the first of a chain. Nothing in it is secret, and whoever
/// could put another one there is the server itself.
pub fn pin_from_pem(path: &Path) -> Result<Pin, Refusal> {
    let text = sys::read_public(path, FILE_LIMIT)?;
    let wrong = || Refusal::new("holds no certificate", "name a PEM file with the certificate chain");
    let certificate = CertificateDer::pem_slice_iter(text.as_bytes()).next().ok_or_else(wrong)?;
    certificate.ok().and_then(|certificate| pin_of(&certificate).ok()).ok_or_else(wrong)
}

/// Reads the root certificates of a PEM file that only root or we can have written.
pub fn roots_from_pem(path: &Path) -> Result<Roots, Refusal> {
    let remedy = "put the CA's certificates into it (PEM: -----BEGIN CERTIFICATE-----)";
    let text = sys::read_trusted(path, FILE_LIMIT)?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(text.as_bytes()) {
        let wrong = |error: &dyn fmt::Display| Refusal::new(format!("holds a wrong certificate ({error})"), remedy);
        let certificate = certificate.map_err(|error| wrong(&error))?;
        roots.add(certificate).map_err(|error| wrong(&error))?;
    }
    match roots.is_empty() {
        true => Err(Refusal::new("holds no certificate", remedy)),
        false => Ok(Roots(Arc::new(roots))),
    }
}

/// The TLS settings of a client that believes as told.
pub(super) fn client_config(trust: &Trust) -> Arc<ClientConfig> {
    let crypto = Arc::new(rustls::crypto::ring::default_provider());
    let chain = |roots| Check::Chain(chain_verifier(roots, &crypto));
    let check = match trust {
        Trust::System => chain(system_roots()),
        Trust::Roots(Roots(roots)) => chain(roots.clone()),
        Trust::Pin(pin) => Check::Pin(*pin),
        Trust::Anything => Check::Nothing,
    };
    let verifier = Verifier { check, algorithms: crypto.signature_verification_algorithms };
    let config = ClientConfig::builder_with_provider(crypto)
        .with_safe_default_protocol_versions()
        .expect("ring has the cipher suites of TLS 1.2 and 1.3")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    Arc::new(config)
}

fn chain_verifier(roots: Arc<RootCertStore>, crypto: &Arc<CryptoProvider>) -> Arc<WebPkiServerVerifier> {
    let verifier = WebPkiServerVerifier::builder_with_provider(roots, crypto.clone()).build();
    verifier.expect("there is at least one root and no revocation list")
}

fn system_roots() -> Arc<RootCertStore> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    Arc::new(roots)
}

#[derive(Debug)]
struct Verifier {
    check: Check,
    algorithms: WebPkiSupportedAlgorithms,
}

#[derive(Debug)]
enum Check {
    Chain(Arc<WebPkiServerVerifier>),
    Pin(Pin),
    Nothing,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let seen = pin_of(certificate).map_err(|error| Distrust(format!("its certificate cannot be read: {error}")))?;
        match &self.check {
            Check::Chain(chain) => chain
                .verify_server_cert(certificate, intermediates, name, ocsp, now)
                .map_err(|error| Distrust(format!("{}; the pin of its key is {seen}", reason(&error))).into()),
            Check::Pin(pin) if *pin != seen => {
                Err(Distrust(format!("its key is not the pinned one; the pin of its key is {seen}")).into())
            }
            Check::Pin(_) | Check::Nothing => Ok(ServerCertVerified::assertion()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// Our reason for a refusal, on its way through rustls.
#[derive(Debug)]
struct Distrust(String);

impl std::error::Error for Distrust {}

impl fmt::Display for Distrust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<Distrust> for rustls::Error {
    fn from(distrust: Distrust) -> rustls::Error {
        CertificateError::Other(OtherError(Arc::new(distrust))).into()
    }
}

/// Why TLS was refused, in one line.
pub(super) fn reason(error: &rustls::Error) -> String {
    use CertificateError::{BadSignature, Other, UnknownIssuer};
    match error {
        rustls::Error::InvalidCertificate(UnknownIssuer) => {
            "its certificate is not signed by a CA that is trusted here".to_string()
        }
        rustls::Error::InvalidCertificate(BadSignature) => {
            "a signature is wrong; whoever answers does not hold the key of its certificate".to_string()
        }
        rustls::Error::InvalidCertificate(Other(OtherError(inner))) => match inner.downcast_ref::<webpki::Error>() {
            // What `openssl req -x509` makes; no chain can be built to it.
            Some(webpki::Error::CaUsedAsEndEntity) => {
                "its certificate is that of a CA itself, which only a pin can accept".to_string()
            }
            _ => Foreign(&inner.to_string()).to_string(),
        },
        rustls::Error::InvalidCertificate(error) => Foreign(&error.to_string()).to_string(),
        rustls::Error::InvalidMessage(_) => "it does not speak TLS; is it plain http?".to_string(),
        error => Foreign(&error.to_string()).to_string(),
    }
}
