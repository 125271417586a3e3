//! The XML of Route 53's answers, read strictly: elements and text, nothing else.
//!
//! The smallest reader that will do. It knows no document types, so that there are no entities but
//! the five of XML and characters by number; no CDATA and no processing instructions past the first
//! line; depth and size have limits. What it does not know is an error.

use std::fmt::Write;

/// How deep the elements may lie in each other; the service's lie in seven.
const DEEPEST: usize = 16;

/// An element: its text, if it holds nothing else, or its children.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Element {
    pub name: String,
    pub text: String,
    pub children: Vec<Element>,
}

impl Element {
    /// The first child of that name.
    pub fn child(&self, name: &str) -> Option<&Element> {
        self.children.iter().find(|child| child.name == name)
    }

    /// The text at the end of a path of first children; empty where there is none.
    pub fn text_at(&self, path: &[&str]) -> &str {
        path.iter().try_fold(self, |element, name| element.child(name)).map_or("", |element| &element.text)
    }

    /// The children of a first child: the items of a list.
    pub fn items(&self, list: &str) -> Option<&[Element]> {
        Some(&self.child(list)?.children)
    }
}

/// The root element; None where it is not such XML.
pub fn parse(octets: &[u8]) -> Option<Element> {
    let text = std::str::from_utf8(octets).ok()?;
    let mut rest = text.strip_prefix('\u{feff}').unwrap_or(text).trim_start();
    if let Some(after) = rest.strip_prefix("<?xml ") {
        rest = after.split_once("?>")?.1.trim_start();
    }
    let (root, rest) = element(rest, DEEPEST)?;
    rest.trim().is_empty().then_some(root)
}

fn element(text: &str, depth: usize) -> Option<(Element, &str)> {
    let (tag, mut rest) = text.strip_prefix('<')?.split_once('>')?;
    let is_empty = tag.ends_with('/');
    let tag = tag.strip_suffix('/').unwrap_or(tag);
    // Of the attributes there is the namespace only, which is always the same.
    let name = tag.split(|c: char| c.is_ascii_whitespace()).next()?;
    if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric()) || tag.contains('<') || depth == 0 {
        return None;
    }
    let mut element = Element { name: name.to_string(), ..Element::default() };
    if is_empty {
        return Some((element, rest));
    }
    let mut words = String::new();
    loop {
        let (before, _) = rest.split_once('<')?;
        words.push_str(before);
        rest = &rest[before.len()..];
        if let Some(after) = rest.strip_prefix("</") {
            rest = after.strip_prefix(name)?.strip_prefix('>')?;
            break;
        }
        let child;
        (child, rest) = self::element(rest, depth - 1)?;
        element.children.push(child);
    }
    match element.children.is_empty() {
        true => element.text = unescaped(&words)?,
        false if !words.trim().is_empty() => return None,
        false => {}
    }
    Some((element, rest))
}

fn unescaped(text: &str) -> Option<String> {
    let mut parts = text.split('&');
    let mut plain = parts.next().unwrap_or_default().to_string();
    for part in parts {
        let (entity, rest) = part.split_once(';')?;
        plain.push(match entity {
            "amp" => '&',
            "lt" => '<',
            "gt" => '>',
            "quot" => '"',
            "apos" => '\'',
            entity => {
                let number = entity.strip_prefix('#')?;
                let number = match number.strip_prefix('x') {
                    Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                    None => number.parse().ok()?,
                };
                char::from_u32(number)?
            }
        });
        plain.push_str(rest);
    }
    Some(plain)
}

/// A text as XML writes it.
pub fn escaped(text: &str) -> String {
    text.chars().fold(String::new(), |mut escaped, character| {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            ' '..='~' => escaped.push(character),
            other => write!(escaped, "&#{};", other as u32).expect("a string"),
        }
        escaped
    })
}

#[cfg(test)]
mod properties;
