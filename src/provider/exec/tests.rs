use super::*;
use crate::challenge::Value;
use crate::config::{Mistakes, Search};
use crate::gate::auth::Caller;
use crate::gate::scope::{Grant, Scope};
use crate::provider::Surroundings;
use crate::scratch::Scratch;
use std::cell::RefCell;
use std::process::Command;
use std::sync::Arc;
use std::thread::sleep;
use std::time::Duration;

const LONG: Duration = Duration::from_secs(60);

fn grant() -> Grant {
    let domain = Name::host("example.com").unwrap();
    let deadline = Deadline::after(LONG);
    Scope::new(vec![domain.clone()]).challenge(&Caller::for_tests("alice"), &domain, deadline).unwrap()
}

fn value() -> Value {
    Value::parse("-ioGwWDRRrAaNnDdOoMmTtOoKkEeNnQ9JRjEqVZnD_w").unwrap()
}

fn apply(provider: &dyn Provider, permit: Permit, deadline: Deadline) -> Result<Receipt, Fault> {
    let zone = provider.zone(permit.owner(), deadline).unwrap();
    provider.apply(&zone, &[permit], deadline).remove(0)
}

pub(super) fn exec(program: PathBuf) -> Exec {
    Exec {
        service: program.display().to_string(),
        program,
        setting: "DNSAPI_PROGRAM".to_string(),
        trusted: Vec::new(),
        open: Vec::new(),
        secret: Vec::new(),
        input: None,
        blotted: None,
        home: None,
        warnings: Vec::new(),
    }
}

/// Runs a script once, with the password `hunter2!`.
fn setup(scratch: &Scratch, script: &str, deadline: Deadline) -> Result<Receipt, Fault> {
    let secret = vec![("DNSAPI_PASSWORD".to_string(), Secret::new("hunter2!".to_string()))];
    let exec = Exec { secret, ..exec(scratch.program("program", script)) };
    apply(&exec, grant().setup(value()), deadline)
}

/// Builds the provider from a dotenv file and an environment.
fn build(dotenv: &Path, environment: &[(&str, &str)]) -> Result<Box<dyn Provider>, String> {
    let known = [crate::account::SETTINGS, SETTINGS, crate::http::SETTINGS].concat();
    let variable = |name: &str| {
        let found = environment.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| value.to_string())
    };
    let search = Search { named: Some(dotenv.to_path_buf()), file_name: "dotenv", last: None };
    let (config, mut mistakes): (Config, Mistakes) =
        Config::load(&known, Vec::new(), variable, search).map_err(|failure| failure.to_string())?;
    let surroundings = Surroundings { ledger: Arc::default(), domains: Vec::new() };
    let provider = (ROW.build)(&config, &mut mistakes, &surroundings);
    mistakes.finish(provider).map_err(|failure| failure.to_string())
}

/// Has the process ended? A zombie whose new parent does not wait for it has.
fn is_gone(pid: &str) -> bool {
    let ps = Command::new("ps").args(["-o", "stat=", "-p", pid]).output().unwrap();
    let state = String::from_utf8(ps.stdout).unwrap();
    state.trim().is_empty() || state.trim().starts_with('Z')
}

fn soon(condition: impl Fn() -> bool) -> bool {
    (0..500).any(|_| {
        condition() || {
            sleep(Duration::from_millis(10));
            false
        }
    })
}

#[test]
fn the_program_gets_three_words_and_the_environment_of_its_account_only() {
    let scratch = Scratch::new();
    // The shell sets PWD and its like by itself.
    let script = format!(
        "exec >'{0}/seen'\nprintf '%s\\n' \"$@\"\npwd\ncat\nenv | grep -v -e '^PWD=' -e '^OLDPWD=' -e '^_=' -e '^SHLVL=' | LC_ALL=C sort\n",
        scratch.path().display()
    );
    let program = scratch.program("program", &script);
    let text = format!(
        "nsupdate_KEY = of the file\nUnspelled = x\nDNSAPI_PASS = NsUpdate_Key, FROM_ENV, https_proxy, unspelled\n\
         DNSAPI_PROGRAM = {}\nDNSAPI_USERNAME = me\nDNSAPI_PASSWORD = hunter2!\nHTTPS_PROXY = http://127.0.0.1:3128\n",
        program.display()
    );
    let environment = [("FROM_ENV", "e"), ("UNSPELLED", "other"), ("HOME", "/root"), ("DNSAPI_OTHER_PASSWORD", "no")];
    let provider = build(&scratch.file("dotenv", &text), &environment).unwrap();
    apply(&*provider, grant().teardown(value()), Deadline::after(LONG)).unwrap();
    let seen = std::fs::read_to_string(scratch.path().join("seen")).unwrap();
    let expected = [
        "teardown",
        "_acme-challenge.example.com",
        "-ioGwWDRRrAaNnDdOoMmTtOoKkEeNnQ9JRjEqVZnD_w",
        "/",
        "DNSAPI_PASSWORD=hunter2!",
        "DNSAPI_USERNAME=me",
        "FROM_ENV=e",
        "NsUpdate_Key=of the file",
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "https_proxy=http://127.0.0.1:3128",
        "unspelled=x",
    ];
    assert_eq!(seen.lines().collect::<Vec<_>>(), expected);
}

#[test]
fn a_name_is_known_only_by_standing_in_dnsapi_pass_and_has_to_be_set() {
    let scratch = Scratch::new();
    let program = scratch.program("program", "").display().to_string();
    let fault = |lines: &str, environment: &[(&str, &str)]| {
        let text = format!("DNSAPI_PROGRAM = {program}\n{lines}");
        build(&scratch.file("dotenv", &text), environment).err().unwrap_or_default()
    };
    assert!(fault("NSUPDATE_KEY = x\n", &[]).contains("dotenv:2: NSUPDATE_KEY is not a name"));
    assert_eq!(fault("NSUPDATE_KEY = x\n", &[("DNSAPI_PASS", "NSUPDATE_KEY")]), "");
    let overruled =
        fault("NSUPDATE_KEY = x\nDNSAPI_PASS = NSUPDATE_KEY\n", &[("DNSAPI_PASS", "OTHER"), ("OTHER", "o")]);
    assert!(overruled.contains("NSUPDATE_KEY is not a name"), "{overruled}");
    let unset = fault("DNSAPI_PASS = A, B\nA = x\nB =\n", &[]);
    assert!(unset.contains("dotenv:2: ") && unset.contains("'B': set B"), "{unset}");
    assert!(fault("DNSAPI_PASS = A=B\n", &[]).contains("letters, digits and underscores"));
}

#[test]
fn a_program_that_others_could_have_written_or_that_cannot_run_is_refused_with_a_remedy() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let scratch = Scratch::new();
    let program = scratch.program("program", "");
    let fault = |program: &Path| {
        let dotenv = scratch.file("dotenv", &format!("DNSAPI_PROGRAM = {}\n", program.display()));
        build(&dotenv, &[]).err().unwrap_or_default()
    };
    let mode = |mode| std::fs::set_permissions(&program, std::fs::Permissions::from_mode(mode)).unwrap();
    assert_eq!(fault(&program), "");
    mode(0o775);
    assert!(fault(&program).contains("chmod go-w"), "{}", fault(&program));
    let link = scratch.path().join("link");
    symlink(&program, &link).unwrap();
    assert!(fault(&link).contains("chmod go-w"), "what the link points to counts");
    mode(0o644);
    assert!(fault(&program).contains("chmod a+rx"));
    assert!(fault(scratch.path()).contains("not a regular file"));
    assert!(fault(&scratch.path().join("none")).contains("create it, or name another one"));
    let dotenv = scratch.file("dotenv", "# nothing\n");
    assert!(build(&dotenv, &[]).err().unwrap().contains("set DNSAPI_PROGRAM"));
    assert!(build(&dotenv, &[("DNSAPI_PROGRAM", "bin/x")]).err().unwrap().contains("write it with a /"));
    if nix::unistd::geteuid().is_root() {
        mode(0o755);
        std::os::unix::fs::chown(&program, Some(12345), None).unwrap();
        assert!(fault(&program).contains("chown root"));
    } else {
        eprintln!("SKIPPED: only root can try a program of another user");
    }
}

#[test]
fn a_program_that_is_replaced_under_the_running_gateway_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let scratch = Scratch::new();
    let exec = exec(scratch.program("program", ""));
    assert!(apply(&exec, grant().setup(value()), Deadline::after(LONG)).is_ok());
    std::fs::set_permissions(&exec.program, std::fs::Permissions::from_mode(0o777)).unwrap();
    let refused = apply(&exec, grant().setup(value()), Deadline::after(LONG));
    assert!(matches!(&refused, Err(Fault::Refused(text)) if text.contains("chmod go-w")), "{refused:?}");
}

#[test]
fn a_failure_carries_its_last_line_escaped_and_without_secrets() {
    let scratch = Scratch::new();
    let script = "echo first >&2\nprintf '\\033[31mno %s here\\n' \"$DNSAPI_PASSWORD\" >&2\necho out\nexit 3\n";
    let fault = setup(&scratch, script, Deadline::after(LONG)).unwrap_err();
    let Fault::Refused(text) = &fault else { panic!("{fault:?}") };
    assert!(text.ends_with("(exit status: 3): \\u{1b}[31mno [DNSAPI_PASSWORD] here"), "{text}");
    let silent = setup(&scratch, "exit 1\n", Deadline::after(LONG)).unwrap_err().to_string();
    assert!(silent.ends_with("it gave no reason on stderr"), "{silent}");
}

#[test]
fn a_program_that_a_signal_ended_may_have_done_it() {
    let fault = setup(&Scratch::new(), "kill -9 $$\n", Deadline::after(LONG)).unwrap_err();
    assert!(matches!(fault, Fault::Unknown(_)), "{fault:?}");
}

#[test]
fn a_program_that_cannot_be_started_is_refused() {
    let scratch = Scratch::new();
    let mut exec = exec(scratch.program("program", ""));
    exec.program = {
        let path = scratch.file("program", "#!/nonexistent/interpreter\n");
        Command::new("chmod").arg("755").arg(&path).status().unwrap();
        path
    };
    let fault = apply(&exec, grant().setup(value()), Deadline::after(LONG)).unwrap_err();
    assert!(matches!(&fault, Fault::Refused(text) if text.contains("interpreter?")), "{fault:?}");
}

#[test]
fn without_time_it_is_not_even_started() {
    let scratch = Scratch::new();
    let script = format!(": >'{}/ran'\n", scratch.path().display());
    let fault = setup(&scratch, &script, Deadline::after(Duration::ZERO)).unwrap_err();
    assert!(matches!(fault, Fault::Busy(..)) && !scratch.path().join("ran").exists());
}

#[test]
fn at_the_deadline_it_is_killed_with_all_that_it_started() {
    // Longer and longer, in case the machine is too busy to start the program at once.
    for patience in [1, 10, 60] {
        let scratch = Scratch::new();
        let pid = scratch.path().join("pid");
        let script = format!("(sleep 600 & echo $! >'{}'; wait) & echo waiting >&2; sleep 600\n", pid.display());
        let fault = setup(&scratch, &script, Deadline::after(Duration::from_secs(patience))).unwrap_err();
        assert!(matches!(&fault, Fault::Unknown(text) if text.contains("at its deadline")), "{fault:?}");
        if let Ok(pid) = std::fs::read_to_string(&pid)
            && pid.ends_with('\n')
        {
            assert!(soon(|| is_gone(pid.trim())), "grandchild {pid} lives on");
            return;
        }
    }
    panic!("the program did not start its child within a minute");
}

#[test]
fn what_it_left_running_neither_holds_us_nor_lives_on() {
    let scratch = Scratch::new();
    let pid = scratch.path().join("pid");
    let script = format!("sleep 600 & echo $! >'{}'\n", pid.display());
    let deadline = Deadline::after(LONG);
    setup(&scratch, &script, deadline).unwrap();
    assert!(deadline.left().is_some(), "it was not waited for until the deadline");
    let pid = std::fs::read_to_string(&pid).unwrap();
    assert!(soon(|| is_gone(pid.trim())), "child {pid} lives on");
}

#[test]
fn a_flood_of_stderr_is_read_and_cut() {
    let script = "head -c 1000000 /dev/zero | tr '\\0' x >&2\nexit 1\n";
    let fault = setup(&Scratch::new(), script, Deadline::after(LONG)).unwrap_err().to_string();
    assert!(fault.ends_with("xx…") && fault.len() < 1000, "{fault}");
    let (logged, mut stderr) = (RefCell::new(Vec::new()), Stderr::default());
    for number in 0..200 {
        stderr.take(number.to_string(), |line| logged.borrow_mut().push(line.to_string()));
    }
    assert_eq!(logged.borrow().len(), LINES + 1);
    assert_eq!(stderr.last.as_deref(), Some("199"));
}

/// Scripts write credentials into their home.
#[test]
fn its_home_goes_with_it_also_if_it_was_killed() {
    for patience in [1, 10, 60] {
        let scratch = Scratch::new();
        let script = format!("echo \"$HOME_OF_IT\" >'{}/home'; sleep 600\n", scratch.path().display());
        let exec = Exec { home: Some("HOME_OF_IT"), ..exec(scratch.program("program", &script)) };
        let fault = apply(&exec, grant().setup(value()), Deadline::after(Duration::from_secs(patience))).unwrap_err();
        assert!(matches!(fault, Fault::Unknown(_)), "{fault:?}");
        if let Ok(home) = std::fs::read_to_string(scratch.path().join("home"))
            && home.ends_with('\n')
        {
            assert!(home.contains("acmegw-home-") && !Path::new(home.trim()).exists(), "{home}");
            return;
        }
    }
    panic!("the program did not start within a minute");
}

#[test]
fn status_75_says_that_nobody_knows() {
    let fault = setup(&Scratch::new(), "echo perhaps >&2; exit 75\n", Deadline::after(LONG)).unwrap_err();
    assert!(matches!(&fault, Fault::Unknown(text) if text.ends_with(": perhaps")), "{fault:?}");
}
