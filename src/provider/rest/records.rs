//! Services that keep records one by one: one is created, one is deleted, the others are not looked at.

use super::judge::Problem;
use super::{Place, Service};
use crate::challenge::{Action, Value};
use crate::deadline::Deadline;
use crate::fault::Fault;
use crate::provider::Receipt;

/// A record as the service lists it.
pub struct Held {
    /// The service's key for this record.
    pub id: String,
    /// `TXT`, `CNAME`, …
    pub kind: String,
    /// Of a TXT record: its text, without quotes.
    pub text: String,
}

pub trait Records: Service {
    /// The TXT records at exactly this owner; others at this name may be among them.
    fn list(&self, place: &Place, deadline: Deadline) -> Result<Vec<Held>, Problem>;

    fn create(&self, place: &Place, value: &Value, deadline: Deadline) -> Result<Receipt, Problem>;

    fn delete(&self, place: &Place, id: &str, deadline: Deadline) -> Result<Receipt, Problem>;
}

/// [`Service::change`] by creating and deleting: nothing is created twice, and what is gone stays gone.
pub fn change(
    service: &impl Records,
    place: &Place,
    action: Action,
    value: &Value,
    deadline: Deadline,
) -> Result<Receipt, Problem> {
    let held = service.list(place, deadline)?;
    let ours: Vec<_> = held.iter().filter(|held| held.kind == "TXT" && held.text == value.as_str()).collect();
    if action == Action::Setup {
        if held.iter().any(|held| held.kind == "CNAME") {
            return Err(cname(service, place));
        }
        return if ours.is_empty() { service.create(place, value, deadline) } else { Ok(Receipt::default()) };
    }
    let mut receipt = Receipt::default();
    for held in ours {
        match service.delete(place, &held.id, deadline) {
            // Somebody else was quicker.
            Err(Problem::No(no)) if no.status == 404 => {}
            outcome => receipt = outcome?,
        }
    }
    Ok(receipt)
}

fn cname(service: &impl Service, place: &Place) -> Problem {
    Fault::Refused(format!(
        "{} has a CNAME at {}, beside which no TXT can be: remove it, or let acmegw write where it points",
        service.api().profile.title,
        place.owner
    ))
    .into()
}
