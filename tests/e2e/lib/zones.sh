# What the cases with name servers of their own share. The gateway asks name
# servers at port 53 and at no other, and only at addresses of the Internet, so
# that these cases live in a network namespace (`unshare -n`), which is a small
# Internet of its own: addresses that are in nobody's special registry, and no
# way out.
# shellcheck shell=sh

need unbound dig curl ip
ip link set lo up

at() { # ADDRESS…: this machine has them from now on
	for _address; do
		# An IPv6 address that is still looked for elsewhere cannot be listened on.
		case $_address in *:*) _flag=nodad ;; *) _flag= ;; esac
		ip addr add "$_address" dev lo ${_flag:+"$_flag"} || fail "no address $_address"
	done
}

# A resolver at 127.0.0.1 port $dns_port that knows example.test, and ZONEs, at
# ADDRESS, and whatever is delegated from there. Validates where T/anchor is.
start_unbound() { # ADDRESS [ZONE…]
	attempt unbound_once "$@"
}

unbound_once() {
	dns_port=$(free_port)
	mkdir -p "$T/unbound"
	cat >"$T/unbound/conf" <<-END
		server:
			directory: "$T/unbound"
			username: ""
			chroot: ""
			pidfile: ""
			use-syslog: no
			do-daemonize: no
			interface: 127.0.0.1@$dns_port
			do-not-query-localhost: no
			local-zone: "test." nodefault
			module-config: "validator iterator"
			use-caps-for-id: yes
			$([ ! -e "$T/anchor" ] || echo "trust-anchor-file: \"$T/anchor\"")
		remote-control:
			control-enable: no
	END
	_stub=$1
	shift
	for _zone in example.test "$@"; do
		printf 'stub-zone:\n\tname: "%s"\n\tstub-addr: %s\n' "$_zone" "$_stub" >>"$T/unbound/conf"
	done
	start root unbound unbound -d -c "$T/unbound/conf"
	within 10 serial "$dns_port" >/dev/null
}

# BIND as primary at $first and secondary at $second of example.test, which tells
# its secondary after a pause of BIND's own (notify-delay, 5 seconds). TXT lines
# on stdin stand in the zone already.
lagging_pair() {
	mkdir -p "$T/primary" "$T/secondary"
	{
		cat <<-END
			\$TTL 60
			@ SOA ns1 hostmaster 1 60 60 3600 5
			@ NS ns1
			@ NS ns2
			ns1 A $first
			ns2 A $second
		END
		cat "$T/lines"
	} >"$T/primary/zone"
	authority primary "$first" "notify yes; notify-source $first;"
	cat >>"$T/primary/named.conf" <<-END
		key acmegw { algorithm hmac-sha256; secret "$dns_secret"; };
		zone example.test { type primary; file "zone"; update-policy { grant acmegw zonesub TXT; }; };
	END
	authority secondary "$second" "notify no; transfer-source $second;"
	cat >>"$T/secondary/named.conf" <<-END
		zone example.test { type secondary; file "zone"; primaries { $first; }; };
	END
	start root primary named -g -c "$T/primary/named.conf"
	within 10 knows "$first" || return 1
	start root secondary named -g -c "$T/secondary/named.conf"
	within 10 knows "$second"
}

authority() { # NAME ADDRESS [STATEMENT]: T/NAME/named.conf of a server without recursion
	mkdir -p "$T/$1"
	cat >"$T/$1/named.conf" <<-END
		options {
			directory "$T/$1"; pid-file none; lock-file none; session-keyfile none;
			listen-on port 53 { $2; }; listen-on-v6 { none; };
			recursion no; dnssec-validation no; allow-transfer { any; }; ${3-}
		};
		controls { };
	END
}

knows() { # ADDRESS [ZONE]: is it authoritative?
	dig +time=1 +tries=1 +norecurse "@$1" SOA "${2:-example.test}" | grep -q 'flags:.* aa'
}

# What the gateway needs to look at those servers.
looking() {
	cat <<-END
		PROPAGATION = auto
		RESOLVERS = 127.0.0.1:$dns_port
	END
}

# Asks the gateway, as a client that is no hook of ours would; waits for the end of `pending`.
set_up() { # DOMAIN VALUE [SECONDS]: leaves $location and $state; with SECONDS it may remain pending
	curl -sk -D "$T/head" -o "$T/answer.log" "$gw" \
		-d "{\"argument\":\"setup\",\"domain_name\":\"$1\",\"challenge_content\":\"$2\"}" || fail "no answer"
	location=$(sed -n 's/^Location: \(.*\)\r$/\1/p' "$T/head")
	[ -n "$location" ] || fail "no Location: $(cat "$T/head" "$T/answer.log")"
	state=pending
	within "${3:-60}" decided || [ $# -eq 3 ] || fail "still pending: $(cat "$T/report.log")"
}

decided() {
	curl -sk -o "$T/report.log" "$gw$location" || fail "no report"
	state=$(sed -n 's/.*"state":"\([a-z]*\)".*/\1/p' "$T/report.log")
	[ "$state" != pending ]
}

take_down() { # DOMAIN VALUE
	curl -sk -o "$T/answer.log" "$gw" \
		-d "{\"argument\":\"teardown\",\"domain_name\":\"$1\",\"challenge_content\":\"$2\"}" || fail "no answer"
}
