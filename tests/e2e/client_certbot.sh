#!/bin/sh
# certbot's manual hooks, both the same command, as acmegw-clients(7) says: two
# challenges at one name, the wait only after the last, and the cleanup known by
# what the auth hook printed.
if [ "${1-}" != mounts ]; then
	unshare -m true 2>/dev/null || { echo "no mount namespace to be had here" && exit 77; }
	exec unshare -m sh "$0" mounts
fi
. "${0%/*}/lib.sh"
. "${0%/*}/lib/clients.sh"
need certbot pebble named dig curl

issue() {
	own_folders /etc/letsencrypt /var/lib /var/log
	block certbot >"$T/certbot.sh"
	DNS_DELAY=1 sh -eu "$T/certbot.sh" >>"$T/certbot.log" 2>&1 || fail "certbot: status $?"
	issued=/etc/letsencrypt/live/example.test/cert.pem
	[ "$(waits)" -eq 1 ] || fail "the hook waited $(waits) times, not once at the last challenge"
	# Two lineages in one run: what the first one's auth hooks printed is still in
	# the environment of the second one's.
	certbot renew --force-renewal --no-random-sleep-on-renew >>"$T/certbot.log" 2>&1 || fail "renewal: status $?"
}

on_both issue
