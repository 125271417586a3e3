//! Azure's login and its DNS as their documentation tells it: tokens by form, sets by name and type,
//! each with an ETag that a write has to name.

use std::collections::HashSet;

use serde_json::{Value, json};

use super::simulator::{Answer, Request, Service, Zones, absolute, fields};

pub const CLIENT: &str = "00000000-0000-0000-0000-00000000c11e";
pub const SECRET: &str = "secret~of.the-client";
pub const TENANT: &str = "00000000-0000-0000-0000-000000007e4a";

const GROUP: &str = "/subscriptions/sub-1/resourceGroups/dns/providers/Microsoft.Network/dnsZones/";

pub struct Account {
    zones: Zones,
    tokens: HashSet<String>,
    logins: u64,
    has_other_password: bool,
    /// Is no zone seen from outside?
    pub is_private: bool,
}

fn refused(status: u16, code: &str, message: &str) -> Answer {
    Answer::json(status, &json!({"error": {"code": code, "message": message}}))
}

/// DNS itself refuses without the envelope of the Resource Manager.
fn refused_by_dns(status: u16, code: &str, message: &str) -> Answer {
    Answer::json(status, &json!({"code": code, "message": message}))
}

impl Service for Account {
    fn account(zones: Zones) -> Account {
        Account { zones, tokens: HashSet::new(), logins: 0, has_other_password: false, is_private: false }
    }

    fn zones(&mut self) -> &mut Zones {
        &mut self.zones
    }

    fn conflict(&self) -> u16 {
        412
    }

    fn is_change(&self, request: &Request) -> bool {
        matches!(request.method.as_str(), "PUT" | "DELETE")
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
            401 => refused(401, "InvalidAuthenticationToken", "The access token is invalid."),
            403 => refused(403, "AuthorizationFailed", "The client does not have authorization to perform action"),
            404 => refused(404, "ResourceNotFound", "The Resource under resource group 'dns' was not found."),
            412 => refused_by_dns(412, "PreconditionFailed", "The condition set in the request was not satisfied"),
            429 => refused(429, "TooManyRequests", "too many requests"),
            _ => refused(status, "InternalServerError", "Internal server error"),
        }
    }

    fn answer(&mut self, request: &Request) -> Answer {
        if request.path == format!("/{TENANT}/oauth2/v2.0/token") {
            return self.login(request);
        }
        let token = request.header("authorization").and_then(|value| value.strip_prefix("Bearer "));
        if !token.is_some_and(|token| self.tokens.contains(token)) {
            return self.refusal(401);
        }
        if request.is_mislabelled() || request.asks(["api-version"]) != Some([Some("2018-05-01")]) {
            return refused(400, "InvalidApiVersionParameter", "The api-version is invalid.");
        }
        let parts = request.below(GROUP).unwrap_or_default();
        if !parts.first().is_some_and(|zone| self.zones.has(zone)) {
            return self.refusal(404);
        }
        match (request.method.as_str(), parts.as_slice()) {
            ("GET", [zone]) => {
                let id = format!("{GROUP}{zone}");
                let properties = json!({"zoneType": if self.is_private { "Private" } else { "Public" }});
                let kind = "Microsoft.Network/dnszones";
                Answer::json(200, &json!({"id": id, "name": zone, "type": kind, "etag": "z", "properties": properties}))
            }
            ("GET", [zone, "TXT", name]) => {
                self.shown(zone, name).map_or_else(|| self.refusal(404), |set| Answer::json(200, &set))
            }
            ("PUT", [zone, "TXT", name]) => self.put(zone, name, request),
            ("DELETE", [zone, "TXT", name]) => {
                let Some(set) = self.shown(zone, name) else { return Answer::empty(204) };
                if request.header("if-match") != set["etag"].as_str() {
                    return self.refusal(412);
                }
                self.zones.replace(zone, &absolute(name, zone, "@"), "TXT", 0, &[]);
                Answer::empty(200)
            }
            _ => refused(405, "MethodNotAllowed", "no such method"),
        }
    }
}

impl Account {
    fn login(&mut self, request: &Request) -> Answer {
        let scope =
            format!("http%3A%2F%2F{}%2F.default", request.header("host").unwrap_or_default().replace(':', "%3A"));
        let form = format!("client_id={CLIENT}&client_secret={SECRET}&grant_type=client_credentials&scope={scope}");
        let kind = request.header("content-type");
        if request.method != "POST" || kind != Some("application/x-www-form-urlencoded") || request.text != form {
            return Answer::json(400, &json!({"error": "invalid_request", "error_description": "AADSTS900144"}));
        }
        if self.has_other_password {
            let text = "AADSTS7000215: Invalid client secret provided.";
            return Answer::json(401, &json!({"error": "invalid_client", "error_description": text}));
        }
        self.logins += 1;
        let token = format!("eyJ0eXAiOiJKV1Qi{:04}", self.logins);
        self.tokens.insert(token.clone());
        let answer = json!({"token_type": "Bearer", "expires_in": 3599, "access_token": token});
        Answer::json(200, &answer)
    }

    fn shown(&self, zone: &str, name: &str) -> Option<Value> {
        let full = absolute(name, zone, "@");
        let set = self.zones.set(zone, &full, "TXT");
        let first = set.first()?;
        // It changes with each record.
        let etag: u64 = set.iter().map(|entry| entry.id).sum();
        let records: Vec<_> = set.iter().map(|entry| json!({"value": [entry.value]})).collect();
        Some(json!({
            "id": format!("{GROUP}{zone}/TXT/{name}"), "name": name, "type": "Microsoft.Network/dnszones/TXT",
            "etag": format!("00000000-0000-0000-0000-{etag:012}"),
            "properties": {
                "fqdn": format!("{full}."), "TTL": first.ttl, "provisioningState": "Succeeded", "TXTRecords": records,
            },
        }))
    }

    fn put(&mut self, zone: &str, name: &str, request: &Request) -> Answer {
        let held = self.shown(zone, name);
        let is_allowed = match &held {
            Some(set) => {
                request.header("if-match") == set["etag"].as_str() && request.header("if-none-match").is_none()
            }
            None => request.header("if-none-match") == Some("*") && request.header("if-match").is_none(),
        };
        if !is_allowed {
            return self.refusal(412);
        }
        let wrong = |text: &str| refused_by_dns(400, "BadRequest", text);
        let Some([properties]) = fields(&request.json(), &["properties"], &[]) else { return wrong("properties") };
        let Some([ttl, records]) = fields(&properties, &["TTL", "TXTRecords"], &[]) else { return wrong("fields") };
        let value = |record: &Value| {
            let [strings] = fields(record, &["value"], &[])?;
            let strings: Option<Vec<_>> = strings.as_array()?.iter().map(Value::as_str).collect();
            Some(strings?.concat()).filter(|text| !text.contains('"'))
        };
        let values: Option<Vec<_>> = records.as_array().into_iter().flatten().map(value).collect();
        let (Some(values), Some(ttl @ 1..)) = (values.filter(|all| !all.is_empty()), ttl.as_u64()) else {
            return wrong("The resource record is invalid");
        };
        let full = absolute(name, zone, "@");
        if !self.zones.set(zone, &full, "CNAME").is_empty() {
            let text = "The record could not be created because a CNAME record with the same name already exists";
            return refused_by_dns(409, "Conflict", text);
        }
        if self.zones.limit.is_some_and(|limit| values.len() > limit) {
            return wrong("The maximum number of records in the record set has been exceeded");
        }
        self.zones.replace(zone, &full, "TXT", ttl, &values);
        let status = if held.is_some() { 200 } else { 201 };
        Answer::json(status, &self.shown(zone, name).unwrap_or_default())
    }
}
