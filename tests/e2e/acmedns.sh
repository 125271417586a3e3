#!/bin/sh
# acme-dns, with accounts that root has made: an apex and its wildcard. With BIND
# through rfc2136 no CNAME is needed; with the embedded server the name is a
# CNAME into DNS_ZONE. Nobody removes the values, and so they go by themselves.
# Debian builds lego without its provider acme-dns: here lego runs a program that
# does what that does with the storage file. acmedns_live has the clients' own.
. "${0%/*}/lib.sh"
. "${0%/*}/lib/acmedns.sh"
need lego pebble named dig curl

cp "$root/tests/e2e/lib/acmedns_client.py" "$T/client"

certificate_for() { # NAME STORAGE DOMAIN
	# lego would name the CNAME's target.
	lego_certificate "$1" exec "$3" EXEC_PATH="$T/client" EXEC_POLLING_INTERVAL=1 EXEC_SEQUENCE_INTERVAL=1 \
		LEGO_DISABLE_CNAME_SUPPORT=true ACME_DNS_STORAGE_PATH="$2" ACME_DNS_API_BASE="$gw/any/prefix"
}

make_pairs
start_with_bind
certificate_for bind "$T/bind.json" example.test
[ "$(txt "$dns_port" | wc -l)" -eq 2 ] || fail "the values are gone already: $(txt "$dns_port")"
updates bind-gateway 2
# After the next start their time is over.
stop "$gw_pid"
start_gateway bind-gateway <<END
$(bind_account)
$(settings)
CHALLENGE_TTL = 1
END
within 15 no_txt "$dns_port" || fail "left behind after CHALLENGE_TTL: $(txt "$dns_port")"

start_with_zone
certificate_for embedded "$T/embedded.json" a.example.test
updates embedded-gateway 2

# An account that is deleted is refused at once.
accounts embedded-gateway delete "$(field "$T/embedded.json" a.example.test username)"
(certificate_for deleted "$T/embedded.json" a.example.test) && fail "a certificate by a deleted account"
logged embedded-gateway 'status=401.*the key of the account' || fail "it does not say why"
