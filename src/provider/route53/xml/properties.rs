//! XML: whatever comes, it is read to an end; what was written is what is read.

use super::*;
use crate::random::{Random, property};

fn grown(random: &mut Random, depth: usize) -> Element {
    let name = random.one_of(&["A", "Name", "Id1"]).to_string();
    let children = if depth == 0 { Vec::new() } else { random.some(3, |random| grown(random, depth - 1)) };
    let text = if children.is_empty() { random.text(&["a", "<", "&", ">", "\"", " ", "\n"], 6) } else { String::new() };
    Element { name, text, children }
}

fn written(element: &Element, random: &mut Random) -> String {
    let attributes = random.one_of(&["", " xmlns=\"https://route53.amazonaws.com/doc/2013-04-01/\""]);
    let inner: String = element
        .children
        .iter()
        .map(|child| random.one_of(&["", "\n  "]).to_string() + &written(child, random))
        .collect();
    format!("<{0}{attributes}>{inner}{1}</{0}>", element.name, escaped(&element.text))
}

#[test]
fn what_was_written_is_what_is_read() {
    property(|random| {
        let element = grown(random, 3);
        let head = random.one_of(&["", "<?xml version=\"1.0\"?>\n"]).to_string();
        let text = head + &written(&element, random);
        assert_eq!(parse(text.as_bytes()).as_ref(), Some(&element), "{text}");
        // Mutations may be XML too; they are read to an end all the same.
        let _ = parse(&random.mutated(text.as_bytes()));
    });
}

#[test]
fn what_is_not_the_services_xml_is_refused() {
    let deep = "<a>".repeat(100_000);
    for text in [
        "",
        "a",
        "<",
        "<a>",
        "<a></b>",
        "<a><b></a></b>",
        "<a>x<b></b></a>",
        "<a>&unknown;</a>",
        "<a>&#x110000;</a>",
        "<!DOCTYPE a [<!ENTITY b \"c\">]><a>&b;</a>",
        "<a><![CDATA[b]]></a>",
        "<a></a><a></a>",
        "<a><!-- --></a>",
        &deep,
    ] {
        assert_eq!(parse(text.as_bytes()), None, "{}", &text[..text.len().min(50)]);
    }
}
