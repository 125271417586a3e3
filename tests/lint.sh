#!/bin/sh
# Manuals and scripts by their own checkers, dependencies by the advisories that are known. What is not
# installed is named, and is a failure with E2E=require; the advisories alone are not, since they have
# to be fetched from elsewhere.
set -eu
cd "$(dirname "$0")/.."
status=0

missing() {
    if [ "${E2E:-}" = require ]; then
        echo "lint: $1 is not installed" >&2
        status=1
    else
        echo "lint: skipped what needs $1, which is not installed"
    fi
}

for script in scripts/*.sh scripts/rc.d/*.in scripts/exec-example scripts/acmesh-provider tests/*.sh tests/e2e/run tests/e2e/*.sh tests/e2e/lib/*.sh .ci/run; do
    sh -n "$script" || status=1
done

# What a merge left undecided is text to every other checker.
if grep -rnE '^(<<<<<<<|>>>>>>>) ' ./*.md Makefile Cargo.toml examples man scripts src tests; then
    echo "lint: a merge was left undecided there" >&2
    status=1
fi

if command -v python3 >/dev/null; then
    python3 -I -c 'import ast, sys; ast.parse(open(sys.argv[1]).read())' scripts/python-provider || status=1
else
    missing python3
fi

if command -v mandoc >/dev/null; then
    mandoc -Tlint -Wwarning man/*.[578] || status=1
else
    missing mandoc
fi

if command -v shellcheck >/dev/null; then
    shellcheck scripts/*.sh scripts/exec-example scripts/acmesh-provider tests/*.sh .ci/run || status=1
    (cd tests/e2e && shellcheck -x run ./*.sh lib/*.sh) || status=1
else
    missing shellcheck
fi

# A database of today, or none: an old one would say that all is well.
advisories() {
    if command -v cargo-deny >/dev/null; then
        cargo deny fetch db >/dev/null 2>&1 || return 77
        cargo deny check --disable-fetch advisories
    elif command -v cargo-audit >/dev/null; then
        report=$(cargo audit 2>&1) && return
        echo "$report"
        case $report in *"fetch advisory database"*) return 77 ;; *) return 1 ;; esac
    else
        return 77
    fi
}

rc=0
advisories || rc=$?
case $rc in
    0) ;;
    77) echo "lint: SKIPPED: the dependencies' advisories, for want of cargo-deny or cargo-audit, or of their database" ;;
    *) status=1 ;;
esac
exit "$status"
