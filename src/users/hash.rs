//! One password as a users file keeps it: `$8$salt$digest` or `$7$salt$digest`.
//!
//! The numbers, parameters and the base64 without padding are those of the Python predecessor
//! (its passwd.py), whose files go on working here, and ours there. The salt is random bytes,
//! decoded before use. The only home of scrypt, pbkdf2 and sha3.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD as BASE64;
use pbkdf2::hmac::SimpleHmac;
use pbkdf2::pbkdf2;
use ring::rand::{SecureRandom, SystemRandom};
use scrypt::Params;
use sha3::Sha3_512;

use crate::secret::{Secret, same};
use crate::users::thread;

/// Bytes of a new salt, as in the predecessor.
const SALT: usize = 16;

/// Bytes of a digest, whichever the derivation.
const DIGEST: usize = 32;

/// How the digest was derived; the line's own number says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Derivation {
    /// `8`: scrypt (RFC 7914) with N = 16384, r = 8, p = 1. About 16 MiB while it runs.
    Scrypt,
    /// `7`: PBKDF2 (RFC 8018) with HMAC-SHA3-512 and 262144 rounds, where Python had no scrypt.
    Pbkdf2,
}

/// A salted, derived password. No Debug on purpose: a digest can be guessed at.
#[derive(Clone)]
pub struct Hash {
    derivation: Derivation,
    salt: Vec<u8>,
    digest: [u8; DIGEST],
}

/// Why a text is not a [`Hash`]; reads on after a colon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HashError(&'static str);

impl fmt::Display for HashError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl Hash {
    /// Derives a new one, by scrypt under a fresh salt. Costs what [`Hash::matches`] costs.
    pub fn of(password: &Secret) -> Hash {
        let mut salt = vec![0; SALT];
        SystemRandom::new().fill(&mut salt).expect("the system gives random bytes");
        let digest = derived(Derivation::Scrypt, password, &salt);
        Hash { derivation: Derivation::Scrypt, salt, digest }
    }

    /// Reads `$8$salt$digest` or `$7$salt$digest`.
    pub fn parse(text: &str) -> Result<Hash, HashError> {
        let mut fields = text.split('$');
        let mut field = || fields.next().ok_or(HashError("not of the form $8$salt$digest"));
        if !field()?.is_empty() {
            return Err(HashError("not of the form $8$salt$digest"));
        }
        let derivation = match field()? {
            "8" => Derivation::Scrypt,
            "7" => Derivation::Pbkdf2,
            _ => return Err(HashError("neither $8$ (scrypt) nor $7$ (pbkdf2-sha3_512)")),
        };
        let salt = BASE64.decode(field()?).map_err(|_| HashError("the salt is not base64 without padding"))?;
        let digest = BASE64.decode(field()?).map_err(|_| HashError("the digest is not base64 without padding"))?;
        let digest = digest.try_into().map_err(|_| HashError("the digest is not 32 bytes long"))?;
        if salt.is_empty() {
            return Err(HashError("the salt is empty"));
        }
        match field() {
            Ok(_) => Err(HashError("more than salt and digest")),
            Err(_) => Ok(Hash { derivation, salt, digest }),
        }
    }

    /// Is it this password? Derives anew, which takes tens of milliseconds of a core on purpose.
    pub fn matches(&self, password: &Secret) -> bool {
        same(&derived(self.derivation, password, &self.salt), &self.digest)
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = match self.derivation {
            Derivation::Scrypt => 8,
            Derivation::Pbkdf2 => 7,
        };
        write!(f, "${number}${}${}", BASE64.encode(&self.salt), BASE64.encode(self.digest))
    }
}

fn derived(derivation: Derivation, password: &Secret, salt: &[u8]) -> [u8; DIGEST] {
    let (password, salt) = (Secret::new(password.reveal().to_string()), salt.to_vec());
    thread::run(move || derive(derivation, &password, &salt))
}

fn derive(derivation: Derivation, password: &Secret, salt: &[u8]) -> [u8; DIGEST] {
    let password = password.reveal().as_bytes();
    let mut digest = [0; DIGEST];
    match derivation {
        Derivation::Scrypt => {
            let params = Params::new(14, 8, 1).expect("N = 2^14, r = 8, p = 1 are within scrypt's bounds");
            scrypt::scrypt(password, salt, &params, &mut digest).expect("32 bytes are within scrypt's bounds");
        }
        Derivation::Pbkdf2 => {
            pbkdf2::<SimpleHmac<Sha3_512>>(password, salt, 262_144, &mut digest).expect("HMAC takes keys of any length")
        }
    }
    digest
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::process::{Command, Stdio};

    const PASSWORD: &str = "pässword: $with everything";

    // Made with Python 3.11:
    //   password, salt = "pässword: $with everything".encode(), bytes(range(16))
    //   hashlib.scrypt(password=password, salt=salt, n=16384, r=8, p=1, dklen=32)
    //   hashlib.pbkdf2_hmac("sha3_512", password, salt, 262144, 32)
    // both, and the salt, through base64.b64encode(…).decode().rstrip("=").
    const SCRYPT: &str = "$8$AAECAwQFBgcICQoLDA0ODw$MzOOhrUHOP8zkhzDYswqN99FKYAcDOCwUaGU8yyqMF8";
    const PBKDF2: &str = "$7$AAECAwQFBgcICQoLDA0ODw$reE758AD8JNqBW9ipB8I1l4gUxeumJZuqByh95YW3vs";

    fn secret(text: &str) -> Secret {
        Secret::new(text.to_string())
    }

    #[test]
    fn what_python_derived_verifies_by_the_number_of_its_line() {
        for vector in [SCRYPT, PBKDF2] {
            let hash = Hash::parse(vector).unwrap();
            assert!(hash.matches(&secret(PASSWORD)), "{vector}");
            assert_eq!(hash.to_string(), vector, "written as it was read");
        }
        let renumbered = PBKDF2.replace("$7$", "$8$");
        assert!(!Hash::parse(&renumbered).unwrap().matches(&secret(PASSWORD)));
        assert!(!Hash::parse(SCRYPT).unwrap().matches(&secret(&format!("{PASSWORD}\n"))));
    }

    #[test]
    fn each_new_hash_has_a_salt_of_its_own_and_verifies() {
        let (a, b) = (Hash::of(&secret(PASSWORD)), Hash::of(&secret(PASSWORD)));
        assert_ne!(a.salt, b.salt);
        assert_eq!(a.salt.len(), 16);
        let read = Hash::parse(&a.to_string()).unwrap();
        assert!(read.matches(&secret(PASSWORD)) && !read.matches(&secret("")));
    }

    #[test]
    fn what_we_derive_verifies_in_python() {
        let program = "import base64, hashlib, sys\n\
            _, number, salt, digest = sys.argv[1].split('$')\n\
            salt = base64.b64decode(salt.ljust(len(salt) - len(salt) % 4 + 4, '='))\n\
            found = hashlib.scrypt(password=sys.stdin.buffer.read(), salt=salt, n=16384, r=8, p=1, dklen=32)\n\
            sys.exit(0 if number == '8' and base64.b64encode(found).decode().rstrip('=') == digest else 3)\n";
        let hash = Hash::of(&secret(PASSWORD)).to_string();
        let python = Command::new("python3").args(["-c", program, &hash]).stdin(Stdio::piped()).spawn();
        let Ok(mut python) = python else {
            eprintln!("SKIPPED: no python3 here to verify our hash with");
            return;
        };
        python.stdin.take().unwrap().write_all(PASSWORD.as_bytes()).unwrap();
        assert_eq!(python.wait().unwrap().code(), Some(0));
    }

    #[test]
    fn anything_else_is_refused() {
        for bad in [
            "",
            "8$AAEC$AAEC",
            "x$8$AAECAwQFBgcICQoLDA0ODw$MzOOhrUHOP8zkhzDYswqN99FKYAcDOCwUaGU8yyqMF8",
            "$8",
            "$8$AAECAwQFBgcICQoLDA0ODw",
            "$8$$MzOOhrUHOP8zkhzDYswqN99FKYAcDOCwUaGU8yyqMF8",
            "$8$AAECAwQFBgcICQoLDA0ODw==$MzOOhrUHOP8zkhzDYswqN99FKYAcDOCwUaGU8yyqMF8",
            "$8$AAECAwQFBgcICQoLDA0ODw$",
            "$8$AAECAwQFBgcICQoLDA0ODw$MzOOhrUHOP8",
            "$8$AAECAwQFBgcICQoLDA0ODw$MzOOhrUHOP8zkhzDYswqN99FKYAcDOCwUaGU8yyqMF8$",
            "$1$AAECAwQFBgcICQoLDA0ODw$MzOOhrUHOP8zkhzDYswqN99FKYAcDOCwUaGU8yyqMF8",
            "$apr1$AAECAwQF$MzOOhrUHOP8zkhzDYswqN9",
        ] {
            assert!(Hash::parse(bad).is_err(), "{bad:?}");
        }
    }
}
