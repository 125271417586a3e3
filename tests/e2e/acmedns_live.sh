#!/bin/sh
# acme-dns with the operator's own clients, an apex and its wildcard each, as
# acmegw-clients(7) says: ACME_SH names acme.sh, beside which its folder dnsapi
# is, and LEGO a lego that has the provider acme-dns, which Debian's has not.
# Both ways of an account; with the embedded server the name has a CNAME.
if [ "${1-}" != mounts ]; then
	unshare -m true 2>/dev/null || { echo "no mount namespace to be had here" && exit 77; }
	exec unshare -m sh "$0" mounts
fi
. "${0%/*}/lib.sh"
. "${0%/*}/lib/clients.sh"
. "${0%/*}/lib/acmedns.sh"
[ -n "${ACME_SH-}${LEGO-}" ] || skip_foreign "neither ACME_SH nor LEGO names a client of acme-dns, and Debian has none"
need pebble named dig curl

mkdir "$T/bin"
[ -z "${LEGO-}" ] || cp "$LEGO" "$T/bin/lego"
if [ -n "${ACME_SH-}" ]; then
	cp "$ACME_SH" "$T/bin/acme.sh"
	cp -r "${ACME_SH%/*}/dnsapi" "$T/dnsapi"
fi
PATH=$T/bin:$T:$PATH
# What the blocks of other clients have, and these have not.
gw_password='' gw_pin=''

account_block() { # NAME: a block for $domain, with the account's credentials
	block "$1" >"$T/page"
	sed -e "s/example\\.test/$domain/g" \
		-e "s/eabcdb41-d89f-4580-826f-3e62e9755ef2/$(field "$T/account.json" "$domain" username)/" \
		-e "s/pbAXVjlIOE01xbut7YnAbkhMQIkcwoHO0ek2j4Q0/$(field "$T/account.json" "$domain" password)/" \
		-e "s/d420c923-bbd7-4056-ab64-c3ca54c9b3cf/$(field "$T/account.json" "$domain" subdomain)/" "$T/page"
}

clients() { # GATEWAY STORAGE DOMAIN
	domain=$3 _updates=0
	cp "$2" "$T/account.json"
	# acme.sh's account is with this Pebble only.
	mkdir -p "$T/$1.client/.acme.sh"
	cd "$T/$1.client"
	if [ -n "${LEGO-}" ]; then
		own_folders /usr/local
		mkdir -p /usr/local/etc/lego
		cp "$2" /usr/local/etc/lego/acme-dns.json
		account_block lego-acme-dns | sed 's/--path/--dns.disable-cp --path/' >lego.sh
		sh -eu lego.sh >>"$T/lego.log" 2>&1 || fail "lego: no certificate"
		issued "/usr/local/etc/lego/certificates/$domain.crt" "$domain"
		_updates=2
	fi
	if [ -n "${ACME_SH-}" ]; then
		ln -s "$T/dnsapi" .acme.sh/dnsapi
		account_block acme.sh-acmedns >acme.sh
		HOME=$PWD sh -eu acme.sh >>"$T/acme_sh.log" 2>&1 || fail "acme.sh: no certificate"
		issued ".acme.sh/${domain}_ecc/fullchain.cer" "$domain"
		_updates=$((_updates + 2))
	fi
	updates "$1" "$_updates"
}

make_pairs
mount --bind "$T/ca.pem" /etc/ssl/certs/ca-certificates.crt
start_with_bind
# What the page says about making an account makes one.
block acmedns-add >"$T/add.sh"
(cd "$T" && DOTENV=$T/bind-gateway.root sh -eu add.sh) || fail "no account by acmedns-add"
clients bind-gateway "$T/acme-dns.json" example.test
start_with_zone
clients embedded-gateway "$T/embedded.json" a.example.test
