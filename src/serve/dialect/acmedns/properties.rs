//! What is made of bodies that no client sends.

use super::*;
use crate::random::{Random, property};

const SUBDOMAIN: &str = "d420c923-bbd7-4056-ab64-c3ca54c9b3cf";
const TXT: &str = "BoioGwWDRRrAaNnDdOoMmTtOoKkEeNnQ9JRjEqVZnD_";

fn ask(body: &str) -> Ask {
    Ask::for_tests("POST", "/update", body.as_bytes())
}

/// Key and value, as JSON text.
fn field(random: &mut Random, key: &str, fitting: &str) -> (String, String) {
    let key = random.one_of(&[key.to_string(), key.to_ascii_uppercase(), format!("{key}x")]);
    let texts = [fitting, &fitting[1..], "", "example.com", TXT, SUBDOMAIN].map(|text| Json::from(text).to_string());
    let others = ["null", "1", "[]", "{}"].map(str::to_string);
    let value = if random.once_in(8) { random.one_of(&others) } else { random.one_of(&texts) };
    (key, if random.once_in(2) { Json::from(fitting).to_string() } else { value })
}

#[test]
fn any_update_is_what_its_two_fields_say_or_has_the_word_for_what_is_wrong() {
    property(|random| {
        let mut fields = vec![field(random, "subdomain", SUBDOMAIN), field(random, "txt", TXT)];
        if random.once_in(4) {
            fields.push(field(random, "txt", TXT));
        }
        let body: Vec<_> = fields.iter().map(|(key, value)| format!("\"{key}\": {value}")).collect();
        let body = format!("{{{}}}", body.join(", "));
        let of = |wanted: &str| -> Vec<Json> {
            let here = fields.iter().filter(|(key, _)| key.eq_ignore_ascii_case(wanted));
            here.map(|(_, value)| serde_json::from_str(value).unwrap()).collect()
        };
        let is_twice = ["subdomain", "txt", "txtx"].iter().any(|key| of(key).len() > 1);
        let expected = match (of("subdomain").first(), of("txt").first()) {
            _ if is_twice => Err(Some("malformed_json_payload")),
            (subdomain, _) if subdomain != Some(&Json::from(SUBDOMAIN)) => Err(Some("bad_subdomain")),
            (_, txt) if txt != Some(&Json::from(TXT)) => Err(Some("bad_txt")),
            _ => {
                let (domain, value) = (Name::host(SUBDOMAIN).unwrap(), Value::parse(TXT).unwrap());
                Ok(Challenge::Setup { domain, value })
            }
        };
        assert_eq!(read(&ask(&body)).map_err(|problem| problem.word), expected, "{body}");
    });
}

#[test]
fn any_registration_is_for_all_of_its_networks_or_refused() {
    property(|random| {
        let items =
            random.some(3, |random| random.one_of(&["192.0.2.0/24", "[2001:db8::]/32", "192.0.2.1", "", "x/8"]));
        let body = serde_json::json!({"allowfrom": items}).to_string();
        let good: Option<Vec<IpNet>> = items.iter().map(|item| network(item)).collect();
        let read = allow_from(body.as_bytes()).map_err(|problem| problem.word);
        assert_eq!(read, good.ok_or(Some("invalid_allowfrom_cidr")), "{body}");
        // And whatever it is, it has an answer of one line.
        let octets = random.mutated(body.as_bytes());
        if let Err(problem) = allow_from(&octets) {
            let answer = refuse(&problem, &ask(""));
            assert!(answer.status == 400 && !answer.body.contains(&b'\n'), "{problem:?}");
        }
    });
}

#[test]
fn any_error_is_one_line_of_json() {
    property(|random| {
        let problem = Problem::new(random.one_of(&[400, 403, 429, 502]), random.text(&["a", "\"", "\n", "\\", "é"], 9));
        let answer = refuse(&problem, &ask(""));
        let json: Json = serde_json::from_slice(&answer.body).unwrap();
        let expected = if problem.status == 403 { "forbidden" } else { &problem.detail };
        assert_eq!(json, serde_json::json!({"error": expected}));
        assert!(!answer.body.contains(&b'\n'), "{problem:?}");
        assert_eq!(answer.status, if problem.status == 403 { 401 } else { problem.status });
    });
}
