//! Asks the zone's own name servers, all of them, side by side.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use super::judge::{Said, Testimony};
use super::servers::{Finder, Found, PATIENCE, Server};
use crate::challenge::Name;
use crate::deadline::Deadline;
use crate::dns::answer::Answer;
use crate::dns::client::{Client, NoAnswer};
use crate::dns::{Rcode, Rtype};

impl Finder {
    /// What each server says is at the name.
    pub fn look(&self, found: &Found, deadline: Deadline) -> Vec<Testimony> {
        let (name, reach) = (found.name.clone(), self.reach.clone());
        let job = move |server: &Server| {
            Client::new(reach(server.address), None).ask(&name, Rtype::TXT, false, deadline.at_most(PATIENCE))
        };
        let unasked = |server: &Server| (server.clone(), Said::Nothing("too many questions at once".to_string()));
        let mut said: BTreeMap<Server, Said> = found.servers.iter().map(unasked).collect();
        self.places.side_by_side(found.servers.clone(), deadline, job, |server, answer| {
            if let Some(answer) = answer {
                said.insert(server, testimony(&found.name, answer));
            }
            ControlFlow::Continue(())
        });
        let barred = Said::Nothing("it is not asked, since PROPAGATION_NETS does not list its address".to_string());
        said.extend(found.barred.iter().map(|server| (server.clone(), barred.clone())));
        said.into_iter().map(|(server, said)| (server.to_string(), said)).collect()
    }
}

fn testimony(name: &Name, answer: Result<Answer, NoAnswer>) -> Said {
    let answer = match answer {
        Ok(answer) => answer,
        Err(error) => return Said::Nothing(error.to_string()),
    };
    let rcode = answer.rcode();
    let not_sure = |why: &str| Said::NotSure(rcode, why.to_string());
    match rcode {
        Rcode::NOERROR | Rcode::NXDOMAIN if !answer.is_authoritative() => {
            not_sure("it answers without authority: it does not serve the zone, or somebody answers in its place")
        }
        Rcode::NOERROR | Rcode::NXDOMAIN if answer.alias(name).is_some() => not_sure("it has a CNAME there"),
        Rcode::NOERROR | Rcode::NXDOMAIN => Said::Values(rcode, answer.txt_at(name)),
        Rcode::REFUSED | Rcode::NOTAUTH => not_sure("it does not serve the zone"),
        Rcode::SERVFAIL => not_sure("it cannot serve the zone just now"),
        _ => not_sure("it does not answer the question"),
    }
}
