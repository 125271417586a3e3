//! What the accounts' parsers make of texts that nobody of ours wrote.

use super::*;
use crate::random::property;

fn id() -> Id {
    Id::parse("c36f50e8-4632-44f0-83fe-e070fef28a10").unwrap()
}

#[test]
fn any_text_is_an_id_exactly_if_it_is_32_digits_in_five_groups() {
    property(|random| {
        let octets = random.mutated(b"C36f50e8-4632-44f0-83fe-e070fef28a10");
        let Ok(text) = std::str::from_utf8(&octets) else { return };
        let groups: Vec<_> = text.split('-').collect();
        let is_right = groups.iter().map(|group| group.len()).eq([8, 4, 4, 4, 12])
            && groups.concat().bytes().all(|byte| b"0123456789abcdefABCDEF".contains(&byte));
        assert_eq!(Id::parse(text).map(|id| id.0), is_right.then(|| text.to_lowercase()), "{text:?}");
    });
}

#[test]
fn any_file_is_an_account_that_is_written_alike_or_none() {
    let zone = Name::owner("acme.example.net").unwrap();
    property(|random| {
        let names = random.some(3, |random| random.one_of(&["example.com", "a.example.org", "xn--bcher-kva.example"]));
        let names: Vec<_> = names.into_iter().map(|name| Name::host(name).unwrap()).collect();
        let networks = random.some(2, |random| random.one_of(&["192.0.2.1/24", "[2001:db8::1]/64", "0.0.0.0/0"]));
        let networks: Vec<_> = networks.into_iter().map(|text| network(text).unwrap()).collect();
        let account = match names.is_empty() {
            true => Account::registered(&zone, networks, "alice"),
            false => Account::new(names, Some(&zone).filter(|_| random.once_in(2)), networks),
        };
        let mut account = account.unwrap().0;
        // Inputs have to come back with their seed.
        (account.username, account.subdomain) = (id(), id());
        (account.key, account.since) = (Digest([7; 32]), SystemTime::UNIX_EPOCH);
        let text = account.text();
        assert_eq!(Account::parse(&text).as_ref(), Some(&account));
        let octets = random.mutated(text.as_bytes());
        let Ok(text) = std::str::from_utf8(&octets) else { return };
        let Some(mut read) = Account::parse(text) else { return };
        assert_eq!(read.names.is_empty(), read.by.is_some(), "{text}");
        // That text is foreign, and is not always written as it was read.
        read.by = read.by.map(|_| "alice".to_string());
        assert_eq!(Account::parse(&read.text()).as_ref(), Some(&read), "{text}");
    });
}

#[test]
fn any_allowfrom_that_is_taken_is_an_address_and_a_length() {
    property(|random| {
        let text = random.text(&["192.0.2.1", "2001:db8::", "/", "24", "[", "]", ":", ".", "0", "33"], 5);
        let bare = text.replace(['[', ']'], "");
        let twin = bare.split_once('/').is_some_and(|(address, length)| {
            let most = address.parse().map(|address: std::net::IpAddr| if address.is_ipv4() { 32 } else { 128 });
            // No more digits than the longest length has: 024 is none.
            let is_number = length.bytes().all(|byte| byte.is_ascii_digit()) && !length.is_empty();
            most.is_ok_and(|most: u32| {
                let fits = is_number && length.len() <= most.to_string().len();
                fits && length.parse().is_ok_and(|length: u32| length <= most)
            })
        });
        assert_eq!(network(&text).is_some(), twin, "{text:?}");
    });
}
