#!/bin/sh
# acme.sh's dns_acmeproxy, the operator's own copy of it: ACME_SH names the
# script, beside which its folder dnsapi is. An apex and its wildcard, and a name
# that is delegated by a CNAME, whose target acme.sh asks for. What it sends is
# also in tests/dialect/httpreq.
. "${0%/*}/lib.sh"
[ -n "${ACME_SH-}" ] || skip_foreign "ACME_SH names no acme.sh, and Debian has none"
[ -r "$ACME_SH" ] || fail "ACME_SH=$ACME_SH cannot be read"
need pebble named dig curl

make_ca
make_leaf leaf DNS:localhost,IP:127.0.0.1 nobody
chmod 644 "$T/leaf.pem"
start_delegating_bind bind
start_gateway gateway <<END
$(bind_account)
DNSAPI_DOMAINS = acme.test, example.test
BASIC_AUTH = required
PASSWD_FILE = $T/gateway/acmepasswd
DNS_ALIAS = a.example.test=a.acme.test
SSL_CERT = $T/leaf.pem
SSL_KEY = $T/leaf.key
END
add_user "$T/gateway/acmepasswd" web1 secret
chown nobody "$T/gateway/acmepasswd"
start_pebble "$dns_port"

acme_sh() { # NAME DOMAIN [OPTION…]
	_name=$1 _domain=$2
	shift 2
	env ACMEPROXY_ENDPOINT="$gw" ACMEPROXY_USERNAME=web1 ACMEPROXY_PASSWORD=secret \
		sh "$ACME_SH" --issue --home "$T/acme.sh" --server "https://127.0.0.1:$acme_port/dir" \
		--ca-bundle "$T/ca.pem" --dns dns_acmeproxy --dnssleep 1 -d "$_domain" -d "*.$_domain" \
		"$@" >>"$T/$_name.log" 2>&1 || fail "$_name: no certificate"
	issued "$T/acme.sh/${_domain}_ecc/fullchain.cer" "$_domain"
}

mkdir "$T/acme.sh"
ln -s "$(cd "${ACME_SH%/*}" && pwd)/dnsapi" "$T/acme.sh/dnsapi"
acme_sh plain acme.test
acme_sh alias a.example.test --domain-alias a.acme.test
for name in acme.test a.acme.test; do
	for action in setup teardown; do
		done=$(grep -c "user=web1 action=$action name=$name status=200" "$T/gateway.log")
		[ "$done" -eq 2 ] || fail "$done times $action of $name, not 2"
	done
	left=$(dig +short @127.0.0.1 -p "$dns_port" TXT "$name"; txt "$dns_port" "$name")
	[ -z "$left" ] || fail "left behind: $left"
done
