#!/bin/sh
# acme-dns with the operator's own clients: ACME_SH names acme.sh, beside which
# its folder dnsapi is, and LEGO a lego that has the provider acme-dns, which
# Debian's has not. Each gets an apex and its wildcard, both ways of an account.
. "${0%/*}/lib.sh"
. "${0%/*}/lib/acmedns.sh"
[ -n "${ACME_SH-}${LEGO-}" ] || skip_foreign "neither ACME_SH nor LEGO names a client of acme-dns, and Debian has none"
need pebble named dig curl
if [ -n "${LEGO-}" ]; then
	mkdir "$T/bin"
	ln -s "$LEGO" "$T/bin/lego"
	PATH=$T/bin:$PATH
fi
acme_sh() { # STORAGE DOMAIN
	# Its account is with this Pebble only.
	_home=$T/acme.sh-$2
	mkdir "$_home"
	ln -s "$(cd "${ACME_SH%/*}" && pwd)/dnsapi" "$_home/dnsapi"
	env ACMEDNS_BASE_URL="$gw" ACMEDNS_USERNAME="$(field "$1" "$2" username)" \
		ACMEDNS_PASSWORD="$(field "$1" "$2" password)" ACMEDNS_SUBDOMAIN="$(field "$1" "$2" subdomain)" \
		sh "$ACME_SH" --issue --home "$_home" --server "https://127.0.0.1:$acme_port/dir" \
		--ca-bundle "$T/ca.pem" --dns dns_acmedns --dnssleep 1 -d "$2" -d "*.$2" \
		>>"$T/acme_sh.log" 2>&1 || fail "acme.sh: no certificate"
	issued "$_home/$2_ecc/fullchain.cer" "$2"
}

clients() { # GATEWAY STORAGE DOMAIN
	_expected=0
	if [ -n "${LEGO-}" ]; then
		lego_certificate "$1-lego" acme-dns "$3" ACME_DNS_API_BASE="$gw" ACME_DNS_STORAGE_PATH="$2"
		_expected=2
	fi
	if [ -n "${ACME_SH-}" ]; then
		acme_sh "$2" "$3"
		_expected=$((_expected + 2))
	fi
	updates "$1" "$_expected"
}

make_pairs
start_with_bind
clients bind-gateway "$T/bind.json" example.test
start_with_zone
clients embedded-gateway "$T/embedded.json" a.example.test
