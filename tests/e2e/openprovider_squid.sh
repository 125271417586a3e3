#!/bin/sh
# OpenProvider's (simulated) API is reached through a forward proxy, by CONNECT
# only, its certificate checked against the roots the operator named; when the
# proxy refuses, the caller gets a 5xx and the gateway's log the reason.
. "${0%/*}/lib.sh"
. "${0%/*}/lib/squid.sh"
need squid curl
simulator=${ACMEGW%/*}/examples/openprovider_sim
[ -x "$simulator" ] || fail "no program at $simulator: cargo build --release --examples"

make_ca
make_leaf api DNS:localhost
start root simulator "$simulator" --cert "$T/api.pem" --key "$T/api.key"
await simulator 'listening on https://'
api_port=$(sed -n 's/.*listening on https:.*:\([0-9]*\).*/\1/p' "$T/simulator.log")

start_squid "$api_port"

gateway_for() { # NAME API-PORT
	start_gateway "$1" env SSL_CERT_FILE="$T/ca.pem" "$acmegw" serve <<-END
		DNSAPI_MODULE = openprovider
		DNSAPI_URL = https://localhost:$2/v1beta
		DNSAPI_USERNAME = apiuser
		DNSAPI_PASSWORD = apipass
		DNSAPI_DOMAINS = example.test
		ALL_PROXY = http://127.0.0.1:$squid_port
		ALLOWED_HOSTS = 127.0.0.1
	END
	write_hook_conf <<-END
		API_URI = $gw
		API_PIN = $gw_pin
		DNS_DELAY = 0
	END
}
hook() { as www-data "$acmegw" hook -e "$T/acmegw-hook.conf" "$@"; }

gateway_for gateway "$api_port"
hook setup example.test "$value" || fail "setup through the proxy"
hook teardown example.test "$value" || fail "teardown through the proxy"
for change in add remove; do
	logged simulator "PUT .*/dns/zones/example\.test.*\"?$change" || fail "the API saw no $change"
done
stop "$gw_pid" # squid logs a tunnel when it is closed
within 5 grep -q "CONNECT localhost:$api_port" "$T/squid/access.log" || fail "squid saw no CONNECT"

# To a port that squid does not allow.
gateway_for denied "$(free_port)"
status=$(curl -sk -o "$T/answer.log" -w '%{http_code}' "$gw" \
	-d "{\"argument\":\"setup\",\"domain_name\":\"example.test\",\"challenge_content\":\"$value\"}") || :
case $status in 502 | 503 | 504) ;; *) fail "a refusing proxy gives $status" ;; esac
grep -q 'TCP_DENIED/403.*CONNECT localhost' "$T/squid/access.log" || fail "squid denied nothing"
logged denied '[Pp]roxy.*(403|[Ff]orbidden|[Rr]efus|[Dd]eni)' || fail "the gateway does not say why"
