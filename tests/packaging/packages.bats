#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# The packages: built from the source archive alone, right in what they hold, and working on a machine that has nothing else.
load ../lib/common
load ../lib/packages

setup_file() {
    source_archive "$BATS_FILE_TMPDIR/archive"
    mkdir "$BATS_FILE_TMPDIR/deb" "$BATS_FILE_TMPDIR/rpm"
    # The unit tests run by themselves; here they would only cost time.
    DEB_BUILD_OPTIONS="nocheck parallel=$(nproc)" "$VIGIL_SOURCE/packaging/build-deb" --archive "$archive" "$BATS_FILE_TMPDIR/deb" \
        >"$BATS_FILE_TMPDIR/deb.log" 2>&1 || { cat "$BATS_FILE_TMPDIR/deb.log" >&2; return 1; }
    "$VIGIL_SOURCE/packaging/build-rpm" --archive "$archive" "$BATS_FILE_TMPDIR/rpm" -- --nodeps --nocheck \
        >"$BATS_FILE_TMPDIR/rpm.log" 2>&1 || { cat "$BATS_FILE_TMPDIR/rpm.log" >&2; return 1; }
}

setup() {
    deb=$(compgen -G "$BATS_FILE_TMPDIR/deb/vigil_*.deb")
    rpm=$(compgen -G "$BATS_FILE_TMPDIR/rpm/vigil-[0-9]*.$(uname -m).rpm")
}

build_version() {
    sed -n 's/^PACKAGE_VERSION = //p' "$VIGIL_BUILD/Makefile"
}

# Every file that a package must hold; man pages without their compression.
expected_files() {
    local name
    for name in $(build_agents); do
        echo "/usr/lib/ocf/resource.d/vigil/$name"
        echo "/usr/share/man/man7/ocf_vigil_$name.7"
    done
    for name in $(build_fence_agents); do
        echo "/usr/sbin/$name"
        echo "/usr/share/man/man8/$name.8"
    done
    find "$VIGIL_SOURCE/xml/recipes" -maxdepth 1 -type f -printf '/usr/share/vigil/recipes/%f\n'
    echo /usr/share/man/man7/vigil.7
    printf '%s\n' /usr/sbin/vigil /usr/sbin/vigild /usr/share/man/man8/vigil.8 /usr/share/man/man8/vigild.8 \
        /usr/share/bash-completion/completions/vigil
    echo /var/lib/vigil
}

# Fails, and names them, when standard input lacks some of the expected files.
assert_holds_expected() {
    local missing
    sed -e 's:/$::' -e 's/\.gz$//' | sort >"$BATS_TEST_TMPDIR/held"
    expected_files | sort >"$BATS_TEST_TMPDIR/expected"
    [ "$(wc -l <"$BATS_TEST_TMPDIR/expected")" -ge 10 ] || { echo "the list of expected files is too short" >&2; return 1; }
    missing=$(comm -13 "$BATS_TEST_TMPDIR/held" "$BATS_TEST_TMPDIR/expected")
    [ -z "$missing" ] || { echo "not in the package: $missing" >&2; return 1; }
}

@test "deb: lintian finds no error" {
    # It warns when root calls it; and what it says of a first upload is not an error.
    run lintian --allow-root --fail-on error "$BATS_FILE_TMPDIR"/deb/vigil_*.changes
    echo "$output"
    [ "$status" -eq 0 ]
    refute grep -q '^E:' <<<"$output"
}

@test "deb: holds the agents, their man pages and the recipes" {
    dpkg-deb --fsys-tarfile "$deb" | tar -tf - | sed 's/^\.//' | assert_holds_expected
}

@test "deb: the agents are programs of root that nobody else can write" {
    local wrong
    wrong=$(dpkg-deb -c "$deb" | awk '$1 !~ /^[dl]/ && ($6 ~ /resource\.d\/vigil\// || $6 ~ /usr\/sbin\//) && ($1 != "-rwxr-xr-x" || $2 != "root/root")')
    assert_equal "" "$wrong"
}

@test "deb: has the version that configure has" {
    assert_equal "$(build_version)-1" "$(dpkg-deb -f "$deb" Version)"
}

# Installs the deb in a clean root; what it depends on is there before, but nothing that it only recommends.
install_in_clean_root() {
    local dependencies
    dependencies=$(dpkg-deb -f "$deb" Depends | tr ',' '\n' | sed -e 's/|.*//' -e 's/(.*//' -e 's/[[:space:]]//g' | sort | xargs)
    clean_root deb "$dependencies" || return 1
    cp "$deb" "$root/vigil.deb"
    chroot "$root" dpkg -i /vigil.deb >"$BATS_TEST_TMPDIR/dpkg.log" 2>&1 || { cat "$BATS_TEST_TMPDIR/dpkg.log" >&2; return 1; }
}

# Runs a command in the root, in namespaces of its own: nothing that it does is seen outside.
in_root() {
    unshare --net --pid --fork --kill-child --mount --uts --ipc chroot "$root" "$@"
}

@test "deb: in a clean root every agent tells its metadata and no library is missing" {
    local name
    install_in_clean_root
    for name in $(build_agents); do
        in_root "/usr/lib/ocf/resource.d/vigil/$name" meta-data >"$BATS_TEST_TMPDIR/metadata"
        assert xmllint --noout --nonet "$BATS_TEST_TMPDIR/metadata"
        in_root ldd "/usr/lib/ocf/resource.d/vigil/$name" >"$BATS_TEST_TMPDIR/ldd"
        refute grep 'not found' "$BATS_TEST_TMPDIR/ldd"
    done
    for name in $(build_fence_agents); do
        in_root "/usr/sbin/$name" -o metadata >"$BATS_TEST_TMPDIR/metadata"
        assert xmllint --noout --nonet "$BATS_TEST_TMPDIR/metadata"
        in_root ldd "/usr/sbin/$name" >"$BATS_TEST_TMPDIR/ldd"
        refute grep 'not found' "$BATS_TEST_TMPDIR/ldd"
    done
}

@test "deb: in a clean root the vip agent probes, starts, monitors and stops an address" {
    install_in_clean_root
    # The link is made outside, where ip is; the root has only what the package needs.
    cat >"$root/life" <<'END'
#!/bin/bash
agent=/usr/lib/ocf/resource.d/vigil/vip
export OCF_ROOT=/usr/lib/ocf OCF_RESOURCE_INSTANCE=clean OCF_RESKEY_ip=198.51.100.9 OCF_RESKEY_CRM_meta_timeout=20000
export OCF_RESKEY_cidr_netmask=24 OCF_RESKEY_nic=clean0
OCF_RESKEY_CRM_meta_interval=0 $agent monitor; echo "probe $?"
$agent start; echo "start $?"
OCF_RESKEY_CRM_meta_interval=10000 $agent monitor; echo "monitor $?"
$agent stop; echo "stop $?"
OCF_RESKEY_CRM_meta_interval=0 $agent monitor; echo "probe $?"
END
    chmod 755 "$root/life"
    unshare --net --pid --fork --kill-child --mount --uts --ipc bash -c '
        ip link set lo up && ip link add clean0 type veth peer name clean1 && ip link set clean0 up && ip link set clean1 up &&
            exec chroot "$1" /life' life "$root" >"$BATS_TEST_TMPDIR/life" 2>&1
    cat "$BATS_TEST_TMPDIR/life"
    assert_equal "probe 7 start 0 monitor 0 stop 0 probe 7" "$(grep -E '^(probe|start|monitor|stop) ' "$BATS_TEST_TMPDIR/life" | xargs)"
}

@test "deb: purged, it leaves nothing behind" {
    local left
    install_in_clean_root
    in_root dpkg --purge vigil >"$BATS_TEST_TMPDIR/purge.log" 2>&1
    left=$(find "$root" -xdev \( -path "$root/proc" -o -path "$root/var/lib/dpkg" -o -path "$root/var/log" \) -prune -o -name '*vigil*' -print |
        grep -v "^$root/vigil.deb$" || :)
    assert_equal "" "$left"
}

@test "rpm: holds the agents, their man pages and the recipes" {
    rpm -qlp "$rpm" | assert_holds_expected
}

@test "rpm: has the version that configure has, and a source package" {
    assert_equal "$(build_version)" "$(rpm -qp --qf '%{VERSION}' "$rpm")"
    assert test -f "$BATS_FILE_TMPDIR"/rpm/vigil-*.src.rpm
}

# What both packages have in the same place, without folders and compression.
shared_files() {
    sed 's/\.gz$//' | grep -E '^/usr/(lib/ocf/resource.d/vigil|sbin|share/man/man[0-9]|share/vigil/recipes)/[^/]+$' | sort
}

@test "deb and rpm hold the same files" {
    local difference
    # The deb has Debian's own papers, the rpm its licence folder; the rest is one list.
    difference=$(diff <(dpkg-deb --fsys-tarfile "$deb" | tar -tf - | sed 's/^\.//' | shared_files) <(rpm -qlp "$rpm" | shared_files)) || :
    assert_equal "" "$difference"
}
