//! The real program, driven from outside: one process a test, on loopback, on ports of the
//! system's choosing.

mod support;

mod cases {
    /// Who may touch which domains: ACCESS_FILE.
    mod access;
    /// Several DNS accounts in one gateway: DNSAPI_ACCOUNTS.
    mod accounts;
    /// acme-dns: its dialect, its accounts, `acmegw acmedns`.
    mod acmedns;
    /// Delegated names: DNS_ALIAS.
    mod alias;
    /// The door's limits: whom they keep out, and whom not.
    mod attack;
    /// Who is admitted: BASIC_AUTH, ALLOWED_HOSTS, proxies.
    mod auth;
    /// Each ACME client's words, and the manual's section for it.
    mod clients;
    /// Many clients at once: nothing is lost, nothing is left.
    mod concurrency;
    /// What is refused at start, with file, line and remedy; which source wins.
    mod config;
    /// Help, manuals, README and examples say what the program does.
    mod docs;
    /// TLS, deadlines and the engine on the wire.
    mod door;
    /// Ambiguous and malformed requests on the wire.
    mod framing;
    /// `acmegw hook` against the gateway.
    mod hook;
    /// httpreq and acmeproxy: lego, Traefik, Caddy, acme.sh.
    mod httpreq;
    /// The ledger on disk: restarts, kills, a disk that cannot be written.
    mod ledger;
    /// Signals, restarts, the reaper, the log.
    mod life;
    /// How much one caller may do.
    mod limits;
    /// A DNS service that misbehaves.
    mod misbehaving;
    /// The native dialect: every bad input and its one answer.
    mod native;
    /// Root's rights, and how they are given up.
    mod privilege;
    /// `acmegw probe` against the gateway.
    mod probe;
    /// Whether what was set is visible: the resource, and who is told.
    mod propagation;
    /// acme.sh: and python:, by the scripts that are shipped.
    mod scripts;
    /// Guessing passwords.
    mod throttle;
}
