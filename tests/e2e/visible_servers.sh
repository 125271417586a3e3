#!/bin/sh
# Knot as a primary with NSD as its secondary, which is told of changes, and
# PowerDNS: each takes the record, and the gateway sees it at every server, by
# IPv4 and by IPv6. A server that is in the zone's NS records and serves nothing
# (lame) keeps the record from being visible, and is named; one that is not there
# at all is passed over.
if [ "${1-}" != alone ]; then
	unshare -n true 2>/dev/null || { echo "no network namespace to be had here" && exit 77; }
	exec unshare -n sh "$0" alone
fi
. "${0%/*}/lib.sh"
. "${0%/*}/lib/zones.sh"
. "${0%/*}/lib/powerdns.sh"
need_powerdns
need knotd nsd named

knot=192.0.9.1 nsd=192.0.9.2 nsd6=2001:500:9::2 pdns=192.0.9.3 lame=192.0.9.4
at "$knot" "$nsd" "$nsd6" "$pdns" "$lame"
secret=$(openssl rand -base64 32)

mkdir -p "$T/knot" "$T/nsd"
cat >"$T/knot/example.test.zone" <<END
\$ORIGIN example.test.
\$TTL 60
@ SOA ns1 hostmaster 1 60 60 3600 5
@ NS ns1
@ NS ns2
@ NS nobody
ns1 A $knot
ns2 A $nsd
ns2 AAAA $nsd6
nobody A 192.0.9.99
nobody AAAA 2001:500:9::99
END
cat >"$T/knot/conf" <<END
server:
    listen: $knot@53
    rundir: $T/knot
database:
    storage: $T/knot
key:
  - id: acmegw
    algorithm: hmac-sha256
    secret: $secret
remote:
  - id: nsd
    address: $nsd@53
    via: $knot
acl:
  - id: changes
    key: acmegw
    action: update
  - id: copies
    address: $nsd
    action: transfer
zone:
  - domain: example.test
    storage: $T/knot
    file: example.test.zone
    acl: [changes, copies]
    notify: nsd
END
cat >"$T/nsd/conf" <<END
server:
	ip-address: $nsd@53
	ip-address: $nsd6@53
	username: ""
	chroot: ""
	zonesdir: "$T/nsd"
	pidfile: ""
	xfrdfile: "$T/nsd/xfrd"
	xfrdir: "$T/nsd"
	zonelistfile: "$T/nsd/list"
	database: ""
	server-count: 1
remote-control:
	control-enable: no
zone:
	name: example.test
	zonefile: example.test
	request-xfr: $knot NOKEY
	allow-notify: $knot NOKEY
	outgoing-interface: $nsd
END
start root knot knotd -c "$T/knot/conf"
within 10 knows "$knot" || fail "Knot does not serve the zone"
start root nsd nsd -d -c "$T/nsd/conf"

pdns_address=$pdns
start_powerdns powerdns.test lame.test
pdns_utility add-record powerdns.test ns A 60 "$pdns"

# A zone whose second name server serves nothing.
authority lame "$lame"
start root lame named -g -c "$T/lame/named.conf"
pdns_utility add-record lame.test @ NS 3600 ns.lame.test.
pdns_utility add-record lame.test ns A 60 "$lame"

within 10 knows "$nsd" || fail "NSD does not serve the zone"
within 10 knows "$pdns" powerdns.test || fail "PowerDNS does not serve its zone"
# The resolver knows each zone where it is.
start_unbound "$knot"
cat >>"$T/unbound/conf" <<END
stub-zone:
	name: "powerdns.test"
	stub-addr: $pdns
stub-zone:
	name: "lame.test"
	stub-addr: $pdns
END
stop "$pid"
start root unbound unbound -d -c "$T/unbound/conf"
within 10 serial "$dns_port" >/dev/null || fail "unbound does not come back"

start_gateway gateway <<END
DNSAPI_MODULE = rfc2136
DNSAPI_URL = $knot
DNSAPI_USERNAME = acmegw
DNSAPI_PASSWORD = $secret
DNSAPI_DOMAINS = example.test
DNSAPI_ACCOUNTS = P
DNSAPI_P_MODULE = powerdns
DNSAPI_P_URL = http://127.0.0.1:$pdns_api
DNSAPI_P_PASSWORD = $pdns_key
DNSAPI_P_DOMAINS = powerdns.test, lame.test
ALLOWED_HOSTS = 127.0.0.1
$(looking)
END

seen_at() { # SERVER…
	[ "$state" = visible ] || fail "$(cat "$T/report.log")"
	for _server; do
		grep -q "\"seen\":true,\"server\":\"$_server\"" "$T/report.log" || fail "$_server: $(cat "$T/report.log")"
	done
	cat "$T/report.log"
	echo
}

other=AFEDCBAZYXWVUTSRQPONMLKJIHGzyxwvutsrqponmlk
for one in "$value" "$other"; do
	set_up example.test "$one"
	seen_at "ns1.example.test/$knot" "ns2.example.test/$nsd" "ns2.example.test/$nsd6"
	grep -q '"rcode":"none","seen":false,"server":"nobody.example.test/192.0.9.99"' "$T/report.log" || fail "nobody answers: $(cat "$T/report.log")"
done
set_up powerdns.test "$value"
seen_at "ns.powerdns.test/$pdns"

set_up lame.test "$value" 4
[ "$state" = pending ] || fail "a lame server: $(cat "$T/report.log")"
grep -q "\"rcode\":\"REFUSED\",\"seen\":false,\"server\":\"ns.lame.test/$lame\",\"why\":\"it does not serve the zone\"" "$T/report.log" ||
	fail "the lame server is not named: $(cat "$T/report.log")"
grep -q "\"seen\":true,\"server\":\"ns.powerdns.test/$pdns\"" "$T/report.log" || fail "$(cat "$T/report.log")"
