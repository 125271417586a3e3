//! A JSON object as a request's body: its keys once each, its fields texts.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value as Json;

use crate::serve::answer::Problem;

/// The fields of the one object in a body, in their order.
pub(super) struct Object(Vec<(String, Json)>);

impl Object {
    pub(super) fn parse(body: &[u8]) -> Result<Object, Problem> {
        serde_json::from_slice(body).map_err(|error| {
            // serde_json's texts quote no more than a key; the door has bounded the body.
            Problem::new(400, format!("the body is not the JSON object that is expected here ({error})"))
        })
    }

    /// The same for those whose clients write the keys in any case; here they are in lower case.
    pub(super) fn caseless(body: &[u8]) -> Result<Object, Problem> {
        let Object(mut fields) = Object::parse(body)?;
        fields.iter_mut().for_each(|(key, _)| key.make_ascii_lowercase());
        let is_again = |(at, (key, _)): (usize, &(String, Json))| fields[..at].iter().any(|(one, _)| one == key);
        match fields.iter().enumerate().any(is_again) {
            true => Err(Problem::new(400, "a key stands in the body twice")),
            false => Ok(Object(fields)),
        }
    }

    /// A field's text; None where it is absent or null.
    pub(super) fn text(&self, key: &str) -> Result<Option<&str>, Problem> {
        match self.0.iter().find(|(name, _)| name == key).map(|(_, value)| value) {
            None | Some(Json::Null) => Ok(None),
            Some(Json::String(text)) => Ok(Some(text)),
            Some(_) => Err(Problem::new(400, format!("the field {key} is not a text"))),
        }
    }

    /// A field's texts, which are a list; none where it is absent or null.
    pub(super) fn texts(&self, key: &str) -> Result<Vec<&str>, Problem> {
        let items = match self.0.iter().find(|(name, _)| name == key).map(|(_, value)| value) {
            None | Some(Json::Null) => return Ok(Vec::new()),
            Some(Json::Array(items)) => items.iter().map(Json::as_str).collect(),
            Some(_) => None,
        };
        items.ok_or_else(|| Problem::new(400, format!("the field {key} is not a list of texts")))
    }

    /// A field's text that must be there.
    pub(super) fn required(&self, key: &str) -> Result<&str, Problem> {
        self.text(key)?.ok_or_else(|| Problem::new(400, format!("the field {key} is missing")))
    }
}

/// serde_json's own map takes the last of two equal keys; two readers could then take the body
/// for two different requests.
impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Object, D::Error> {
        struct Fields;

        impl<'de> Visitor<'de> for Fields {
            type Value = Object;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Object, M::Error> {
                let mut fields: Vec<(String, Json)> = Vec::new();
                while let Some((key, value)) = map.next_entry::<String, Json>()? {
                    if fields.iter().any(|(one, _)| *one == key) {
                        return Err(serde::de::Error::custom("a key stands in it twice"));
                    }
                    fields.push((key, value));
                }
                Ok(Object(fields))
            }
        }

        deserializer.deserialize_map(Fields)
    }
}
