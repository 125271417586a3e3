#!/bin/sh
# Apache's mod_md with the lines of acmegw-clients(7), its events included.
if [ "${1-}" != mounts ]; then
	unshare -m true 2>/dev/null || { echo "no mount namespace to be had here" && exit 77; }
	exec unshare -m sh "$0" mounts
fi
. "${0%/*}/lib.sh"
. "${0%/*}/lib/clients.sh"
need apache2 pebble dig curl

md_settings() { block mod_md; }

gw_password="correct horse"
make_ca
account=embedded
start_account
start_pebble "$dns_port"
install_hook
chgrp www-data /usr/local/etc/acmegw/acmegw-hook.conf
chmod 640 /usr/local/etc/acmegw/acmegw-hook.conf
chown www-data "$T/hook.log"
start_httpd 2 'as the page says'
await_issued
check_served
within 5 no_txt "$dns_port" || fail "left behind: $(txt "$dns_port")"
logged hook 'event renewed example\.test' || fail "mod_md's events are not in the hook's log"
