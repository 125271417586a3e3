//! Google's login for service accounts and its Cloud DNS as their documentation tells it: tokens for
//! signed assertions, changes that are taken as a whole and are pending for a moment.

use std::collections::{BTreeMap, HashSet};

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use ring::signature::{KeyPair, RSA_PKCS1_2048_8192_SHA256, RsaKeyPair, UnparsedPublicKey};
use serde_json::{Value, json};

use super::simulator::{Answer, Request, Service, Zones, fields, inner};

/// A key as the console gives it out, made for these tests; TOKEN_URI stands for the login's address.
pub const KEY: &str = include_str!("key.json");

const BELOW: &str = "/dns/v1/projects/manhattan/managedZones";

pub struct Account {
    zones: Zones,
    tokens: HashSet<String>,
    logins: u64,
    has_other_password: bool,
    /// How often each change is still said to be pending.
    changes: BTreeMap<u64, u8>,
}

fn refused(status: u16, reason: &str, message: &str) -> Answer {
    let errors = json!([{"message": message, "domain": "global", "reason": reason}]);
    Answer::json(status, &json!({"error": {"code": status, "message": message, "errors": errors}}))
}

impl Service for Account {
    fn account(zones: Zones) -> Account {
        let (tokens, changes) = (HashSet::new(), BTreeMap::new());
        Account { zones, tokens, logins: 0, has_other_password: false, changes }
    }

    fn zones(&mut self) -> &mut Zones {
        &mut self.zones
    }

    fn is_change(&self, request: &Request) -> bool {
        request.path.ends_with("/changes")
    }

    fn conflict(&self) -> u16 {
        412
    }

    fn end_sessions(&mut self) {
        self.tokens.clear();
    }

    fn has_other_password(&mut self, yes: bool) -> bool {
        self.has_other_password = yes;
        self.tokens.clear();
        true
    }

    fn refusal(&self, status: u16) -> Answer {
        match status {
            401 => refused(401, "authError", "Request had invalid authentication credentials."),
            403 => refused(403, "forbidden", "Forbidden"),
            404 => refused(404, "notFound", "The 'parameters.managedZone' resource named 'z' does not exist."),
            412 => refused(412, "conditionNotMet", "Precondition not met for 'entity.change.deletions[0]'"),
            429 => refused(429, "rateLimitExceeded", "Rate limit exceeded"),
            _ => refused(status, "backendError", "Backend Error"),
        }
    }

    fn answer(&mut self, request: &Request) -> Answer {
        if request.path == "/token" {
            return self.login(request);
        }
        let token = request.header("authorization").and_then(|value| value.strip_prefix("Bearer "));
        if !token.is_some_and(|token| self.tokens.contains(token)) {
            return self.refusal(401);
        }
        if request.is_mislabelled() {
            return refused(400, "parseError", "the body is not JSON");
        }
        let Some(parts) = request.below(BELOW) else { return refused(404, "notFound", "no such path") };
        let zone = |key: &str| self.zones.names().into_iter().find(|name| key_of(name) == key);
        match (request.method.as_str(), parts.as_slice()) {
            ("GET", [""]) => self.list_zones(request),
            (method, ["", key, rest @ ..]) => match (zone(key), method, rest) {
                (None, _, _) => self.refusal(404),
                (Some(zone), "GET", ["rrsets"]) => self.list(&zone, request),
                (Some(zone), "POST", ["changes"]) => self.change(&zone, &request.json()),
                (Some(_), "GET", ["changes", id]) => self.poll(id),
                _ => refused(404, "notFound", "no such method"),
            },
            _ => refused(404, "notFound", "no such path"),
        }
    }
}

/// What the service calls a zone: letters, digits and hyphens.
fn key_of(zone: &str) -> String {
    format!("zone{}", zone.replace(['.', '_'], "-"))
}

fn change(id: u64, is_pending: bool) -> Value {
    let status = if is_pending { "pending" } else { "done" };
    json!({"kind": "dns#change", "id": id.to_string(), "startTime": "2024-07-19T10:00:00.000Z", "status": status})
}

impl Account {
    fn login(&mut self, request: &Request) -> Answer {
        let grant = "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=";
        let assertion = request.text.strip_prefix(grant);
        let host = request.header("host").unwrap_or_default();
        let is_ours = assertion.is_some_and(|assertion| is_signed(assertion, &format!("http://{host}/token")));
        if request.method != "POST" || !is_ours || self.has_other_password {
            let text = "Invalid JWT Signature.";
            return Answer::json(400, &json!({"error": "invalid_grant", "error_description": text}));
        }
        self.logins += 1;
        let token = format!("ya29.c.{:04}", self.logins);
        self.tokens.insert(token.clone());
        Answer::json(200, &json!({"access_token": token, "expires_in": 3599, "token_type": "Bearer"}))
    }

    fn list_zones(&self, request: &Request) -> Answer {
        let Some([Some(name)]) = request.asks(["dnsName"]) else { return refused(400, "invalid", "parameters") };
        let zone = |key: String, visibility: &str| json!({"kind": "dns#managedZone", "name": key, "dnsName": name, "id": "1", "visibility": visibility});
        let plain = name.trim_end_matches('.');
        if !self.zones.has(plain) {
            return Answer::json(200, &json!({"kind": "dns#managedZonesListResponse"}));
        }
        // Each has a private twin, which is listed first.
        let zones = [zone("private".to_string(), "private"), zone(key_of(plain), "public")];
        Answer::json(200, &json!({"kind": "dns#managedZonesListResponse", "managedZones": zones}))
    }

    fn shown(&self, zone: &str, name: &str) -> Option<Value> {
        let set = self.zones.set(zone, name, "TXT");
        let values: Vec<_> = set.iter().map(|entry| format!("\"{}\"", entry.value)).collect();
        Some(json!({"name": format!("{name}."), "type": "TXT", "ttl": set.first()?.ttl, "rrdatas": values}))
    }

    fn list(&self, zone: &str, request: &Request) -> Answer {
        let Some([Some(name), Some("TXT")]) = request.asks(["name", "type"]) else {
            return refused(400, "invalid", "parameters");
        };
        let sets: Vec<_> = self.shown(zone, name.trim_end_matches('.')).into_iter().collect();
        Answer::json(200, &json!({"kind": "dns#resourceRecordSetsListResponse", "rrsets": sets}))
    }

    fn change(&mut self, zone: &str, body: &Value) -> Answer {
        let invalid = |text: &str| refused(400, "invalid", text);
        let Some([deletions, additions]) = fields(body, &["deletions", "additions"], &[]) else {
            return invalid("unknown or missing fields");
        };
        let (Some(deletions), Some(additions)) = (deletions.as_array(), additions.as_array()) else {
            return invalid("lists are needed");
        };
        if deletions.is_empty() && additions.is_empty() {
            return refused(400, "required", "The 'entity.change' parameter is required but was missing.");
        }
        let mut gone = Vec::new();
        for set in deletions {
            let name = set["name"].as_str().unwrap_or_default().trim_end_matches('.').to_string();
            match self.shown(zone, &name) {
                Some(held) if held == *set => gone.push(name),
                Some(_) => return self.refusal(412),
                None => {
                    let text =
                        format!("The 'entity.change.deletions[0]' resource named '{name}. (TXT)' does not exist.");
                    return refused(404, "notFound", &text);
                }
            }
        }
        let mut new = Vec::new();
        for set in additions {
            let Some([name, kind, ttl, values]) = fields(set, &["name", "type", "ttl", "rrdatas"], &[]) else {
                return invalid("a set");
            };
            let name = name.as_str().and_then(|name| name.strip_suffix('.')).unwrap_or_default().to_string();
            let values = values.as_array().into_iter().flatten();
            let values: Option<Vec<_>> = values.map(|value| inner(value.as_str()?).map(str::to_string)).collect();
            let (Some(values), Some(ttl), "TXT") = (values, ttl.as_u64(), kind.as_str().unwrap_or_default()) else {
                return invalid("a set");
            };
            if !name.ends_with(zone) || values.is_empty() {
                return invalid("Invalid value for 'entity.change.additions[0].name'");
            }
            if self.shown(zone, &name).is_some() && !gone.contains(&name) {
                let text = format!("The resource 'entity.change.additions[0]' named '{name}. (TXT)' already exists");
                return refused(409, "alreadyExists", &text);
            }
            if !self.zones.set(zone, &name, "CNAME").is_empty() {
                let text = "The resource record set is invalid because a CNAME record cannot share a name";
                return refused(400, "cnameResourceRecordSetConflict", text);
            }
            if self.zones.limit.is_some_and(|limit| values.len() > limit) {
                return refused(400, "quotaExceeded", "the set has too many values");
            }
            new.push((name, ttl, values));
        }
        gone.iter().for_each(|name| self.zones.replace(zone, name, "TXT", 0, &[]));
        new.iter().for_each(|(name, ttl, values)| self.zones.replace(zone, name, "TXT", *ttl, values));
        let id = self.changes.len() as u64 + 1;
        self.changes.insert(id, 1);
        Answer::json(200, &change(id, true))
    }

    fn poll(&mut self, id: &str) -> Answer {
        let Some((id, left)) = id.parse().ok().and_then(|id: u64| Some((id, self.changes.get_mut(&id)?))) else {
            return self.refusal(404);
        };
        let is_pending = *left > 0;
        *left = left.saturating_sub(1);
        Answer::json(200, &change(id, is_pending))
    }
}

/// Is it an assertion of the account's, for now and for here?
fn is_signed(assertion: &str, audience: &str) -> bool {
    let decoded = |part: &str| BASE64_URL_SAFE_NO_PAD.decode(part).ok();
    let json = |part: &str| serde_json::from_slice::<Value>(&decoded(part)?).ok();
    let key: Value = serde_json::from_str(KEY).expect("the key is JSON");
    let Some((signed, signature)) = assertion.rsplit_once('.') else { return false };
    let Some((header, claims)) = signed.split_once('.') else { return false };
    let (Some(header), Some(claims), Some(signature)) = (json(header), json(claims), decoded(signature)) else {
        return false;
    };
    let (issued, over) = (claims["iat"].as_i64().unwrap_or(0), claims["exp"].as_i64().unwrap_or(0));
    header == json!({"alg": "RS256", "typ": "JWT", "kid": key["private_key_id"]})
        && claims["iss"] == key["client_email"]
        && claims["scope"] == "https://www.googleapis.com/auth/ndev.clouddns.readwrite"
        && claims["aud"] == audience
        && issued > 1_700_000_000
        && over == issued + 3600
        && public(&key).verify(signed.as_bytes(), &signature).is_ok()
}

fn public(key: &Value) -> UnparsedPublicKey<Vec<u8>> {
    let pem = key["private_key"].as_str().expect("a private key");
    let body: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    let pair = RsaKeyPair::from_pkcs8(&BASE64_STANDARD.decode(body).expect("base64")).expect("an RSA key");
    UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, pair.public_key().as_ref().to_vec())
}
