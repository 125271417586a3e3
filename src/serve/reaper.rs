//! Removes what nobody else removes: records that outlived CHALLENGE_TTL, and those whose removal
//! failed. By the same road as every change: scope, zone lock, ledger, provider. One thread an
//! account: a service that does not answer holds up its own account's removals only.

use std::thread;
use std::time::Duration;

use crate::deadline::Deadline;
use crate::foreign::Foreign;
use crate::gate::scope::Record;
use crate::serve::request::Gateway;

/// The pause between two looks into the ledger.
const PERIOD: Duration = Duration::from_secs(1);
/// For one removal.
const PATIENCE: Duration = Duration::from_secs(120);

/// Looks into the ledger for what is the account's, for good.
pub fn reap(gateway: &Gateway, account: usize, ttl: Duration) {
    let is_ours = |record: &Record| gateway.accounts.responsible(&record.owner, &record.domain) == account;
    loop {
        thread::sleep(PERIOD);
        for record in gateway.ledger.ripe(ttl).into_iter().filter(is_ours) {
            let name = &record.owner;
            let permit = match gateway.scope.recall(&record, Deadline::after(PATIENCE)) {
                Ok(permit) => permit,
                Err(out) => {
                    log::error!("action=recall name={name}: remove {} by hand: {out}", record.value);
                    gateway.ledger.postpone(record);
                    continue;
                }
            };
            for outcome in gateway.accounts.carry_out(&[permit]) {
                match outcome {
                    Ok(()) => log::info!("action=recall name={name} user={} done", Foreign(&record.caller)),
                    Err(fault) => log::warn!("action=recall name={name}: {fault}; tried again later"),
                }
            }
        }
    }
}
