# PowerDNS with its HTTP API, for the cases that change its zones. Sourced after
# lib.sh.
# shellcheck shell=sh
pdns_schema=/usr/share/pdns-backend-sqlite3/schema/schema.sqlite3.sql

need_powerdns() {
	need pdns_server pdnsutil sqlite3 curl
	[ -r "$pdns_schema" ] || skip "pdns-backend-sqlite3 is not installed"
}

pdns_utility() { pdnsutil --config-dir="$T/pdns" "$@" >>"$T/pdnsutil.log" 2>&1 || fail "pdnsutil $*"; }

# With these zones; leaves $dns_port, $pdns_api (a port) and $pdns_key. It answers at a free port of loopback,
# or at port 53 of $pdns_address.
start_powerdns() { # ZONE…
	mkdir "$T/pdns"
	pdns_key=$(openssl rand -hex 16)
	sqlite3 "$T/pdns/db" <"$pdns_schema"
	attempt powerdns_once
	for zone; do
		pdns_utility create-zone "$zone" "ns.$1"
	done
}

powerdns_once() {
	dns_port=$(free_port) pdns_api=$(free_port)
	[ -z "${pdns_address-}" ] || dns_port=53
	cat >"$T/pdns/pdns.conf" <<-END
		launch=gsqlite3
		gsqlite3-database=$T/pdns/db
		local-address=${pdns_address:-127.0.0.1}
		local-port=$dns_port
		socket-dir=$T/pdns
		cache-ttl=0
		query-cache-ttl=0
		negquery-cache-ttl=0
		zone-cache-refresh-interval=0
		api=yes
		api-key=$pdns_key
		webserver-address=127.0.0.1
		webserver-port=$pdns_api
	END
	start root powerdns pdns_server --config-dir="$T/pdns" --daemon=no --guardian=no --disable-syslog
	within 10 curl -fs -o "$T/servers" -H "X-API-Key: $pdns_key" "http://127.0.0.1:$pdns_api/api/v1/servers"
}
