//! What the gateway's answers mean to whoever reads httpd's log: one line, and what to do.

use crate::foreign::Foreign;
use crate::http::Answer;

/// The number under which the gateway's own log has the request, to go behind a text; empty
/// where the answer has none.
pub fn request(answer: &Answer) -> String {
    match answer.header("x-request-id") {
        Some(number) => format!(", request {}", Foreign(number)),
        None => String::new(),
    }
}

/// Why it is not a yes: what the status means on this side, and what the gateway says itself.
pub fn reason(answer: &Answer) -> String {
    let says = problem(answer).map(|text| format!("; it says: {text}")).unwrap_or_default();
    format!("{}{says} (status {}{})", meaning(answer.status), answer.status, request(answer))
}

fn meaning(status: u16) -> &'static str {
    match status {
        300..=399 => "it redirects, which is not followed: set API_URI to the gateway's own address",
        401 => "it does not know us: check API_USER and API_PASSWD, or ALLOWED_HOSTS at the gateway",
        403 => "it does not let us touch this domain: check DNSAPI_DOMAINS and ACCESS_FILE at the gateway",
        404 | 405 => "no gateway at this address: check host, port and path of API_URI",
        400 | 411 | 413 => "it does not take the request: check that API_URI is an acmegw of this version",
        429 => "too many requests: find out who sends them, or try again later",
        502 => "the DNS service refused: see the gateway's log",
        503 => "it is too busy: try again later",
        504 => "the DNS service did not answer in time: try again later, and see the gateway's log",
        _ => "it failed: see the gateway's log",
    }
}

/// The kind of the DNS service's fault, where the answer is about one.
pub fn fault(answer: &Answer) -> Option<String> {
    Some(document(answer)?.get("fault")?.as_str()?.to_string())
}

/// Title and detail of a problem document (RFC 9457 section 3.1), escaped.
fn problem(answer: &Answer) -> Option<String> {
    let problem = document(answer)?;
    let texts = ["title", "detail"].iter().filter_map(|member| problem.get(member)?.as_str());
    let texts: Vec<_> = texts.filter(|text| !text.is_empty()).map(|text| Foreign(text).to_string()).collect();
    Some(texts.join(": ")).filter(|texts| !texts.is_empty())
}

fn document(answer: &Answer) -> Option<serde_json::Value> {
    let media_type = answer.header("content-type")?.split(';').next()?.trim();
    match media_type.eq_ignore_ascii_case("application/problem+json") {
        true => serde_json::from_slice(&answer.body).ok(),
        false => None,
    }
}
