# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# image.bash: what the lab's machines boot: a read-only disk with Debian's packages, a kernel and a small first file system.
#
#   image_build          makes $IMAGE/{root.ext4,vmlinux,initrd} unless they are there
#   image_stage FILE     makes a disk with the build tree's programs and the lab's own guest programs, laid over the first one
#
# The image depends on the list of packages, the kernel's flavour and this file, which name its folder in the cache. Packages come from the
# mirrors in the host's own apt sources, checked by apt as always, with a state of apt's own, so that nothing of the host's matters.

# Parts of drivers/ that a lab needs; a whole Debian kernel would be 400 MB.
IMAGE_DRIVERS="block target scsi md nvme watchdog virtio char/hw_random infiniband/core infiniband/sw net/virtio_net.ko net/net_failover.ko"

image_key() {
  { cat "$VMLAB_SOURCE"/{guest_packages.txt,image.bash,guest_initrd_init}; echo "$KERNEL"; } | sha256sum | cut -c1-16
}
IMAGE=$CACHE/image-$(image_key)

image_build() {
  [ ! -e "$IMAGE/complete" ] || return 0
  mkdir -p "$CACHE" || return 1
  (
    # Two labs that start at once build one image.
    exec 9>"$CACHE/build.lock"
    flock 9
    [ ! -e "$IMAGE/complete" ] || exit 0
    work=$(mktemp -d "$CACHE/work.XXXXXX") || exit 1
    trap 'rm -rf --one-file-system "$work"' EXIT
    trap 'exit 130' INT TERM HUP
    image_make "$work"
  )
}

image_make() {
  local work=$1 begin=$SECONDS
  echo "vmlab: building the machines' disk in $IMAGE ($KERNEL kernel)" >&2
  mkdir -p "$IMAGE" "$work/root" && image_fetch "$work" && image_unpack "$work" && image_configure "$work/root" &&
    image_kernel "$work" && image_initrd "$work" && image_disk "$work/root" "$IMAGE/root.ext4" -O ^has_journal &&
    : > "$IMAGE/complete" && echo "vmlab: built in $((SECONDS - begin)) s" >&2
}

# --- packages ---

# The host's mirrors as "deb" lines, and the next release's backports for a newer kernel.
image_sources() {
  local uri codename component
  apt-get indextargets --format '$(REPO_URI) $(CODENAME) $(COMPONENT)' 'Created-By: Packages' | sort -u |
    grep -E ' (bookworm|bookworm-updates|bookworm-security) main$' > "$1/mirrors"
  while read -r uri codename component; do
    echo "deb $uri $codename $component"
    [ "$codename $KERNEL" != "bookworm backports" ] || printf 'deb %s %s main\n' "$uri" trixie "$uri" trixie-backports
  done < "$1/mirrors"
  [ -s "$1/mirrors" ]
}

image_apt() {
  local work=$1
  shift
  apt-get -qq -y -o Dir::Etc::sourcelist="$work/sources.list" -o Dir::Etc::sourceparts=- -o Dir::Etc::preferences="$work/preferences" \
    -o Dir::Etc::preferencesparts=- -o Dir::State="$work/state" -o Dir::State::status="$work/status" -o Dir::Cache="$work/cache" \
    -o APT::Architectures=amd64 -o APT::Sandbox::User=root -o Acquire::Languages=none -o Acquire::Retries=3 "$@"
}

# An empty list of installed packages makes apt name all that is needed, whatever the host has.
image_fetch() {
  local work=$1 packages
  mkdir -p "$work"/{state/lists/partial,cache/archives/partial} && : > "$work/status"
  image_sources "$work" > "$work/sources.list" || { fail "the host's apt sources name no Debian 12 mirror"; return 1; }
  printf 'Package: *\nPin: release n=trixie*\nPin-Priority: 1\n\nPackage: linux-*\nPin: release n=trixie-backports\nPin-Priority: 990\n' \
    > "$work/preferences"
  mapfile -t packages < <(sed -e 's/#.*//' -e '/^[[:space:]]*$/d' "$VMLAB_SOURCE/guest_packages.txt")
  image_apt "$work" update >&2 || { fail "apt-get update failed"; return 1; }
  image_apt "$work" install --no-install-recommends --download-only '?essential' "${packages[@]}" > "$work/apt.log" 2>&1 &&
    image_fetch_kernel "$work" || { tail -n 5 "$work/apt.log" >&2; fail "apt-get could not fetch the packages"; return 1; }
}

# Only the kernel's own packages: what the newer ones want beside them is of another release.
image_fetch_kernel() {
  local work=$1 names
  names=$(image_apt "$work" install --no-install-recommends --print-uris linux-image-amd64 2>> "$work/apt.log" |
    sed -nE "s/.* (linux-(base|image|modules|binary)-[0-9][^_]*)_.*/\1/p")
  [ -n "$names" ] || return 1
  mkdir -p "$work/kernel"
  # shellcheck disable=SC2086 # a list of names
  (cd "$work/kernel" && image_apt "$work" download $names) >> "$work/apt.log" 2>&1
}

image_unpack() {
  local work=$1 root=$1/root folder
  mkdir -p "$root"/usr/{bin,sbin,lib,lib64} "$root"/{run,proc,sys,dev,tmp,etc,var,srv}
  for folder in bin sbin lib lib64; do ln -s "usr/$folder" "$root/$folder"; done
  ln -s /run "$root/var/run" && ln -s /run/lock "$root/var/lock"
  # shellcheck disable=SC2016 # for the shell that is started
  find "$work/cache/archives" -name '*.deb' -print0 | sort -z | xargs -0 -P 2 -I{} bash -o pipefail -c '
    dpkg-deb --fsys-tarfile "$1" | tar -x --keep-directory-symlink -C "$2" --exclude=./usr/share/{doc,man,locale,info,perl} \
      --exclude=./usr/lib/*/perl --exclude=./var/run --exclude=./var/lock' unpack {} "$root" || fail "a package does not unpack"
}

# What the packages' scripts would have done, as far as it matters here.
image_configure() {
  local root=$1 name
  cp "$root/usr/share/base-passwd/passwd.master" "$root/etc/passwd" && cp "$root/usr/share/base-passwd/group.master" "$root/etc/group" || return 1
  cat >> "$root/etc/group" <<'END'
haclient:x:105:
messagebus:x:106:
postgres:x:109:
END
  cat >> "$root/etc/passwd" <<'END'
hacluster:x:102:105::/var/lib/pacemaker:/usr/sbin/nologin
messagebus:x:106:106::/nonexistent:/usr/sbin/nologin
statd:x:107:65534::/var/lib/nfs:/usr/sbin/nologin
_rpc:x:108:65534::/run/rpcbind:/usr/sbin/nologin
postgres:x:109:109::/var/lib/postgresql:/bin/bash
END
  printf 'passwd: files\ngroup: files\nhosts: files\n' > "$root/etc/nsswitch.conf"
  # For su, which stock agents use.
  for name in auth account password session; do echo "$name required pam_permit.so" > "$root/etc/pam.d/common-$name"; done
  printf 'root:*:19000::::::\npostgres:*:19000::::::\n' > "$root/etc/shadow"
  : > "$root/etc/fstab"
  ln -sf /proc/mounts "$root/etc/mtab"
  ln -sf mawk "$root/usr/bin/awk"
  ln -sf which.debianutils "$root/usr/bin/which"
  for name in iptables ip6tables; do ln -sf xtables-nft-multi "$root/usr/sbin/$name"; done
  mkdir -p "$root"/etc/{target,iscsi,corosync,pacemaker} "$root"/var/target "$root"/var/lib/{corosync,nfs} "$root/var/log/corosync"
  for name in lib/pacemaker lib/pacemaker/{cib,pengine,blackbox,cores} log/pacemaker; do
    install -d -o 102 -g 105 -m 750 "$root/var/$name" || return 1
  done
  ldconfig -r "$root"
}

# --- the kernel ---

image_kernel() {
  local work=$1 root=$1/root deb driver patterns=() release
  for driver in $IMAGE_DRIVERS; do patterns+=("./*lib/modules/*/kernel/drivers/$driver*"); done
  for deb in "$work"/kernel/*.deb; do
    # Not every package has all of these.
    dpkg-deb --fsys-tarfile "$deb" | tar -x --keep-directory-symlink -C "$root" --wildcards './boot/vmlinuz*' './*lib/modules/*/vmlinuz' \
      './*lib/modules/*/modules.*' './*lib/modules/*/kernel/'{block,fs,net,lib,crypto,arch} "${patterns[@]}" 2>/dev/null
  done
  release=$(ls "$root/lib/modules") && [ -d "$root/lib/modules/$release/kernel" ] || { fail "the kernel's packages hold no modules"; return 1; }
  find "$root/lib/modules" -name '*.ko.xz' -print0 | xargs -0 -r -P 2 -n 50 xz -d || return 1
  depmod -b "$root" "$release" || return 1
  deb=$(find "$root/boot" "$root/lib/modules/$release" -name 'vmlinuz*' | head -n 1)
  image_vmlinux "$deb" "$IMAGE/vmlinux" && rm -rf "${root:?}/boot" "$root/lib/modules/$release/vmlinuz"
}

# A little-endian number of a file: FILE OFFSET LENGTH.
image_number() {
  od -An "-tu$3" "-j$2" "-N$3" "$1" | tr -d ' '
}

# Unpacks the kernel, since under emulation its own unpacking takes seconds. Offsets: Linux, Documentation/arch/x86/boot.rst, "The
# Real-Mode Kernel Header": setup_sects 0x1f1, payload_offset 0x248, payload_length 0x24c. The payload's last four bytes are its length.
image_vmlinux() {
  local file=$1 offset length unpack
  offset=$((($(image_number "$file" 497 1) + 1) * 512 + $(image_number "$file" 584 4)))
  length=$(image_number "$file" 588 4)
  case $(od -An -tx1 -j$offset -N4 "$file" | tr -d ' ') in
  fd377a58) unpack="xz -dc" ;;
  1f8b*) unpack="gzip -dc" ;;
  28b52ffd) unpack="zstd -dc" ;;
  *) fail "the kernel is packed in a way that is not known here"; return 1 ;;
  esac
  # Followed by other things, which gzip and others mention.
  tail -c +$((offset + 1)) "$file" | head -c $((length - 4)) | $unpack > "$2" 2>/dev/null
  [ "$(head -c 4 "$2" | tail -c 3)" = ELF ] || fail "found no kernel in $file"
}

# --- the first file system ---

image_initrd() {
  local work=$1 root=$1/root tree=$1/initrd module release
  release=$(ls "$root/lib/modules")
  mkdir -p "$tree"/{bin,modules,proc,dev,root,stage,memory,new}
  cp "$(command -v busybox)" "$tree/bin/" || return 1
  for module in virtio_pci virtio_blk ext4 overlay; do
    modprobe -d "$root" -S "$release" --show-depends "$module" || return 1
  done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }' > "$work/modules" || return 1
  while read -r module; do
    cp "$module" "$tree/modules/" && echo "${module##*/}" >> "$tree/modules/order" || return 1
  done < "$work/modules"
  install -m 755 "$VMLAB_SOURCE/guest_initrd_init" "$tree/init" || return 1
  (cd "$tree" && find . | cpio -o -H newc --quiet) > "$IMAGE/initrd"
}

# --- disks ---

# Makes a file system in a file out of a folder, with a little room.
image_disk() {
  local folder=$1 file=$2 size
  shift 2
  size=$(($(du -sm "$folder" | cut -f 1) * 12 / 10 + 16))
  rm -f "$file" && mke2fs -q -F -t ext4 "$@" -E nodiscard -d "$folder" "$file" "${size}M" >/dev/null || fail "cannot make $file"
}

# The folders are the nodes', whatever prefix the build tree was configured with.
image_stage() {
  local file=$1 tree=$LAB/stage
  # Labs that start at once, and the demo, build one tree: one at a time.
  exec 8>"$BUILD/demo.lock" && flock 8 || return 1
  make -s -C "$BUILD" all tests/vmlab/guest_shell tests/vmlab/volume_writer tests/vmlab/volume_client >&2 &&
    make -s -C "$BUILD" install "DESTDIR=$tree" ocfagentdir=/usr/lib/ocf/resource.d/vigil fencedir=/usr/sbin \
      sbindir=/usr/sbin bindir=/usr/bin mandir=/drop udevrulesdir=/usr/lib/udev/rules.d >"$LAB/stage.log" 2>&1 || { fail "the build tree $BUILD does not install: $LAB/stage.log"; return 1; }
  exec 8>&-
  rm -rf "$tree/drop"
  sed -i 's,"[^" ]*/vigil-storage-guard,"/usr/sbin/vigil-storage-guard,' "$tree"/usr/lib/udev/rules.d/*.rules
  mkdir -p "$tree/usr/sbin" && chmod 755 "$tree" && install -m 755 "$BUILD/tests/vmlab/guest_shell" "$BUILD/tests/vmlab/volume_writer" \
    "$VMLAB_SOURCE"/guest/guest_* "$tree/usr/sbin/" && image_disk "$tree" "$file" -O ^has_journal && rm -rf "$tree"
}
