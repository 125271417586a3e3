//! Where the gateway's certificate and key are: for the gateway, and for whoever has to know it by them.

use std::path::{Path, PathBuf};

use crate::config::Setting;

pub const SETTINGS: &[Setting] = &[
    Setting::new("SSL", "on", "off: plain HTTP, for use behind a proxy on the same machine"),
    Setting::new("SSL_CERT", "", "the certificate chain, PEM (default: cert.pem beside the configuration file)"),
    Setting::new("SSL_KEY", "", "its private key, PEM (default: key.pem beside the configuration file)"),
];

/// Certificate and key in a folder, where no setting names them.
pub fn names_in(folder: &Path) -> (PathBuf, PathBuf) {
    (folder.join("cert.pem"), folder.join("key.pem"))
}
