#!/bin/sh
# The program is one static file: in a chroot with nothing but /etc/hosts and
# /etc/resolv.conf it resolves names by both, and checks certificates.
# Name servers in resolv.conf are asked on port 53, so the case runs in a
# network namespace of its own, where that port is free.
if [ "${1-}" != netns ] && unshare -n true 2>/dev/null; then
	exec unshare -n sh "$0" netns
fi
. "${0%/*}/lib.sh"
need ldd named dig ip
[ "${1-}" != netns ] || ip link set lo up

ldd "$acmegw" >"$T/ldd.log" 2>&1 || :
logged ldd 'statically linked|not a dynamic executable' || fail "not a static program"

make_ca
make_leaf gateway-tls DNS:hosts.gateway.test,DNS:dns.gateway.test nobody
start_embedded gateway <<END
SSL_CERT = $T/gateway-tls.pem
SSL_KEY = $T/gateway-tls.key
ALLOWED_HOSTS = 127.0.0.1
END

mkdir -p "$T/jail/etc"
cp "$acmegw" "$T/ca.pem" "$T/jail"
echo "127.0.0.1 hosts.gateway.test" >"$T/jail/etc/hosts"
echo "nameserver 127.0.0.1" >"$T/jail/etc/resolv.conf"

checks() { # GATEWAY-NAME [API_CA-LINE]: the hook's own check, in the chroot
	printf '%s\n' "API_URI = https://$1:${gw##*:}" "${2-}" >"$T/jail/hook.conf"
	chroot "$T/jail" /acmegw hook -e /hook.conf -n example.test >"$T/check.log" 2>&1
}

checks hosts.gateway.test "API_CA = /ca.pem" || fail "by /etc/hosts"
! checks hosts.gateway.test || fail "a certificate of an unknown authority was accepted"
logged check '[Cc]ertificate|[Ii]ssuer' || fail "the refusal does not speak of the certificate"

if [ "${1-}" = netns ]; then
	mkdir "$T/resolver"
	named_options resolver 53
	echo 'zone gateway.test { type primary; file "zone"; };' >>"$T/resolver/named.conf"
	cat >"$T/resolver/zone" <<-END
		\$TTL 60
		@ SOA ns hostmaster 1 60 60 3600 5
		@ NS ns
		ns A 127.0.0.1
		dns A 127.0.0.1
	END
	start root resolver named -g -c "$T/resolver/named.conf"
	await resolver 'running$'
	checks dns.gateway.test "API_CA = /ca.pem" || fail "by /etc/resolv.conf"
else
	skip "no network namespace here: only /etc/hosts was tried"
fi
