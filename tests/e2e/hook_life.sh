#!/bin/sh
# The hook's life under httpd: stdin closed, every signal blocked, SIGPIPE
# ignored, nobody at the other end of stderr, cwd /. SIGTERM still ends it while
# it waits, and what it cannot log is never a failure.
. "${0%/*}/lib.sh"
need dig

start_embedded gateway <<END
ALLOWED_HOSTS = 127.0.0.1
END
conf() { # DNS_DELAY [LINE]
	write_hook_conf <<-END
		API_URI = $gw
		API_PIN = $gw_pin
		DNS_DELAY = $1
		${2-}
	END
}
# As mod_md runs it; with "deaf" stderr is a pipe that nobody reads.
cat >"$T/httpd.py" <<'END'
import os, signal, sys
signal.pthread_sigmask(signal.SIG_SETMASK, signal.valid_signals())
signal.signal(signal.SIGPIPE, signal.SIG_IGN)
os.chdir("/")
os.close(0)
if sys.argv[1] == "deaf":
    read, write = os.pipe()
    os.close(read)
    os.dup2(write, 2)
os.execv(sys.argv[2], sys.argv[2:])
END
python=$(command -v /usr/bin/python3 python3 | head -n 1) # one that www-data can run
under_httpd() { # deaf|heard NAME WORDS…: in the background
	_stderr=$1 _log=$2
	shift 2
	start www-data "$_log" "$python" "$T/httpd.py" "$_stderr" "$acmegw" hook -e "$T/acmegw-hook.conf" "$@"
}
set_now() { [ "$(txt "$dns_port")" = "\"$value\"" ]; }

conf 300
under_httpd heard waiting setup example.test "$value"
within 10 set_now || fail "setup"
kill "$pid"
within 5 gone "$pid" || fail "SIGTERM did not end the hook"
! wait "$pid" || fail "an interrupted hook tells of success"

# Neither the log nor stderr takes a word: the work is done all the same.
conf 0 "LOGFILE = $T/none/mod_md.log"
under_httpd deaf deaf teardown example.test "$value"
within 10 gone "$pid" || fail "the hook hangs"
wait "$pid" || fail "teardown failed with a deaf stderr: status $?"
within 2 no_txt "$dns_port" || fail "teardown"

# Heard, it is one warning.
under_httpd heard warning setup example.test "$value"
within 10 gone "$pid" || fail "the hook hangs"
wait "$pid" || fail "setup failed for a LOGFILE: status $?"
[ "$(grep -c "$T/none/mod_md.log" "$T/warning.log")" -eq 1 ] || fail "not one warning"

# A failure with a deaf stderr is a failure, not a crash.
under_httpd deaf failing setup example.org "$value"
within 10 gone "$pid" || fail "the hook hangs"
status=0
wait "$pid" || status=$?
[ "$status" -eq 1 ] || fail "a refused domain gives status $status"
