#!/bin/sh
# Knot in both ways: by dynamic updates with hmac-sha512, where another secret is told and changes
# nothing, and by its own knotc through exec.
. "${0%/*}/lib.sh"
need knotd knotc dig

secret=$(openssl rand -base64 64 | tr -d '\n')
knot_once() {
	dns_port=$(free_port)
	rm -rf "$T/knot"
	mkdir -p "$T/knot/db"
	cat >"$T/knot/zone" <<-END
		\$ORIGIN example.test.
		@ 60 SOA ns hostmaster 1 60 60 3600 5
		@ 60 NS ns
		ns 60 A 127.0.0.1
		_acme-challenge 60 TXT "of somebody else"
	END
	cat >"$T/knot/knot.conf" <<-END
		server:
		    rundir: "$T/knot"
		    listen: 127.0.0.1@$dns_port
		    user: nobody:$(id -gn nobody)
		log:
		  - target: stderr
		    any: info
		database:
		    storage: "$T/knot/db"
		key:
		  - id: acmegw
		    algorithm: hmac-sha512
		    secret: "$secret"
		acl:
		  - id: challenges
		    key: acmegw
		    action: [update, query]
		    update-type: [TXT]
		zone:
		  - domain: example.test
		    storage: "$T/knot"
		    file: zone
		    acl: challenges
	END
	chown -R nobody "$T/knot"
	start root knot knotd -c "$T/knot/knot.conf"
	within 10 serial "$dns_port" >/dev/null
}
attempt knot_once

gateway_for() { # NAME, settings from stdin
	{
		cat
		echo "DNSAPI_DOMAINS = example.test"
		echo "ALLOWED_HOSTS = 127.0.0.1"
	} >"$T/settings"
	start_gateway "$1" <"$T/settings"
	write_hook_conf <<-END
		API_URI = $gw
		API_PIN = $gw_pin
		DNS_DELAY = 0
	END
}
hook() { as www-data "$acmegw" hook -e "$T/acmegw-hook.conf" "$@"; }
holds() { # VALUE…, beside the one of somebody else
	_there=$(txt "$dns_port" | tr -d '"' | sort)
	_wanted=$(printf '%s\n' "of somebody else" "$@" | sort)
	[ "$_there" = "$_wanted" ] || fail "there is: $_there; not: $_wanted"
}
other=AFEDCBAZYXWVUTSRQPONMLKJIHGzyxwvutsrqponmlk
comes_and_goes() {
	for one in "$value" "$other" "$value"; do
		hook setup example.test "$one" || fail "$1: setup"
	done
	holds "$value" "$other"
	hook teardown example.test "$value" || fail "$1: teardown"
	holds "$other"
	hook teardown example.test "$other" || fail "$1: teardown"
	hook teardown example.test "$other" || fail "$1: teardown of what is gone"
	holds
}

rfc2136() { # SECRET
	cat <<-END
		DNSAPI_MODULE = rfc2136
		DNSAPI_URL = 127.0.0.1:$dns_port
		DNSAPI_USERNAME = acmegw
		DNSAPI_ALGORITHM = hmac-sha512
		DNSAPI_PASSWORD = $1
	END
}
rfc2136 "$secret" >"$T/account"
gateway_for updates <"$T/account"
comes_and_goes updates

rfc2136 "$(openssl rand -base64 64 | tr -d "\n")" >"$T/account"
gateway_for stranger <"$T/account"
! hook setup example.test "$value" || fail "another secret is taken"
logged stranger 'BADSIG|BADKEY' || fail "the log does not say that it is the key"
holds

cat >"$T/knotc-provider" <<-END
	#!/bin/sh
	# Sets or removes one TXT value by knotc, in a transaction of its own.
	set -eu
	knotc() { /usr/sbin/knotc -c "$T/knot/knot.conf" "\$@"; }
	case \$1 in setup) word=zone-set ttl=60 ;; *) word=zone-unset ttl= ;; esac
	knotc zone-begin example.test
	# What is there already, or gone, is an error to knotc and none to us.
	knotc \$word example.test "\$2." \$ttl TXT "\"\$3\"" || { knotc zone-abort example.test; exit 0; }
	knotc zone-commit example.test
END
chmod 755 "$T/knotc-provider"
gateway_for knotc <<-END
	DNSAPI_MODULE = exec
	DNSAPI_PROGRAM = $T/knotc-provider
END
comes_and_goes knotc
