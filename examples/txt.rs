//! Asks a name server for the TXT record at a name, as a resolver would.

use std::process::ExitCode;
use std::time::Duration;

use acmegw::challenge::Name;
use acmegw::deadline::Deadline;
use acmegw::dns::address::Address;
use acmegw::dns::client::Client;
use acmegw::dns::{Rcode, Rtype};
use acmegw::foreign::Foreign;

const USAGE: &str = "usage: txt @SERVER[:PORT] NAME";

fn main() -> ExitCode {
    match values(std::env::args().skip(1).collect()) {
        Ok(values) => {
            values.iter().for_each(|value| println!("{}", Foreign(value)));
            ExitCode::SUCCESS
        }
        Err(reason) => {
            println!("{reason}");
            ExitCode::FAILURE
        }
    }
}

fn values(arguments: Vec<String>) -> Result<Vec<String>, String> {
    let [server, name] = arguments.as_slice() else { return Err(USAGE.to_string()) };
    let server = Address::parse(server.strip_prefix('@').ok_or(USAGE)?)?;
    let name = Name::owner(name).map_err(|error| format!("the name is {error}"))?;
    let deadline = Deadline::after(Duration::from_secs(10));
    let mut failure = format!("{server} has no address");
    for address in server.resolve(deadline)? {
        match Client::new(address, None).ask(&name, Rtype::TXT, true, deadline) {
            Ok(answer) if !answer.txt().is_empty() => return Ok(answer.txt()),
            Ok(answer) => {
                let why = match answer.rcode() {
                    Rcode::NOERROR => "NODATA".to_string(),
                    rcode => rcode.to_string(),
                };
                return Err(format!("no TXT record at {name} ({why})"));
            }
            Err(reason) => failure = format!("{address}: {reason}"),
        }
    }
    Err(failure)
}
