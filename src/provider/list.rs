//! `acmegw providers`: the table, as it is written in the rows.

use std::fmt::Write;

use super::{PROVIDERS, Row, find};
use crate::config::Setting;
use crate::failure::Failure;
use crate::foreign::Foreign;
use crate::http;
use crate::nearest::nearest;

const EXPERIMENTAL: &str = "experimental: tested against a simulated service only";

/// All providers, a line each; or one in full, by a name that DNSAPI_MODULE takes.
pub fn list(name: Option<&str>) -> Result<String, Failure> {
    let Some(name) = name else { return Ok(PROVIDERS.iter().map(line).collect()) };
    find(name).map(full).ok_or_else(|| {
        let names = || PROVIDERS.iter().map(|row| row.name);
        let meant = nearest(name, names()).map(|near| format!("did you mean {near}? Otherwise "));
        let all = names().collect::<Vec<_>>().join(", ");
        let meant = meant.unwrap_or_default();
        Failure::Usage(format!("there is no provider '{}': {meant}name one of {all}", Foreign(name)))
    })
}

/// The name, what it is, and its settings, those that may be left out in brackets. The forward
/// proxy's are the same for all, and are left to [`full`].
fn line(row: &Row) -> String {
    let own = row.settings().filter(|setting| http::SETTINGS.iter().all(|proxy| proxy.name != setting.name));
    let settings = own.map(|setting| match setting.required {
        true => format!(" {}", setting.name),
        false => format!(" [{}]", setting.name),
    });
    let experimental = if row.experimental { " (experimental)" } else { "" };
    format!("{:<13} {}{experimental}:{}\n", row.name, row.about, settings.collect::<String>())
}

fn full(row: &Row) -> String {
    let mut text = format!("{}: {}\n", row.name, row.about);
    if row.experimental {
        writeln!(text, "{EXPERIMENTAL}").expect("a string");
    }
    if let Some(address) = row.documentation {
        writeln!(text, "documentation: {address}").expect("a string");
    }
    text.push('\n');
    for Setting { name, default, meaning, secret, required, .. } in row.settings() {
        let needed = if *required { " (required)" } else { "" };
        let file = if *secret { format!(", or {name}_FILE") } else { String::new() };
        let default = if default.is_empty() { String::new() } else { format!(" [default: {default}]") };
        writeln!(text, "  {name:<18} {meaning}{file}{needed}{default}").expect("a string");
    }
    text.push_str("\nOf a further account X each DNSAPI_ name is DNSAPI_X_; more is in acmegw-providers(7).\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_has_a_line_for_each_and_one_in_full_has_every_setting() {
        let all = list(None).unwrap();
        assert_eq!(all.lines().count(), PROVIDERS.len());
        for (row, line) in PROVIDERS.iter().zip(all.lines()) {
            assert!(line.starts_with(row.name) && line.contains("(experimental)") == row.experimental, "{line}");
            let full = list(Some(row.name)).unwrap();
            assert_eq!(full.contains(EXPERIMENTAL), row.experimental);
            assert!(row.documentation.is_none_or(|address| full.contains(address)));
            row.settings().for_each(|setting| assert!(full.contains(setting.meaning), "{}", setting.name));
        }
        assert_eq!(list(Some("providers.openprovider")).unwrap(), list(Some("OpenProvider")).unwrap());
        let unknown = list(Some("open\x1bprovidr")).unwrap_err().to_string();
        assert!(unknown.contains("did you mean openprovider?") && !unknown.contains('\x1b'), "{unknown}");
    }
}
