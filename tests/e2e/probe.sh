#!/bin/sh
# acmegw probe on real name servers: all is well, and each fault at its step;
# on the web server by the hook's configuration, beside the gateway by its own.
if [ "${1-}" != alone ]; then
	unshare -n true 2>/dev/null || { echo "no network namespace to be had here" && exit 77; }
	exec unshare -n sh "$0" alone
fi
. "${0%/*}/lib.sh"
. "${0%/*}/lib/zones.sh"
need named

dns_secret=$(openssl rand -base64 32)
: >"$T/lines"
first=192.0.9.1 second=192.0.9.2
at "$first" "$second"
lagging_pair || fail "BIND does not start"
# shellcheck disable=SC2086 # a list of numbers, the youngest in front
set -- $pids
second_pid=$1 first_pid=$2
start_unbound "$first"
install -d -o nobody "$T/gateway"
add_user "$T/gateway/acmepasswd" web "correct horse" || fail "passwd add"
# BIND holds no zone for example.org.
start_gateway gateway <<END
LISTEN = 127.0.0.1:$(free_port)
DNSAPI_MODULE = rfc2136
DNSAPI_URL = $first
DNSAPI_USERNAME = acmegw
DNSAPI_PASSWORD = $dns_secret
DNSAPI_DOMAINS = example.test, example.org
BASIC_AUTH = required
ALLOWED_HOSTS = 127.0.0.1
PASSWD_FILE = acmepasswd
PROPAGATION = direct
PROPAGATION_TIMEOUT = 20
RESOLVERS = 127.0.0.1:$dns_port
API_USER = web
API_PASSWD = correct horse
END
conf() { # PASSWORD
	write_hook_conf <<-END
		API_URI = $gw
		API_PIN = $gw_pin
		API_USER = web
		API_PASSWD = $1
	END
}
probe() { # STATUS WORDS…: the table is in $T/table.log
	_status=$1
	shift
	_is=0
	as www-data "$acmegw" probe -e "$T/acmegw-hook.conf" "$@" >"$T/table.log" 2>"$T/probe.log" || _is=$?
	[ "$_is" -eq "$_status" ] || fail "status $_is, not $_status, from probe $*"
}
says() { # PATTERN…
	for _pattern; do
		grep -Eq -- "$_pattern" "$T/table.log" || fail "the table does not say: $_pattern"
	done
}

conf "correct horse"
probe 0 example.test
says '^example\.test +ok +ok +[0-9.]+ m?s +[0-9.]+ m?s +[0-9.]+ m?s$' \
	"ns1\.example\.test/$first: shows it after" "ns2\.example\.test/$second: shows it after"
cat "$T/table.log"
[ -z "$(dig +short +norecurse "@$first" TXT _acme-challenge.example.test)" ] || fail "the canary is still there"

probe 1 example.org www.example.test --json
python3 - "$T/table.log" <<'END' || fail "the JSON"
import json, sys
report = json.load(open(sys.argv[1]))
org, www = report["domains"]
assert report["ok"] is False and org["ok"] is False and www["ok"] is True
assert org["steps"]["zone"] == "failed" and org["steps"]["set"] == "skipped", org
assert org["faults"][0]["step"] == "zone" and org["faults"][0]["remedy"]
assert [server["seen"] for server in www["servers"]] == [True, True]
END

probe 1 example.net
says '^example\.net +FAILED' 'scope: .*status 403' 'do: add the domain'
conf "wrong"
probe 1 example.test
says 'credentials: .*status 401'
conf "correct horse"

# Beside the gateway, as root, without a word about address, pin or domains.
install -m 600 "$gw_conf" "$T/dotenv" # an administrator's file is root's
"$acmegw" probe -e "$T/dotenv" >"$T/table.log" 2>"$T/probe.log" && fail "example.org is not well"
says "^gateway $gw\$" '^example\.test +ok +ok ' '^example\.org +ok +FAILED'

# A dead secondary: enough for a certificate unless the CA asks that one, and not well.
stop "$second_pid"
probe 1 example.test
says '^example\.test +ok +ok +[0-9.]+ m?s +FAILED +[0-9.]+ m?s$' "visible: ns2\.example\.test/$second does not show it" \
	"ns1\.example\.test/$first: shows it after" 'do: see to that server'

# The key is another one for BIND from now on.
dns_secret=$(openssl rand -base64 32)
sed -i "s|secret \".*\"|secret \"$dns_secret\"|" "$T/primary/named.conf"
kill -HUP "$first_pid"
refused() {
	as www-data "$acmegw" probe -e "$T/acmegw-hook.conf" example.test >"$T/table.log" 2>"$T/probe.log" && return 1
	grep -q '^    set: ' "$T/table.log"
}
within 10 refused || fail "a change that BIND refuses"
says '^example\.test +ok +- +FAILED' 'do: see the gateway.s log'
