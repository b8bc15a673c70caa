# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# packages.bash: for tests/packaging: archives, clean roots, installed trees.
#
#   source_archive DIRECTORY     makes the source archive there once; its path is in $archive
#   unpack_archive DIRECTORY     unpacks it; the tree's path is in $tree
#   compiler                     the CC to configure with: through ccache where there is one, since a test builds all again
#   clean_root NAME PACKAGES     sets $root to a fresh Debian root that holds PACKAGES beside the essential ones; it ends with the test.
#                                The base is made once and kept in VIGIL_CACHE (/var/cache/vigil-tests).
#   installed_view DESTDIR CMD...      runs CMD on this machine as if DESTDIR were installed

VIGIL_CACHE=${VIGIL_CACHE:-/var/cache/vigil-tests}

source_archive() {
    [ -n "$(compgen -G "$1/vigil-*.tar.xz")" ] || "$VIGIL_SOURCE/packaging/make-archive" "$1" >"$1.log" 2>&1 ||
        { cat "$1.log" >&2; return 1; }
    archive=$(compgen -G "$1/vigil-*.tar.xz")
}

unpack_archive() {
    mkdir -p "$1" && tar -C "$1" -xJf "$archive" || return 1
    tree=$1/$(basename "$archive" .tar.xz)
}

compiler() {
    if command -v ccache >/dev/null; then echo "ccache gcc"; else echo gcc; fi
}

# Debian's mirror and release as this machine's apt knows them.
debian_release() {
    sed -n 's/^VERSION_CODENAME=//p' /etc/os-release
}

debian_mirror() {
    apt-get indextargets --format '$(REPO_URI) $(CODENAME) $(COMPONENT)' 'Created-By: Packages' |
        awk -v release="$(debian_release)" '$2 == release && $3 == "main" { print $1; exit }'
}

clean_root() {
    local name=$1 packages=$2 key base work
    key=$(printf '%s' "$packages" | md5sum | cut -c 1-12)
    base=$VIGIL_CACHE/root-$(debian_release)-$(dpkg --print-architecture)-$key
    mkdir -p "$VIGIL_CACHE"
    (
        flock 9
        [ -d "$base" ] && exit 0
        # A mirror may be out of reach for a moment.
        for _ in 1 2 3; do
            rm -rf "$base.new"
            debootstrap --variant=minbase --include="${packages// /,}" "$(debian_release)" "$base.new" "$(debian_mirror)" \
                >"$base.log" 2>&1 && mv "$base.new" "$base" && exit 0
        done
        exit 1
    ) 9>"$base.lock" || { tail -n 20 "$base.log" >&2; return 1; }
    work=$(mktemp -d "$VIGIL_CACHE/$name.XXXXXX") || return 1
    at_end rm -rf "$work"
    mkdir "$work/upper" "$work/work" "$work/root"
    mount -t overlay -o "lowerdir=$base,upperdir=$work/upper,workdir=$work/work" overlay "$work/root" || return 1
    at_end umount "$work/root"
    mount -t proc proc "$work/root/proc" && at_end umount "$work/root/proc" || return 1
    root=$work/root
}

# Layers over /usr/lib/ocf, /usr/sbin and /usr/share hold what DESTDIR has there; in a mount namespace of its own.
installed_view() {
    local destination=$1
    shift
    # shellcheck disable=SC2016 # expanded by the shell that is started
    unshare --mount --propagation private bash -c '
        destination=$1
        shift
        for folder in /usr/lib/ocf /usr/sbin /usr/share; do
            [ -d "$destination$folder" ] || continue
            mount -t overlay -o "lowerdir=$destination$folder:$folder" overlay "$folder" || exit 125
        done
        exec "$@"' installed_view "$destination" "$@"
}
