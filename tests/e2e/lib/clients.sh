# What the cases of real ACME clients share. They run the literal blocks of
# acmegw-clients(7) as they stand there, so that the page cannot drift away from
# what works. For that a case lives in a mount namespace of its own (`unshare
# -m`), where /usr/local and the clients' folders are its own, and the system's
# bundle of CAs holds Pebble's.
# shellcheck shell=sh

# The block that the page names NAME (`.\" block NAME` above it). Replaced are
# only names that every reader replaces too: the gateway, the password and the
# pin, the domain, the CA; and lego's resolver, since Pebble's DNS is no public one.
block() { # NAME
	awk -v name="$1" '
		$0 == ".\\\" block " name { found = 1; next }
		found && /^\.Bd / { inside = 1; next }
		inside && /^\.Ed/ { exit }
		inside { print }
	' "$root/man/acmegw-clients.7" | sed \
		-e "s/\\\\(aq/'/g" -e 's/\\e/\\/g' -e 's/\\&//g' \
		-e "s|https://acme\\.example\\.org:8000|$gw|" \
		-e "s|what acmegw passwd printed|$gw_password|" \
		-e "s|sha256//[A-Za-z0-9+/]*=|$gw_pin|" \
		-e "s|https://acme-v02\\.api\\.letsencrypt\\.org/directory|https://127.0.0.1:$acme_port/dir|" \
		-e "s|--path /usr/local/etc/lego|& --dns.resolvers 127.0.0.1:$dns_port|" \
		-e 's/example\.com/example.test/g' >"$T/block"
	[ -s "$T/block" ] || fail "acmegw-clients(7) has no block $1" >&2 # stdout is a file's
	cat "$T/block"
}

# Folders of the system that are the case's own from now on, and empty.
own_folders() { # FOLDER…
	for _folder; do
		mount -t tmpfs -o mode=0755 tmpfs "$_folder" || fail "cannot mount over $_folder"
	done
}

# The machine of the client: acmegw and its link are installed, its hook is
# configured as the page says. DNS_DELAY comes from the environment: nothing
# here needs five minutes to be seen everywhere.
install_hook() {
	own_folders /usr/local
	mkdir -p /usr/local/bin /usr/local/etc/acmegw
	cp "$acmegw" /usr/local/bin/acmegw
	ln -s acmegw /usr/local/bin/acmegw-hook
	block hook-configuration >/usr/local/etc/acmegw/acmegw-hook.conf
	: >"$T/hook.log"
	export DNS_DELAY=0 LOGFILE="$T/hook.log"
}

# Against BIND through rfc2136, and against the embedded server: each FUNCTION
# gets a certificate for example.test and *.example.test with a machine of its
# own, and leaves the certificate's path in $issued.
on_both() { # FUNCTION…
	make_ca
	mount --bind "$T/ca.pem" /etc/ssl/certs/ca-certificates.crt
	gw_password="correct horse"
	start_bind
	for account in bind embedded; do
		start_account
		start_pebble "$dns_port"
		for _function; do
			install_hook
			"$_function"
			check_issued "$account"
			echo "$account: $_function"
		done
	done
}

start_account() {
	install -d -o nobody "$T/$account"
	add_user "$T/$account/acmepasswd" web1 "$gw_password" || fail "passwd add"
	if [ "$account" = bind ]; then
		start_gateway bind <<-END
			$(bind_account)
			$(admission)
		END
	else
		start_embedded embedded <<-END
			$(admission)
		END
	fi
}

admission() {
	printf '%s\n' 'BASIC_AUTH = required' 'ALLOWED_HOSTS = 127.0.0.1' 'PASSWD_FILE = acmepasswd'
}

# How often the hook of the last function has waited, with a DNS_DELAY of a second.
waits() {
	grep -c 'waiting 1 seconds' "$T/hook.log"
}

check_issued() { # NAME: the certificate is for both names, and the zone is clean
	openssl x509 -in "$issued" -noout -ext subjectAltName >"$T/names" 2>"$T/x509.log" ||
		fail "$1: no certificate at $issued"
	if ! grep -qw 'DNS:example.test' "$T/names" || ! grep -qF 'DNS:*.example.test' "$T/names"; then
		fail "$1: issued for $(cat "$T/names")"
	fi
	for _action in setup teardown; do
		[ "$(grep -c "action=$_action name=example.test status=20" "$T/$1.log")" -ge 2 ] ||
			fail "$1: the gateway was not asked for $_action of two values"
	done
	within 5 no_txt "$dns_port" || fail "$1: left behind: $(txt "$dns_port")"
}
