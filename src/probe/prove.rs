//! One domain, from the credentials to the removal of its canary: each step, how long it took, and
//! what to do where it failed.

use std::thread;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use ring::rand::{SecureRandom, SystemRandom};

use crate::challenge::{Challenge, Name, Value};
use crate::deadline::Deadline;
use crate::gateway::{Gateway, NOBODYS, Patience, Refusal, Server, State};

/// For a question that asks no DNS service.
const QUESTION: Duration = Duration::from_secs(20);
/// For a gateway that is away: whoever probes wants to hear of it.
const AWAY: Patience =
    Patience { total: Duration::from_secs(3), first: Duration::from_secs(1), longest: Duration::from_secs(1) };
/// The pauses between two looks, each a quarter longer than the one before.
const PAUSES: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(5));
/// The most that is heeded of a Retry-After.
const RETRY_AFTER: Duration = Duration::from_secs(30);

/// What is proved, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The gateway answers, and is the one that we believe.
    Gateway,
    /// It knows us.
    Credentials,
    /// It lets us touch the domain.
    Scope,
    /// The DNS account holds a zone for it.
    Zone,
    /// The canary is set.
    Set,
    /// All name servers show it.
    Visible,
    /// It is removed, and gone.
    Removed,
}

impl Step {
    pub const ALL: [Step; 7] =
        [Step::Gateway, Step::Credentials, Step::Scope, Step::Zone, Step::Set, Step::Visible, Step::Removed];

    /// Its name in the table and in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Step::Gateway => "gateway",
            Step::Credentials => "credentials",
            Step::Scope => "scope",
            Step::Zone => "zone",
            Step::Set => "set",
            Step::Visible => "visible",
            Step::Removed => "removed",
        }
    }

    /// What to do about it, beyond what the gateway's words say.
    fn remedy(self) -> &'static str {
        match self {
            Step::Gateway => "does the gateway run, and is its address right?",
            Step::Credentials => {
                "beside the gateway: acmegw passwd add probe -g, then API_USER and API_PASSWD_FILE into its dotenv"
            }
            Step::Scope => "add the domain to DNSAPI_DOMAINS, or a rule for this caller to ACCESS_FILE",
            Step::Zone => {
                "add the zone at the DNS service, or take the domain out of DNSAPI_DOMAINS; is it the right account?"
            }
            Step::Set => "see the gateway's log; are the account's credentials right, and may it change this zone?",
            Step::Visible => {
                "see to that server's zone transfers, or take it out of the zone's NS records; is the delegation right?"
            }
            Step::Removed => "the gateway tries again by itself; see its log",
        }
    }
}

/// How a step went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Good,
    Failed,
    /// The gateway cannot say.
    Unchecked,
    /// A step before it failed.
    Skipped,
}

/// Why a step failed, in one line, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    pub step: Step,
    pub what: String,
    pub remedy: &'static str,
}

impl Fault {
    fn new(step: Step, what: impl Into<String>) -> Fault {
        Fault { step, what: what.into(), remedy: step.remedy() }
    }
}

/// What is known of a domain.
#[derive(Debug, Clone)]
pub struct Proof {
    pub domain: Name,
    /// In the order of [`Step::ALL`], with how long it took where that is worth knowing.
    steps: [(Outcome, Option<Duration>); 7],
    /// What each name server said last.
    pub servers: Vec<Server>,
    pub faults: Vec<Fault>,
}

impl Proof {
    fn new(domain: Name) -> Proof {
        Proof { domain, steps: [(Outcome::Skipped, None); 7], servers: Vec::new(), faults: Vec::new() }
    }

    /// That of a domain which was not asked about, because the gateway could not be.
    pub fn unasked(domain: Name, fault: Fault) -> Proof {
        let mut proof = Proof::new(domain);
        if fault.step == Step::Credentials {
            proof.good(Step::Gateway, None);
        }
        proof.failed(fault);
        proof
    }

    pub fn is_good(&self) -> bool {
        self.faults.is_empty()
    }

    pub fn outcome(&self, step: Step) -> Outcome {
        self.steps[step as usize].0
    }

    pub fn took(&self, step: Step) -> Option<Duration> {
        self.steps[step as usize].1
    }

    fn good(&mut self, step: Step, took: Option<Duration>) {
        self.steps[step as usize] = (Outcome::Good, took);
    }

    fn failed(&mut self, fault: Fault) {
        self.steps[fault.step as usize].0 = Outcome::Failed;
        self.faults.push(fault);
    }
}

/// How long what may take.
pub struct Patient {
    /// For the canary to be seen.
    timeout: Duration,
    /// The canary's: when it is over, the gateway removes it.
    life: Duration,
    /// For the gateway to take a change.
    change: Patience,
}

impl Patient {
    pub fn new(timeout: Duration, margin: Duration) -> Patient {
        // A minute's changes may be used up by domains before this one.
        let change = Patience { total: Duration::from_secs(130), ..Patience::default() };
        Patient { timeout, life: timeout + margin, change }
    }
}

/// Is the gateway there, and does it know us?
pub fn knock(gateway: &Gateway) -> Result<(), Fault> {
    let asked = |path: &str| AWAY.ask(|| gateway.told(path, Deadline::after(QUESTION)), |_, _| ());
    asked("/health").map_err(|refusal| Fault::new(Step::Gateway, refusal.why))?;
    match asked(&format!("/challenges/{NOBODYS}")) {
        Ok(_) => Ok(()),
        Err(refusal) if refusal.status == Some(403) => Ok(()),
        Err(refusal) => Err(refused(refusal)),
    }
}

/// Which step a question's refusal is about.
fn refused(refusal: Refusal) -> Fault {
    let step = match refusal.status {
        Some(401 | 429) => Step::Credentials,
        Some(403) => Step::Scope,
        _ => Step::Gateway,
    };
    Fault::new(step, refusal.why)
}

/// Proves one domain; `tell` hears what is being done.
pub fn prove(gateway: &Gateway, domain: &Name, patient: &Patient, tell: &dyn Fn(&str)) -> Proof {
    let mut proof = Proof::new(domain.clone());
    proof.good(Step::Gateway, None);
    proof.good(Step::Credentials, None);
    tell("asking whether it is ours");
    let path = format!("/challenges/{domain}");
    if let Err(refusal) = AWAY.ask(|| gateway.told(&path, Deadline::after(QUESTION)), |_, _| ()) {
        proof.failed(refused(refusal));
        return proof;
    }
    proof.good(Step::Scope, None);
    let Some(value) = random() else {
        proof.failed(Fault::new(Step::Set, "the system gives no random numbers"));
        return proof;
    };
    tell("setting a canary");
    let canary = Challenge::Canary { domain: domain.clone(), value: value.clone(), life: patient.life };
    let began = Instant::now();
    let set = gateway.change(&canary, patient.change, |text| tell(&text.to_string()));
    match set {
        Ok(answer) => {
            proof.good(Step::Zone, None);
            proof.good(Step::Set, Some(began.elapsed()));
            match answer.header("location") {
                Some(_) => watch(gateway, &value, patient.timeout, &mut proof, tell),
                None => proof.steps[Step::Visible as usize].0 = Outcome::Unchecked,
            }
        }
        Err(refusal) => {
            let is_undone = not_set(refusal, &mut proof);
            if is_undone {
                return proof;
            }
        }
    }
    tell("removing the canary");
    remove(gateway, value, patient, &mut proof, tell);
    proof
}

/// Says why there is no canary. Is it certain that there is none?
fn not_set(refusal: Refusal, proof: &mut Proof) -> bool {
    let is_undone = refusal.status.is_some() && refusal.fault.as_deref() != Some("unknown");
    match refusal.fault.as_deref() {
        Some("no_zone") => proof.failed(Fault::new(Step::Zone, refusal.why)),
        _ => proof.failed(Fault::new(Step::Set, refusal.why)),
    }
    is_undone
}

/// Looks until all name servers show the canary, the gateway gives up, or the time is over.
fn watch(gateway: &Gateway, value: &Value, timeout: Duration, proof: &mut Proof, tell: &dyn Fn(&str)) {
    let (end, mut pause) = (Deadline::after(timeout), PAUSES.0);
    loop {
        let (said, earliest) = match gateway.sight(&proof.domain, value, Deadline::after(QUESTION)) {
            Ok(sight) => {
                let (said, lacks_a_server) = (sight.unseen().to_string(), sight.lacks_a_server());
                proof.servers = sight.servers;
                match sight.state {
                    // Good enough for a certificate, as long as the CA does not ask that one.
                    State::Visible if lacks_a_server => return proof.failed(Fault::new(Step::Visible, said)),
                    State::Visible => return proof.good(Step::Visible, Some(sight.waited)),
                    State::Pending => {}
                    State::Unconfirmed => return proof.failed(Fault::new(Step::Visible, said)),
                    State::Gone => {
                        let what = "the canary was removed by somebody else before it was seen";
                        return proof.failed(Fault::new(Step::Visible, what));
                    }
                }
                (said, sight.again.unwrap_or_default())
            }
            Err(refusal) => (refusal.why, refusal.again.unwrap_or_default()),
        };
        let Some(left) = end.left() else {
            let what = format!("after {} seconds {said}", timeout.as_secs());
            return proof.failed(Fault::new(Step::Visible, what));
        };
        tell(&said);
        thread::sleep(pause.max(earliest.min(RETRY_AFTER)).min(left));
        pause = (pause * 5 / 4).min(PAUSES.1);
    }
}

fn remove(gateway: &Gateway, value: Value, patient: &Patient, proof: &mut Proof, tell: &dyn Fn(&str)) {
    let began = Instant::now();
    let is_looked_for = matches!(proof.outcome(Step::Visible), Outcome::Good | Outcome::Failed);
    let teardown = Challenge::Teardown { domain: proof.domain.clone(), value: Some(value.clone()) };
    if let Err(refusal) = gateway.change(&teardown, patient.change, |text| tell(&text.to_string())) {
        return proof.failed(Fault::new(Step::Removed, refusal.why));
    }
    let took = began.elapsed();
    // The gateway that looked for it knows it no longer, or knows that it is gone.
    if is_looked_for {
        match gateway.sight(&proof.domain, &value, Deadline::after(QUESTION)) {
            Ok(sight) if sight.state != State::Gone => {
                return proof.failed(Fault::new(Step::Removed, "the gateway says that the canary is still there"));
            }
            Err(refusal) if refusal.status != Some(404) => {
                return proof.failed(Fault::new(Step::Removed, refusal.why));
            }
            _ => {}
        }
    }
    proof.good(Step::Removed, Some(took));
}

/// A value that nobody can foresee, and no challenge's.
fn random() -> Option<Value> {
    let mut octets = [0; 32];
    SystemRandom::new().fill(&mut octets).ok()?;
    Value::parse(&BASE64_URL_SAFE_NO_PAD.encode(octets)).ok()
}
