#!/bin/sh
# Root edits the users file of a gateway that is not root: owner, group and mode
# stay, a new file belongs to the owner of its folder alone, and the running
# gateway knows the new user at once.
. "${0%/*}/lib.sh"
need curl

is() { # FILE OWNER:GROUP:MODE
	found=$(stat -c %U:%G:%a "$1")
	[ "$found" = "$2" ] || fail "${1##*/} is $found, not $2"
}
status() { # USER PASSWORD
	curl -sk -u "$1:$2" -o "$T/answer" -w '%{http_code}' "$gw/challenges/example.test" || :
}
expect() { # STATUS USER PASSWORD
	found=$(status "$2" "$3")
	[ "$found" = "$1" ] || fail "$2 with $3 gets $found, not $1"
}

install -d -o nobody -g nogroup "$T/gateway"
users=$T/gateway/acmepasswd
add_user "$users" alice one || fail "passwd add, new file"
is "$users" nobody:nogroup:600
chown nobody:www-data "$users"
chmod 640 "$users"

start_embedded gateway <<END
BASIC_AUTH = required
ALLOWED_HOSTS = 127.0.0.1
PASSWD_FILE = acmepasswd
END
expect 200 alice one
expect 401 bob two
add_user "$users" bob two || fail "passwd add, known file"
is "$users" nobody:www-data:640
expect 200 bob two
expect 200 alice one
expect 401 bob one
[ "$(find "$T/gateway" -maxdepth 1 -type f ! -name dotenv ! -name 'acmepasswd*')" = "" ] ||
	fail "something was left beside the users file"
