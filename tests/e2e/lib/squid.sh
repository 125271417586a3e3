# squid as a forward proxy that only connects, and only to some ports. Sourced after
# lib.sh.
# shellcheck shell=sh

# Leaves $squid_port; what it was asked for is in $T/squid/access.log.
start_squid() { # PORT…
	squid_allowed=$*
	attempt squid_once
}

squid_once() {
	squid_port=$(free_port)
	install -d -o proxy "$T/squid"
	cat >"$T/squid/conf" <<-END
		http_port 127.0.0.1:$squid_port
		acl connect method CONNECT
		acl allowed port $squid_allowed
		http_access allow connect allowed
		http_access deny all
		cache deny all
		access_log stdio:$T/squid/access.log
		cache_log $T/squid/cache.log
		pid_filename $T/squid/pid
		coredump_dir $T/squid
		pinger_enable off
		shutdown_lifetime 0 seconds
		visible_hostname localhost
	END
	start root squid squid -N -d 1 -f "$T/squid/conf"
	within 10 curl -s -o "$T/refusal" "http://127.0.0.1:$squid_port/"
}
