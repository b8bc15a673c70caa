#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# The man pages say what the agents say, and roff and man find nothing wrong with them.
load ../lib/common
load ../lib/packages

# Prints the path of every page that a build has.
pages() {
    local name
    for name in $(build_agents); do echo "$VIGIL_BUILD/xml/ocf_vigil_$name.7"; done
    for name in $(build_fence_agents); do echo "$VIGIL_BUILD/xml/$name.8"; done
    echo "$VIGIL_SOURCE/doc/vigil.7"
    echo "$VIGIL_SOURCE/doc/vigil-storage-guard.8"
    echo "$VIGIL_SOURCE/doc/vigild.8"
    echo "$VIGIL_BUILD/xml/vigil.8"
}

@test "there is a page for every agent" {
    local page
    assert test "$(pages | wc -l)" -ge 5
    for page in $(pages); do assert test -s "$page"; done
}

@test "groff has no warning about any page" {
    local page warnings
    for page in $(pages); do
        warnings=$(groff -K utf8 -t -man -Tutf8 -ww -z "$page" 2>&1) || :
        assert_equal "" "$warnings"
    done
}

@test "man shows every page without a warning" {
    local page warnings
    for page in $(pages); do
        warnings=$(MANWIDTH=80 LC_ALL=C.UTF-8 man --warnings -E UTF-8 -l "$page" 2>&1 >/dev/null) || :
        assert_equal "" "$warnings"
    done
}

@test "whatis can read every page's name and purpose" {
    local page
    for page in $(pages); do
        assert lexgrog "$page"
    done
}

# The names of all parameters in a metadata on standard input.
parameter_names() {
    xmllint --nonet --xpath '//parameter/@name' - 2>/dev/null | sed 's/ *name="\([^"]*\)"/\1\n/g' | grep .
}

assert_page_names_all() {
    local page=$1 text name
    text=$(MANWIDTH=200 LC_ALL=C.UTF-8 man -E UTF-8 -l "$page" 2>/dev/null | col -b)
    while read -r name; do
        grep -qE "^ +$name( |\$)" <<<"$text" || { echo "$page does not speak of $name" >&2; return 1; }
    done
}

@test "every parameter of every agent is explained" {
    local name
    for name in $(build_agents); do
        "$VIGIL_BUILD/agents/$name" meta-data | parameter_names >"$BATS_TEST_TMPDIR/names"
        assert test -s "$BATS_TEST_TMPDIR/names"
        assert_page_names_all "$VIGIL_BUILD/xml/ocf_vigil_$name.7" <"$BATS_TEST_TMPDIR/names"
    done
    for name in $(build_fence_agents); do
        "$VIGIL_BUILD/stonith/$name" -o metadata | parameter_names >"$BATS_TEST_TMPDIR/names"
        assert test -s "$BATS_TEST_TMPDIR/names"
        assert_page_names_all "$VIGIL_BUILD/xml/$name.8" <"$BATS_TEST_TMPDIR/names"
    done
}

@test "vigil(7) names every agent" {
    local name text
    text=$(MANWIDTH=200 LC_ALL=C.UTF-8 man -E UTF-8 -l "$VIGIL_SOURCE/doc/vigil.7" 2>/dev/null | col -b)
    for name in $(build_agents); do assert grep -q "ocf_vigil_$name(7)" <<<"$text"; done
    for name in $(build_fence_agents); do assert grep -q "$name(8)" <<<"$text"; done
}

@test "a text that looks like a roff request is printed as it is" {
    local page=$BATS_TEST_TMPDIR/hostile.7
    cat >"$BATS_TEST_TMPDIR/hostile.xml" <<'END'
<resource-agent name="hostile"><longdesc lang="en">.so /etc/passwd

'bp \n(.g \fBbold &lt;tag&gt; a\b

plain</longdesc><shortdesc lang="en">Hostile - \text</shortdesc><parameters><parameter name="p"><longdesc lang="en">.ex</longdesc><shortdesc lang="en">.ab</shortdesc><content type="string" default="-x\y"/></parameter></parameters><actions><action name="monitor" timeout="1s" interval="2s"/></actions></resource-agent>
END
    xsltproc --nonet --novalid --stringparam version 1 -o "$page" "$VIGIL_SOURCE/xml/ra-man.xsl" "$BATS_TEST_TMPDIR/hostile.xml"
    assert_equal "" "$(groff -K utf8 -man -Tutf8 -ww -z "$page" 2>&1)"
    output=$(MANWIDTH=200 LC_ALL=C.UTF-8 man -E UTF-8 -l "$page" | col -b)
    assert_output_has '^ +\.so /etc/passwd$'
    assert_output_has "^ +'bp \\\\n\(\.g \\\\fBbold <tag> a\\\\b$"
    assert_output_has 'default -x\\y'
}
