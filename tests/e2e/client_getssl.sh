#!/bin/sh
# getssl, the operator's own copy of it: GETSSL names the script. Its commands
# are those of acmegw-clients(7).
if [ "${1-}" != mounts ]; then
	unshare -m true 2>/dev/null || { echo "no mount namespace to be had here" && exit 77; }
	exec unshare -m sh "$0" mounts
fi
. "${0%/*}/lib.sh"
. "${0%/*}/lib/clients.sh"
[ -n "${GETSSL-}" ] || skip_foreign "GETSSL names no getssl, and Debian has none"
[ -r "$GETSSL" ] || fail "GETSSL=$GETSSL cannot be read"
need bash pebble named dig curl

issue() {
	rm -rf "$T/getssl"
	mkdir -p "$T/getssl/example.test"
	{
		echo "CA=https://127.0.0.1:$acme_port/dir"
		echo "ACCOUNT_EMAIL=you@example.test"
		block getssl
		# Pebble's DNS is no public one, and nobody serves the certificate.
		echo "CHECK_REMOTE=false"
		echo "AUTH_DNS_SERVER=127.0.0.1"
		echo "DNS_CHECK_OPTIONS='-p $dns_port'"
	} >"$T/getssl/getssl.cfg"
	echo 'SANS="*.example.test"' >"$T/getssl/example.test/getssl.cfg"
	bash "$GETSSL" -w "$T/getssl" --nocheck example.test >>"$T/getssl.log" 2>&1 || fail "getssl: status $?"
	issued=$T/getssl/example.test/example.test.crt
}

on_both issue
