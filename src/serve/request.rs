//! The way of one request. Read `carry_out` from top to bottom: each step makes the value that the
//! next one needs, and only that step can make it.

use std::sync::Arc;
use std::time::Instant;

use crate::account::Accounts;
use crate::challenge::{Challenge, Value};
use crate::foreign::Foreign;
use crate::gate::auth::{Auth, Caller};
use crate::gate::claim::Claim;
use crate::gate::peer::Proxies;
use crate::gate::register::{NotRegistered, Registration};
use crate::gate::scope::{Grant, Permit, Scope};
use crate::ledger::Ledger;
use crate::limits::Limits;
use crate::propagation::Checks;
use crate::serve::answer::{Answer, Problem};
use crate::serve::dialect::{self, Errand, Route, acmedns};
use crate::serve::engine::Ask;

/// What every request needs.
pub struct Gateway {
    pub proxies: Arc<Proxies>,
    pub auth: Auth,
    /// None: no acme-dns account is made for whoever asks.
    pub registration: Option<Registration>,
    pub scope: Scope,
    pub limits: Limits,
    pub ledger: Arc<Ledger>,
    pub accounts: Accounts,
    /// None: it is not checked whether records are visible.
    pub checks: Option<Arc<Checks>>,
}

/// What the log calls a question whether we are there, and one whether a record is visible.
const HEALTH: &str = "health";
const VISIBLE: &str = "visible";

/// What the log line of a request says, gathered on the way.
struct Event {
    client: String,
    user: String,
    action: String,
    name: String,
}

impl Gateway {
    /// Answers one request and logs it in one line.
    pub fn handle(&self, ask: &Ask) -> Answer {
        let began = Instant::now();
        let number = &ask.passenger.number;
        let none = || "-".to_string();
        let mut event = Event { client: none(), user: none(), action: none(), name: none() };
        let (answer, reason) = match self.carry_out(ask, &mut event) {
            Ok(answer) => (answer, String::new()),
            Err(problem) => (dialect::refuse(&problem, ask), format!(": {}", Foreign(&problem.detail))),
        };
        let level = match answer.status {
            400.. => log::Level::Warn,
            // Monitors ask every few seconds, and hooks more often.
            _ if event.action == HEALTH || event.action == VISIBLE => log::Level::Debug,
            _ => log::Level::Info,
        };
        let Event { client, user, action, name } = event;
        let (status, ms) = (answer.status, began.elapsed().as_millis());
        log::log!(
            level,
            "request={number} client={client} user={user} action={action} name={name} status={status} ms={ms}{reason}"
        );
        answer
    }

    fn carry_out(&self, ask: &Ask, event: &mut Event) -> Result<Answer, Problem> {
        let client = self.proxies.client(ask.passenger.peer, &ask.values(&self.proxies.header));
        event.client = client.address().to_string();
        let Route::Caller(errand) = dialect::route(ask)? else {
            event.action = HEALTH.to_string();
            return Ok(Answer::text(200, "OK\n"));
        };
        let caller = self.auth.admit(&client, Claim::of(|name| ask.value(name)))?;
        let dialect = match errand {
            Errand::May(domain) => {
                event.met(&caller, "may", domain);
                return self.may(&caller, domain, ask);
            }
            Errand::Register => {
                event.met(&caller, "register", "-");
                return self.register(&caller, ask, event);
            }
            Errand::Visible(domain, value) => {
                event.met(&caller, VISIBLE, domain);
                return self.visible(&caller, domain, value, ask);
            }
            Errand::Dialect(dialect) => dialect,
        };
        let challenge = (dialect.read)(ask)?;
        let name = challenge.domain();
        event.met(&caller, challenge.verb(), name.challenged().as_ref().unwrap_or(name).as_str());
        let grant = (dialect.door)(&self.scope, &caller, name, ask.passenger.deadline)?;
        let permits = self.permits(&grant, &challenge);
        self.limits.check(&permits, &self.ledger)?;
        self.accounts.carry_out(&permits).into_iter().collect::<Result<Vec<()>, _>>()?;
        if let Some(values) = grant.rolls() {
            self.ledger.roll(grant.caller(), Limits::kept(values));
        }
        Ok(self.looked_for(&grant, &challenge, dialect, (dialect.answer)(&challenge, ask)))
    }

    /// Makes an account for an acme-dns client that may have one.
    fn register(&self, caller: &Caller, ask: &Ask, event: &mut Event) -> Result<Answer, Problem> {
        let allow_from = acmedns::allow_from(&ask.body)?;
        let registration = self.registration.as_ref().ok_or(NotRegistered::Closed)?;
        let (account, key) = registration.register(caller, allow_from)?;
        event.name = account.fulldomain.to_string();
        Ok(acmedns::registered(&account, &key))
    }

    /// May this caller touch that domain, and what has it living there? Asks no DNS service.
    fn may(&self, caller: &Caller, domain: &str, ask: &Ask) -> Result<Answer, Problem> {
        let domain = dialect::domain(domain)?;
        let grant = self.scope.challenge(caller, &domain, ask.passenger.deadline)?;
        let body = serde_json::json!({
            "domain": domain.as_str(),
            "record": grant.owner().as_str(),
            "caller": grant.caller(),
            "provider": self.accounts.provider(grant.owner(), &domain),
            "values": self.ledger.living(grant.owner(), grant.caller()).iter().map(Value::as_str).collect::<Vec<_>>(),
        });
        Ok(Answer::json(200, &body))
    }

    /// One permit a value. A teardown without a value is about all that this caller set there.
    fn permits(&self, grant: &Grant, challenge: &Challenge) -> Vec<Permit> {
        match challenge {
            Challenge::Setup { value, .. } => vec![grant.setup(value.clone())],
            Challenge::Canary { value, life, .. } => vec![grant.canary(value.clone(), *life)],
            Challenge::Teardown { value: Some(value), .. } => vec![grant.teardown(value.clone())],
            Challenge::Teardown { value: None, .. } => {
                let values = self.ledger.values(grant.owner(), grant.caller());
                values.into_iter().map(|value| grant.teardown(value)).collect()
            }
        }
    }
}

impl Event {
    fn met(&mut self, caller: &Caller, action: &str, name: &str) {
        if let Some(user) = caller.user() {
            self.user = Foreign(user).to_string();
        }
        self.action = action.to_string();
        self.name = Foreign(name).to_string();
    }
}
