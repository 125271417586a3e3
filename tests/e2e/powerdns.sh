#!/bin/sh
# PowerDNS through its HTTP API: values come and go beside those of others, a
# child zone beats its parent, and a CNAME in the way is told with its remedy.
. "${0%/*}/lib.sh"
need pdns_server pdnsutil sqlite3 dig curl

schema=/usr/share/pdns-backend-sqlite3/schema/schema.sqlite3.sql
[ -r "$schema" ] || skip "pdns-backend-sqlite3 is not installed"

utility() { pdnsutil --config-dir="$T/pdns" "$@" >>"$T/pdnsutil.log" 2>&1 || fail "pdnsutil $*"; }

powerdns_once() {
	dns_port=$(free_port) api_port=$(free_port)
	cat >"$T/pdns/pdns.conf" <<-END
		launch=gsqlite3
		gsqlite3-database=$T/pdns/db
		local-address=127.0.0.1
		local-port=$dns_port
		socket-dir=$T/pdns
		cache-ttl=0
		query-cache-ttl=0
		negquery-cache-ttl=0
		zone-cache-refresh-interval=0
		api=yes
		api-key=$key
		webserver-address=127.0.0.1
		webserver-port=$api_port
	END
	start root powerdns pdns_server --config-dir="$T/pdns" --daemon=no --guardian=no --disable-syslog
	within 10 curl -fs -o "$T/servers" -H "X-API-Key: $key" "http://127.0.0.1:$api_port/api/v1/servers"
}

mkdir "$T/pdns"
key=$(openssl rand -hex 16)
sqlite3 "$T/pdns/db" <"$schema"
attempt powerdns_once
for zone in example.test child.example.test; do
	utility create-zone "$zone" ns.example.test
done
utility add-record example.test _acme-challenge TXT 3600 '"of somebody else"'
utility add-record example.test _acme-challenge.alias CNAME 3600 target.example.net.

start_gateway gateway <<END
DNSAPI_MODULE = powerdns
DNSAPI_URL = http://127.0.0.1:$api_port
DNSAPI_PASSWORD = $key
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
