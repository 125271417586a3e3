//! `acmegw hook -n [DOMAIN]`: proves the hook's side, one line a check, and changes nothing.

use std::ffi::OsString;
use std::fmt;
use std::io::Write;

use super::logfile::Logfile;
use super::settings::Settings;
use crate::challenge::Name;
use crate::config::{Config, Mistakes};
use crate::failure::Failure;
use crate::foreign::Foreign;
use crate::gateway::{Address, Gateway, NOBODYS, answer};

/// Makes every check and writes its lines to `out`; the error says how many failed.
pub fn run(
    words: &[OsString],
    config: Result<(Config, Mistakes), Failure>,
    out: &mut impl Write,
) -> Result<(), Failure> {
    let domain = domain(words)?;
    let mut report = Report { out, failed: 0 };
    let (config, mut mistakes) = config.inspect_err(|_| report.failed("configuration", "see stderr"))?;
    let settings = Settings::read(&config, &mut mistakes);
    let settings = mistakes.finish(settings);
    match (&settings, config.file()) {
        (Err(_), _) => report.failed("configuration", "see stderr"),
        (Ok(_), Some(path)) => report.ok("configuration", path.display()),
        (Ok(_), None) => report.ok("configuration", "there is no file; taken from the environment"),
    }
    match config.path("LOGFILE").map(|path| (Logfile::check(&path), path)) {
        Some((Ok(()), path)) => report.ok("LOGFILE", path.display()),
        Some((Err(reason), _)) => report.failed("LOGFILE", reason),
        None => report.ok("LOGFILE", "none is set"),
    }
    gateway(settings?.address, domain.as_ref(), &mut report);
    match report.failed {
        0 => Ok(()),
        1 => Err(Failure::Failed("a check failed".to_string())),
        many => Err(Failure::Failed(format!("{many} checks failed"))),
    }
}

fn domain(words: &[OsString]) -> Result<Option<Name>, Failure> {
    let usage = |what: String| Failure::Usage(format!("{what}; call it as: acmegw hook -n DOMAIN"));
    match words {
        [] => Ok(None),
        [word] => {
            let word = word.to_string_lossy();
            let name =
                Name::domain(&word).map_err(|error| usage(format!("the domain '{}' is {error}", Foreign(&word))));
            name.map(Some)
        }
        _ => Err(usage(format!("-n takes one domain or none, not {} words", words.len()))),
    }
}

/// Who answers at the address, does it know us, and may we touch the domain?
fn gateway(address: Address, domain: Option<&Name>, report: &mut Report<'_, impl Write>) {
    let uri = address.uri.clone();
    let gateway = Gateway::new(address);
    match gateway.get("/health") {
        Ok(answer) if answer.status == 200 => report.ok("gateway", &uri),
        Ok(answer) => return report.failed("gateway", format_args!("{uri}: {}", answer::reason(&answer))),
        Err(reason) => return report.failed("gateway", reason),
    }
    let asked = domain.map_or(NOBODYS, Name::as_str);
    let answer = match gateway.get(&format!("/challenges/{asked}")) {
        Ok(answer) => answer,
        Err(reason) => return report.failed("gateway", reason),
    };
    match answer.status {
        200 | 403 => report.ok("credentials", "the gateway knows us"),
        _ => return report.failed("credentials", answer::reason(&answer)),
    }
    match domain {
        None => report.say("domain", "not checked: name one, acmegw hook -n DOMAIN"),
        Some(domain) if answer.status == 200 => report.ok("domain", domain),
        Some(domain) => report.failed("domain", format_args!("{domain}: {}", answer::reason(&answer))),
    }
}

/// A line a check.
struct Report<'a, W> {
    out: &'a mut W,
    failed: usize,
}

impl<W: Write> Report<'_, W> {
    fn ok(&mut self, check: &str, about: impl fmt::Display) {
        self.say(check, format_args!("ok: {about}"));
    }

    fn failed(&mut self, check: &str, remedy: impl fmt::Display) {
        self.failed += 1;
        self.say(check, format_args!("FAILED: {remedy}"));
    }

    fn say(&mut self, check: &str, text: impl fmt::Display) {
        // Whoever closed stdout wants the exit status only.
        let _ = writeln!(self.out, "{check:<13} {text}");
    }
}
