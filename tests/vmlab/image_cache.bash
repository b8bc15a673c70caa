# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# image_cache.bash: what is kept from one lab to the next (images, snapshots), for as long as it is of use.
#
#   cache_hold FOLDER          notes that FOLDER is used now; it stays until this process and all that it starts have ended
#   cache_prune CACHE KIND...  removes of the folders CACHE/KIND-* all but the newest four, and those unused for three days
#
# A folder's time is that of its last use. One that is held stays, and one of the last hour too: it may be a lab's that doesn't hold it yet.
# cache_prune is called with the lock under which folders of these kinds are made, so that it meets none half made.

CACHE_KEEP=4

cache_hold() {
  touch -c "$1" && exec {CACHE_HELD}< "$1" && flock -s "$CACHE_HELD" || return 1
  # It may have been removed while we waited for the lock.
  [ "$1" -ef "/proc/self/fd/$CACHE_HELD" ]
}

cache_prune() {
  local cache=$1 kind folder number age
  shift
  for kind in "$@"; do
    number=0
    while IFS= read -r folder; do
      number=$((number + 1)) age=$((EPOCHSECONDS - $(stat -c %Y "$folder")))
      if [ $age -gt $((3 * 86400)) ] || { [ $number -gt $CACHE_KEEP ] && [ $age -gt 3600 ]; }; then cache_remove "$folder"; fi
    done < <(ls -dt "$cache/$kind"-* 2>/dev/null)
  done
}

cache_remove() {
  local held
  exec {held}< "$1" || return 0
  # First what says that it is complete.
  if flock -n -x "$held"; then rm -f "$1"/{complete,place} && rm -rf --one-file-system "$1"; fi
  exec {held}<&-
}
