//! Delegated names: DNS_ALIAS says for which names the TXT record is written elsewhere, in a zone
//! to which a CNAME at their challenge name leads.
//!
//! Static, and never looked up: following whatever CNAME the DNS holds would let whoever owns one
//! name's zone point it at the challenge of another.

use std::collections::BTreeMap;

use crate::challenge::Name;
use crate::config::{Config, Mistakes, Setting};
use crate::foreign::Foreign;

const ALIAS: &str = "DNS_ALIAS";

pub const SETTINGS: &[Setting] =
    &[Setting::new(ALIAS, "", "delegated names, NAME=TARGET by commas: the TXT record of NAME is written at TARGET")];

/// The delegated names.
#[derive(Debug, Clone, Default)]
pub struct Aliases(BTreeMap<Name, Name>);

impl Aliases {
    /// Reads DNS_ALIAS; `domains` are all that may be touched, None where they could not be read.
    pub fn read(config: &Config, mistakes: &mut Mistakes, domains: Option<Vec<Name>>) -> Option<Aliases> {
        let (aliases, wrong) = parse(config.text(ALIAS).unwrap_or_default(), domains.as_deref());
        let is_right = wrong.is_empty();
        for Wrong { what, remedy } in wrong {
            mistakes.push(config.mistake(ALIAS, what, remedy));
        }
        is_right.then_some(aliases)
    }

    /// What stands in DNS_ALIAS and is well formed, for a provider that serves the targets itself;
    /// what is wrong is reported by [`Aliases::read`].
    pub fn written(config: &Config) -> Aliases {
        parse(config.text(ALIAS).unwrap_or_default(), None).0
    }

    /// Where the record of `name` is written, if not at its own challenge name.
    pub fn target(&self, name: &Name) -> Option<&Name> {
        self.0.get(name)
    }

    /// All names whose record is at `target`.
    pub fn names(&self, target: &Name) -> Vec<&Name> {
        self.pairs().filter(|(_, one)| *one == target).map(|(name, _)| name).collect()
    }

    /// Each name with its target.
    pub fn pairs(&self) -> impl Iterator<Item = (&Name, &Name)> {
        self.0.iter()
    }

    #[cfg(test)]
    pub fn of(pairs: &[(&str, &str)]) -> Aliases {
        let pair = |(name, target): &(&str, &str)| (Name::host(name).unwrap(), Name::owner(target).unwrap());
        Aliases(pairs.iter().map(pair).collect())
    }
}

/// One fault: what reads on after the setting's name, and what to do.
#[derive(Debug, PartialEq, Eq)]
struct Wrong {
    what: String,
    remedy: String,
}

impl Wrong {
    fn new(item: &str, what: impl std::fmt::Display, remedy: impl Into<String>) -> Wrong {
        Wrong { what: format!("has '{}': {what}", Foreign(item)), remedy: remedy.into() }
    }
}

fn parse(text: &str, domains: Option<&[Name]>) -> (Aliases, Vec<Wrong>) {
    let (mut aliases, mut wrong) = (Aliases::default(), Vec::new());
    for item in text.split(',').map(str::trim).filter(|item| !item.is_empty()) {
        match pair(item).and_then(|(name, target)| aliases.add(item, name, target, domains)) {
            Ok(()) => {}
            Err(one) => wrong.push(one),
        }
    }
    // Only now all names are known.
    for (name, target) in aliases.pairs() {
        let leads_on = |one: &&Name| *one == target || one.challenge() == *target;
        if let Some(next) = aliases.0.keys().find(leads_on) {
            let item = format!("{name}={target}");
            let what = format!("the target is that of the delegated name {next}, and would lead on from there");
            wrong.push(Wrong::new(&item, what, "write the last name of the chain as the target of each"));
        }
    }
    (aliases, wrong)
}

fn pair(item: &str) -> Result<(Name, Name), Wrong> {
    let (name, target) = item.split_once('=').ok_or_else(|| {
        Wrong::new(item, "there is no = in it", "write NAME=TARGET, as in www.example.com=www.acme.example.net")
    })?;
    let wrong_name = |error| {
        let remedy = "write the domain of the certificate, without _acme-challenge and without *";
        Wrong::new(item, format_args!("the name is {error}"), remedy)
    };
    let wrong_target = |error| {
        let remedy = "write the name to which the CNAME leads, as in www.acme.example.net";
        Wrong::new(item, format_args!("the target is {error}"), remedy)
    };
    Ok((Name::host(name.trim()).map_err(wrong_name)?, Name::owner(target.trim()).map_err(wrong_target)?))
}

impl Aliases {
    fn add(&mut self, item: &str, name: Name, target: Name, domains: Option<&[Name]>) -> Result<(), Wrong> {
        let is_ours = |name: &Name| domains.is_some_and(|domains| domains.iter().any(|domain| name.is_within(domain)));
        if domains.is_some() && !is_ours(&name) {
            let what = format!("{name} is not within the domains of this gateway");
            return Err(Wrong::new(item, what, "add it to DNSAPI_DOMAINS, or remove it here"));
        }
        if self.0.contains_key(&name) {
            return Err(Wrong::new(item, format_args!("{name} has a target already"), "keep one of the two"));
        }
        // Whoever may prove the one name could prove the other.
        if let Some(domain) = target.challenged().filter(is_ours) {
            let what = format!("the target is the challenge name of {domain}, which this gateway serves by itself");
            return Err(Wrong::new(item, what, "write a target that is no challenge name within DNSAPI_DOMAINS"));
        }
        self.0.insert(name, target);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(text: &str) -> Vec<String> {
        let domains = ["example.com", "example.org"].map(|domain| Name::host(domain).unwrap());
        parse(text, Some(&domains)).1.into_iter().map(|wrong| format!("{}: {}", wrong.what, wrong.remedy)).collect()
    }

    #[test]
    fn each_name_has_its_target() {
        let domains = [Name::host("example.com").unwrap()];
        let text = "WWW.Example.com = Www.Acme.Example.net., example.com=_acme-challenge.example.net,";
        let (aliases, wrong) = parse(text, Some(&domains));
        assert_eq!(wrong, []);
        let target = |name: &str| aliases.target(&Name::host(name).unwrap()).map(Name::as_str);
        assert_eq!(target("www.example.com"), Some("www.acme.example.net"));
        assert_eq!(target("example.com"), Some("_acme-challenge.example.net"));
        assert_eq!(target("a.www.example.com"), None, "only the name itself is delegated");
        assert_eq!(target("www.acme.example.net"), None);
    }

    #[test]
    fn what_is_wrong_is_told_with_its_remedy() {
        for (text, expected) in [
            ("www.example.com", "there is no = in it: write NAME=TARGET"),
            ("=a.example.net", "the name is empty: write the domain"),
            ("www.example.com=", "the target is empty: write the name to which the CNAME leads"),
            ("*.example.com=a.example.net", "the name is a wildcard; the challenge of *.D is set at D: write"),
            ("_acme-challenge.example.com=a.example.net", "without _acme-challenge and without *"),
            ("www.example.com=*.example.net", "the target is a wildcard"),
            ("www.example.com=a=b", "the target is a character"),
            ("www.example.net=a.example.net", "not within the domains of this gateway: add it to DNSAPI_DOMAINS"),
            ("badexample.com=a.example.net", "not within the domains of this gateway"),
            ("www.example.com=a.net, WWW.example.com.=b.net", "has a target already: keep one of the two"),
            ("www.example.com=_acme-challenge.example.org", "the challenge name of example.org"),
            ("www.example.com=_acme-challenge.a.example.com", "the challenge name of a.example.com"),
            ("www.example.com=_acme-challenge.www.example.com", "the challenge name of www.example.com"),
            ("www.example.com=www.example.com", "would lead on from there"),
            (
                "www.example.com=a.example.com, a.example.com=b.example.net",
                "delegated name a.example.com, and would lead",
            ),
            ("a.example.com=b.example.org, b.example.org=a.example.com", "would lead on from there: write the last"),
        ] {
            let shown = faults(text);
            assert!(!shown.is_empty() && shown[0].contains(expected), "{text}: {shown:?}");
        }
        assert_eq!(faults("x, www.example.com=, www.example.net=a.net, b.example.com=c.net").len(), 3, "all at once");
    }

    #[test]
    fn a_chain_is_a_fault_also_where_the_domains_could_not_be_read() {
        assert_eq!(parse("a.com=b.com, b.com=c.com", None).1.len(), 1);
        assert_eq!(parse("a.com=_acme-challenge.b.com, b.com=c.com", None).1.len(), 1);
    }
}
