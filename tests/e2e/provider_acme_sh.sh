#!/bin/sh
# `acme.sh:dns_xxx` with the operator's own acme.sh: ACME_SH names it, and its
# folder dnsapi is beside it. dns_nsupdate against BIND and dns_pdns against
# PowerDNS, two accounts of one gateway; what acme.sh says to be well although
# the service refused is not taken for done; nothing is left behind of a home.
. "${0%/*}/lib.sh"
. "${0%/*}/lib/powerdns.sh"
[ -n "${ACME_SH-}" ] || skip_foreign "ACME_SH names no acme.sh, and Debian has none"
[ -r "$ACME_SH" ] || fail "ACME_SH=$ACME_SH cannot be read"
need named nsupdate dig curl
need_powerdns

install -d "$T/acme.sh/dnsapi" "$T/libexec" "$T/run"
cp "$ACME_SH" "$T/acme.sh/acme.sh"
cp "$(dirname "$ACME_SH")"/dnsapi/dns_nsupdate.sh "$(dirname "$ACME_SH")"/dnsapi/dns_pdns.sh "$T/acme.sh/dnsapi"
install -m 755 "$root/scripts/acmesh-provider" "$T/libexec"
chmod 711 "$T"
chmod -R go-w "$T/acme.sh"
chown nobody "$T/run"

start_bind
bind_port=$dns_port
start_powerdns pdns.test
pdns_utility add-record pdns.test _acme-challenge.cname CNAME 60 target.example.net.
for key in right wrong; do
	secret=$dns_secret
	[ "$key" = right ] || secret=$(openssl rand -base64 32)
	echo "key acmegw { algorithm hmac-sha256; secret \"$secret\"; };" >"$T/$key.key"
	chown nobody "$T/$key.key"
done

account() { # NAME SCRIPT DOMAIN VARIABLE…
	echo "DNSAPI_$1_MODULE = acme.sh:$2"
	echo "DNSAPI_$1_PROGRAM = $T/libexec/acmesh-provider"
	echo "DNSAPI_$1_DOMAINS = $3"
	_account=$1
	shift 3
	echo "DNSAPI_${_account}_PASS = $*"
}
start_gateway gateway env RUNTIME_DIRECTORY="$T/run" "$acmegw" serve <<END
ALLOWED_HOSTS = 127.0.0.1
ACMESH_HOME = $T/acme.sh
DNSAPI_ACCOUNTS = BIND, REFUSED, PDNS, NOKEY
$(account BIND dns_nsupdate example.test NSUPDATE_SERVER, NSUPDATE_SERVER_PORT, NSUPDATE_KEY)
$(account REFUSED dns_nsupdate refused.example.test NSUPDATE_SERVER, NSUPDATE_SERVER_PORT, NSUPDATE_KEY)
$(account PDNS dns_pdns pdns.test PDNS_Url, PDNS_ServerId, PDNS_Token, PDNS_Ttl)
$(account NOKEY dns_pdns refused.pdns.test PDNS_Url, PDNS_ServerId, PDNS_Token, PDNS_Ttl)
NSUPDATE_SERVER = 127.0.0.1
NSUPDATE_SERVER_PORT = $bind_port
NSUPDATE_KEY = $T/right.key
DNSAPI_REFUSED_NSUPDATE_KEY = $T/wrong.key
PDNS_Url = http://127.0.0.1:$pdns_api
PDNS_ServerId = localhost
PDNS_Ttl = 60
PDNS_Token = $pdns_key
DNSAPI_NOKEY_PDNS_TOKEN = not the key
END
logged gateway 'account BIND: dns_nsupdate removes all values' || fail "the trap is not told"

ask() { # ACTION DOMAIN VALUE: leaves the status in $status
	status=$(curl -sk -o "$T/answer.log" -w '%{http_code}' "$gw" \
		-d "{\"argument\":\"$1\",\"domain_name\":\"$2\",\"challenge_content\":\"$3\"}")
}
wants() { # STATUS ACTION DOMAIN VALUE
	wanted=$1
	shift
	ask "$@"
	[ "$status" = "$wanted" ] || fail "$*: $status, not $wanted: $(cat "$T/answer.log")"
}
holds() { # PORT DOMAIN VALUE…
	_there=$(txt "$1" "$2" | tr -d '"' | sort)
	shift 2
	_wanted=$([ $# -eq 0 ] || printf '%s\n' "$@" | sort)
	[ "$_there" = "$_wanted" ] || fail "there is $_there, not $_wanted"
}
other=AFEDCBAZYXWVUTSRQPONMLKJIHGzyxwvutsrqponmlk

wants 201 setup example.test "$value"
wants 201 setup example.test "$value"
holds "$bind_port" example.test "$value"
wants 200 teardown example.test "$value"
holds "$bind_port" example.test

wants 201 setup pdns.test "$value"
wants 201 setup www.pdns.test "$other"
wants 201 setup pdns.test "$other"
holds "$dns_port" pdns.test "$value" "$other"
wants 200 teardown pdns.test "$value"
holds "$dns_port" pdns.test "$other"
holds "$dns_port" www.pdns.test "$other"
wants 200 teardown pdns.test "$other"

# Not taken for done, nor for "nothing was changed".
for refused in refused.example.test refused.pdns.test; do
	wants 504 setup "$refused" "$value"
done
# dns_pdns does not look at what its change was answered: exit 0, and nothing done.
wants 504 setup cname.pdns.test "$value"
grep -q 'a change was answered with HTTP 4' "$T/answer.log" || fail "not for that reason: $(cat "$T/answer.log")"
holds "$bind_port" refused.example.test
holds "$dns_port" refused.pdns.test
# The folder has the gateway's own socket, and no home any more.
[ -z "$(find "$T/run" -name 'acmegw-home-*')" ] || fail "a home is left behind"
! grep -Fq -e "$pdns_key" -e "$dns_secret" "$T/gateway.log" || fail "a secret is in the log"
