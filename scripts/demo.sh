#!/bin/sh
# The main job in one go, on loopback, with the embedded DNS server: a TXT record is set through
# the gateway, seen as a resolver sees it, and removed again. Called by `make demo`.
#
# usage: demo.sh ACMEGW TXT    the two programs
set -eu

acmegw=$(cd "${1%/*}" && pwd)/${1##*/}
txt=$(cd "${2%/*}" && pwd)/${2##*/}
name=www.example.test
value=This-is-the-TXT-value_an_ACME-client-sends-
gateway=

work=$(mktemp -d "${TMPDIR:-/tmp}/acmegw-demo.XXXXXX")
log=$work/log

finish() {
    [ -z "$gateway" ] || kill "$gateway" 2>/dev/null || true
    [ -z "$gateway" ] || wait "$gateway" 2>/dev/null || true
    rm -rf "$work"
}
trap finish EXIT
trap 'exit 1' HUP INT TERM

say() { printf '\n== %s\n' "$*"; }
show() { printf '$ %s\n' "$*"; }

# The value of a line in the gateway's log, waited for.
logged() {
    tries=0
    until sed -n "s/$1/\\1/p" "$log" | grep .; do
        tries=$((tries + 1))
        if [ "$tries" -gt 100 ] || ! kill -0 "$gateway" 2>/dev/null; then
            cat "$log" >&2
            echo "demo: the gateway did not start" >&2
            exit 1
        fi
        sleep 0.1
    done
}

cat >"$work/dotenv" <<END
LISTEN = 127.0.0.1:0
DNSAPI_DOMAINS = example.test
DNS_LISTEN = 127.0.0.1:0
STATE_DIR = $work
BASIC_AUTH = required
END
chmod 0600 "$work/dotenv"
# The gateway does not run as root: started by root it becomes nobody, whose folder this is then.
if [ "$(id -u)" -eq 0 ]; then
    echo 'RUN_AS_USER = nobody' >>"$work/dotenv"
    chown nobody "$work"
fi

say 'the configuration of the gateway'
cat "$work/dotenv"

say 'a user for the web server, with a generated password'
show "acmegw passwd add web -g"
password=$("$acmegw" passwd -e "$work/dotenv" -f "$work/acmepasswd" add web -g)
printf '%s\n' "$password"

say 'the gateway'
show "acmegw serve -e dotenv"
"$acmegw" serve -e "$work/dotenv" >"$log" 2>&1 &
gateway=$!
uri=$(logged '.*listening on \(https:.*\)')
dns=$(logged '.*answering DNS on \(.*\)')
pin=$(logged '.*API_PIN = \(.*\)')
cat "$log"

cat >"$work/acmegw-hook.conf" <<END
API_URI = $uri
API_PIN = $pin
API_USER = web
API_PASSWD = $password
DNS_DELAY = 0
END
chmod 0600 "$work/acmegw-hook.conf"

say 'the configuration of the hook, on the web server'
cat "$work/acmegw-hook.conf"
hook() { "$acmegw" hook -e "$work/acmegw-hook.conf" "$@"; }

say "what Apache's mod_md runs to prove $name"
show "acmegw hook setup $name $value"
hook setup "$name" "$value"

say 'what the CA sees'
show "txt @$dns _acme-challenge.$name"
"$txt" "@$dns" "_acme-challenge.$name"

say 'and when the certificate is there'
show "acmegw hook teardown $name $value"
hook teardown "$name" "$value"
show "txt @$dns _acme-challenge.$name"
if "$txt" "@$dns" "_acme-challenge.$name"; then
    echo "demo: the record is still there" >&2
    exit 1
fi

say 'what the gateway logged'
sed '1,/listening on/d' "$log"

say 'what to try next'
cat <<END
make test                          everything that can run on this machine
man man/acmegw.8                   what it is, and where to read on
acmegw serve -n -e FILE            as its user: is my configuration right? (examples are in scripts/)
acmegw hook -n example.org         can this web server get its certificate?
END
