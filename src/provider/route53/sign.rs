//! AWS's Signature Version 4, for requests without anything that would have to be encoded twice.
//!
//! Documentation: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>

use std::fmt::Write;

use ring::{digest, hmac};

use crate::clock;
use crate::deadline::Deadline;
use crate::provider::rest::credentials::{Credentials, Headers};
use crate::provider::rest::judge::Problem;
use crate::provider::rest::{Api, Draft};
use crate::secret::Secret;

/// Route 53 is one service for the whole world, and signs as this region.
const SCOPE: &str = "us-east-1/route53/aws4_request";

/// An access key.
pub struct AccessKey {
    pub id: String,
    pub secret: Secret,
}

impl Credentials for AccessKey {
    fn sign(&self, api: &Api, draft: &Draft, _: Deadline) -> Result<Headers, Problem> {
        Ok(self.signed(api.base.as_str(), draft, &clock::compact(), SCOPE))
    }
}

impl AccessKey {
    /// At a moment, written as `20260101T235959Z`.
    fn signed(&self, base: &str, draft: &Draft, now: &str, scope: &str) -> Headers {
        let (_, base) = base.split_once("://").unwrap_or_default();
        let (host, prefix) =
            base.split_once('/').map_or((base, String::new()), |(host, path)| (host, format!("/{path}")));
        let (path, query) = draft.path.split_once('?').unwrap_or((&draft.path, ""));
        let mut query: Vec<&str> = query.split('&').collect();
        query.sort_unstable();
        let body = hex(digest::digest(&digest::SHA256, draft.body.as_deref().unwrap_or_default().as_bytes()).as_ref());
        let canonical = format!(
            "{}\n{prefix}{path}\n{}\nhost:{host}\nx-amz-date:{now}\n\nhost;x-amz-date\n{body}",
            draft.method,
            query.join("&")
        );
        let day = &now[..8];
        let hashed = hex(digest::digest(&digest::SHA256, canonical.as_bytes()).as_ref());
        let to_sign = format!("AWS4-HMAC-SHA256\n{now}\n{day}/{scope}\n{hashed}");
        let seed = Secret::new(format!("AWS4{}", self.secret.reveal()));
        let key = std::iter::once(day).chain(scope.split('/')).fold(seed.reveal().as_bytes().to_vec(), |key, part| {
            hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), part.as_bytes()).as_ref().to_vec()
        });
        let signature = hex(hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), to_sign.as_bytes()).as_ref());
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential={}/{day}/{scope}, SignedHeaders=host;x-amz-date, Signature={signature}",
            self.id
        );
        vec![("x-amz-date", Secret::new(now.to_string())), ("authorization", Secret::new(authorization))]
    }
}

fn hex(octets: &[u8]) -> String {
    octets.iter().fold(String::new(), |mut text, octet| {
        write!(text, "{octet:02x}").expect("a string");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// AWS's own suite for Signature Version 4, as it is in <https://github.com/boto/botocore>,
    /// tests/unit/auth/aws4_testsuite: get-vanilla, post-vanilla, get-vanilla-query-order-key-case,
    /// get-vanilla-query-order-key and get-vanilla-query-order-value.
    #[test]
    fn the_suite_of_aws_is_signed_as_it_says() {
        let secret = Secret::new("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".to_string());
        let key = AccessKey { id: "AKIDEXAMPLE".to_string(), secret };
        for (method, path, signature) in [
            ("GET", "/", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
            ("POST", "/", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
            (
                "GET",
                "/?Param2=value2&Param1=value1",
                "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
            ),
            (
                "GET",
                "/?Param1=value2&Param1=Value1",
                "eedbc4e291e521cf13422ffca22be7d2eb8146eecf653089df300a15b2382bd1",
            ),
            (
                "GET",
                "/?Param1=value2&Param1=value1",
                "5772eed61e12b33fae39ee5e7012498b51d56abc0abb7c60486157bd471c4694",
            ),
        ] {
            let (draft, scope) = (Draft::new(method, path), "us-east-1/service/aws4_request");
            let headers = key.signed("https://example.amazonaws.com", &draft, "20150830T123600Z", scope);
            let expected = format!(
                "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/{scope}, SignedHeaders=host;x-amz-date, \
                 Signature={signature}"
            );
            assert_eq!(headers[1].1.reveal(), expected);
        }
    }
}
