//! What the servers said, and whether that is enough: the same for name servers and resolvers.

use crate::challenge::Value;
use crate::dns::Rcode;

/// What one server said about the TXT values at a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// It knows: these are there, and no others.
    Values(Rcode, Vec<String>),
    /// It does not know, and is asked again; the text says why.
    NotSure(Rcode, String),
    /// Nothing, or nothing that counts; the text says why.
    Nothing(String),
}

/// A server, as it is shown to people, and what it said.
pub type Testimony = (String, Said);

/// Is a value visible?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Every server that answers shows it.
    Shown,
    NotYet,
    /// No server gave an answer that counts.
    Nobody,
}

/// One server, and whether it shows the value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sight {
    pub server: String,
    pub seen: bool,
    /// The response code's name; of a server that did not answer `none`.
    pub rcode: String,
    /// Why it is not seen, where the code alone does not say it.
    pub why: Option<String>,
}

/// Whoever cannot be reached is passed over if another answers; whoever is not sure is not.
pub fn verdict(value: &Value, heard: &[Testimony]) -> Verdict {
    let shows = |values: &[String]| values.iter().any(|one| one == value.as_str());
    let mut verdict = Verdict::Nobody;
    for (_, said) in heard {
        match said {
            Said::Values(_, values) if shows(values) => verdict = Verdict::Shown,
            Said::Values(..) | Said::NotSure(..) => return Verdict::NotYet,
            Said::Nothing(_) => {}
        }
    }
    verdict
}

/// Each server's part in it.
pub fn sights(value: &Value, heard: &[Testimony]) -> Vec<Sight> {
    let sight = |(server, said): &Testimony| {
        let (seen, rcode, why) = match said {
            Said::Values(rcode, values) => {
                let seen = values.iter().any(|one| one == value.as_str());
                let others = format!("it shows {} other values", values.len());
                (seen, rcode.to_string(), (!seen && !values.is_empty()).then_some(others))
            }
            Said::NotSure(rcode, why) => (false, rcode.to_string(), Some(why.clone())),
            Said::Nothing(why) => (false, "none".to_string(), Some(why.clone())),
        };
        Sight { server: server.clone(), seen, rcode, why }
    };
    heard.iter().map(sight).collect()
}

/// Has anybody answered who knows?
pub fn anybody_knows(heard: &[Testimony]) -> bool {
    heard.iter().any(|(_, said)| matches!(said, Said::Values(..)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(said: &[Said]) -> Verdict {
        let heard: Vec<_> = said.iter().map(|said| ("ns".to_string(), said.clone())).collect();
        verdict(&value(), &heard)
    }

    fn value() -> Value {
        Value::parse(&"v".repeat(43)).unwrap()
    }

    #[test]
    fn visible_is_what_every_server_that_answers_shows() {
        let shows = Said::Values(Rcode::NOERROR, vec!["x".repeat(43), "v".repeat(43)]);
        let empty = Said::Values(Rcode::NXDOMAIN, vec![]);
        let other = Said::Values(Rcode::NOERROR, vec!["V".repeat(43)]);
        let silent = Said::Nothing("it does not answer".to_string());
        let lame = Said::NotSure(Rcode::REFUSED, "it is not authoritative".to_string());
        assert_eq!(judged(&[shows.clone(), shows.clone()]), Verdict::Shown, "beside another value");
        assert_eq!(judged(&[shows.clone(), silent.clone()]), Verdict::Shown, "who cannot be reached is passed over");
        for not in [&empty, &other, &lame] {
            assert_eq!(judged(&[shows.clone(), not.clone()]), Verdict::NotYet);
            assert_eq!(judged(&[not.clone(), shows.clone()]), Verdict::NotYet);
        }
        assert_eq!(judged(&[silent.clone(), silent]), Verdict::Nobody);
        assert_eq!(judged(&[]), Verdict::Nobody);
        assert_eq!(judged(&[lame]), Verdict::NotYet, "who refuses is asked again");
    }

    #[test]
    fn each_servers_part_is_told() {
        let heard = [
            ("a".to_string(), Said::Values(Rcode::NOERROR, vec!["v".repeat(43)])),
            ("b".to_string(), Said::Values(Rcode::NXDOMAIN, vec![])),
            ("c".to_string(), Said::NotSure(Rcode::REFUSED, "lame".to_string())),
            ("d".to_string(), Said::Nothing("silent".to_string())),
        ];
        let told: Vec<_> = sights(&value(), &heard).into_iter().map(|s| (s.server, s.seen, s.rcode, s.why)).collect();
        let row = |server: &str, seen, rcode: &str, why: Option<&str>| {
            (server.to_string(), seen, rcode.to_string(), why.map(str::to_string))
        };
        assert_eq!(
            told,
            [
                row("a", true, "NOERROR", None),
                row("b", false, "NXDOMAIN", None),
                row("c", false, "REFUSED", Some("lame")),
                row("d", false, "none", Some("silent")),
            ]
        );
    }
}
