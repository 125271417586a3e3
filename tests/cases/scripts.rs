//! The stand-in for acme.sh has its calling convention and nothing of its code; acme.sh itself is in
//! tests/e2e/acmesh.sh.

use std::fs;
use std::path::Path;

use crate::support::{Gateway, Reply, Scratch, VALUE, acmegw, body, read, stderr};

const REST: &str = "LISTEN = 127.0.0.1:0\nSSL = off\nALLOWED_HOSTS = 127.0.0.1\nDNSAPI_DOMAINS = example.com\n";

/// The shipped script, where its owner and mode are right.
fn shipped(folder: &Scratch, name: &str) -> String {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts").join(name)).unwrap();
    folder.file_mode(name, &text, 0o755).display().to_string()
}

/// What stands for acme.sh: words that it is given are run when it is read, errors go through _err,
/// a script's settings are kept in ACCOUNT_CONF_PATH, and headers of answers in HTTP_HEADER.
const ACME_SH: &str = r#"
_initpath() { . "$ACCOUNT_CONF_PATH"; }
_err() { printf '%s\n' "[a date] $1" >&2; return 1; }
_saveaccountconf_mutable() { printf "SAVED_%s='%s'\n" "$1" "$2" >>"$ACCOUNT_CONF_PATH"; }
main() { [ -z "$1" ] || "$@"; }
main "$@"
"#;

/// A gateway with `dns_test`, whose functions have these bodies; `$folder` is its folder.
fn acme_sh(add: &str, rm: &str) -> Gateway {
    let folder = Scratch::new();
    fs::create_dir_all(folder.join("acme/dnsapi")).unwrap();
    folder.file("acme/acme.sh", ACME_SH);
    let own = folder.path().display().to_string();
    let script = format!("folder='{own}'\ndns_test_add() {{\n{add}\n}}\ndns_test_rm() {{\n{rm}\n}}\n");
    folder.file("acme/dnsapi/dns_test.sh", &script);
    let dotenv = format!(
        "{REST}DNSAPI_MODULE = acme.sh:dns_test\nDNSAPI_PROGRAM = {}\nACMESH_HOME = {own}/acme\n\
         DNSAPI_PASS = Test_Key\nTEST_KEY = hunter2!\nDNSAPI_PASSWORD = not for scripts\n",
        shipped(&folder, "acmesh-provider")
    );
    Gateway::start_in(folder, &dotenv, &[])
}

fn setup(gateway: &Gateway) -> Reply {
    gateway.post(&body("setup", "example.com", VALUE))
}

fn teardown(gateway: &Gateway) -> Reply {
    gateway.post(&body("teardown", "example.com", VALUE))
}

#[test]
fn a_script_of_acme_sh_gets_its_words_its_variables_and_a_home_that_goes() {
    let add = "echo \"add $*\" >>\"$folder/seen\"\n_saveaccountconf_mutable Test_Key \"$Test_Key\"\n\
               env | sed -n 's/^\\(DNSAPI_[A-Z]*\\|Test_Key\\)=/\\1=/p' >>\"$folder/seen\"\n\
               echo \"$HOME\" >\"$folder/home\"; ls \"$HOME\" >>\"$folder/seen\"; pwd >>\"$folder/seen\"";
    let gateway = acme_sh(add, "echo \"rm $*\" >>\"$folder/seen\"");
    assert_eq!(setup(&gateway).status, 201, "{}", gateway.log());
    assert_eq!(teardown(&gateway).status, 200, "{}", gateway.log());
    let seen = read(&gateway.folder.join("seen"));
    let expected = format!(
        "add _acme-challenge.example.com {VALUE}\nTest_Key=hunter2!\naccount.conf\ndomain.conf\ntmp\n/\n\
         rm _acme-challenge.example.com {VALUE}\n"
    );
    assert_eq!(seen, expected);
    let home = read(&gateway.folder.join("home"));
    assert!(home.contains("acmegw-home-") && !Path::new(home.trim()).exists(), "{home}");
}

#[test]
fn a_script_that_says_that_all_is_well_is_not_believed_against_what_can_be_seen() {
    for (add, reason) in [
        ("return 1", "dns_test_add failed (1)"),
        ("exit 0\n}\nother() {\n_err no", ""),
        ("_err \"no zone for $Test_Key\"; return 0", "reported an error"),
        ("x=$(_err 'in a subshell'); true", "reported an error"),
        ("printf 'HTTP/1.1 200 OK\\r\\n\\r\\nHTTP/2 401 \\r\\n' >\"$HTTP_HEADER\"", "last answer was HTTP 401"),
        ("printf '  HTTP/1.1 503 Busy\\n' >\"$HTTP_HEADER\"", "last answer was HTTP 503"),
        // A refused change counts whatever was asked afterwards, until the same one goes well.
        (
            "printf 'HTTP/1.1 422 No\\r\\n' >\"$HTTP_HEADER\"; curl -X PATCH file:///a\n\
             printf 'HTTP/1.1 200 OK\\r\\n' >\"$HTTP_HEADER\"; curl -X PUT file:///b; curl file:///a; true",
            "a change was answered with HTTP 422",
        ),
        (
            "printf 'HTTP/1.1 429 Wait\\r\\n' >\"$HTTP_HEADER\"; curl -X PUT file:///a; curl file:///b\n\
             printf 'HTTP/1.1 200 OK\\r\\n' >\"$HTTP_HEADER\"; curl -X PUT file:///a; true",
            "",
        ),
        ("printf 'HTTP/1.1 404 No\\r\\n\\r\\nHTTP/1.1 204 \\r\\n' >\"$HTTP_HEADER\"", ""),
    ] {
        let gateway = acme_sh(add, "true");
        let reply = setup(&gateway);
        match reason {
            "" => assert_eq!(reply.status, 201, "{add}: {}", gateway.log()),
            // Not known, and so the ledger keeps it, to be removed one day.
            _ => assert!(
                reply.status == 504 && reply.detail().contains(reason),
                "{add}: {} {}",
                reply.status,
                reply.body
            ),
        }
        assert!(!gateway.log().contains("hunter2!"), "{}", gateway.log());
    }
}

#[test]
fn acme_sh_is_refused_where_others_could_have_written_it_and_its_traps_are_told() {
    let folder = Scratch::new();
    fs::create_dir_all(folder.join("acme/dnsapi")).unwrap();
    let own = folder.path().display().to_string();
    let program = shipped(&folder, "acmesh-provider");
    let test = |module: &str, lines: &str| {
        let dotenv = format!("{REST}DNSAPI_MODULE = {module}\nDNSAPI_PROGRAM = {program}\n{lines}");
        let file = folder.file("dotenv", &dotenv);
        let output = acmegw(&["serve", "-n", "-e", file.to_str().unwrap()]).output().unwrap();
        (output.status.code(), format!("{}{}", String::from_utf8_lossy(&output.stdout), stderr(&output)))
    };
    let home = format!("ACMESH_HOME = {own}/acme\n");
    let refused = |module: &str, lines: &str, named: &str| {
        let (status, told) = test(module, lines);
        assert!(status == Some(2) && told.contains(named), "{module} {lines}: {told}");
    };
    refused("acme.sh:dns_nsupdate", "", "ACMESH_HOME is not set");
    refused("acme.sh:dns_nsupdate", &home, "acme.sh: cannot be read");
    folder.file("acme/acme.sh", ACME_SH);
    refused("acme.sh:dns_nsupdate", &home, "dns_nsupdate.sh: cannot be read");
    folder.file_mode("acme/dnsapi/dns_nsupdate.sh", "", 0o664);
    refused("acme.sh:dns_nsupdate", &home, "chmod go-w");
    for wrong in ["acme.sh:", "acme.sh:dns_", "acme.sh:cf", "acme.sh:dns_../../x", "acme.sh:dns_x.sh"] {
        refused(wrong, &home, "write it as acme.sh:dns_xxx");
    }
    refused("acme.sh:dns_nsupdate", &format!("{home}DNSAPI_CLASS = X\n"), "DNSAPI_CLASS does not go with");
    folder.file("acme/dnsapi/dns_nsupdate.sh", "");
    let (status, told) = test("acme.sh:dns_nsupdate", &home);
    assert_eq!(status, Some(0), "{told}");
    assert!(
        told.contains("dns_nsupdate removes all values at a name at once") && told.contains("arguments of curl"),
        "{told}"
    );
    folder.file("acme/dnsapi/dns_cf.sh", "");
    let (_, told) = test("acme.sh:dns_cf", &home);
    assert!(!told.contains("removes all values") && told.contains("arguments of curl"), "{told}");
}

/// Where programs of the provider exec look for it.
fn has_python() -> bool {
    let folders = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];
    let there = folders.iter().any(|folder| Path::new(folder).join("python3").exists());
    if !there {
        eprintln!("SKIPPED: no python3 here");
    }
    there
}

/// A gateway with a class as the predecessor took it; `body` is the body of acme_challenge.
fn python(module: &str, body: &str) -> Gateway {
    let folder = Scratch::new();
    let dotenv = class(&folder, module, body);
    Gateway::start_in(folder, &dotenv, &[])
}

/// Its dotenv; the class writes down what it is called with.
fn class(folder: &Scratch, module: &str, body: &str) -> String {
    fs::create_dir_all(folder.join("python/providers")).unwrap();
    let own = folder.path().display().to_string();
    let text = format!(
        "import logging\nimport os\nimport sys\nimport time\n\nclass Mine:\n    def __init__(self, username: str, password: str):\n\
         {0:8}self.login = username, password\n\n    def acme_challenge(self, action: str, fqdn: str, token: str):\n\
         {0:8}with open('{own}/seen', 'a') as seen:\n{0:12}print(action, fqdn, token, *self.login, file=seen)\n{0:8}{body}\n",
        ""
    );
    folder.file("python/providers/mine.py", &text);
    format!(
        "{REST}DNSAPI_MODULE = {module}\nDNSAPI_CLASS = Mine\nDNSAPI_PROGRAM = {}\nDNSAPI_USERNAME = me\n\
         DNSAPI_PASSWORD = hunter2! \"'\\\n",
        shipped(folder, "python-provider")
    )
}

#[test]
fn a_class_written_for_the_predecessor_runs_unchanged_by_either_name() {
    if !has_python() {
        return;
    }
    for module in ["python:providers.mine", "providers.mine"] {
        let gateway = python(module, "print('noise'); return (201, 'OK') if action == 'setup' else (404, 'gone')");
        assert_eq!(setup(&gateway).status, 201, "{}", gateway.log());
        assert_eq!(teardown(&gateway).status, 200, "{}", gateway.log());
        let seen = read(&gateway.folder.join("seen"));
        let line = |action: &str| format!("{action} _acme-challenge.example.com {VALUE} me hunter2! \"'\\\n");
        assert_eq!(seen, line("setup") + &line("teardown"));
    }
}

#[test]
fn what_a_class_does_wrong_is_told_and_never_taken_for_done() {
    if !has_python() {
        return;
    }
    let unknown = 504;
    for (body, status, reason) in [
        (
            "raise ValueError(self.login[1] + ' is wrong')",
            unknown,
            "acme_challenge raised ValueError: [DNSAPI_PASSWORD] is wrong",
        ),
        ("pass", unknown, "returned None"),
        ("return 'done'", unknown, "returned 'done'"),
        ("return ('201', 'OK')", unknown, "is no (status, message)"),
        ("sys.exit(0)", unknown, "raised SystemExit: 0"),
        ("os.kill(os.getpid(), 9)", unknown, "signal: 9"),
        ("return 500, 'down'", unknown, "status 500: down"),
        ("return 302, 'elsewhere'", unknown, "status 302"),
        ("return 403, 'not yours\\x1b[31m'", 502, "status 403: not yours"),
        ("return 404, 'no zone'", 502, "status 404: no zone"),
    ] {
        let gateway = python("python:providers.mine", body);
        let reply = setup(&gateway);
        assert!(reply.status == status && reply.detail().contains(reason), "{body}: {} {}", reply.status, reply.body);
        let told = gateway.log() + &reply.body;
        assert!(!told.contains("hunter2!") && !told.contains('\x1b'), "{told}");
    }
}

/// Requests that a class logs hold tokens; nothing below a warning gets out, nor is stdout anybody's.
#[test]
fn a_class_sees_no_environment_and_its_chatter_is_not_logged() {
    if !has_python() {
        return;
    }
    let body = "logging.basicConfig(level=logging.DEBUG); logging.debug('Bearer t0ken'); logging.warning('slow'); \
                print('Bearer t0ken'); print(sorted(os.environ), sys.path[0], os.getcwd(), file=open(self.__module__ and \
                sys.path[0] + '/../environment', 'w')); return 201, 'OK'";
    let gateway = python("python:providers.mine", body);
    assert_eq!(setup(&gateway).status, 201, "{}", gateway.log());
    gateway.wait_for("slow");
    assert!(!gateway.log().contains("t0ken"), "{}", gateway.log());
    let seen = read(&gateway.folder.join("environment"));
    let own = gateway.folder.path().display();
    // LC_CTYPE is Python's own doing.
    let seen =
        seen.replace("'LC_CTYPE', ", "").replace("'OLDPWD', ", "").replace("'PWD', ", "").replace(", 'SHLVL', '_'", "");
    assert_eq!(seen, format!("['PATH', 'PYTHON_CLASS', 'PYTHON_FOLDER', 'PYTHON_MODULE'] {own}/python /\n"));
}

#[test]
fn a_class_that_cannot_be_had_or_that_others_could_have_written_is_refused() {
    if !has_python() {
        return;
    }
    let folder = Scratch::new();
    let dotenv = class(&folder, "python:providers.mine", "return 201, 'OK'");
    let test = |dotenv: &str| {
        let file = folder.file("dotenv", dotenv);
        let output = acmegw(&["serve", "-n", "-e", file.to_str().unwrap()]).output().unwrap();
        (output.status.code(), stderr(&output))
    };
    assert_eq!(test(&dotenv), (Some(0), String::new()));
    for (wrong, named) in [
        (dotenv.replace("DNSAPI_CLASS", "# "), "DNSAPI_CLASS is not set"),
        (dotenv.replace("= Mine", "= Mi-ne"), "DNSAPI_CLASS names no Python class"),
        (dotenv.replace("python:providers.mine", "python:../mine"), "DNSAPI_MODULE names no Python module"),
        (dotenv.replace("python:providers.mine", "mine"), "names no provider, 'mine'"),
        (dotenv.replace("python:", "").replace("DNSAPI_CLASS", "# "), "a Python class needs DNSAPI_CLASS"),
        (dotenv.replace("python:providers.mine", "embeded"), "did you mean embedded?"),
        (dotenv.replace("python:providers.mine", "providers.openprovider"), "DNSAPI_CLASS does not fit"),
        (format!("{dotenv}DNSAPI_PYTHONPATH = elsewhere\n"), "elsewhere: cannot be read"),
    ] {
        let (status, told) = test(&wrong);
        assert!(status == Some(2) && told.contains(named), "{named}: {told}");
    }
    folder.file_mode("python/providers/other.py", "", 0o666);
    let (status, told) = test(&dotenv);
    assert!(status == Some(2) && told.contains("other.py: writable by group or others"), "{told}");
    fs::remove_file(folder.join("python/providers/other.py")).unwrap();
    let gateway = Gateway::start_in(folder, &dotenv.replace("= Mine", "= Yours"), &[]);
    let reply = setup(&gateway);
    assert!(
        reply.status == 502 && reply.detail().contains("the class cannot be had: AttributeError"),
        "{}",
        reply.body
    );
}
