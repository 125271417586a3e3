//! The certificate that the door shows, with its key. One that was renewed on disk is shown from then
//! on, without a restart; until both files are whole and fit each other, it is the old one.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use crate::config::FILE_LIMIT;
use crate::http;
use crate::mistake::{Mistake, Origin};
use crate::sys;

/// However many connections come, the file is looked at no more often.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What is shown now, and where a newer one would be.
pub struct Shown {
    certificate: PathBuf,
    key: PathBuf,
    state: Mutex<State>,
}

struct State {
    pair: Matched,
    looked: Instant,
    /// Why what is on disk is not shown, as it stands in the log.
    refused: Option<String>,
}

/// A certificate that fits its key.
struct Matched {
    /// The certificate's file.
    text: String,
    pin: http::Pin,
    certified: Arc<CertifiedKey>,
}

impl Shown {
    pub fn read(certificate: PathBuf, key: PathBuf) -> Result<Shown, Mistake> {
        let pair = Matched::of(read(&certificate)?, &certificate, &key)?;
        let state = Mutex::new(State { pair, looked: Instant::now(), refused: None });
        Ok(Shown { certificate, key, state })
    }

    /// The certificate's file.
    pub fn certificate(&self) -> &Path {
        &self.certificate
    }

    /// Of the certificate's public key, for API_PIN.
    pub fn pin(&self) -> http::Pin {
        self.state().pair.pin
    }

    /// Takes on what is on disk, if it is new. A renewed certificate differs also where its key stays; a
    /// file that cannot be read any more, as after RUN_AS_USER, is no news.
    fn look(&self, state: &mut State) {
        state.looked = Instant::now();
        let Some(text) = read(&self.certificate).ok().filter(|text| *text != state.pair.text) else { return };
        match Matched::of(text, &self.certificate, &self.key) {
            Ok(pair) => {
                log::info!("certificate {} is new, API_PIN = {}", self.certificate.display(), pair.pin);
                (state.pair, state.refused) = (pair, None);
            }
            Err(mistake) => {
                let why = mistake.to_string();
                if state.refused.as_ref() != Some(&why) {
                    log::error!("the new certificate is not shown, the old one still is: {why}; or restart");
                    state.refused = Some(why);
                }
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let mut state = self.state();
        if state.looked.elapsed() >= LOOK_EVERY {
            self.look(&mut state);
        }
        Some(state.pair.certified.clone())
    }
}

impl fmt::Debug for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Shown({})", self.certificate.display())
    }
}

impl Matched {
    fn of(text: String, certificate: &Path, key: &Path) -> Result<Matched, Mistake> {
        const CHAIN: &str = "name a PEM file with the certificate chain";
        let chain = CertificateDer::pem_slice_iter(text.as_bytes()).collect::<Result<Vec<_>, _>>();
        let chain = chain.map_err(|error| wrong(certificate, format!("not PEM ({error})"), CHAIN))?;
        let leaf = chain.first().ok_or_else(|| wrong(certificate, "holds no certificate".to_string(), CHAIN))?;
        let pin = http::pin_of(leaf).map_err(|error| wrong(certificate, error.to_string(), CHAIN))?;
        let secret = zeroize::Zeroizing::new(read(key)?);
        let secret = PrivateKeyDer::from_pem_slice(secret.as_bytes()).map_err(|error| {
            wrong(key, format!("holds no private key ({error})"), "name a PEM file with the key, not encrypted")
        })?;
        let certified = CertifiedKey::from_der(chain, secret, &rustls::crypto::ring::default_provider());
        let certified = certified.map_err(|error| {
            let what = format!("cannot be used with {} ({error})", certificate.display());
            wrong(key, what, "name the key that belongs to the certificate")
        })?;
        Ok(Matched { text, pin, certified: Arc::new(certified) })
    }
}

fn read(path: &Path) -> Result<String, Mistake> {
    sys::read_trusted(path, FILE_LIMIT).map_err(|refusal| wrong(path, refusal.what, &refusal.remedy))
}

fn wrong(path: &Path, what: String, remedy: &str) -> Mistake {
    Mistake::new(Origin::Default, format!("{}: {what}", path.display()), remedy)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    use crate::scratch::Scratch;

    /// PEM of a certificate and its key.
    fn made() -> [String; 2] {
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = rcgen::CertificateParams::new(["gateway.example".to_string()]).unwrap().self_signed(&key);
        [certificate.unwrap().pem(), key.serialize_pem()]
    }

    #[test]
    fn a_renewed_certificate_is_shown_once_its_key_fits_and_until_then_the_old_one() {
        let folder = Scratch::new();
        let [certificate, key] = ["cert.pem", "key.pem"].map(|name| folder.path().join(name));
        let ([old, old_key], [new, new_key]) = (made(), made());
        fs::write(&certificate, &old).unwrap();
        fs::write(&key, &old_key).unwrap();
        let shown = Shown::read(certificate.clone(), key.clone()).unwrap();
        let first = shown.pin();
        // Is it still the old one, and does the log say why?
        let looked = || {
            let mut state = shown.state();
            shown.look(&mut state);
            (state.pair.pin == first, state.refused.is_some())
        };
        assert_eq!(looked(), (true, false));
        fs::write(&certificate, &new).unwrap();
        assert_eq!(looked(), (true, true), "its key is still to come");
        fs::write(&certificate, &new[..new.len() / 2]).unwrap();
        assert_eq!(looked(), (true, true), "half of it");
        fs::write(&certificate, &new).unwrap();
        fs::write(&key, &new_key).unwrap();
        assert_eq!(looked(), (false, false));
        fs::remove_file(&key).unwrap();
        assert_eq!(looked(), (false, false), "a key is not read again for the same certificate");
        fs::remove_file(&certificate).unwrap();
        assert_eq!(looked(), (false, false), "what cannot be read is no news");
    }
}
