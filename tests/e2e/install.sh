#!/bin/sh
# `make install` puts program, manuals and examples where PREFIX and DESTDIR say,
# with GNU make and BSD make alike, and what it puts there works.
. "${0%/*}/lib.sh"
need make bmake

mkdir -p "$root/target/release" # the program under test may come from elsewhere
[ -x "$root/target/release/acmegw" ] || cp "$ACMEGW" "$root/target/release/acmegw"
for make in make bmake; do
	dest=$T/$make
	(cd "$root" && "$make" install DESTDIR="$dest" PREFIX=/opt/gw) >"$T/$make.log" 2>&1 || fail "$make install"
	"$dest/opt/gw/bin/acmegw" --version | grep -q '^acmegw [0-9]' || fail "$make: the program does not run"
	"$dest/opt/gw/bin/acmegw-hook" renewing example.test || fail "$make: acmegw-hook is no hook"
	for page in acmegw.8 acmegw-serve.8 acmegw-hook.8 acmegw-passwd.8 acmegw.conf.5 acmegw-clients.7 \
		acmegw-providers.7; do
		[ -s "$dest/opt/gw/share/man/man${page##*.}/$page" ] || fail "$make: no $page"
	done
	for file in access acmegw-hook.conf acmegw.service exec-example; do
		[ -s "$dest/opt/gw/share/examples/acmegw/$file" ] || fail "$make: no $file"
	done
	for script in acmesh-provider python-provider; do
		[ -x "$dest/opt/gw/libexec/acmegw/$script" ] || fail "$make: no $script"
	done
	# Found beside the program that was installed, and without DNSAPI_PROGRAM.
	mkdir "$T/$make.python"
	echo 'class Mine: pass' >"$T/$make.python/mine.py"
	env DNSAPI_MODULE=python:mine DNSAPI_CLASS=Mine DNSAPI_PYTHONPATH="$T/$make.python" DNSAPI_DOMAINS=example.test \
		ALLOWED_HOSTS=127.0.0.1 SSL=off LISTEN=127.0.0.1:0 RUN_AS_USER=root \
		"$dest/opt/gw/bin/acmegw" serve -n >"$T/$make.serve.log" 2>&1 || fail "$make: the script is not found"
	ls "$dest"/opt/gw/share/examples/acmegw/dotenv.* >/dev/null || fail "$make: no dotenv"
	[ -z "$(find "$dest" -type f -perm /022)" ] || fail "$make: files that others can write"
done
diff -r "$T/make" "$T/bmake" || fail "the two do not install the same"
