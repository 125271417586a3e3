//! Removes what nobody else removes: records that outlived CHALLENGE_TTL, and those whose removal
//! failed. By the same road as every change: scope, zone lock, ledger, provider.

use std::thread;
use std::time::Duration;

use crate::deadline::Deadline;
use crate::foreign::Foreign;
use crate::serve::request::Gateway;

/// The pause between two looks into the ledger.
const PERIOD: Duration = Duration::from_secs(1);
/// For one removal.
const PATIENCE: Duration = Duration::from_secs(120);

/// Looks into the ledger for good.
pub fn reap(gateway: &Gateway, ttl: Duration) {
    loop {
        thread::sleep(PERIOD);
        for record in gateway.ledger.ripe(ttl) {
            let name = &record.owner;
            let permit = match gateway.scope.recall(&record, Deadline::after(PATIENCE)) {
                Ok(permit) => permit,
                Err(out) => {
                    log::error!("action=recall name={name}: remove {} by hand: {out}", record.value);
                    gateway.ledger.postpone(record);
                    continue;
                }
            };
            for outcome in gateway.account.carry_out(&[permit]) {
                match outcome {
                    Ok(()) => log::info!("action=recall name={name} user={} done", Foreign(&record.caller)),
                    Err(fault) => log::warn!("action=recall name={name}: {fault}; tried again later"),
                }
            }
        }
    }
}
