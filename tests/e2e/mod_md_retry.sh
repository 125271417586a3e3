#!/bin/sh
# A gateway that is away for a moment is waited for by the hook itself; one that
# refuses makes the hook fail at once, with a line that Apache logs; mod_md then
# tries again, and succeeds once the cause is mended (here: the user is added,
# without a restart of the gateway, which shows a certificate of a private CA).
. "${0%/*}/lib.sh"
need apache2 pebble named dig curl

make_ca
make_leaf gateway-tls IP:127.0.0.1 nobody
port=$(free_port)
write_hook_conf <<END
API_URI = https://127.0.0.1:$port
API_USER = apache
API_PASSWD = correct horse
API_CA = $T/ca.pem
DNS_DELAY = 0
END
start_bind
start_pebble "$dns_port"
start_httpd 2 "$acmegw hook -e $T/acmegw-hook.conf"

await httpd 'dns-01 setup command: '
sleep 2
! logged httpd 'dns-01 setup command returns' || fail "the hook did not wait for a gateway that is away"

install -d -o nobody "$T/gateway"
add_user "$T/gateway/acmepasswd" somebody "else" || fail "passwd add"
start_gateway gateway <<END
$(bind_account)
LISTEN = 127.0.0.1:$port
SSL_CERT = $T/gateway-tls.pem
SSL_KEY = $T/gateway-tls.key
BASIC_AUTH = required
ALLOWED_HOSTS = 127.0.0.1
PASSWD_FILE = acmepasswd
END
await httpd '\[md:info\].*401' 40
no_txt "$dns_port" || fail "a refused request changed the zone"

add_user "$T/gateway/acmepasswd" apache "correct horse" || fail "passwd add"
await_issued
check_served
within 5 no_txt "$dns_port" || fail "left behind: $(txt "$dns_port")"
