# What the end-to-end cases share: a private folder, processes that are ended
# by their pid whatever happens, bounded waiting, and one function to start
# each peer. Sourced by every case; it leaves these names for them:
#   $root     the checkout            $T        the case's folder; T/*.log is shown on failure
#   $acmegw   the program under test, copied to where every user can reach it
#   $value    a challenge's value, for the cases that call the hook themselves
# shellcheck shell=sh
set -eu

root=$(cd "${0%/*}/../.." && pwd)
: "${ACMEGW:=$root/target/release/acmegw}"
case $ACMEGW in /*) ;; *) ACMEGW=$PWD/$ACMEGW ;; esac

# acmegw reads its settings from the environment too, and the proxies and
# roots of the machine are there: a case begins with none of them.
if [ -z "${E2E_CLEAN-}" ]; then
	exec env -i E2E_CLEAN=1 HOME="${HOME:-/}" TMPDIR="${TMPDIR:-/tmp}" \
		PATH="$PATH:/usr/sbin:/sbin" ACMEGW="$ACMEGW" \
		ACME_SH="${ACME_SH:-${ACMESH_HOME:+$ACMESH_HOME/acme.sh}}" \
		LEGO="${LEGO-}" GETSSL="${GETSSL-}" sh "$0" "$@"
fi

skip() {
	echo "$*"
	exit 77
}

# For what is no package of Debian: missing, it is a skip with E2E=require too.
skip_foreign() {
	echo "$*"
	exit 78
}

fail() {
	echo "FAILED: $*"
	exit 1
}

need() { # PROGRAM…
	for program; do
		command -v "$program" >/dev/null || skip "$program is not installed"
	done
}

[ "$(id -u)" -eq 0 ] || skip "not root: the peers run as users of their own"
need openssl python3 setpriv
[ -x "$ACMEGW" ] || fail "no program at $ACMEGW: run make, or set ACMEGW"

# A digest as a client would send it: 32 bytes in base64url.
value=0123456789abcdefghijklmnopqrstuvwxyzABCDEFA

pids=
finish() {
	status=$?
	trap - EXIT
	trap '' HUP INT TERM
	# shellcheck disable=SC2086 # a list of numbers
	[ -z "$pids" ] || stop $pids
	if [ $status -ne 0 ] && [ $status -ne 77 ] && [ $status -ne 78 ]; then
		for log in "$T"/*.log; do
			[ -s "$log" ] || continue
			echo "--- ${log##*/}, its end"
			tail -n 40 "$log"
		done
	fi
	rm -rf "$T"
	exit $status
}

T=$(mktemp -d "${TMPDIR:-/tmp}/e2e.XXXXXX")
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' HUP TERM
chmod 755 "$T"
cp "$ACMEGW" "$T/acmegw"
acmegw=$T/acmegw

### Processes and waiting

as() { # USER COMMAND…
	_user=$1
	shift
	setpriv --reuid="$_user" --regid="$(id -g "$_user")" --clear-groups -- "$@"
}

start() { # USER NAME COMMAND…: in the background; output in NAME.log, pid in $pid
	_user=$1 _log=$T/$2.log
	shift 2
	setpriv --reuid="$_user" --regid="$(id -g "$_user")" --clear-groups -- "$@" \
		>>"$_log" 2>&1 </dev/null &
	pid=$!
	pids="$pid $pids"
}

stop() { # PID…: TERM, and KILL for what is still there after some seconds
	kill "$@" 2>/dev/null || :
	if ! within 8 gone "$@"; then
		kill -KILL "$@" 2>/dev/null || :
	fi
	wait "$@" 2>/dev/null || :
}

gone() { # PID…
	for _pid; do
		! kill -0 "$_pid" 2>/dev/null || return 1
	done
}

within() { # SECONDS COMMAND…: is it true before the time is over?
	_end=$(($(date +%s) + $1))
	shift
	until "$@"; do
		[ "$(date +%s)" -lt "$_end" ] || return 1
		sleep 0.1
	done
}

logged() { # NAME PATTERN
	grep -Eq -- "$2" "$T/$1.log" 2>/dev/null
}

await() { # NAME PATTERN [SECONDS]: a line in NAME.log
	within "${3:-15}" logged "$1" "$2" || fail "$1.log never said: $2"
}

# A port that is free for TCP and UDP, below the range from which the kernel
# takes ports for outgoing connections: those would grab it in between.
free_port() {
	python3 -c '
import random, socket
for port in random.sample(range(10240, 32768), 50):
    try:
        for kind in socket.SOCK_STREAM, socket.SOCK_DGRAM:
            with socket.socket(socket.AF_INET, kind) as s:
                s.bind(("127.0.0.1", port))
    except OSError:
        continue
    print(port)
    break
'
}

# Another process may still have been quicker: three tries, new ports each.
attempt() { # FUNCTION [ARGUMENT…], which leaves the pids it started in $pids
	for _try in 1 2 3; do
		_before=$pids
		! "$@" || return 0
		# shellcheck disable=SC2046 # a list of numbers
		stop $(for _pid in $pids; do
			case " $_before " in *" $_pid "*) ;; *) echo "$_pid" ;; esac
		done)
		pids=$_before
	done
	fail "$* failed three times"
}

### Certificates

certificate() { # OUT SUBJECT EXTENSION… [-- OPENSSL-OPTION…]: T/OUT.pem and T/OUT.key
	_out=$T/$1 _subject=$2
	shift 2
	# A configuration of our own: the system's one makes every certificate a CA.
	printf '[req]\ndistinguished_name=dn\nx509_extensions=ext\n[dn]\n[ext]\n' >"$_out.cnf"
	while [ $# -gt 0 ] && [ "$1" != -- ]; do
		echo "$1" >>"$_out.cnf"
		shift
	done
	[ $# -eq 0 ] || shift
	openssl req -x509 -config "$_out.cnf" -newkey ec -pkeyopt ec_paramgen_curve:P-256 \
		-nodes -days 2 -subj "/CN=$_subject" -keyout "$_out.key" -out "$_out.pem" "$@" \
		2>"$T/openssl.log" || fail "openssl made no certificate for $_subject"
	chmod 644 "$_out.pem"
}

make_ca() { # T/ca.pem
	certificate ca "e2e authority" basicConstraints=critical,CA:TRUE keyUsage=critical,keyCertSign
}

make_leaf() { # NAME ALTNAMES [OWNER]: T/NAME.pem and T/NAME.key, signed by T/ca.pem
	certificate "$1" "$1" basicConstraints=critical,CA:FALSE "subjectAltName=$2" \
		-- -CA "$T/ca.pem" -CAkey "$T/ca.key"
	chown "${3:-root}" "$T/$1.key"
}

### The DNS

# BIND as primary ($dns_port) and secondary ($dns2_port) of example.test; the
# key acmegw ($dns_secret) may change TXT records and nothing else.
start_bind() {
	dns_secret=$(openssl rand -base64 32)
	attempt bind_pair
}

bind_pair() {
	dns_port=$(free_port) dns2_port=$(free_port)
	mkdir -p "$T/primary" "$T/secondary"
	cat >"$T/primary/zone" <<-END
		\$TTL 60
		@ SOA ns hostmaster 1 60 60 3600 5
		@ NS ns
		ns A 127.0.0.1
	END
	named_options primary "$dns_port" "also-notify { 127.0.0.1 port $dns2_port; };"
	cat >>"$T/primary/named.conf" <<-END
		key acmegw { algorithm hmac-sha256; secret "$dns_secret"; };
		zone example.test { type primary; file "zone"; update-policy { grant acmegw zonesub TXT; }; };
	END
	named_options secondary "$dns2_port"
	cat >>"$T/secondary/named.conf" <<-END
		zone example.test { type secondary; file "zone"; primaries { 127.0.0.1 port $dns_port; }; };
	END
	start root primary named -g -c "$T/primary/named.conf"
	start root secondary named -g -c "$T/secondary/named.conf"
	within 10 serial "$dns_port" >/dev/null && within 10 secondary_follows
}

named_options() { # FOLDER PORT [STATEMENT]
	cat >"$T/$1/named.conf" <<-END
		options {
			directory "$T/$1"; pid-file none; lock-file none; session-keyfile none;
			listen-on port $2 { 127.0.0.1; }; listen-on-v6 { none; };
			recursion no; dnssec-validation no;
			allow-transfer { 127.0.0.1; }; notify explicit; notify-delay 0; ${3-}
		};
		controls { };
	END
}

serial() { # PORT
	dig +short +time=1 +tries=1 @127.0.0.1 -p "$1" SOA example.test | awk '$3 ~ /^[0-9]+$/ { print $3; n = 1 } END { exit !n }'
}

secondary_follows() {
	[ "$(serial "$dns_port")" = "$(serial "$dns2_port")" ]
}

txt() { # PORT [NAME]: the values at _acme-challenge.NAME, one a line; fails when nobody answers
	dig +short +time=2 +tries=2 @127.0.0.1 -p "$1" TXT "_acme-challenge.${2:-example.test}"
}

no_txt() { # PORT [NAME]
	_txt=$(txt "$@") && [ -z "$_txt" ]
}

# BIND ($dns_port) with example.test, which nobody may change, and in it a CNAME
# from a's challenge to a.acme.test, or another TARGET. The key acmegw may change
# TXT records of acme.test, unless a zone of another TYPE is given for it.
start_delegating_bind() { # NAME [TYPE [TARGET]]
	dns_secret=$(openssl rand -base64 32)
	_ours='primary; file "dynamic"; update-policy { grant acmegw zonesub TXT; };'
	attempt delegating_bind "$1" "${2-$_ours}" "${3-a.acme.test}"
}

delegating_bind() {
	dns_port=$(free_port)
	mkdir -p "$T/$1"
	cat >"$T/$1/static" <<-END
		\$TTL 60
		@ SOA ns hostmaster 1 60 60 3600 5
		@ NS ns
		ns A 127.0.0.1
		_acme-challenge.a CNAME $3.
	END
	sed /CNAME/d "$T/$1/static" >"$T/$1/dynamic"
	cat >"$T/$1/named.conf" <<-END
		options {
			directory "$T/$1"; pid-file none; lock-file none; session-keyfile none;
			listen-on port $dns_port { 127.0.0.1; }; listen-on-v6 { none; };
			recursion yes; allow-recursion { 127.0.0.1; }; dnssec-validation no; max-ncache-ttl 1;
		};
		controls { };
		key acmegw { algorithm hmac-sha256; secret "$dns_secret"; };
		zone example.test { type primary; file "static"; };
		zone acme.test { type $2 };
	END
	start root "$1" named -g -c "$T/$1/named.conf"
	within 10 serial "$dns_port" >/dev/null
}

bind_account() { # the gateway's settings for it
	cat <<-END
		DNSAPI_MODULE = rfc2136
		DNSAPI_URL = 127.0.0.1:$dns_port
		DNSAPI_USERNAME = acmegw
		DNSAPI_PASSWORD = $dns_secret
		DNSAPI_DOMAINS = example.test
	END
}

### The gateway, its users and the hook

# A gateway (`acmegw serve`, or the COMMAND given) that runs as nobody in a
# folder NAME of its own. Its dotenv comes from stdin; of two lines the last one
# counts, so a case may name another LISTEN. Leaves $gw_conf, $gw_pid, $gw (its
# address) and $gw_pin (that of a self-signed pair, as it logs it).
start_gateway() { # NAME [COMMAND…]
	_name=$1
	shift
	[ $# -gt 0 ] || set -- "$acmegw" serve
	gw_conf=$T/$_name/dotenv
	mkdir -p "$T/$_name"
	install -d -m 700 "$T/$_name/state"
	{
		echo "LISTEN = 127.0.0.1:0"
		echo "STATE_DIR = $T/$_name/state"
		cat
	} >"$gw_conf"
	chmod 600 "$gw_conf"
	chown -R nobody "$T/$_name"
	start nobody "$_name" "$@" --dotenv "$gw_conf"
	gw_pid=$pid
	await "$_name" 'listening on https?://'
	gw=$(grep -Eo 'listening on https?://[^ ]*:[0-9]+' "$T/$_name.log" | tail -n 1)
	gw=${gw#listening on }
	gw_pin=$(grep -Eo 'sha256//[A-Za-z0-9+/]{43}=' "$T/$_name.log" | tail -n 1) || :
}

# With the embedded DNS server; leaves $dns_port too.
start_embedded() { # NAME [COMMAND…]
	_dotenv=$(cat)
	start_gateway "$@" <<-END
		DNSAPI_MODULE = embedded
		DNSAPI_DOMAINS = example.test
		DNS_LISTEN = 127.0.0.1:0
		$_dotenv
	END
	await "$1" 'answering DNS on 127\.0\.0\.1:'
	dns_port=$(sed -n 's/.*answering DNS on 127\.0\.0\.1:\([0-9]*\).*/\1/p' "$T/$1.log" | tail -n 1)
}

add_user() { # FILE USER PASSWORD
	echo "$3" | "$acmegw" passwd -f "$1" add "$2" -i >>"$T/passwd.log" 2>&1
}

# The hook's configuration, from stdin; the web server's user may read it.
write_hook_conf() {
	: >>"$T/hook.log"
	chown www-data "$T/hook.log"
	{
		echo "LOGFILE = $T/hook.log"
		cat
	} >"$T/acmegw-hook.conf.new"
	chmod 640 "$T/acmegw-hook.conf.new"
	chgrp www-data "$T/acmegw-hook.conf.new"
	mv "$T/acmegw-hook.conf.new" "$T/acmegw-hook.conf"
}

### The certificate authority

start_pebble() { # DNS-PORT, or ADDRESS:PORT: leaves $acme_port; needs T/ca.pem
	make_leaf pebble DNS:localhost,IP:127.0.0.1
	attempt pebble_once "$1"
}

pebble_once() {
	case $1 in *:*) _server=$1 ;; *) _server=127.0.0.1:$1 ;; esac
	acme_port=$(free_port) acme_control=$(free_port)
	cat >"$T/pebble.json" <<-END
		{"pebble": {
			"listenAddress": "127.0.0.1:$acme_port",
			"managementListenAddress": "127.0.0.1:$acme_control",
			"certificate": "$T/pebble.pem", "privateKey": "$T/pebble.key",
			"httpPort": 1, "tlsPort": 1, "ocspResponderURL": "",
			"externalAccountBindingRequired": false
		}}
	END
	start root pebble env PEBBLE_VA_NOSLEEP=1 PEBBLE_AUTHZREUSE=0 PEBBLE_WFE_NONCEREJECT=0 \
		pebble -config "$T/pebble.json" -dnsserver "$_server"
	within 10 curl -fs --cacert "$T/ca.pem" -o "$T/root.pem" \
		"https://127.0.0.1:$acme_control/roots/0"
}

### lego

# A certificate for DOMAIN and its wildcard, by lego's dns-01 PROVIDER, whose
# settings and whatever else lego is to know follow. Its resolver is $dns_port,
# its files are in T/NAME, what it says is in NAME.log.
lego_certificate() { # NAME PROVIDER DOMAIN [VARIABLE=VALUE…]
	_name=$1 _provider=$2 _domain=$3
	shift 3
	env LEGO_CA_CERTIFICATES="$T/ca.pem" SSL_CERT_FILE="$T/ca.pem" "$@" \
		lego --server "https://127.0.0.1:$acme_port/dir" --accept-tos \
		--email hostmaster@example.test --path "$T/$_name" --key-type ec256 \
		--dns "$_provider" --dns.disable-cp --dns.resolvers "127.0.0.1:$dns_port" \
		-d "$_domain" -d "*.$_domain" run >>"$T/$_name.log" 2>&1 || fail "$_name: no certificate"
	issued "$T/$_name/certificates/$_domain.crt" "$_domain"
}

# A chain that leads to Pebble's root, for DOMAIN and its wildcard.
issued() { # FILE DOMAIN
	openssl verify -CAfile "$T/root.pem" -untrusted "$1" "$1" >>"$T/openssl.log" 2>&1 ||
		fail "$1 is not from pebble"
	_names=$(openssl x509 -in "$1" -noout -ext subjectAltName)
	case "$_names," in
	*"DNS:$2,"*"DNS:*.$2,"* | *"DNS:*.$2,"*"DNS:$2,"*) ;;
	*) fail "$1 is for $_names" ;;
	esac
}

### Apache

# httpd with mod_md, whose challenge command is given; leaves $httpd_port and
# $httpd_pid. Its settings make a renewal take a second and a retry five.
start_httpd() { # VERSION COMMAND
	attempt httpd_once "$1" "$2"
}

httpd_once() {
	httpd_port=$(free_port)
	mkdir -p "$T/httpd/md" "$T/httpd/mutex"
	rm -f "$T/httpd/pid"
	cat >"$T/httpd/httpd.conf" <<-END
		ServerRoot $T/httpd
		ServerName localhost
		PidFile $T/httpd/pid
		ErrorLog $T/httpd.log
		LogLevel warn md:debug
		Mutex file:$T/httpd/mutex default
		User www-data
		Group www-data
		LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
		LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
		LoadModule ssl_module /usr/lib/apache2/modules/mod_ssl.so
		LoadModule md_module /usr/lib/apache2/modules/mod_md.so
		Listen 127.0.0.1:$httpd_port
		MDStoreDir $T/httpd/md
		MDCACertificateFile $T/ca.pem
		MDPortMap 80:- 443:$httpd_port
		MDPrivateKeys secp256r1
		MDRetryDelay 5s
		MDActivationDelay 0
		MDCheckInterval 1s
		$(md_settings "$1" "$2")
		<VirtualHost 127.0.0.1:$httpd_port>
			ServerName example.test
			ServerAlias *.example.test
			SSLEngine on
		</VirtualHost>
	END
	start root httpd-start apache2 -f "$T/httpd/httpd.conf" -D FOREGROUND
	httpd_pid=$pid
	within 10 test -s "$T/httpd/pid"
}

# What an administrator writes; a case may say it otherwise, or for other names ($md_names).
md_settings() { # VERSION COMMAND
	cat <<-END
		MDCertificateAuthority https://127.0.0.1:$acme_port/dir
		MDCertificateAgreement accepted
		MDContactEmail hostmaster@example.test
		MDCAChallenges dns-01
		MDChallengeDns01 $2
		MDChallengeDns01Version $1
		MDomain ${md_names-example.test *.example.test}
	END
}

await_issued() {
	await httpd 'example\.test.*changes will be activated' 40
}

# The certificate is in use: from pebble, for the domain and its wildcard.
served() {
	openssl s_client -connect "127.0.0.1:$httpd_port" -servername www.example.test \
		-CAfile "$T/root.pem" -verify_return_error -verify_hostname www.example.test \
		</dev/null >"$T/served" 2>"$T/s_client.log" || return 1
	openssl x509 -in "$T/served" -noout -ext subjectAltName >"$T/names"
	grep -qw 'DNS:example.test' "$T/names" && grep -qF 'DNS:*.example.test' "$T/names"
}

check_served() {
	kill -USR1 "$httpd_pid" # mod_md takes a new certificate into use at a graceful restart
	within 15 served || fail "https does not serve the issued certificate"
}
