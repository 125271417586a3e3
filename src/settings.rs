//! Every configuration name there is: what each part publishes, put together for each tool. The
//! parser takes their union; help, manual and README are held to it.

use crate::config::{self, Setting};
use crate::provider::PROVIDERS;
use crate::{account, gateway, hook, http, propagation, serve, state, users};

/// The setting of the log, which belongs to no part.
const LOG: &[Setting] = &[Setting::new("LOG_LEVEL", "info", "error, warn, info, debug or trace; to stdout")];

/// The gateway's, those of all providers included.
pub fn serve() -> Vec<Setting> {
    let own = serve::SETTINGS.concat();
    let mut all =
        [config::SETTINGS, LOG, &own, users::SETTINGS, state::SETTINGS, account::SETTINGS, propagation::SETTINGS]
            .concat();
    // Providers share names with each other and with DoH (proxies), and each row says what it needs.
    let needed = PROVIDERS.iter().flat_map(|row| row.settings()).chain(http::SETTINGS);
    for setting in needed {
        if all.iter().all(|one| one.name != setting.name) {
            all.push(*setting);
        }
    }
    all
}

/// The hook's, on the web server.
pub fn hook() -> Vec<Setting> {
    [config::SETTINGS, gateway::SETTINGS, hook::SETTINGS].concat()
}

/// Those that passwd looks at.
pub fn passwd() -> Vec<Setting> {
    [config::SETTINGS, users::SETTINGS].concat()
}

/// Those of a probe on the web server; beside the gateway it looks at the gateway's.
pub fn probe() -> Vec<Setting> {
    [config::SETTINGS, gateway::SETTINGS].concat()
}

/// Those that acmedns looks at, beside the accounts' of the gateway.
pub fn acmedns() -> Vec<Setting> {
    [config::SETTINGS, state::SETTINGS].concat()
}

/// The union, each name once.
pub fn all() -> Vec<Setting> {
    let mut all = serve();
    all.extend(hook().into_iter().skip(config::SETTINGS.len()));
    all
}
