# What the cases of acme-dns clients share: both ways in which an account's value
# becomes a record, and accounts as `acmegw acmedns add` prints them, in T/*.json.
# shellcheck shell=sh

# Root makes accounts in the gateway's folder, and the gateway's user owns them.
# The configuration is the gateway's, in a file that root can trust.
accounts() { # GATEWAY WORDS…: the storage file on standard output
	_gateway=$1
	shift
	cp "$T/$_gateway/dotenv" "$T/$_gateway.root"
	"$acmegw" acmedns -e "$T/$_gateway.root" "$@" 2>>"$T/acmedns.log" || fail "acmedns $*"
}

field() { # STORAGE DOMAIN FIELD
	python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))[sys.argv[2]][sys.argv[3]])' "$@"
}

settings() {
	cat <<-END
		ALLOWED_HOSTS = 127.0.0.1
		SSL_CERT = $T/leaf.pem
		SSL_KEY = $T/leaf.key
	END
}

make_pairs() {
	make_ca
	make_leaf leaf DNS:localhost,IP:127.0.0.1 nobody
	chmod 644 "$T/leaf.pem"
}

# BIND through rfc2136, where the account's place is the challenge name of
# example.test: nothing is to be changed in the zone. Leaves T/bind.json.
start_with_bind() {
	start_bind
	start_gateway bind-gateway <<-END
		$(bind_account)
		$(settings)
	END
	accounts bind-gateway add example.test >"$T/bind.json"
	_owners=$(find "$T/bind-gateway/state/acmedns" -exec stat -c %U:%a {} + | sort -u | tr '\n' ' ')
	[ "$_owners" = "nobody:600 nobody:700 " ] || fail "the accounts are $_owners"
	logged acmedns 'example\.test: nothing is to be changed in the DNS' || fail "it asks for a CNAME"
	start_pebble "$dns_port"
}

# The embedded server with DNS_ZONE, and a BIND that nobody may change, with the
# CNAME that `acmedns add` asks for. Leaves T/embedded.json, for a.example.test.
start_with_zone() {
	start_embedded embedded-gateway <<-END
		DNS_ZONE = acme.test
		$(settings)
	END
	accounts embedded-gateway add a.example.test >"$T/embedded.json"
	cname=$(sed -n 's/.*put into its zone: _acme-challenge\.a\.example\.test\. CNAME \(.*\)\.$/\1/p' "$T/acmedns.log")
	[ "$cname" = "$(field "$T/embedded.json" a.example.test fulldomain)" ] || fail "it asks for a CNAME to '$cname'"
	start_delegating_bind resolver "forward; forward only; forwarders { 127.0.0.1 port $dns_port; };" "$cname"
	start_pebble "$dns_port"
}

# So often was a value set, always by the account. In the log it is its subdomain.
updates() { # GATEWAY COUNT
	_all=$(grep -c 'action=setup' "$T/$1.log") || :
	_done=$(grep -Ec 'user=[0-9a-f-]{36} action=setup name=[0-9a-f-]{36} status=200' "$T/$1.log") || :
	[ "$_done $_all" = "$2 $2" ] || fail "$_done of $_all times set by the account, not $2 of $2"
}
