use std::process::Output;

use crate::support::{Gateway, Scratch, VALUE, acmegw, body, read, stderr};

/// What does not depend on accounts.
const REST: &str = "LISTEN = 127.0.0.1:0\nSSL = off\nALLOWED_HOSTS = 127.0.0.1\nCHALLENGE_TTL = 86400\n";

/// A folder with programs that write down what each is called with, in `NAME.changes`.
fn programs(names: &[&str]) -> Scratch {
    let folder = Scratch::new();
    for name in names {
        folder.program(name, "echo \"$@\" >>\"$0.changes\"\n");
    }
    folder
}

fn program(folder: &Scratch, name: &str) -> String {
    folder.join(name).display().to_string()
}

fn test(folder: &Scratch, dotenv: &str) -> Output {
    let file = folder.file("dotenv", &format!("{REST}{dotenv}"));
    acmegw(&["serve", "-n", "-e", file.to_str().unwrap()]).env("LOG_LEVEL", "info").output().unwrap()
}

/// The line of the dotenv in which this stands first.
fn line(dotenv: &str, text: &str) -> usize {
    let all = format!("{REST}{dotenv}");
    all.lines().position(|line| line.starts_with(text)).unwrap() + 1
}

#[test]
fn each_challenge_goes_to_the_account_of_its_longest_domain() {
    let folder = programs(&["unnamed", "child", "other"]);
    let dotenv = format!(
        "{REST}DNSAPI_MODULE = exec\nDNSAPI_PROGRAM = {}\nDNSAPI_DOMAINS = example.com\n\
         dnsapi_accounts = Child, OTHER2\n\
         Dnsapi_child_Module = exec\nDNSAPI_CHILD_PROGRAM = {}\nDNSAPI_CHILD_DOMAINS = sub.example.com\n\
         dnsapi_other2_module = exec\nDNSAPI_OTHER2_PROGRAM = {}\nDNSAPI_OTHER2_DOMAINS = example.org, example.net\n",
        program(&folder, "unnamed"),
        program(&folder, "child"),
        program(&folder, "other"),
    );
    let gateway = Gateway::start_in(folder, &dotenv, &[]);
    for domain in ["www.example.com", "sub.example.com", "deep.sub.example.com", "example.net"] {
        assert_eq!(gateway.post(&body("setup", domain, VALUE)).status, 201, "{domain}");
    }
    assert_eq!(gateway.post(&body("setup", "example.info", VALUE)).status, 403);
    let changes = |name: &str| read(&gateway.folder.join(&format!("{name}.changes")));
    let set = |domain: &str| format!("setup _acme-challenge.{domain} {VALUE}\n");
    assert_eq!(changes("unnamed"), set("www.example.com"));
    assert_eq!(changes("child"), set("sub.example.com") + &set("deep.sub.example.com"));
    assert_eq!(changes("other"), set("example.net"));
    gateway.wait_for("provider exec for example.com");
    gateway.wait_for("account CHILD: provider exec for sub.example.com");
    gateway.wait_for("account OTHER2: provider exec for example.org, example.net");
}

#[test]
fn the_account_without_a_name_may_be_absent_and_each_program_gets_its_own_settings() {
    let folder = Scratch::new();
    folder.program(
        "both",
        "env | grep -v -e '^_=' -e '^PWD=' -e '^PATH=' -e '^SHLVL=' -e '^OLDPWD=' | LC_ALL=C sort >>\"$0.changes\"\n",
    );
    folder.file("secret", "of a file\n");
    let both = program(&folder, "both");
    let dotenv = format!(
        "{REST}DNSAPI_ACCOUNTS = a, b\nDNSAPI_A_MODULE = exec\nDNSAPI_B_MODULE = exec\n\
         DNSAPI_A_PROGRAM = {both}\nDNSAPI_B_PROGRAM = {both}\nDNSAPI_A_DOMAINS = example.com\n\
         DNSAPI_B_DOMAINS = example.org\nDNSAPI_A_USERNAME = ann\nDNSAPI_B_PASSWORD_FILE = secret\n\
         DNSAPI_A_PASS = Api_Token, BOTH\nDNSAPI_B_PASS = Api_Token, BOTH\n\
         DNSAPI_A_API_TOKEN = of a\napi_token = of all\nBOTH = shared\n"
    );
    let gateway = Gateway::start_in(folder, &dotenv, &[]);
    for domain in ["example.com", "example.org"] {
        assert_eq!(gateway.post(&body("setup", domain, VALUE)).status, 201, "{domain}");
    }
    let seen = read(&gateway.folder.join("both.changes"));
    let expected = "Api_Token=of a\nBOTH=shared\nDNSAPI_USERNAME=ann\n\
                    Api_Token=of all\nBOTH=shared\nDNSAPI_PASSWORD=of a file\n";
    assert_eq!(seen, expected);
}

#[test]
fn each_fault_of_an_account_is_told_with_the_names_and_lines_of_that_account() {
    let folder = programs(&["program"]);
    let program = program(&folder, "program");
    let right = format!(
        "DNSAPI_ACCOUNTS = x, y\nDNSAPI_X_MODULE = exec\nDNSAPI_X_PROGRAM = {program}\nDNSAPI_X_DOMAINS = example.com\n\
         DNSAPI_Y_MODULE = exec\nDNSAPI_Y_PROGRAM = {program}\nDNSAPI_Y_DOMAINS = example.org\n"
    );
    let output = test(&folder, &right);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    for (dotenv, at, named) in [
        (right.replace("DNSAPI_X_PROGRAM", "# "), None, "DNSAPI_X_PROGRAM is not set: set DNSAPI_X_PROGRAM"),
        (right.replace("DNSAPI_Y_MODULE", "# "), None, "DNSAPI_Y_MODULE is not set: set DNSAPI_Y_MODULE to one of"),
        (right.replace("DNSAPI_Y_DOMAINS", "# "), None, "DNSAPI_Y_DOMAINS is not set"),
        (right.replace("_Y_MODULE = exec", "_Y_MODULE = exce"), Some("DNSAPI_Y_MODULE"), "did you mean exec?"),
        (right.replace("example.org", "*.example.org"), Some("DNSAPI_Y_DOMAINS"), "DNSAPI_Y_DOMAINS has a wrong value"),
        (
            right.replace("DNSAPI_X_PROGRAM", "DNSAPI_Z_PROGRAM"),
            Some("DNSAPI_Z_PROGRAM"),
            "DNSAPI_Z_PROGRAM is not a name that acmegw knows: did you mean DNSAPI_X_PROGRAM? Otherwise add Z to DNSAPI_ACCOUNTS",
        ),
        (
            format!("{right}DNSAPI_X_PROGRAMM = x\n"),
            Some("DNSAPI_X_PROGRAMM"),
            "did you mean DNSAPI_X_PROGRAM? Otherwise remove the line",
        ),
        (format!("{right}DNSAPI_WWW1_DOMAINS = x\n"), Some("DNSAPI_WWW1_DOMAINS"), "add WWW1 to DNSAPI_ACCOUNTS"),
        (
            format!("{right}DNSAPI_DOMAINS = example.net\n"),
            None,
            "DNSAPI_MODULE is not set: set DNSAPI_MODULE to one of",
        ),
        (right.replace("x, y", "x, y, y"), Some("DNSAPI_ACCOUNTS"), "DNSAPI_ACCOUNTS names Y twice"),
        (right.replace("x, y", "x, y, a_b"), Some("DNSAPI_ACCOUNTS"), "write names of letters and digits"),
        (
            right.replace("x, y", "x, y, password"),
            Some("DNSAPI_ACCOUNTS"),
            "call the account otherwise: DNSAPI_PASSWORD_FILE means something else",
        ),
        (
            format!("{right}DNSAPI_X_PASS = FOO\n"),
            Some("DNSAPI_X_PASS"),
            "set FOO, in the environment or in the file, or remove it from DNSAPI_X_PASS",
        ),
    ] {
        let output = test(&folder, &dotenv);
        let shown = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{dotenv}: {shown}");
        assert!(shown.contains(named), "{named}: {shown}");
        if let Some(at) = at {
            let place = format!("dotenv:{}: ", line(&dotenv, at));
            let cited = shown.lines().any(|line| line.contains(&place) && line.contains(named));
            assert!(cited, "{place} not before {named}: {shown}");
        }
    }
}

#[test]
fn a_domain_in_two_accounts_is_refused_with_both_lines() {
    let folder = programs(&["program"]);
    let program = program(&folder, "program");
    let dotenv = format!(
        "DNSAPI_MODULE = exec\nDNSAPI_PROGRAM = {program}\nDNSAPI_DOMAINS = example.com, example.net\n\
         DNSAPI_ACCOUNTS = X\nDNSAPI_X_MODULE = exec\nDNSAPI_X_PROGRAM = {program}\n\
         DNSAPI_X_DOMAINS = www.example.com, Example.NET.\n"
    );
    let output = test(&folder, &dotenv);
    let (first, second) = (line(&dotenv, "DNSAPI_DOMAINS"), line(&dotenv, "DNSAPI_X_DOMAINS"));
    let shown = stderr(&output);
    assert_eq!(output.status.code(), Some(2));
    let wanted =
        ["DNSAPI_X_DOMAINS has the domain example.net, as has DNSAPI_DOMAINS (", "leave each domain to one account"];
    assert!(wanted.iter().all(|text| shown.contains(text)), "{shown}");
    assert!(shown.contains(&format!("dotenv:{second}: ")) && shown.contains(&format!("dotenv:{first})")), "{shown}");
    assert_eq!(shown.lines().count(), 1, "a domain below another's is none: {shown}");
}

#[test]
fn two_embedded_accounts_are_refused_with_the_reason() {
    let folder = Scratch::new();
    let dotenv = "DNS_LISTEN = 127.0.0.1:0\nDNSAPI_DOMAINS = example.com\n\
                  DNSAPI_ACCOUNTS = X\nDNSAPI_X_MODULE = embedded\nDNSAPI_X_DOMAINS = example.org\n";
    let shown = stderr(&test(&folder, dotenv));
    assert!(
        shown.contains("DNSAPI_X_MODULE is embedded, and there is one embedded DNS server only, that of DNSAPI_MODULE"),
        "{shown}"
    );
    assert!(shown.contains("put the domains of both into one account"), "{shown}");
    let one = dotenv.replace("DNSAPI_DOMAINS = example.com\n", "");
    assert_eq!(test(&folder, &one).status.code(), Some(0), "DNS_LISTEN alone makes no account");
}

/// The child zone is delegated to the gateway, the parent is somebody else's.
#[test]
fn a_child_zone_may_be_at_another_provider_than_its_parent() {
    let folder = programs(&["parent"]);
    let dotenv = format!(
        "{REST}DNSAPI_MODULE = exec\nDNSAPI_PROGRAM = {}\nDNSAPI_DOMAINS = example.com\nDNSAPI_ACCOUNTS = CHILD\n\
         DNSAPI_CHILD_MODULE = embedded\nDNSAPI_CHILD_DOMAINS = sub.example.com\nDNS_LISTEN = 127.0.0.1:0\n",
        program(&folder, "parent")
    );
    let gateway = Gateway::start_in(folder, &dotenv, &[]);
    let provider = |domain: &str| {
        let reply = gateway.request("GET", &format!("/challenges/{domain}"), "", "");
        serde_json::from_str::<serde_json::Value>(&reply.body).unwrap()["provider"].to_string()
    };
    assert_eq!(provider("www.example.com"), "\"exec\"");
    assert_eq!(provider("www.sub.example.com"), "\"embedded\"");
    let client = acmegw_dns(&gateway);
    for domain in ["www.example.com", "www.sub.example.com"] {
        assert_eq!(gateway.post(&body("setup", domain, VALUE)).status, 201, "{domain}");
    }
    let parent = read(&gateway.folder.join("parent.changes"));
    assert_eq!(parent, format!("setup _acme-challenge.www.example.com {VALUE}\n"));
    assert_eq!(client("_acme-challenge.www.sub.example.com"), [VALUE]);
    assert_eq!(client("_acme-challenge.www.example.com"), [""; 0], "the child's server does not hold the parent's");
}

/// Asks the gateway's own DNS server for TXT records.
fn acmegw_dns(gateway: &Gateway) -> impl Fn(&str) -> Vec<String> {
    use acmegw::challenge::Name;
    use acmegw::deadline::Deadline;
    use acmegw::dns::{Rtype, client::Client};
    let client = Client::new(gateway.logged("answering DNS on ").parse().unwrap(), None);
    move |name| {
        let deadline = Deadline::after(crate::support::PATIENCE);
        client.ask(&Name::owner(name).unwrap(), Rtype::TXT, true, deadline).unwrap().txt()
    }
}

#[test]
fn a_secret_may_be_a_credential_of_the_service() {
    let folder = Scratch::new();
    folder.program("program", "env | grep -e DNSAPI -e TOKEN | LC_ALL=C sort >>\"$0.changes\"\n");
    let program = program(&folder, "program");
    std::fs::create_dir(folder.join("credentials")).unwrap();
    folder.file("credentials/DNSAPI_X_PASSWORD", "one line\n");
    folder.file("credentials/TOKEN", "a token");
    let dotenv = format!(
        "{REST}DNSAPI_ACCOUNTS = X\nDNSAPI_X_MODULE = exec\nDNSAPI_X_PROGRAM = {program}\n\
         DNSAPI_X_DOMAINS = example.com\nDNSAPI_X_PASS = TOKEN\n"
    );
    let credentials = program.replace("program", "credentials");
    let twice = {
        let file = folder.file("dotenv", &format!("{dotenv}DNSAPI_X_PASSWORD = other\n"));
        let mut command = acmegw(&["serve", "-n", "-e", file.to_str().unwrap()]);
        command.env("CREDENTIALS_DIRECTORY", &credentials).output().unwrap()
    };
    assert!(stderr(&twice).contains("DNSAPI_X_PASSWORD is set, and is a credential of the service too"), "{twice:?}");
    let gateway = Gateway::start_in(folder, &dotenv, &[("CREDENTIALS_DIRECTORY", credentials.as_str())]);
    assert_eq!(gateway.post(&body("setup", "example.com", VALUE)).status, 201);
    let seen = read(&gateway.folder.join("program.changes"));
    assert_eq!(seen, "DNSAPI_PASSWORD=one line\nTOKEN=a token\n");
}

/// The reaper of one account does not wait for the service of another.
#[test]
fn what_outlived_its_time_is_removed_by_its_own_account_while_another_hangs() {
    let folder = Scratch::new();
    folder.program("hangs", "test \"$1\" = setup || exec sleep 100\n");
    folder.program("works", "echo \"$@\" >>\"$0.changes\"\n");
    let dotenv = format!(
        "{}DNSAPI_ACCOUNTS = A, B\nDNSAPI_A_MODULE = exec\nDNSAPI_A_PROGRAM = {}\nDNSAPI_A_DOMAINS = example.com\n\
         DNSAPI_B_MODULE = exec\nDNSAPI_B_PROGRAM = {}\nDNSAPI_B_DOMAINS = sub.example.com\n",
        REST.replace("86400", "1"),
        program(&folder, "hangs"),
        program(&folder, "works"),
    );
    let gateway = Gateway::start_in(folder, &dotenv, &[]);
    assert_eq!(gateway.post(&body("setup", "example.com", VALUE)).status, 201);
    assert_eq!(gateway.post(&body("setup", "sub.example.com", VALUE)).status, 201);
    gateway.wait_for("action=recall name=_acme-challenge.sub.example.com");
    let removed = format!("teardown _acme-challenge.sub.example.com {VALUE}\n");
    assert!(read(&gateway.folder.join("works.changes")).ends_with(&removed));
}
