//! Carries out the challenges of a call, one after another, and waits for what was set.
//!
//! A client does not clean up after a hook that failed (mod_md, dehydrated, uacme): so a hook that
//! fails takes back what it has set itself. Values that nobody needs would fill the name.

use std::time::Duration;

use super::dialect::{Change, Wait};
use super::logfile::Logfile;
use super::settle::{self, Set, Terms};
use crate::challenge::Challenge;
use crate::failure::Failure;
use crate::gateway::{Gateway, Patience, answer};

pub fn carry_out(change: &Change, gateway: &Gateway, terms: &Terms, log: &Logfile) -> Result<(), Failure> {
    let mut set = Vec::new();
    let outcome = ask_for_all(&change.challenges, &mut set, gateway, log);
    // Whoever is waited for later, by another call, is cleaned up by another call too.
    let takes_back = change.wait == Wait::ThisCall;
    let setups: Vec<_> = set.iter().map(|Set { domain, value, .. }| (domain.clone(), value.clone())).collect();
    let outcome = outcome.and_then(|()| settle::settle(&change.wait, set, terms, gateway, log));
    if outcome.is_err() && takes_back {
        for (domain, value) in setups {
            let teardown = Challenge::Teardown { domain, value: Some(value) };
            let patience = Patience { total: Duration::ZERO, ..Patience::default() };
            match gateway.change(&teardown, patience, |text| log.note(text)) {
                Ok(_) => log.note(format_args!("{} {}: taken back", teardown.action(), teardown.domain())),
                // The gateway removes it itself when its time is over.
                Err(refusal) => {
                    log.note(refusal.why);
                    break;
                }
            }
        }
    }
    outcome
}

fn ask_for_all(challenges: &[Challenge], set: &mut Vec<Set>, gateway: &Gateway, log: &Logfile) -> Result<(), Failure> {
    for challenge in challenges {
        let answer = gateway.change(challenge, Patience::default(), |text| log.note(text))?;
        let request = answer::request(&answer);
        log.note(format_args!("{} {}: done{request}", challenge.action(), challenge.domain()));
        if let Challenge::Setup { domain, value } = challenge {
            // Where a gateway can check, it says where to ask.
            let is_looked_for = answer.header("location").is_some();
            set.push(Set { domain: domain.clone(), value: value.clone(), is_looked_for });
        }
    }
    Ok(())
}
