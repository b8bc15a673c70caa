# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# loop.bash: loop devices, which all tests of a machine share: a number that one test gives back is another's in the next moment.
# So a device is detached only while it still has the backing file that it was made with.
#
#   loop_identity DEVICE              prints what it is backed by: inode and file system
#   loop_detach DEVICE IDENTITY       detaches it, waiting at most 5 s for what still holds it

loop_identity() {
  losetup -n -O BACK-INO,BACK-MAJ:MIN "$1" 2>/dev/null | tr -s ' '
}

loop_detach() {
  local tries=100
  while [ "$(loop_identity "$1")" = "$2" ]; do
    [ $((tries -= 1)) -gt 0 ] || { echo "loop device $1 stays" >&2; return 1; }
    losetup -d "$1" 2>/dev/null
    [ "$(loop_identity "$1")" != "$2" ] || sleep 0.05
  done
}
