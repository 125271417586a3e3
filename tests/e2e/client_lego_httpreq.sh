#!/bin/sh
# lego's provider httpreq, as acmegw-clients(7) says, in both of its modes at the
# same time: four values at one name. Nothing stands between lego and the
# gateway, whose certificate is of its own making. Traefik, which Debian does not
# have, has lego within; Debian's caddy is built without DNS modules, and what
# such a one sends is in tests/dialect/httpreq.
if [ "${1-}" != mounts ]; then
	unshare -m true 2>/dev/null || { echo "no mount namespace to be had here" && exit 77; }
	exec unshare -m sh "$0" mounts
fi
. "${0%/*}/lib.sh"
. "${0%/*}/lib/clients.sh"
need lego pebble named dig curl

run_lego() { # NAME: T/NAME.sh
	HTTPREQ_POLLING_INTERVAL=1 sh -eu "$T/$1.sh" >>"$T/$1.log" 2>&1
}

both_modes() {
	cp "$T/$account/state/cert.pem" /usr/local/etc/acmegw/gateway.pem
	# Pebble's DNS is no public one, where lego could find the zone's name servers.
	block lego-httpreq | sed 's/--dns httpreq/& --dns.disable-cp/' >"$T/default.sh"
	{
		echo 'export HTTPREQ_MODE=RAW'
		sed 's|etc/lego|&-raw|; s|:[0-9]*$|&/any/prefix|' "$T/default.sh"
	} >"$T/raw.sh"
	run_lego default &
	_default=$!
	run_lego raw || fail "lego, RAW: status $?"
	wait "$_default" || fail "lego: status $?"
	issued=/usr/local/etc/lego-raw/certificates/example.test.crt
	check_issued "$account"
	issued=/usr/local/etc/lego/certificates/example.test.crt
	for _action in setup teardown; do
		_done=$(grep -c "user=web1 action=$_action name=example.test status=200" "$T/$account.log")
		[ "$_done" -eq 4 ] || fail "$_done times $_action, not 4"
	done
}

on_both both_modes
sed "s/PASSWORD=.*/PASSWORD=wrong/; s|etc/lego|&-refused|" "$T/default.sh" >"$T/refused.sh"
! run_lego refused || fail "a certificate by a wrong password"
logged refused '401.*the password of .web1. is wrong' || fail "lego does not say why"
