#!/bin/sh
# `make demo` works for a newcomer: it shows the record, then that it is gone.
E2E_CLEAN=kept # cargo's settings are in the environment
. "${0%/*}/lib.sh"
need make cargo

make -C "$root" demo >"$T/demo.log" 2>&1 || fail "make demo: status $?"
logged demo '_acme-challenge\.' || fail "it shows no name"
logged demo '(^|[^A-Za-z0-9_-])[A-Za-z0-9_-]{43}([^A-Za-z0-9_-]|$)' || fail "it shows no value"
