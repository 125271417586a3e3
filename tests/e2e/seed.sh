#!/bin/sh
# Those who come from the Python version keep their dotenv, their command line
# and their Apache lines: the article's are used as they stand, but for paths
# and addresses (the last three lines of the dotenv).
. "${0%/*}/lib.sh"
need apache2 pebble curl dig

make_ca
ln -s acmegw "$T/acmegw_server.py"
ln -s acmegw "$T/mdchallenge.sh"
start_gateway article "$T/acmegw_server.py" <<END
DNSAPI_USERNAME = myapiuser
DNSAPI_PASSWORD = "YoureUsingAVeryLongPassphrasePleaseAmIRight?"
DNSAPI_MODULE = providers.openprovider
DNSAPI_CLASS = OpenProvider
DNSAPI_DOMAINS = example.com, example.org
ALLOWED_HOSTS = 127.0.0.1, 127.12.7.0/24
BASIC_AUTH = sufficient
ALL_PROXY = http://fwproxy.example.com:3128
END
ask() { # SOURCE-ADDRESS DOMAIN: the HTTP status
	curl -sk --interface "$1" -o "$T/answer" -w '%{http_code}' "$gw/challenges/$2"
}
for rule in "127.0.0.1 example.com 200" "127.12.7.9 sub.example.org 200" \
	"127.0.0.1 example.net 403" "127.0.0.2 example.com 401"; do
	# shellcheck disable=SC2086 # three words
	set -- $rule
	status=$(ask "$1" "$2") || :
	[ "$status" = "$3" ] || fail "$1 asks for $2: $status, not $3"
done

# Apache with the script's name, which finds its configuration by DOTENV.
start_embedded gateway <<END
ALLOWED_HOSTS = 127.0.0.1
END
write_hook_conf <<END
API_URI="$gw"
API_USER=""
API_PASSWD=""
API_PIN="$gw_pin"
DNS_DELAY=0
END
export DOTENV="$T/acmegw-hook.conf"
start_pebble "$dns_port"
start_httpd 2 "$T/mdchallenge.sh"
await_issued
check_served
