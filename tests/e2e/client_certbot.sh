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
	# A second certificate, and both renewed in one run: what the auth hooks of the
	# first printed is then in the environment of those of the second.
	sh -eu -c "$(sed 's/certonly/certonly --cert-name second/' "$T/certbot.sh")" >>"$T/certbot.log" 2>&1 ||
		fail "a second certificate: status $?"
	certbot renew --force-renewal --no-random-sleep-on-renew >>"$T/certbot.log" 2>&1 || fail "renewal: status $?"
	[ "$(grep -c 'setup example.test: done' "$T/hook.log")" -eq 8 ] || fail "not every auth hook was one"
}

on_both issue
