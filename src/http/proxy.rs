//! Which forward proxy leads to a provider's service, by the names that curl uses.
//!
//! The proxy of the address's scheme beats ALL_PROXY. The names are taken in upper case only:
//! they are configuration like the rest, and what the file says has one spelling.

use std::net::IpAddr;

use ipnet::IpNet;
use ureq::Proxy;

use super::{BaseUrl, has_wrong_port};
use crate::config::{Config, Mistakes, Setting};

pub const SETTINGS: &[Setting] = &[
    Setting::new("ALL_PROXY", "", "forward proxy for DNS services, as http://HOST:PORT"),
    Setting::new("HTTPS_PROXY", "", "the same, for https addresses only"),
    Setting::new("HTTP_PROXY", "", "the same, for http addresses only"),
    Setting::new("NO_PROXY", "", "hosts, domains and networks that are reached without the proxy"),
];

/// The proxy that leads to `base`; None where there is none or where NO_PROXY exempts it.
pub fn proxy(config: &Config, mistakes: &mut Mistakes, base: &BaseUrl) -> Option<Proxy> {
    let own = if base.is_https() { "HTTPS_PROXY" } else { "HTTP_PROXY" };
    let name = if config.is_set(own) { own } else { "ALL_PROXY" };
    let parsed = parse_proxy(config.text(name)?);
    // Not through Config::parse, which would show the value: it may hold the proxy's password.
    let proxy = mistakes.note(parsed.map_err(|remedy| config.mistake(name, "has a wrong value", remedy)))?;
    let exempt = mistakes.note(config.list("NO_PROXY", |item| Ok(matches(item, base.host()))))?;
    if exempt.contains(&true) { None } else { Some(proxy) }
}

/// Reads a proxy's address; the error is the remedy. Without a scheme it is http.
pub fn parse_proxy(text: &str) -> Result<Proxy, String> {
    let remedy = || "write it as http://HOST:PORT (an http or https proxy; SOCKS is not spoken)".to_string();
    let (scheme, rest) = text.split_once("://").unwrap_or(("http", text));
    if !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("https") {
        return Err(remedy());
    }
    let proxy = Proxy::new(&format!("{scheme}://{rest}")).map_err(|_| remedy())?;
    match proxy.uri().authority() {
        Some(authority) if !has_wrong_port(authority) && !proxy.host().is_empty() => Ok(proxy),
        _ => Err(remedy()),
    }
}

/// As curl reads NO_PROXY: `*` is everything, a domain covers what lies below it, a network its addresses.
fn matches(item: &str, host: &str) -> bool {
    if item == "*" {
        return true;
    }
    if let Ok(address) = host.parse::<IpAddr>() {
        let item = item.trim_matches(['[', ']']);
        return item.parse() == Ok(address) || item.parse().is_ok_and(|net: IpNet| net.contains(&address));
    }
    let domain = item.trim_start_matches('*').trim_start_matches('.').to_ascii_lowercase();
    match host.strip_suffix(&domain) {
        Some(rest) => !domain.is_empty() && (rest.is_empty() || rest.ends_with('.')),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Search;
    use crate::http::base_url;

    fn chosen(base: &str, written: &[(&str, &str)]) -> Result<Option<String>, String> {
        let environment =
            |name: &str| written.iter().find(|(written, _)| *written == name).map(|(_, value)| value.to_string());
        let search = Search { named: None, file_name: "none", last: None };
        let (config, mut mistakes) = Config::load(SETTINGS, Vec::new(), environment, search).unwrap();
        let proxy = proxy(&config, &mut mistakes, &base_url(base).unwrap());
        let shown = proxy.map(|proxy| format!("{}:{}", proxy.host(), proxy.port()));
        mistakes.finish(Some(shown)).map_err(|failure| failure.to_string())
    }

    #[test]
    fn the_proxy_of_the_scheme_beats_all_proxy_and_a_missing_scheme_is_http() {
        let both = [("ALL_PROXY", "http://all:3128"), ("HTTPS_PROXY", "secure:3129")];
        assert_eq!(chosen("https://api.example", &both), Ok(Some("secure:3129".into())));
        assert_eq!(chosen("http://127.0.0.1", &both), Ok(Some("all:3128".into())));
        assert_eq!(chosen("https://api.example", &[("HTTP_PROXY", "plain:1")]), Ok(None));
    }

    #[test]
    fn no_proxy_exempts_hosts_domains_and_networks() {
        let through =
            |base: &str, list: &str| chosen(base, &[("ALL_PROXY", "proxy:1"), ("NO_PROXY", list)]).unwrap().is_some();
        for list in ["*", "api.example", "x, EXAMPLE", ".example", "*.example"] {
            assert!(!through("https://api.example", list), "{list}");
        }
        for list in ["pi.example", "api.example.org", ".", "192.0.2.0/24"] {
            assert!(through("https://api.example", list), "{list}");
        }
        assert!(!through("http://127.0.0.9:1", "127.0.0.0/8") && !through("http://[::1]:1", "::1"));
        assert!(through("http://127.0.0.9:1", "127.0.0.1"));
    }

    #[test]
    fn a_wrong_proxy_is_a_mistake_that_does_not_show_its_password() {
        for bad in ["socks5://me:hunter2@proxy:1080", "http://me:hunter2@proxy:x", "http://"] {
            let said = chosen("https://api.example", &[("ALL_PROXY", bad)]).unwrap_err();
            assert!(said.contains("environment: ALL_PROXY") && said.contains("http://HOST:PORT"), "{said}");
            assert!(!said.contains("hunter2"), "{said}");
        }
    }
}
