#!/bin/sh
# Where port 53 is closed: dnsdist's two resolvers over HTTPS are asked through a
# forward proxy, by CONNECT only. Name servers are at addresses that cannot be
# reached, as behind a firewall, so that `auto` takes that way by itself. What
# does not answer as it should is reported and passed over, BIND among it, which
# speaks HTTP/2 only.
if [ "${1-}" != alone ]; then
	unshare -n true 2>/dev/null || { echo "no network namespace to be had here" && exit 77; }
	exec unshare -n sh "$0" alone
fi
. "${0%/*}/lib.sh"
. "${0%/*}/lib/zones.sh"
. "${0%/*}/lib/squid.sh"
need named dnsdist squid nsupdate

make_ca
make_leaf doh DNS:localhost,IP:127.0.0.1
dns_secret=$(openssl rand -base64 32)

# A primary that the provider and the resolvers reach on an inner port, and the
# gateway's questions do not: its NS record leads to where nobody is.
servers_once() {
	inner_port=$(free_port) bind_port=$(free_port) one_port=$(free_port) two_port=$(free_port)
	mkdir -p "$T/primary" "$T/resolver" "$T/dnsdist"
	cat >"$T/primary/zone" <<-END
		\$TTL 60
		@ SOA ns1 hostmaster 1 60 60 3600 3
		@ NS ns1
		ns1 A 192.0.9.99
	END
	cat >"$T/primary/named.conf" <<-END
		options {
			directory "$T/primary"; pid-file none; lock-file none; session-keyfile none;
			listen-on port $inner_port { 127.0.0.1; }; listen-on-v6 { none; }; recursion no; dnssec-validation no;
		};
		controls { };
		key acmegw { algorithm hmac-sha256; secret "$dns_secret"; };
		zone example.test { type primary; file "zone"; update-policy { grant acmegw zonesub TXT; }; };
	END
	cat >"$T/resolver/named.conf" <<-END
		tls leaf { cert-file "$T/doh.pem"; key-file "$T/doh.key"; };
		http paths { endpoints { "/dns-query"; }; };
		options {
			directory "$T/resolver"; pid-file none; lock-file none; session-keyfile none;
			listen-on port $dns_port { 127.0.0.1; };
			listen-on port $bind_port tls leaf http paths { 127.0.0.1; };
			listen-on-v6 { none; }; recursion yes; dnssec-validation no; empty-zones-enable no;
		};
		controls { };
		zone example.test { type forward; forward only; forwarders { 127.0.0.1 port $inner_port; }; };
	END
	cat >"$T/dnsdist/conf" <<-END
		addDOHLocal("127.0.0.1:$one_port", "$T/doh.pem", "$T/doh.key", "/dns-query")
		addDOHLocal("127.0.0.1:$two_port", "$T/doh.pem", "$T/doh.key", "/dns-query")
		newServer({address = "127.0.0.1:$dns_port", checkName = "example.test.", checkType = "SOA"})
		setSecurityPollSuffix("")
	END
	start root primary named -g -c "$T/primary/named.conf"
	start root resolver named -g -c "$T/resolver/named.conf"
	within 10 serial "$dns_port" >/dev/null || return 1
	start root dnsdist dnsdist --supervised --config "$T/dnsdist/conf"
	for _port in "$one_port" "$two_port"; do
		within 10 curl -s --cacert "$T/ca.pem" -o "$T/answer" "https://localhost:$_port/dns-query" || return 1
	done
}
dns_port=$(free_port)
attempt servers_once

start_squid "$bind_port" "$one_port" "$two_port"

gateway() { # NAME DOH-URLS
	start_gateway "$1" env SSL_CERT_FILE="$T/ca.pem" "$acmegw" serve <<-END
		DNSAPI_MODULE = rfc2136
		DNSAPI_URL = 127.0.0.1:$inner_port
		DNSAPI_USERNAME = acmegw
		DNSAPI_PASSWORD = $dns_secret
		DNSAPI_DOMAINS = example.test
		ALLOWED_HOSTS = 127.0.0.1
		ALL_PROXY = http://127.0.0.1:$squid_port
		PROPAGATION = auto
		RESOLVERS = 127.0.0.1:$dns_port
		DOH_URLS = $2
	END
}

one=https://localhost:$one_port/dns-query two=https://localhost:$two_port/dns-query
gateway both "$one, $two"
set_up example.test "$value"
[ "$state" = visible ] || fail "$(cat "$T/report.log")"
for server in "$one" "$two"; do
	grep -q "\"seen\":true,\"server\":\"$server\"" "$T/report.log" || fail "$server was not asked: $(cat "$T/report.log")"
done
logged both 'DoH from now on' || fail "the log does not say that port 53 is closed"
cat "$T/report.log"
echo
take_down example.test "$value"
stop "$gw_pid"
for port in "$one_port" "$two_port"; do
	within 15 grep -q "CONNECT localhost:$port" "$T/squid/access.log" || fail "squid saw no CONNECT to $port"
done

# A path that is none, a port that the proxy does not let through, and BIND.
gateway wrong "$one, https://localhost:$two_port/nothing, https://localhost:1/dns-query, https://localhost:$bind_port/dns-query"
set_up example.test "$value"
[ "$state" = visible ] || fail "one good resolver is enough: $(cat "$T/report.log")"
for why in 'HTTP status 404' 'through the proxy [0-9.:]*: .*403' 'HTTP/2'; do
	grep -q "$why" "$T/report.log" || fail "it is not told what is wrong ($why): $(cat "$T/report.log")"
done
