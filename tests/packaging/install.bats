#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# `make install` puts each thing where configure was told, `make uninstall` takes all of it away, and `make distcheck` passes.
load ../lib/common
load ../lib/packages

setup_file() {
    source_archive "$BATS_FILE_TMPDIR/archive"
}

setup() {
    source_archive "$BATS_FILE_TMPDIR/archive"
    unpack_archive "$BATS_TEST_TMPDIR/source"
    mkdir "$BATS_TEST_TMPDIR/build"
}

# Configures and builds outside of the source tree, which nothing may write into.
build_with() {
    chmod -R a-w "$tree"
    at_end chmod -R u+w "$tree"
    cd "$BATS_TEST_TMPDIR/build"
    "$tree/configure" -q CC="$(compiler)" "$@" >configure.out 2>&1 || { cat configure.out >&2; return 1; }
    make -s -j"$(nproc)" >make.out 2>&1 || { tail -n 30 make.out >&2; return 1; }
    make -s install DESTDIR="$BATS_TEST_TMPDIR/root" >install.out 2>&1 || { tail -n 30 install.out >&2; return 1; }
}

assert_agents_in() {
    local name
    for name in $(build_agents); do assert test -x "$BATS_TEST_TMPDIR/root$1/$name"; done
    for name in $(build_fence_agents); do assert test -x "$BATS_TEST_TMPDIR/root$2/$name"; done
}

# The tree's own files, where git can tell them; an unpacked archive is its own measure.
source_files() {
    if [ -e "$VIGIL_SOURCE/.git" ]; then
        git -C "$VIGIL_SOURCE" -c safe.directory='*' ls-files
    else
        (cd "$VIGIL_SOURCE" && find tests xml doc lib agents stonith packaging -type f -not -name '*.o' -not -path '*/.*')
    fi | grep -vE '^\.(gitignore|clang-format|gitattributes)$' | sort
}

@test "the archive holds every file of the tree" {
    local missing
    missing=$(comm -23 <(source_files) <(cd "$tree" && find . \( -type f -o -type l \) -printf '%P\n' | sort))
    assert_equal "" "$missing"
    assert test "$(source_files | wc -l)" -ge 100
}

@test "the default folders stand below the prefix" {
    build_with --prefix=/opt/vigil
    assert_agents_in /opt/vigil/lib/ocf/resource.d/vigil /opt/vigil/sbin
    assert test -f "$BATS_TEST_TMPDIR/root/opt/vigil/share/man/man7/ocf_vigil_vip.7"
    assert test -f "$BATS_TEST_TMPDIR/root/opt/vigil/share/man/man7/vigil.7"
    assert test -d "$BATS_TEST_TMPDIR/root/opt/vigil/var/lib/vigil"
    assert test -d "$BATS_TEST_TMPDIR/root/opt/vigil/share/vigil/recipes"
    # Nothing may land elsewhere.
    assert_equal opt "$(ls "$BATS_TEST_TMPDIR/root")"
    assert_equal vigil "$(ls "$BATS_TEST_TMPDIR/root/opt")"
}

@test "every folder can be chosen, and uninstall leaves no file" {
    build_with --prefix=/usr --sysconfdir=/etc/here --localstatedir=/srv/state --with-ocfdir=/opt/ocf --with-fencedir=/opt/fence \
        --with-statedir=/srv/vigil --with-rundir=/run/elsewhere --mandir=/opt/man
    assert_agents_in /opt/ocf/resource.d/vigil /opt/fence
    assert test -f "$BATS_TEST_TMPDIR/root/opt/man/man7/ocf_vigil_vip.7"
    assert test -d "$BATS_TEST_TMPDIR/root/srv/vigil"
    # What the programs were built with is what was asked for.
    assert grep -qa '/run/elsewhere' "$BATS_TEST_TMPDIR/root/opt/ocf/resource.d/vigil/vip"
    assert grep -qa '/srv/vigil' "$BATS_TEST_TMPDIR/root/opt/fence/fence_vigil_bmc"
    make -s uninstall DESTDIR="$BATS_TEST_TMPDIR/root" >uninstall.out 2>&1
    assert_equal "" "$(find "$BATS_TEST_TMPDIR/root" -type f -o -type l)"
}

@test "make distcheck passes" {
    cd "$BATS_TEST_TMPDIR/build"
    "$tree/configure" -q CC="$(compiler)"
    MAKEFLAGS=-j$(nproc) make -s distcheck DISTCHECK_CONFIGURE_FLAGS="CC='$(compiler)'" >distcheck.out 2>&1 ||
        { grep -E '^(not ok|FAIL|ERROR)|rror' distcheck.out | head -n 20 >&2; tail -n 30 distcheck.out >&2; return 1; }
}
