//! `acme.sh:dns_xxx`: one script of the operator's own acme.sh, run by the shipped `acmesh-provider`.
//!
//! acme.sh is not part of acmegw. Its scripts are read with suspicion: see [`TRAPS`], and the
//! shipped script for how their outcome is judged.

use std::path::PathBuf;

use super::{Exec, script};
use crate::config::Config;
use crate::mistake::Mistake;

/// Scripts that do something else than what a provider has to do, read in acme.sh 3.1.4.
const TRAPS: &[(&[&str], &str)] = &[
    (
        &["dns_nsupdate", "dns_knot"],
        "removes all values at a name at once, those of other certificates too (the provider rfc2136 does not)",
    ),
    (
        &[
            "dns_clouddns",
            "dns_cyon",
            "dns_dnsimple",
            "dns_doapi",
            "dns_exoscale",
            "dns_ispconfig",
            "dns_linode",
            "dns_linode_v4",
        ],
        "does not look at the value when it removes one, and may remove another at the same name",
    ),
    (&["dns_duckdns", "dns_he_ddns"], "keeps one value only: a certificate for both a name and *.name cannot be had"),
    (&["dns_namecheap"], "writes the whole zone anew at each change"),
];

/// What is true of all of them.
const CURL: &str = "shows its secrets in the arguments of curl to all users of this machine, as acme.sh does";
const WORD: &str = "may say that all is well although the service refused: what of it can be seen is looked at, and \
                    PROPAGATION asks the name servers";

/// The program with what the script needs; the variables are those of DNSAPI_PASS, and no others.
pub(super) fn read(config: &Config, name: &str) -> Result<Exec, Mistake> {
    let home = config.required("ACMESH_HOME", Ok(config.path("ACMESH_HOME")))?;
    if !home.is_absolute() {
        return Err(config.mistake("ACMESH_HOME", "is not a whole path", "write it with a / in front"));
    }
    let files = [PathBuf::from("acme.sh"), PathBuf::from("dnsapi").join(format!("{name}.sh"))];
    let program = script::shipped(config, "acmesh-provider");
    let open = vec![("ACMESH_HOME", home.display().to_string()), ("ACMESH_SCRIPT", name.to_string())];
    let traps = TRAPS.iter().filter(|(names, _)| names.contains(&name)).map(|(_, trap)| *trap);
    let warnings = traps.chain([CURL, WORD]).map(|trap| format!("{name} {trap}")).collect();
    Ok(Exec {
        trusted: files.map(|file| home.join(file)).to_vec(),
        service: format!("acme.sh:{name}"),
        open,
        home: Some("ACMESH_TEMP"),
        warnings,
        ..Exec::running(config, program, config.named("DNSAPI_PASS")?)
    })
}

#[cfg(test)]
mod tests {
    use super::TRAPS;

    #[test]
    fn each_script_has_one_trap_at_most() {
        let mut names: Vec<_> = TRAPS.iter().flat_map(|(names, _)| *names).collect();
        let count = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
