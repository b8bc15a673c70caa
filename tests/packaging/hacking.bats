#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# The guide's commands work as they stand in it, on a tree fresh from the archive, and the template behaves as an agent must.
load ../lib/common
load ../lib/packages

setup_file() {
    source_archive "$BATS_FILE_TMPDIR/archive"
    # A program of `make check`, which a build alone does not make.
    make -s -C "$VIGIL_BUILD" agents/template >&2
}

# The commands behind "tested: NAME" in a document.
tested_block() {
    awk -v mark="<!-- tested: $2 -->" '$0 == mark { found = 1 } found && /^```/ { if (inside) exit; inside = 1; next } inside' "$1"
}

@test "the guide's new agent builds, runs, and has its man page" {
    source_archive "$BATS_FILE_TMPDIR/archive"
    unpack_archive "$BATS_TEST_TMPDIR"
    cd "$tree"
    mkdir build
    (cd build && ../configure -q --enable-werror CC="$(compiler)" >/dev/null)
    tested_block doc/HACKING.md "new agent" | sed "s:/tmp/:$BATS_TEST_TMPDIR/:g" >guide
    assert test "$(wc -l <guide)" -ge 10
    bash -euxo pipefail guide >"$BATS_TEST_TMPDIR/guide.out" 2>&1 || { tail -n 40 "$BATS_TEST_TMPDIR/guide.out" >&2; return 1; }
    assert grep -q ocf_vigil_greeting build/xml/ocf_vigil_greeting.7
    # The guide's agent is one that make knows from then on.
    assert_equal agents/greeting "$(make -s -C build print-agents | tr ' ' '\n' | grep greeting)"
}

template() {
    agent template "$@" "path=$BATS_TEST_TMPDIR/marker"
}

@test "template: its life, each action twice" {
    template monitor @interval=0
    assert_code 7
    template start
    assert_code 0
    template start
    assert_code 0
    assert_equal vigil "$(cat "$BATS_TEST_TMPDIR/marker")"
    template monitor
    assert_code 0
    template stop
    assert_code 0
    template stop
    assert_code 0
    refute test -e "$BATS_TEST_TMPDIR/marker"
    template monitor
    assert_code 7
}

@test "template: what it can't read is a failure, not stopped" {
    mkdir "$BATS_TEST_TMPDIR/marker"
    template monitor
    assert_code 1
    assert_reason "marker can't be read"
    template stop
    assert_code 1
    assert_reason "marker can't be removed"
}

@test "template: another text is a failure, a start does not take it over, a stop ends it" {
    echo other >"$BATS_TEST_TMPDIR/marker"
    template monitor
    assert_code 1
    assert_reason "holds another text"
    template start
    assert_code 1
    template stop
    assert_code 0
    refute test -e "$BATS_TEST_TMPDIR/marker"
}

@test "template: a reload writes the new text" {
    template start text=one
    assert_code 0
    template reload-agent text=two
    assert_code 0
    template monitor text=two
    assert_code 0
    template monitor content=two
    assert_code 0
}

@test "template: a wrong or missing path is a configuration error that changes nothing" {
    agent template start path=relative
    assert_code 6
    assert_reason "path.*absolute"
    agent template start
    assert_code 6
    assert_reason "path is required"
}
