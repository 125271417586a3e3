//! Apache mod_md's MDNotifyCmd, which MDMessageCmd has replaced: the name of a managed domain that
//! has a new certificate, and no word for what happened. Hence `--as MDNotifyCmd`.
//!
//! The facts are from mod_md's source: a status other than 0 is an error of the renewal.

use super::{Order, Row, Said, wrong_count};

pub const ROW: Row = Row {
    name: "MDNotifyCmd",
    form: "--as MDNotifyCmd DOMAIN...",
    explicit: true,
    read,
    #[cfg(test)]
    examples: tests::EXAMPLES,
};

fn read(said: &Said) -> Option<Result<Order, String>> {
    match said.words {
        [] => Some(Err(wrong_count("MDNotifyCmd", "names of managed domains", said.words))),
        names => Some(Ok(Order::Event(format!("renewed {}", names.join(" "))))),
    }
}

#[cfg(test)]
mod tests {
    use crate::hook::dialect::tests::Example;

    pub const EXAMPLES: &[Example] = &[
        Example::of("example.com", "event renewed example.com"),
        Example::of("example.com -x setup", "event renewed example.com -x setup"),
        Example::of("", "fail: not 0 words"),
    ];
}
