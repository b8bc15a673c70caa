#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# The README's examples are taken out of it and given to the real tools, on a machine where the agents are installed.
load ../lib/common
load ../lib/packages

setup_file() {
    make -s -C "$VIGIL_BUILD" install prefix=/usr ocfdir=/usr/lib/ocf fencedir=/usr/sbin localstatedir=/var \
        DESTDIR="$BATS_FILE_TMPDIR/installed" >"$BATS_FILE_TMPDIR/install.log" 2>&1 || { tail "$BATS_FILE_TMPDIR/install.log" >&2; return 1; }
}

setup() {
    installed=$BATS_FILE_TMPDIR/installed
    cib=$BATS_TEST_TMPDIR/cib.xml
    cibadmin --empty >"$cib"
}

tested_block() {
    awk -v mark="<!-- tested: $1 -->" '$0 == mark { found = 1 } found && /^```/ { if (inside) exit; inside = 1; next } inside' \
        "$VIGIL_SOURCE/README.md"
}

# What the configuration must hold, whoever made it.
assert_cib_complete() {
    local id type
    assert_equal fence_vigil_bmc "$(xmllint --xpath "string(//primitive[@class='stonith']/@type)" "$cib")"
    for id in db-volume:san-volume db-server:app db-address:vip; do
        type=${id#*:} id=${id%:*}
        assert_equal "vigil $type" "$(xmllint --xpath "concat(//group[@id='db']/primitive[@id='$id']/@provider, ' ', //primitive[@id='$id']/@type)" "$cib")"
        # A recurring monitor: without one a failure is never seen.
        assert test "$(xmllint --xpath "count(//primitive[@id='$id']//op[@name='monitor'])" "$cib")" -ge 1
    done
    assert crm_verify --xml-file "$cib"
}

# The parameters of every resource pass the agent's own checks.
assert_agents_accept() {
    local id type
    for id in db-volume db-server db-address; do
        type=$(xmllint --xpath "string(//primitive[@id='$id']/@type)" "$cib")
        mapfile -t parameters < <(xmllint --xpath "//primitive[@id='$id']/instance_attributes/nvpair" "$cib" |
            sed -n 's/.*name="\([^"]*\)" value="\([^"]*\)".*/\1=\2/p')
        assert test ${#parameters[@]} -ge 1
        agent "$type" validate-all "${parameters[@]}"
        echo "$id: $status $stderr"
        # The example's devices are not here: that may be said (1, 5), but no parameter may be wrong (6, 2).
        assert test "$status" -eq 0 -o "$status" -eq 1 -o "$status" -eq 5
        refute grep -q 'not known' <<<"$stderr"
    done
}

@test "the pcs example configures a cluster, and the agents accept it" {
    tested_block pcs | sed "s:^pcs :pcs -f '$cib' :" >"$BATS_TEST_TMPDIR/commands"
    assert test "$(grep -c '[^\\]$' "$BATS_TEST_TMPDIR/commands")" -ge 6
    installed_view "$installed" bash -euxo pipefail "$BATS_TEST_TMPDIR/commands" >"$BATS_TEST_TMPDIR/pcs.log" 2>&1 ||
        { cat "$BATS_TEST_TMPDIR/pcs.log" >&2; return 1; }
    # pcs says what it does not like, and goes on.
    refute grep -iE 'error|invalid|unknown|deprecated' "$BATS_TEST_TMPDIR/pcs.log"
    assert_cib_complete
    assert_agents_accept
}

@test "the crm example configures a cluster, and the agents accept it" {
    tested_block crm >"$BATS_TEST_TMPDIR/commands"
    assert test "$(grep -c '[^\\]$' "$BATS_TEST_TMPDIR/commands")" -ge 6
    mkdir -p "$BATS_TEST_TMPDIR/home"
    HOME=$BATS_TEST_TMPDIR/home CIB_file=$cib installed_view "$installed" \
        crm -F configure load update "$BATS_TEST_TMPDIR/commands" >"$BATS_TEST_TMPDIR/crm.log" 2>&1 ||
        { cat "$BATS_TEST_TMPDIR/crm.log" >&2; return 1; }
    cat "$BATS_TEST_TMPDIR/crm.log"
    # A configuration without nodes has no quorum.
    refute grep -iE 'error|warning|not (found|installed)' <(grep -v 'lack of quorum' "$BATS_TEST_TMPDIR/crm.log")
    assert_cib_complete
    assert_agents_accept
}

@test "the folders and files that the README speaks of are there" {
    local name
    for name in $(grep -oE '\]\((doc/[^)]+)\)' "$VIGIL_SOURCE/README.md" | sed 's/^](//; s/)$//') agents stonith lib xml xml/recipes tests packaging \
        tests/demo tests/check tests/packages/build.txt tests/packages/packaging.txt packaging/build-deb packaging/build-rpm; do
        assert test -e "$VIGIL_SOURCE/$name"
    done
    assert_equal README.md "$(readlink "$VIGIL_SOURCE/README")"
}
