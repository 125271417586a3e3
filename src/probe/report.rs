//! How the proofs are told: a table for people, JSON for monitoring. The names in the JSON are those
//! of acmegw-probe(8), and stay.

use std::time::Duration;

use serde_json::{Value as Json, json};

use super::prove::{Outcome, Proof, Step};
use crate::foreign::Foreign;

/// The columns of the table; the first two steps are the same for all domains.
const COLUMNS: [Step; 5] = [Step::Scope, Step::Zone, Step::Set, Step::Visible, Step::Removed];

/// All proofs, made at one gateway.
pub struct Report {
    pub uri: String,
    pub proofs: Vec<Proof>,
}

impl Report {
    /// A row a domain; below it the name servers, and what is wrong with what to do.
    pub fn table(&self) -> String {
        let mut rows =
            vec![[vec!["domain".to_string()], COLUMNS.map(|step| step.name().to_string()).to_vec()].concat()];
        let row =
            |proof: &Proof| [vec![proof.domain.to_string()], COLUMNS.map(|step| cell(proof, step)).to_vec()].concat();
        rows.extend(self.proofs.iter().map(row));
        let widths: Vec<_> =
            (0..rows[0].len()).map(|column| rows.iter().map(|row| row[column].len()).max().unwrap_or(0)).collect();
        let mut lines = vec![format!("gateway {}", self.uri)];
        for (number, row) in rows.iter().enumerate() {
            let cells: Vec<_> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
            lines.push(cells.join("  ").trim_end().to_string());
            if let Some(proof) = number.checked_sub(1).and_then(|index| self.proofs.get(index)) {
                lines.extend(details(proof));
            }
        }
        let unchecked = self.proofs.iter().any(|proof| proof.outcome(Step::Visible) == Outcome::Unchecked);
        if unchecked {
            lines.push(
                "the gateway does not look whether records are visible: set PROPAGATION = auto there".to_string(),
            );
        }
        lines.join("\n")
    }

    /// One object.
    pub fn json(&self) -> String {
        let domains: Vec<_> = self.proofs.iter().map(domain).collect();
        let is_good = self.proofs.iter().all(Proof::is_good);
        json!({"ok": is_good, "gateway": self.uri, "domains": domains}).to_string()
    }
}

fn cell(proof: &Proof, step: Step) -> String {
    match (proof.outcome(step), proof.took(step)) {
        (Outcome::Good, Some(took)) => shown(took),
        (Outcome::Good, None) => "ok".to_string(),
        (Outcome::Failed, _) => "FAILED".to_string(),
        (Outcome::Unchecked, _) => "not checked".to_string(),
        (Outcome::Skipped, _) => "-".to_string(),
    }
}

fn shown(time: Duration) -> String {
    match time.as_millis() {
        milliseconds @ ..1000 => format!("{milliseconds} ms"),
        _ => format!("{:.1} s", time.as_secs_f32()),
    }
}

/// What stands below a domain's row.
fn details(proof: &Proof) -> Vec<String> {
    let mut lines = Vec::new();
    for server in &proof.servers {
        let said = match (server.seen, server.after) {
            (true, Some(after)) => format!("shows it after {}", shown(after)),
            (true, None) => "shows it".to_string(),
            (false, _) => format!("does not show it ({})", Foreign(server.why.as_ref().unwrap_or(&server.rcode))),
        };
        lines.push(format!("    {}: {said}", Foreign(&server.server)));
    }
    for fault in &proof.faults {
        lines.push(format!("    {}: {}", fault.step.name(), fault.what));
        lines.push(format!("    do: {}", fault.remedy));
    }
    lines
}

fn domain(proof: &Proof) -> Json {
    let word = |outcome| match outcome {
        Outcome::Good => "ok",
        Outcome::Failed => "failed",
        Outcome::Unchecked => "unchecked",
        Outcome::Skipped => "skipped",
    };
    let steps: serde_json::Map<_, _> =
        Step::ALL.iter().map(|step| (step.name().to_string(), word(proof.outcome(*step)).into())).collect();
    let milliseconds = |time: Duration| time.as_millis() as u64;
    let servers = proof.servers.iter().map(|server| {
        json!({
            "server": server.server,
            "seen": server.seen,
            "rcode": server.rcode,
            "why": server.why,
            "after_ms": server.after.map(milliseconds),
        })
    });
    let faults =
        proof.faults.iter().map(|fault| json!({"step": fault.step.name(), "what": fault.what, "remedy": fault.remedy}));
    json!({
        "domain": proof.domain.as_str(),
        "ok": proof.is_good(),
        "steps": steps,
        "set_ms": proof.took(Step::Set).map(milliseconds),
        "visible_ms": proof.took(Step::Visible).map(milliseconds),
        "removed_ms": proof.took(Step::Removed).map(milliseconds),
        "servers": servers.collect::<Vec<_>>(),
        "faults": faults.collect::<Vec<_>>(),
    })
}
