//! Route 53's API of 2013-04-01 as its documentation tells it: lists that begin at a name, batches
//! that are taken as a whole, changes that are pending for a moment.

use std::collections::BTreeMap;

use super::simulator::{Answer, Request, Service, Zones, inner};

pub const ID: &str = "AKIDEXAMPLE";
pub const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

const XMLNS: &str = "xmlns=\"https://route53.amazonaws.com/doc/2013-04-01/\"";

pub struct Account {
    zones: Zones,
    /// How often each change is still said to be pending.
    changes: BTreeMap<String, u8>,
}

fn xml(status: u16, root: &str, inner: &str) -> Answer {
    Answer::text(status, "text/xml", format!("<?xml version=\"1.0\"?>\n<{root} {XMLNS}>{inner}</{root}>"))
}

fn refused(status: u16, code: &str, message: &str) -> Answer {
    let error = format!("<Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>");
    xml(status, "ErrorResponse", &format!("{error}<RequestId>b25f48e8-84fd-11e6-80d9-574e0c4664cb</RequestId>"))
}

/// The text between two marks, and what follows.
fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<(&'a str, &'a str)> {
    text.strip_prefix(before)?.split_once(after)
}

fn is_signed(request: &Request) -> bool {
    let date = request.header("x-amz-date").unwrap_or_default();
    let credential = format!(
        "AWS4-HMAC-SHA256 Credential={ID}/{}/us-east-1/route53/aws4_request, SignedHeaders=host;x-amz-date, Signature=",
        date.get(..8).unwrap_or_default()
    );
    let signature = request.header("authorization").and_then(|value| value.strip_prefix(&credential));
    date.len() == 16 && signature.is_some_and(|hex| hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// The order in which the service lists names: by their labels from the end.
fn order(name: &str) -> Vec<&str> {
    name.trim_end_matches('.').rsplit('.').collect()
}

impl Service for Account {
    fn account(zones: Zones) -> Account {
        Account { zones, changes: BTreeMap::new() }
    }

    fn zones(&mut self) -> &mut Zones {
        &mut self.zones
    }

    fn conflict(&self) -> u16 {
        409
    }

    fn refusal(&self, status: u16) -> Answer {
        match status {
            401 => refused(403, "InvalidClientTokenId", "The security token included in the request is invalid."),
            403 => refused(403, "AccessDenied", "User is not authorized to perform this action"),
            404 => refused(404, "NoSuchHostedZone", "No hosted zone found with ID: Z2"),
            409 => refused(400, "InvalidChangeBatch", "[Tried to delete resource record set but it was not found]"),
            429 => refused(400, "Throttling", "Rate exceeded"),
            _ => refused(status, "InternalFailure", "We encountered an internal error."),
        }
    }

    fn answer(&mut self, request: &Request) -> Answer {
        if !is_signed(request) {
            return refused(403, "SignatureDoesNotMatch", "The request signature we calculated does not match");
        }
        let parts = request.below("/2013-04-01/").unwrap_or_default();
        let zone = |id: &str| {
            let number: usize = id.strip_prefix('Z')?.parse().ok()?;
            self.zones.names().into_iter().nth(number)
        };
        match (request.method.as_str(), parts.as_slice()) {
            ("GET", ["hostedzonesbyname"]) => self.list_zones(request),
            ("GET", ["change", id]) => self.poll(id),
            (method, ["hostedzone", id, "rrset", rest @ ..]) => match (zone(id), method, rest) {
                (None, _, _) => self.refusal(404),
                (Some(zone), "GET", []) => self.list(&zone, request),
                (Some(zone), "POST", [""]) if request.header("content-type") == Some("text/xml") => {
                    self.change(&zone, &request.text)
                }
                _ => refused(400, "InvalidInput", "no such method"),
            },
            _ => refused(404, "UnknownOperationException", "no such path"),
        }
    }
}

impl Account {
    fn list_zones(&self, request: &Request) -> Answer {
        let Some([Some(name), Some(most)]) = request.asks(["dnsname", "maxitems"]) else {
            return refused(400, "InvalidInput", "parameters");
        };
        let mut zones: Vec<_> = self.zones.names().into_iter().enumerate().collect();
        zones.retain(|(_, zone)| order(zone) >= order(name));
        zones.sort_by(|a, b| order(&a.1).cmp(&order(&b.1)));
        let most: usize = most.parse().unwrap_or(100);
        let mut list = String::new();
        for (number, zone) in zones.into_iter().take(most) {
            // Each has a private twin, which is listed first.
            for (id, is_private) in [(format!("P{number}"), true), (format!("Z{number}"), false)] {
                list += &format!(
                    "<HostedZone><Id>/hostedzone/{id}</Id><Name>{zone}.</Name><CallerReference>r</CallerReference><Config>\
                     <Comment>a &amp; b</Comment><PrivateZone>{is_private}</PrivateZone></Config>\
                     <ResourceRecordSetCount>2</ResourceRecordSetCount></HostedZone>"
                );
            }
        }
        let rest = format!("<DNSName>{name}</DNSName><IsTruncated>false</IsTruncated><MaxItems>{most}</MaxItems>");
        xml(200, "ListHostedZonesByNameResponse", &format!("<HostedZones>{list}</HostedZones>{rest}"))
    }

    fn list(&self, zone: &str, request: &Request) -> Answer {
        let Some([Some("1"), Some(name), Some("TXT")]) = request.asks(["maxitems", "name", "type"]) else {
            return refused(400, "InvalidInput", "parameters");
        };
        let mut names: Vec<_> = self.zones.records(zone).into_iter().filter(|entry| entry.kind == "TXT").collect();
        names.sort_by(|a, b| order(&a.name).cmp(&order(&b.name)));
        let first = names.into_iter().find(|entry| order(&entry.name) >= order(name));
        let shown = first.map_or(String::new(), |entry| shown(&self.zones, zone, &entry.name));
        let rest = "<IsTruncated>false</IsTruncated><MaxItems>1</MaxItems>";
        xml(200, "ListResourceRecordSetsResponse", &format!("<ResourceRecordSets>{shown}</ResourceRecordSets>{rest}"))
    }

    fn change(&mut self, zone: &str, body: &str) -> Answer {
        let malformed = || refused(400, "MalformedInput", "Could not parse XML");
        let head = format!("<ChangeResourceRecordSetsRequest {XMLNS}><ChangeBatch><Changes>");
        let Some((mut changes, "")) =
            between(body, &head, "</Changes></ChangeBatch></ChangeResourceRecordSetsRequest>")
        else {
            return malformed();
        };
        let mut after = Vec::new();
        let mut is_there: Option<(String, bool)> = None;
        while let Some((change, rest)) = between(changes, "<Change>", "</Change>") {
            changes = rest;
            let Some((action, set)) = between(change, "<Action>", "</Action>") else { return malformed() };
            let Some((name, _)) = between(set, "<ResourceRecordSet><Name>", ".</Name>") else { return malformed() };
            let held = shown(&self.zones, zone, name);
            let exists = is_there.as_ref().filter(|(known, _)| known == name).map_or(!held.is_empty(), |(_, is)| *is);
            let refusal = |why: &str| refused(400, "InvalidChangeBatch", &format!("[Tried to {why}]"));
            match action {
                "DELETE" if held == set => is_there = Some((name.to_string(), false)),
                "DELETE" if held.is_empty() => return refusal("delete resource record set but it was not found"),
                "DELETE" => return refusal("delete it but the values provided do not match the current values"),
                "CREATE" if exists => return refusal("create resource record set but it already exists"),
                "CREATE" if !self.zones.set(zone, name, "CNAME").is_empty() => {
                    let why = "RRSet of type TXT is not permitted because a conflicting RRSet of type CNAME exists";
                    return refused(400, "InvalidChangeBatch", why);
                }
                "CREATE" => is_there = Some((name.to_string(), true)),
                _ => return malformed(),
            }
            let (mut values, mut records) =
                (Vec::new(), set.split_once("<ResourceRecords>").map_or("", |(_, list)| list));
            while let Some((value, rest)) = between(records, "<ResourceRecord><Value>", "</Value></ResourceRecord>") {
                let Some(value) = inner(value) else { return refused(400, "InvalidChangeBatch", "not in quotes") };
                values.push(value.to_string());
                records = rest;
            }
            let ttl = set.split_once("<TTL>").and_then(|(_, rest)| rest.split_once('<')?.0.parse().ok());
            let Some(ttl) = ttl else { return malformed() };
            if action == "CREATE" && self.zones.limit.is_some_and(|limit| values.len() > limit) {
                return refused(400, "InvalidChangeBatch", "the RRSet has too many values");
            }
            after.push((name.to_string(), ttl, if action == "DELETE" { Vec::new() } else { values }));
        }
        if !changes.is_empty() {
            return malformed();
        }
        after.iter().for_each(|(name, ttl, values)| self.zones.replace(zone, name, "TXT", *ttl, values));
        let id = format!("C{}", self.changes.len() + 1);
        self.changes.insert(id.clone(), 1);
        xml(200, "ChangeResourceRecordSetsResponse", &info(&id, "PENDING"))
    }

    fn poll(&mut self, id: &str) -> Answer {
        let Some(left) = self.changes.get_mut(id) else { return refused(404, "NoSuchChange", "no such change") };
        let status = if *left > 0 { "PENDING" } else { "INSYNC" };
        *left = left.saturating_sub(1);
        xml(200, "GetChangeResponse", &info(id, status))
    }
}

fn info(id: &str, status: &str) -> String {
    let at = "<SubmittedAt>2016-02-10T01:36:41.958Z</SubmittedAt>";
    format!("<ChangeInfo><Id>/change/{id}</Id><Status>{status}</Status>{at}</ChangeInfo>")
}

/// An RRset as it is listed; empty where there is none.
fn shown(zones: &Zones, zone: &str, name: &str) -> String {
    let set = zones.set(zone, name, "TXT");
    let Some(first) = set.first() else { return String::new() };
    let values = set.iter().map(|entry| format!("<ResourceRecord><Value>\"{}\"</Value></ResourceRecord>", entry.value));
    let values: String = values.collect();
    format!(
        "<ResourceRecordSet><Name>{name}.</Name><Type>TXT</Type><TTL>{}</TTL><ResourceRecords>{values}\
         </ResourceRecords></ResourceRecordSet>",
        first.ttl
    )
}
