#!/bin/sh
# What cannot be written down is not set: with a full disk below STATE_DIR a
# setup is answered with 507 and changes nothing, with a read-only one with 500;
# a teardown is carried out all the same, and with room again everything is as
# before.
# The small disk is mounted in a namespace of the case's own.
if [ "${1-}" != mounts ]; then
	unshare -m true 2>/dev/null || { echo "no mount namespace to be had here" && exit 77; }
	exec unshare -m sh "$0" mounts
fi
. "${0%/*}/lib.sh"
need curl dig mount

mkdir "$T/small"
mount -t tmpfs -o size=128k,mode=0700,uid=nobody tmpfs "$T/small" || skip "no tmpfs can be mounted"
start_embedded gateway <<END
STATE_DIR = $T/small
ALLOWED_HOSTS = 127.0.0.1
END

ask() { # ARGUMENT VALUE: prints the status
	curl -sk --max-time 20 -o "$T/answer" -w '%{http_code}' --json \
		"{\"argument\":\"$1\",\"domain_name\":\"example.test\",\"challenge_content\":\"$2\"}" "$gw"
}
other=$(echo "$value" | tr 0-9 A-J)

[ "$(ask setup "$value")" = 201 ] || fail "setup with room: $(cat "$T/answer")"
dd if=/dev/zero of="$T/small/filler" bs=1k 2>/dev/null || : # until it is full
status=$(ask setup "$other")
[ "$status" = 507 ] || fail "setup on a full disk: $status $(cat "$T/answer")"
grep -q 'disk is full' "$T/answer" || fail "the answer does not say so: $(cat "$T/answer")"
[ "$(txt "$dns_port")" = "\"$value\"" ] || fail "something was changed: $(txt "$dns_port")"
[ "$(ask teardown "$value")" = 200 ] || fail "teardown on a full disk: $(cat "$T/answer")"
no_txt "$dns_port" || fail "left behind: $(txt "$dns_port")"
rm "$T/small/filler"
[ "$(ask setup "$other")" = 201 ] || fail "setup with room again: $(cat "$T/answer")"

# Only the ledger: the gateway holds its lock beside it, open for writing.
mount --bind "$T/small/ledger" "$T/small/ledger"
mount -o remount,ro,bind "$T/small/ledger"
status=$(ask setup "$value")
[ "$status" = 500 ] || fail "setup on a read-only disk: $status $(cat "$T/answer")"
grep -q 'nothing was changed' "$T/answer" || fail "the answer does not say so: $(cat "$T/answer")"
await gateway 'cannot be written down in STATE_DIR .Read-only'
[ "$(txt "$dns_port")" = "\"$other\"" ] || fail "something was changed: $(txt "$dns_port")"
[ "$(ask teardown "$other")" = 200 ] || fail "teardown on a read-only disk: $(cat "$T/answer")"
no_txt "$dns_port" || fail "left behind: $(txt "$dns_port")"
umount "$T/small/ledger"
[ "$(ask setup "$value")" = 201 ] || fail "setup on a disk that can be written again: $(cat "$T/answer")"
umount -l "$T/small"
