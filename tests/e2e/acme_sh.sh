#!/bin/sh
# acme.sh, the operator's own copy of it: ACME_SH names the script, beside which
# its folder dnsapi is. With dns_acmeproxy, as acmegw-clients(7) says; and for a
# name that a CNAME delegates, whose target it asks for. What it sends is also in
# tests/dialect/httpreq.
if [ "${1-}" != mounts ]; then
	unshare -m true 2>/dev/null || { echo "no mount namespace to be had here" && exit 77; }
	exec unshare -m sh "$0" mounts
fi
. "${0%/*}/lib.sh"
. "${0%/*}/lib/clients.sh"
[ -n "${ACME_SH-}" ] || skip_foreign "ACME_SH names no acme.sh, and Debian has none"
[ -r "$ACME_SH" ] || fail "ACME_SH=$ACME_SH cannot be read"
need pebble named dig curl

# In the PATH, as it is when it is installed. It does not look for the record in
# the public DNS, and believes the gateway's own certificate.
install_acme_sh() {
	mkdir -p "$T/$account.acme.sh"
	ln -sf "$(cd "${ACME_SH%/*}" && pwd)/dnsapi" "$T/$account.acme.sh/dnsapi"
	cat "$T/ca.pem" "$T/$account/state/cert.pem" >"$T/bundle.pem"
	cat >/usr/local/bin/acme.sh <<-END
		#!/bin/sh
		exec sh "$ACME_SH" --home "$T/$account.acme.sh" --ca-bundle "$T/bundle.pem" "\$@" --force --dnssleep 1
	END
	chmod 755 /usr/local/bin/acme.sh
}

issue() {
	install_acme_sh
	block acme.sh >"$T/acme.sh.sh"
	sh -eu "$T/acme.sh.sh" >>"$T/acme_sh.log" 2>&1 || fail "acme.sh: status $?"
	issued=$T/$account.acme.sh/example.test_ecc/fullchain.cer
}

alias_mode() {
	ACMEPROXY_ENDPOINT=$gw ACMEPROXY_USERNAME=web1 ACMEPROXY_PASSWORD=$gw_password acme.sh --issue \
		--server "https://127.0.0.1:$acme_port/dir" --dns dns_acmeproxy --domain-alias a.acme.test \
		-d a.example.test -d '*.a.example.test' >>"$T/acme_sh.log" 2>&1 || fail "acme.sh, alias: status $?"
	issued "$T/$account.acme.sh/a.example.test_ecc/fullchain.cer" a.example.test
	for _action in setup teardown; do
		_done=$(grep -c "user=web1 action=$_action name=a.acme.test status=200" "$T/$account.log")
		[ "$_done" -eq 2 ] || fail "$_done times $_action at the target, not 2"
	done
}

on_both issue

start_delegating_bind bind_cname
account=delegating
install -d -o nobody "$T/$account"
add_user "$T/$account/acmepasswd" web1 "$gw_password"
start_gateway "$account" <<END
$(bind_account)
$(admission)
DNS_ALIAS = a.example.test=a.acme.test
END
start_pebble "$dns_port"
install_acme_sh
alias_mode
