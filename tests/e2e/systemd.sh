#!/bin/sh
# What is shipped in scripts/ works as it stands, but for the folders of an
# installed system: the unit, the shell scripts, and each example (of a dotenv,
# of the hook's configuration, of an Apache snippet), known by what is in it.
. "${0%/*}/lib.sh"
need systemd-analyze shellcheck apache2 curl

# All of it in one folder, as an installed system's owner has it.
etc=$T/etc
mkdir "$etc"
find "$root/scripts" -type f -exec cp {} "$etc" \;
chmod -R u=rwX,go=rX "$etc"
make_ca
make_leaf own DNS:localhost,IP:127.0.0.1
install -o nobody -m 600 "$T/own.key" "$T/gateway.key"

# A line's path becomes one in that folder, and what it names is made.
adapt() { # FILE
	sed -E "s,^([^#]*[ =\"])/[^\" ]*/([^/\" ]+),\1$etc/\2," "$1" >"$1.here"
	chmod 600 "$1.here"
	sed -nE "s,^ *([A-Z0-9_]+) *= *\"?($etc/[^\" ]+).*,\1 \2,p" "$1.here" |
		while read -r name path; do
			[ ! -e "$path" ] || continue
			case $name in
			*KEY) cp "$T/own.key" "$path" ;;
			*CERT) cp "$T/own.pem" "$path" ;;
			*CA) cp "$T/ca.pem" "$path" ;;
			PASSWD_FILE) add_user "$path" alice secret ;;
			*_FILE) (umask 077 && echo c2VjcmV0 >"$path") ;;
			esac
		done
}
add_user "$etc/acmepasswd" alice secret || fail "passwd add" # the default, beside the dotenv
(umask 077 && sed 's,TOKEN_URI,https://oauth2.googleapis.com/token,' \
	"$root/tests/provider/googlecloud/key.json" >"$etc/service-account.json")
install -d -m 700 "$T/own-state"

start_embedded gateway <<END
SSL_CERT = $T/own.pem
SSL_KEY = $T/gateway.key
ALLOWED_HOSTS = 127.0.0.1
END

units=0 dotenvs=0 hooks=0 snippets=0
for file in "$etc"/*; do
	name=${file##*/}
	case $name in
	*.here | *.in | README*) continue ;; # rc.d/acmegw.in is a template: make install fills it in
	esac
	if [ "$name" != "${name%.service}" ]; then
		sed "s,/usr/local/bin/acmegw,$acmegw,g" "$file" >"$T/$name"
		systemd-analyze verify --man=no "$T/$name" >"$T/verify.log" 2>&1 || fail "systemd-analyze verify $name"
		! grep -F "$name" "$T/verify.log" || fail "systemd-analyze has remarks on $name"
		# What is left of it is the network, which is the gateway's work (see the unit's last remark).
		systemd-analyze security --offline=true --threshold=15 "$T/$name" >"$T/security.log" 2>&1 ||
			fail "$name is exposed: $(tail -n 1 "$T/security.log")"
		units=$((units + 1))
	elif [ "$name" = python-provider ]; then # a shell reads its first lines only
		python3 -I -c 'import ast, sys; ast.parse(open(sys.argv[1]).read())' "$file" || fail "python3 $name"
	elif head -n 1 "$file" | grep -q '^#!.*sh'; then
		sh -n "$file" || fail "sh -n $name"
		shellcheck -s sh "$file" >"$T/shellcheck.log" || fail "shellcheck $name"
	elif grep -q '^[^#]*MDChallengeDns01' "$file"; then
		adapt "$file"
		{
			printf '%s\n' "ServerRoot $T" "ServerName localhost" "ErrorLog $T/httpd.log" \
				"User www-data" "Group www-data" "Listen 127.0.0.1:80" "Listen 127.0.0.1:443"
			for module in mpm_event authz_core ssl md; do
				echo "LoadModule ${module}_module /usr/lib/apache2/modules/mod_$module.so"
			done
			grep -v '^ *LoadModule' "$file.here"
		} >"$T/httpd.conf"
		apache2 -t -f "$T/httpd.conf" >"$T/apache.log" 2>&1 || fail "apache2 -t $name"
		snippets=$((snippets + 1))
	elif grep -q '^ *API_URI *=' "$file"; then
		adapt "$file"
		env API_URI="$gw" API_CA="$T/ca.pem" "$acmegw" hook -e "$file.here" -n example.test \
			>"$T/check.log" 2>&1 || fail "hook -n with $name"
		hooks=$((hooks + 1))
	elif grep -Eq '^ *(DNSAPI_DOMAINS|DNSAPI_MODULE|DNS_LISTEN) *=' "$file"; then
		adapt "$file"
		env STATE_DIR="$T/own-state" RUN_AS_USER=root "$acmegw" serve -e "$file.here" -n \
			>"$T/check.log" 2>&1 || fail "serve -n with $name"
		dotenvs=$((dotenvs + 1))
	fi
done
for kind in units dotenvs hooks snippets; do
	eval "[ \$$kind -gt 0 ]" || fail "no $kind found in scripts/"
done

# FreeBSD's rc script, its template filled in.
sed 's,@[A-Z]*@,/usr/local,g' "$etc/acmegw.in" >"$T/rc"
sh -n "$T/rc" || fail "sh -n rc.d/acmegw"
shellcheck -s sh -e SC1091,SC2034,SC2154 "$T/rc" >"$T/shellcheck.log" || # rc.subr's names
	fail "shellcheck rc.d/acmegw"
