#!/bin/sh
# Make ./configure from configure.ac. Needed after a checkout from git; a release tarball has it already.
set -e
cd "$(dirname "$0")"
mkdir -p m4 build-aux
exec autoreconf --install --warnings=all,no-obsolete
