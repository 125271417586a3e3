#!/bin/sh
# dehydrated with and without HOOK_CHAIN, as acmegw-clients(7) says.
if [ "${1-}" != mounts ]; then
	unshare -m true 2>/dev/null || { echo "no mount namespace to be had here" && exit 77; }
	exec unshare -m sh "$0" mounts
fi
. "${0%/*}/lib.sh"
. "${0%/*}/lib/clients.sh"
need dehydrated pebble named dig curl

issue() { # HOOK_CHAIN WAITS
	own_folders /etc/dehydrated /var/lib/dehydrated
	block dehydrated-configuration | sed "s/yes/$1/" >/etc/dehydrated/config
	block dehydrated >"$T/dehydrated.sh"
	DNS_DELAY=1 sh -eu "$T/dehydrated.sh" >>"$T/dehydrated.log" 2>&1 || fail "dehydrated: status $?"
	issued=/etc/dehydrated/certs/example.test/cert.pem
	[ "$(waits)" -eq "$2" ] || fail "with HOOK_CHAIN=$1 the hook waited $(waits) times"
}
chained() { issue yes 1; }
one_by_one() { issue no 2; }

on_both chained one_by_one
