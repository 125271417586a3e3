#!/bin/sh
# lego's provider exec, in both of its modes, as acmegw-clients(7) says.
if [ "${1-}" != mounts ]; then
	unshare -m true 2>/dev/null || { echo "no mount namespace to be had here" && exit 77; }
	exec unshare -m sh "$0" mounts
fi
. "${0%/*}/lib.sh"
. "${0%/*}/lib/clients.sh"
need lego pebble named dig curl

default_mode() {
	block lego-exec >"$T/lego.sh"
	EXEC_MODE=${1-} EXEC_POLLING_INTERVAL=1 sh -eu "$T/lego.sh" >>"$T/lego.log" 2>&1 || fail "lego: status $?"
	issued=/usr/local/etc/lego/certificates/example.test.crt
}
raw_mode() {
	default_mode RAW
}

on_both default_mode raw_mode
