//! `make torture`: the gateway under attack, while a well-behaved client sends a request every 20 ms
//! from another address. Prints what was tried and what held; exits with 1 if something did not.
//!
//! Each attacker is a process of its own, started from this very executable, that runs only when the
//! gateway leaves a processor alone: it stands for machines elsewhere, which have their own.

mod attack;
mod client;
#[allow(dead_code)] // The cases of `cargo test` use all of it.
#[path = "../support/mod.rs"]
mod support;

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, ExitCode, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use attack::ATTACKS;
use client::Latencies;
use support::figures::Figures;
use support::{Gateway, Scratch};

/// How long an attack goes on, and all of them together.
const ALONE: Duration = Duration::from_secs(6);
const TOGETHER: Duration = Duration::from_secs(15);
/// How long everything may take to be as before.
const RECOVERY: Duration = Duration::from_secs(10);
/// The most memory (KiB).
const MEMORY: u64 = 64 * 1024;
/// Runs a program after all others. On Linux the lowest niceness is not enough: a nice program that runs
/// keeps its slice of a millisecond or two from one that wakes up.
const LAST: &[&str] = if cfg!(target_os = "linux") { &["chrt", "-i", "0"] } else { &["nice", "-n", "19"] };
/// The well-behaved client's p99, against that of a quiet gateway.
const SLOWER: u32 = 5;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    acmegw::sys::raise_open_files().expect("a limit of open files");
    if let [mode, name, address, certificate] = words.iter().map(String::as_str).collect::<Vec<_>>()[..]
        && mode == "attack"
    {
        attack::run(name, address.parse().expect("an address"), certificate.as_ref());
        return ExitCode::SUCCESS;
    }
    let every: Vec<&str> = ATTACKS.iter().map(|attack| attack.name).collect();
    // With names of attacks only those, each alone.
    let is_chosen = |name: &&str| words.is_empty() || words.iter().any(|word| word == name);
    let chosen: Vec<&str> = every.iter().copied().filter(is_chosen).collect();
    let mut report = Report { held: true };
    println!(
        "{:<14} {:<58} {:>9} {:>13} {:>6} {:>11} {:>11}  held",
        "attack", "tried", "good", "p50/p99 ms", "MiB", "threads", "files"
    );
    let gateway = start(None);
    let quiet = report.quiet(&gateway);
    for name in &chosen {
        report.row(name, &gateway, &[name], ALONE, quiet);
    }
    if chosen.len() < every.len() {
        report.end(gateway);
        return ExitCode::from(if report.held { 0 } else { 1 });
    }
    report.row("all together", &gateway, &every, TOGETHER, quiet);
    report.end(gateway);
    // As few files as many systems give, and as few as make no sense.
    let gateway = start(Some(1024));
    let quiet = report.quiet(&gateway);
    report.row("1024 files", &gateway, &every, TOGETHER, quiet);
    report.end(gateway);
    let gateway = start(Some(64));
    report.survives("64 files", &gateway, &every, TOGETHER);
    report.end(gateway);
    if !attack::has_other_addresses() {
        println!("only 127.0.0.1 is there: everybody came from one address, and nothing is said about the others");
    }
    ExitCode::from(if report.held { 0 } else { 1 })
}

/// A gateway over TLS whose DNS service hangs until the file `go` is there.
fn start(files: Option<u32>) -> Gateway {
    let folder = Scratch::new();
    let program = "until [ -e \"${0%/*}/go\" ]; do sleep 0.1; done\n";
    let program = folder.program("program", program);
    support::add_user(&folder.file("acmepasswd", ""), "web1", "right");
    let dotenv = format!(
        "LISTEN = 127.0.0.1:0\nDNSAPI_MODULE = exec\nDNSAPI_PROGRAM = {}\nDNSAPI_DOMAINS = example.com\nSTATE_DIR = {}\n\
         BASIC_AUTH = sufficient\nALLOWED_HOSTS = 127.0.0.1, 127.0.1.0/24\n",
        program.display(),
        folder.path().display()
    );
    let gateway = match files {
        Some(files) => Gateway::start_with_files(folder, &dotenv, files),
        None => Gateway::start_in(folder, &dotenv, &[]),
    };
    // The thread that derives passwords comes with the first and stays.
    attack::guess(gateway.address(), &gateway.folder.join("cert.pem"));
    gateway
}

/// A quiet gateway: what the attacks are measured against.
#[derive(Clone, Copy)]
struct Quiet {
    p99: Duration,
    idle: Figures,
}

struct Report {
    held: bool,
}

impl Report {
    fn quiet(&mut self, gateway: &Gateway) -> Quiet {
        let idle = Figures::of(gateway.pid());
        let (latencies, peak) = besieged(gateway, &[], ALONE).0;
        self.print("none", "nothing: a quiet gateway", &latencies, idle, peak, &[]);
        Quiet { p99: latencies.percentile(99), idle: settled(gateway, idle, RECOVERY) }
    }

    fn row(&mut self, name: &str, gateway: &Gateway, attacks: &[&str], time: Duration, quiet: Quiet) {
        let ((latencies, peak), tried) = besieged(gateway, attacks, time);
        let after = settled(gateway, quiet.idle, RECOVERY);
        let failed = [
            (latencies.failed() > 0, "requests failed"),
            (latencies.percentile(99) >= quiet.p99 * SLOWER, "slow"),
            (peak.memory >= MEMORY, "memory"),
            (!after.within(quiet.idle), "threads or files stay"),
            (gateway.log().contains("panicked"), "panic"),
        ];
        let failed: Vec<_> = failed.iter().filter(|(is, _)| *is).map(|(_, what)| *what).collect();
        let tried = if attacks.len() == 1 { tried.concat() } else { "all of the above at once".to_string() };
        self.print(name, &tried, &latencies, after, peak, &failed);
    }

    /// Nobody needs to be served meanwhile; afterwards everybody.
    fn survives(&mut self, name: &str, gateway: &Gateway, attacks: &[&str], time: Duration) {
        let idle = Figures::of(gateway.pid());
        let ((latencies, peak), _) = besieged(gateway, attacks, time);
        let after = settled(gateway, idle, RECOVERY);
        let well = besieged(gateway, &[], Duration::from_secs(1)).0.0;
        let failed = [
            (well.failed() > 0, "not well again"),
            (peak.memory >= MEMORY, "memory"),
            (!after.within(idle), "threads or files stay"),
            (gateway.log().contains("panicked"), "panic"),
        ];
        let failed: Vec<_> = failed.iter().filter(|(is, _)| *is).map(|(_, what)| *what).collect();
        self.print(
            name,
            "all of the above at once; must live, and be well 10 s later",
            &latencies,
            after,
            peak,
            &failed,
        );
    }

    fn print(&mut self, name: &str, tried: &str, good: &Latencies, after: Figures, peak: Figures, failed: &[&str]) {
        self.held &= failed.is_empty();
        let ms = |percent| good.percentile(percent).as_secs_f64() * 1e3;
        let pair = |one: usize, two: usize| format!("{one}/{two}");
        println!(
            "{name:<14} {tried:<58} {:>9} {:>13} {:>6.1} {:>11} {:>11}  {}",
            pair(good.count() - good.failed(), good.count()),
            format!("{:.1}/{:.1}", ms(50), ms(99)),
            peak.memory as f64 / 1024.0,
            pair(peak.threads, after.threads),
            pair(peak.files, after.files),
            if failed.is_empty() { "yes".to_string() } else { format!("NO: {}", failed.join(", ")) }
        );
    }

    fn end(&mut self, mut gateway: Gateway) {
        gateway.signal("TERM");
        let status = gateway.ended();
        self.held &= status == Some(0);
        assert_eq!(status, Some(0), "the gateway was still there");
    }
}

/// The well-behaved client's latencies and the gateway's highest figures under these attacks, and
/// what the attackers say.
fn besieged(gateway: &Gateway, attacks: &[&str], time: Duration) -> ((Latencies, Figures), Vec<String>) {
    let (address, certificate) = (gateway.address(), gateway.folder.join("cert.pem"));
    let attackers: Vec<Child> = attacks
        .iter()
        .map(|name| {
            let own = std::env::current_exe().expect("this executable");
            let mut command = Command::new(LAST[0]);
            command.args(&LAST[1..]).arg(own).args(["attack", name, &address.to_string()]).arg(&certificate);
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect(LAST[0])
        })
        .collect();
    let result = thread::scope(|scope| {
        let good = scope.spawn(|| client::well_behaved(address, &certificate, time));
        let mut peak = Figures::of(gateway.pid());
        while !good.is_finished() {
            peak = peak.highest(Figures::of(gateway.pid()));
            thread::sleep(Duration::from_millis(50));
        }
        (good.join().expect("the well-behaved client"), peak)
    });
    gateway.folder.file("go", "");
    let tried = attackers.into_iter().map(ended).collect();
    std::fs::remove_file(gateway.folder.join("go")).expect("go");
    (result, tried)
}

/// An attacker stops when its input ends, and says what it did.
fn ended(mut attacker: Child) -> String {
    drop(attacker.stdin.take());
    let said = BufReader::new(attacker.stdout.take().expect("its output")).lines().map_while(Result::ok).collect();
    let status = attacker.wait().expect("an attacker's end");
    assert!(status.success(), "an attacker failed");
    said
}

/// Waits until threads and files are back at the idle figures, and gives the last figures seen.
fn settled(gateway: &Gateway, idle: Figures, time: Duration) -> Figures {
    let began = Instant::now();
    loop {
        let now = Figures::of(gateway.pid());
        if now.within(idle) || began.elapsed() >= time {
            return now;
        }
        thread::sleep(Duration::from_millis(50));
    }
}
