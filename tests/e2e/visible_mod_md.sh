#!/bin/sh
# Apache with mod_md through the hook, ten names in one certificate, one of them
# a wildcard. The zone's secondary lags, as BIND does by itself, and the CA asks
# the secondary: the hook waits as long as that takes, and no longer.
if [ "${1-}" != alone ]; then
	unshare -n true 2>/dev/null || { echo "no network namespace to be had here" && exit 77; }
	exec unshare -n sh "$0" alone
fi
. "${0%/*}/lib.sh"
. "${0%/*}/lib/zones.sh"
need apache2 pebble named

md_names="example.test *.example.test"
for n in 1 2 3 4 5 6 7 8; do md_names="$md_names www$n.sub.example.test"; done

make_ca
dns_secret=$(openssl rand -base64 32)
: >"$T/lines"
first=192.0.9.1 second=192.0.9.2
at "$first" "$second"
lagging_pair || fail "BIND does not start"
start_unbound "$first"
start_pebble "$second:53"
start_gateway gateway <<END
DNSAPI_MODULE = rfc2136
DNSAPI_URL = $first
DNSAPI_USERNAME = acmegw
DNSAPI_PASSWORD = $dns_secret
DNSAPI_DOMAINS = example.test
ALLOWED_HOSTS = 127.0.0.1
PROPAGATION = direct
RESOLVERS = 127.0.0.1:$dns_port
END
write_hook_conf <<END
API_URI = $gw
API_PIN = $gw_pin
DNS_UNCONFIRMED = fail
END

began=$(date +%s)
start_httpd 2 "$acmegw hook -e $T/acmegw-hook.conf"
await httpd 'example\.test.*changes will be activated' 150
took=$(($(date +%s) - began))
check_served
count=$(grep -c 'the name servers show it after' "$T/hook.log")
[ "$count" -eq 10 ] || fail "$count waits, not 10: $(cat "$T/hook.log")"
! grep -q 'warning' "$T/hook.log" || fail "$(cat "$T/hook.log")"
grep -q '_acme-challenge' "$T/primary.log" || fail "nothing was changed"
gone_from() { [ -z "$(dig +short +norecurse "@$1" TXT _acme-challenge.example.test)" ]; }
within 5 gone_from "$first" || fail "left behind"
echo "ten names in one certificate: $took s; with the predecessor's DNS_DELAY = 300: $((10 * 300)) s"
