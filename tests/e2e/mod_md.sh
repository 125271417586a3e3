#!/bin/sh
# The main job: Apache gets a certificate for example.test and *.example.test
# through its hook, the gateway and BIND, and nothing is left in the zone.
# The gateway runs unprivileged from its first start on, which makes its
# self-signed pair; the hook knows that pair by its pin.
. "${0%/*}/lib.sh"
need apache2 pebble named dig curl

make_ca
start_bind
install -d -o nobody "$T/gateway"
add_user "$T/gateway/acmepasswd" apache "correct horse" || fail "passwd add"
start_gateway gateway <<END
$(bind_account)
BASIC_AUTH = required
ALLOWED_HOSTS = 127.0.0.1
PASSWD_FILE = acmepasswd
END
write_hook_conf <<END
API_URI = $gw
API_USER = apache
API_PASSWD = correct horse
API_PIN = $gw_pin
DNS_DELAY = 0
END

# Its key belongs to it alone.
key=$(grep -rl 'PRIVATE KEY' "$T/gateway/state") || fail "no key in STATE_DIR"
[ "$(stat -c %U:%a "$key")" = nobody:600 ] || fail "its key is $(stat -c %U:%a "$key")"
# The logged pin is that of the key which the gateway shows (an independent reckoning).
pin=$(openssl s_client -connect "${gw#https://}" </dev/null 2>"$T/s_client.log" |
	openssl x509 -noout -pubkey | openssl pkey -pubin -outform DER |
	openssl dgst -sha256 -binary | base64)
[ "$gw_pin" = "sha256//$pin" ] || fail "logged pin $gw_pin, the key's is sha256//$pin"

start_pebble "$dns_port"
start_httpd "${version:-2}" "$acmegw hook -e $T/acmegw-hook.conf"
await_issued
check_served

within 5 no_txt "$dns_port" || fail "left behind: $(txt "$dns_port")"
within 5 secondary_follows || fail "the secondary did not follow"
no_txt "$dns2_port" || fail "left behind on the secondary: $(txt "$dns2_port")"
for change in adding deleting; do # one for the domain, one for its wildcard
	count=$(grep -Ec "$change an RR at '?_acme-challenge.example.test'? TXT" "$T/primary.log") || :
	[ "$count" -eq 2 ] || fail "$change: $count changes in the zone, not 2"
done
