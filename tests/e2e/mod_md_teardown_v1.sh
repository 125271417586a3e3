#!/bin/sh
# With MDChallengeDns01Version 1 the teardown names no value: both values of
# example.test and *.example.test are removed all the same.
version=1
. "${0%/*}/mod_md.sh"
