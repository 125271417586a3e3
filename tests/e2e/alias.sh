#!/bin/sh
# A zone that the gateway may not change delegates one challenge by a CNAME into
# a zone that it may. lego follows the CNAME and asks for its target, or sends
# the domain (RAW); the hook knows nothing of it. With BIND, where the gateway
# changes the target's zone, and with the embedded server, which is that zone.
. "${0%/*}/lib.sh"
need lego pebble named dig curl

make_ca
make_leaf leaf DNS:localhost,IP:127.0.0.1 nobody
chmod 644 "$T/leaf.pem"
settings() {
	cat <<-END
		DNS_ALIAS = a.example.test=a.acme.test
		ALLOWED_HOSTS = 127.0.0.1
		SSL_CERT = $T/leaf.pem
		SSL_KEY = $T/leaf.key
	END
}

# With $dns_port BIND's: lego in both modes at the same time, and then the hook.
delegated() { # NAME of the gateway
	start_pebble "$dns_port"
	lego_certificate "$1-default" httpreq a.example.test "HTTPREQ_ENDPOINT=$gw" \
		HTTPREQ_POLLING_INTERVAL=1 &
	_default=$!
	lego_certificate "$1-raw" httpreq a.example.test "HTTPREQ_ENDPOINT=$gw" \
		HTTPREQ_POLLING_INTERVAL=1 HTTPREQ_MODE=RAW
	wait "$_default" || fail "the default mode failed"
	# The one has followed the CNAME, the other has sent the domain.
	for _name in a.acme.test a.example.test; do
		_done=$(grep -c "action=setup name=$_name status=200" "$T/$1.log")
		[ "$_done" -eq 2 ] || fail "$_done times setup of $_name, not 2"
	done
	write_hook_conf <<-END
		API_URI = $gw
		API_CA = $T/ca.pem
		DNS_DELAY = 0
	END
	as www-data "$acmegw" hook -e "$T/acmegw-hook.conf" setup a.example.test "$value"
	within 5 through_cname "$value" || fail "the hook's value is not to be seen through the CNAME"
	as www-data "$acmegw" hook -e "$T/acmegw-hook.conf" teardown a.example.test "$value"
	within 5 nothing_at_target || fail "left behind: $_left"
}

through_cname() { # VALUE
	txt "$dns_port" a.example.test | grep -qF "$1"
}

nothing_at_target() {
	_left=$(dig +short +time=2 +tries=2 @127.0.0.1 -p "$dns_port" TXT a.acme.test) && [ -z "$_left" ]
}

start_delegating_bind bind
start_gateway bind-gateway <<END
$(bind_account)
$(settings)
END
delegated bind-gateway

start_embedded embedded-gateway <<END
DNS_ZONE = acme.test
$(settings)
END
start_delegating_bind resolver "forward; forward only; forwarders { 127.0.0.1 port $dns_port; };"
delegated embedded-gateway
