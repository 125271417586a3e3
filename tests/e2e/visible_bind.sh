#!/bin/sh
# BIND with a secondary that lags, as it does by itself (notify-delay: 5 s), and
# a CA that asks the secondary: without the check there is no certificate, with
# it there is, as soon as the secondary has both values of the name. A wildcard
# TXT in the zone, which answers for every name that is not there, is not taken
# for the value.
if [ "${1-}" != alone ]; then
	unshare -nm true 2>/dev/null || { echo "no namespaces to be had here" && exit 77; }
	exec unshare -nm sh "$0" alone
fi
. "${0%/*}/lib.sh"
. "${0%/*}/lib/zones.sh"
need uacme lego pebble named

make_ca
make_leaf leaf DNS:localhost,IP:127.0.0.1 nobody
dns_secret=$(openssl rand -base64 32)
echo '* TXT "of a wildcard"' >"$T/lines"
first=192.0.9.1 second=192.0.9.2
at "$first" "$second"
lagging_pair || fail "BIND does not start"
start_unbound "$first"
start_pebble "$second:53"

gateway() { # NAME, further settings from stdin
	start_gateway "$1" <<-END
		DNSAPI_MODULE = rfc2136
		DNSAPI_URL = $first
		DNSAPI_USERNAME = acmegw
		DNSAPI_PASSWORD = $dns_secret
		DNSAPI_DOMAINS = example.test
		ALLOWED_HOSTS = 127.0.0.1
		SSL_CERT = $T/leaf.pem
		SSL_KEY = $T/leaf.key
		$(cat)
	END
}

# uacme tells the CA as soon as its hook returns.
mount --bind "$T/ca.pem" /etc/ssl/certs/ca-certificates.crt
ln -s acmegw "$T/acmegw-hook"
by_uacme() { # NAME DNS_DELAY
	write_hook_conf <<-END
		API_URI = $gw
		API_CA = $T/ca.pem
		DNS_DELAY = $2
		DNS_UNCONFIRMED = fail
	END
	uacme="uacme -vv -y -c $T/$1 -a https://127.0.0.1:$acme_port/dir"
	[ -e "$T/$1" ] || $uacme new >>"$T/$1.log" 2>&1 || fail "no account"
	DOTENV=$T/acmegw-hook.conf $uacme -f -h "$T/acmegw-hook" issue example.test '*.example.test' >>"$T/$1.log" 2>&1
}

# BIND's pause is between two notifications: there has to be one to begin with.
looking >"$T/looking"
gateway seeing <"$T/looking"
set_up warm.example.test "$value"
take_down warm.example.test "$value"
seeing=$gw

gateway blind </dev/null
! by_uacme without 0 || fail "without the check there is a certificate: the secondary does not lag"
logged without 'urn:ietf:params:acme:error' || fail "it was not the CA that refused"
stop "$gw_pid"

gw=$seeing
began=$(date +%s)
by_uacme with 60 || fail "with the check there is no certificate"
echo "by uacme and the hook: $(($(date +%s) - began)) s for two values at one name, one after the other"
issued "$T/with/example.test/cert.pem" example.test

# lego's httpreq cannot ask, and is answered when the record is visible.
began=$(date +%s)
lego_certificate httpreq httpreq example.test "HTTPREQ_ENDPOINT=$gw"
echo "by lego and httpreq: $(($(date +%s) - began)) s"

# What is asked for by a client that can ask.
set_up example.test "$value"
[ "$state" = visible ] || fail "$(cat "$T/report.log")"
for server in "ns1.example.test/$first" "ns2.example.test/$second"; do
	grep -q "\"server\":\"$server\"" "$T/report.log" || fail "$server was not asked: $(cat "$T/report.log")"
done
echo "a setup: $(cat "$T/report.log")"
dig +short +norecurse "@$second" TXT _acme-challenge.example.test | grep -qF "$value" || fail "the secondary does not have it"
take_down example.test "$value"
decided
[ "$state" = gone ] || fail "after the removal: $(cat "$T/report.log")"

# At a name that is not there the wildcard answers, which is not taken for the value.
other=AFEDCBAZYXWVUTSRQPONMLKJIHGzyxwvutsrqponmlk
set_up www.example.test "$other"
[ "$state" = visible ] || fail "beside a wildcard: $(cat "$T/report.log")"
dig +short +norecurse "@$second" TXT _acme-challenge.www.example.test | grep -qF "$other" || fail "the secondary still answers from the wildcard"
