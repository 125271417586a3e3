#!/bin/sh
# lego's httpreq, default and RAW mode, asks the gateway over TLS and with a
# password, and needs nothing in between: with a name server that takes dynamic
# updates, and with the embedded one. An apex and its wildcard are two values at
# one name. Traefik, which Debian does not have, has lego within; Debian's caddy
# is built without DNS modules, and what such a one sends is in
# tests/dialect/httpreq.
. "${0%/*}/lib.sh"
need lego pebble named dig curl

make_ca
make_leaf leaf DNS:localhost,IP:127.0.0.1 nobody
chmod 644 "$T/leaf.pem"
add_user "$T/acmepasswd" web1 'pass:word'
chown nobody "$T/acmepasswd"

settings() {
	cat <<-END
		BASIC_AUTH = required
		PASSWD_FILE = $T/acmepasswd
		SSL_CERT = $T/leaf.pem
		SSL_KEY = $T/leaf.key
	END
}

both_modes() { # NAME of the gateway; both at the same time, four values at one name
	lego_certificate "$1-default" httpreq example.test "HTTPREQ_ENDPOINT=$gw/any/prefix" \
		HTTPREQ_POLLING_INTERVAL=1 HTTPREQ_USERNAME=web1 HTTPREQ_PASSWORD=pass:word &
	_default=$!
	lego_certificate "$1-raw" httpreq example.test "HTTPREQ_ENDPOINT=$gw" HTTPREQ_MODE=RAW \
		HTTPREQ_POLLING_INTERVAL=1 HTTPREQ_USERNAME=web1 HTTPREQ_PASSWORD=pass:word
	wait "$_default" || fail "the default mode failed"
	for _action in setup teardown; do
		_done=$(grep -c "user=web1 action=$_action name=example.test status=200" "$T/$1.log")
		[ "$_done" -eq 4 ] || fail "$_done times $_action, not 4"
	done
	within 5 no_txt "$dns_port" || fail "left behind: $(txt "$dns_port")"
}

start_bind
start_gateway bind-gateway <<END
$(bind_account)
$(settings)
END
start_pebble "$dns_port"
both_modes bind-gateway
(lego_certificate refused httpreq example.test "HTTPREQ_ENDPOINT=$gw" \
	HTTPREQ_USERNAME=web1 HTTPREQ_PASSWORD=wrong) && fail "a certificate by a wrong password"
grep -q '401.*the password of .web1. is wrong' "$T/refused.log" || fail "lego does not say why"

start_embedded embedded-gateway <<END
$(settings)
END
start_pebble "$dns_port"
both_modes embedded-gateway
