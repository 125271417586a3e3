#!/bin/sh
# PowerDNS through its HTTP API: values come and go beside those of others, a
# child zone beats its parent, and a CNAME in the way is told with its remedy.
. "${0%/*}/lib.sh"
. "${0%/*}/lib/powerdns.sh"
need dig
need_powerdns
start_powerdns example.test child.example.test
pdns_utility add-record example.test _acme-challenge TXT 3600 '"of somebody else"'
pdns_utility add-record example.test _acme-challenge.alias CNAME 3600 target.example.net.

start_gateway gateway <<END
DNSAPI_MODULE = powerdns
DNSAPI_URL = http://127.0.0.1:$pdns_api
DNSAPI_PASSWORD = $pdns_key
DNSAPI_DOMAINS = example.test
ALLOWED_HOSTS = 127.0.0.1
END
write_hook_conf <<END
API_URI = $gw
API_PIN = $gw_pin
DNS_DELAY = 0
END
hook() { as www-data "$acmegw" hook -e "$T/acmegw-hook.conf" "$@"; }
holds() { # NAME VALUE…, and nothing else
	_name=$1
	shift
	_there=$(txt "$dns_port" "$_name" | tr -d '"' | sort)
	_wanted=$([ $# -eq 0 ] || printf '%s\n' "$@" | sort)
	[ "$_there" = "$_wanted" ] || fail "at $_name: $_there; not: $_wanted"
}

other=AFEDCBAZYXWVUTSRQPONMLKJIHGzyxwvutsrqponmlk
for one in "$value" "$other" "$value"; do
	hook setup example.test "$one" || fail "setup $one"
done
holds example.test "of somebody else" "$value" "$other"
hook teardown example.test "$value" || fail "teardown"
hook teardown example.test "$value" || fail "teardown of what is gone"
holds example.test "of somebody else" "$other"
hook teardown example.test "$other" || fail "teardown"
holds example.test "of somebody else"

hook setup child.example.test "$value" || fail "setup in the child zone"
holds child.example.test "$value"
rows=$(sqlite3 "$T/pdns/db" "select count(*) from records r join domains d on d.id = r.domain_id
	where d.name = 'child.example.test' and r.type = 'TXT' and r.name = '_acme-challenge.child.example.test'")
[ "$rows" -eq 1 ] || fail "it is not in the child zone"
hook teardown child.example.test "$value" || fail "teardown in the child zone"
holds child.example.test

! hook setup alias.example.test "$value" || fail "a TXT beside a CNAME"
logged gateway 'CNAME' || fail "the gateway does not say what is in the way"
