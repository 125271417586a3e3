#!/bin/sh
# Manuals and scripts by their own checkers. What is not installed is named, and is a failure with
# E2E=require.
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

for script in scripts/*.sh scripts/rc.d/*.in scripts/exec-example tests/*.sh tests/e2e/run tests/e2e/*.sh .ci/run; do
    sh -n "$script" || status=1
done

if command -v mandoc >/dev/null; then
    mandoc -Tlint -Wwarning man/*.[58] || status=1
else
    missing mandoc
fi

if command -v shellcheck >/dev/null; then
    shellcheck scripts/*.sh scripts/exec-example tests/*.sh .ci/run || status=1
    (cd tests/e2e && shellcheck -x run ./*.sh) || status=1
else
    missing shellcheck
fi
exit "$status"
