//! `python:MODULE` with DNSAPI_CLASS: a class that was written for the predecessor, run unchanged by
//! the shipped `python-provider`. User and password go through its input, not its environment.

use super::{Exec, script};
use crate::config::Config;
use crate::mistake::Mistake;
use crate::program::INPUT_LIMIT;
use crate::secret::Secret;

/// Where modules are looked for if DNSAPI_PYTHONPATH does not say it, in the folder of the file.
const FOLDER: &str = "python";

pub(super) fn read(config: &Config, module: &str, class: &str) -> Result<Exec, Mistake> {
    let beside = || config.folder().map(|folder| folder.join(FOLDER));
    let folder = config.required("DNSAPI_PYTHONPATH", Ok(config.path("DNSAPI_PYTHONPATH").or_else(beside)))?;
    let folder = std::path::absolute(&folder).unwrap_or(folder);
    let program = script::shipped(config, "python-provider");
    let username = config.text("DNSAPI_USERNAME").unwrap_or_default();
    let password = config.secret("DNSAPI_PASSWORD")?;
    let shown = password.as_ref().map_or("", Secret::reveal);
    let input = Secret::new(serde_json::json!({"username": username, "password": shown}).to_string());
    if input.reveal().len() > INPUT_LIMIT {
        let what = format!("is longer than the {INPUT_LIMIT} bytes that a class is given");
        return Err(config.mistake("DNSAPI_PASSWORD", what, "is this the right file?"));
    }
    let mut open = vec![
        ("PYTHON_FOLDER", folder.display().to_string()),
        ("PYTHON_MODULE", module.to_string()),
        ("PYTHON_CLASS", class.to_string()),
    ];
    open.extend(config.text("DNSAPI_URL").map(|url| ("DNSAPI_URL", url.to_string())));
    let exec = Exec::running(config, program, config.named("DNSAPI_PASS")?);
    let blotted = password.map(|password| ("DNSAPI_PASSWORD".to_string(), password));
    Ok(Exec { trusted: vec![folder], service: format!("python:{module}"), open, input: Some(input), blotted, ..exec })
}
