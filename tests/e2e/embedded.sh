#!/bin/sh
# With the embedded DNS server the gateway needs no other name server: the CA
# asks the gateway itself for the challenge.
. "${0%/*}/lib.sh"
need apache2 pebble dig curl

make_ca
start_embedded gateway <<END
ALLOWED_HOSTS = 127.0.0.1
END
write_hook_conf <<END
API_URI = $gw
API_PIN = $gw_pin
DNS_DELAY = 0
END
start_pebble "$dns_port"
start_httpd 2 "$acmegw hook -e $T/acmegw-hook.conf"
await_issued
check_served
within 5 no_txt "$dns_port" || fail "left behind: $(txt "$dns_port")"

# The probe proves it too, as far as a gateway that does not look at name servers can say.
as www-data "$acmegw" probe -e "$T/acmegw-hook.conf" example.test >"$T/probe.log" 2>&1 || fail "acmegw probe"
grep -Eq '^example\.test +ok +ok +[0-9]+ ms +not checked +[0-9]+ ms$' "$T/probe.log" || fail "the probe's table"
no_txt "$dns_port" || fail "the canary is still there: $(txt "$dns_port")"
