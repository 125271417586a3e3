#!/bin/sh
# A challenge name that is delegated to the embedded server, by NS and by CNAME,
# from a zone that BIND signs and from one that is not signed: the gateway sees
# its own record by way of the delegation, and the CA, which asks a resolver that
# validates, issues each of the four certificates. A CNAME that is missing, and
# CNAMEs in a circle, are told.
if [ "${1-}" != alone ]; then
	unshare -n true 2>/dev/null || { echo "no network namespace to be had here" && exit 77; }
	exec unshare -n sh "$0" alone
fi
. "${0%/*}/lib.sh"
. "${0%/*}/lib/zones.sh"
need lego pebble named dnssec-keygen dnssec-signzone

make_ca
make_leaf leaf DNS:localhost,IP:127.0.0.1
parent=192.0.9.1 gateway=192.0.9.53 parent6=2001:500:9::1
at "$parent" "$gateway" "$parent6"

zone() { # NAME: its file; what differs between the two is the signature alone
	cat >"$T/parent/$1" <<-END
		\$ORIGIN $1.
		\$TTL 60
		@ SOA ns hostmaster 1 60 60 3600 5
		@ NS ns
		ns A $parent
		ns AAAA $parent6
		_acme-challenge.by-ns NS acme
		acme A $gateway
		acme-zone NS acme
		_acme-challenge.by-cname CNAME _acme-challenge.by-cname.$1.acme-zone.example.test.
		_acme-challenge.circle CNAME a
		a CNAME b
		b CNAME a
	END
}

mkdir -p "$T/parent"
authority parent "$parent"
sed -i "s/listen-on-v6 { none; }/listen-on-v6 port 53 { $parent6; }/" "$T/parent/named.conf"
zone example.test
zone signed.test
(
	cd "$T/parent" || exit 1
	for kind in KSK ZSK; do
		flag=$([ $kind = ZSK ] || echo "-f KSK")
		# shellcheck disable=SC2086 # a flag and its word, or none
		dnssec-keygen -q -a ECDSAP256SHA256 $flag signed.test >>keys
	done
	cat Ksigned.test.*.key >>signed.test
	dnssec-signzone -S -P -o signed.test -f signed.test.signed signed.test
) >"$T/signing.log" 2>&1 || fail "the zone is not signed"
grep -h 'DNSKEY 257' "$T"/parent/Ksigned.test.*.key >"$T/anchor"
cat >>"$T/parent/named.conf" <<END
zone example.test { type primary; file "example.test"; };
zone signed.test { type primary; file "signed.test.signed"; };
END
start root parent named -g -c "$T/parent/named.conf"
within 10 knows "$parent" signed.test || fail "BIND does not serve the zones"
start_unbound "$parent" signed.test

# The gateway is started by root, for port 53, and becomes nobody.
mkdir -p "$T/gateway"
install -d -m 700 -o nobody "$T/gateway/state"
cat >"$T/gateway/dotenv" <<END
LISTEN = 127.0.0.1:0
STATE_DIR = $T/gateway/state
RUN_AS_USER = nobody
SSL_CERT = $T/leaf.pem
SSL_KEY = $T/leaf.key
ALLOWED_HOSTS = 127.0.0.1
DNSAPI_DOMAINS = example.test, signed.test
DNS_LISTEN = $gateway:53
DNS_ZONE = acme-zone.example.test
DNS_NS = acme.example.test
$(looking)
END
start root gateway "$acmegw" serve --dotenv "$T/gateway/dotenv"
await gateway 'listening on https://'
gw=$(sed -n 's/.*listening on \(https:.*\)/\1/p' "$T/gateway.log")
start_pebble "$dns_port"

dig +dnssec "@127.0.0.1" -p "$dns_port" SOA signed.test | grep -q 'flags:.* ad' || fail "the resolver does not validate"
domains="by-ns.example.test by-cname.example.test by-ns.signed.test by-cname.signed.test" clients=
for domain in $domains; do
	lego_certificate "$domain" httpreq "$domain" "HTTPREQ_ENDPOINT=$gw" HTTPREQ_POLLING_INTERVAL=1 &
	clients="$clients $!"
done
for client in $clients; do
	wait "$client" || fail "no certificate"
done
for domain in $domains; do
	set_up "$domain" "$value"
	[ "$state" = visible ] || fail "$domain: $(cat "$T/report.log")"
	grep -q "acme[^\"]*test/$gateway" "$T/report.log" || fail "$domain was looked for elsewhere: $(cat "$T/report.log")"
	take_down "$domain" "$value"
	echo "$domain: $(cat "$T/report.log")"
done

# Nothing leads to the gateway: the parent itself is asked, at both of its addresses, and says so.
set_up forgotten.example.test "$value" 5
[ "$state" = pending ] || fail "without a delegation: $(cat "$T/report.log")"
for address in "$parent" "$parent6"; do
	grep -q "\"rcode\":\"NXDOMAIN\",\"seen\":false,\"server\":\"ns.example.test/$address\"" "$T/report.log" ||
		fail "$address was not asked: $(cat "$T/report.log")"
done

set_up circle.example.test "$value"
[ "$state" = unconfirmed ] || fail "in a circle: $(cat "$T/report.log")"
grep -q 'CNAMEs lead in a circle: .*a\.example\.test -> b\.example\.test -> a\.example\.test' "$T/report.log" ||
	fail "it is not told: $(cat "$T/report.log")"
