# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# snapshot.bash: a running lab written to a folder, and started from it again. A snapshot belongs to one image and one version of the
# emulator: who keeps one names its folder after what went in (lab_snapshot_key).

# Prints what a snapshot depends on beside what was done in the lab: image, emulator, this build of the tree.
lab_snapshot_key() {
  { echo "$IMAGE"; qemu-system-x86_64 --version; find "$BUILD/agents" "$BUILD/stonith" "$BUILD/tools" "$BUILD/lib" "$BUILD/tests/vmlab" \
    -type f -newermt @0 \( -perm -u+x -o -name '*.a' \) -exec sha256sum {} + 2>/dev/null | sort; cat "$VMLAB_SOURCE"/guest/* "$VMLAB_SOURCE"/*.bash; } |
    sha256sum | cut -c1-16
}

# Emulators write their state as they would send it to another host. All machines stop at (nearly) one moment, before any is written.
lab_save() {
  local folder=$1 name
  rm -rf --one-file-system "$folder" && mkdir -p "$folder" || return 1
  folder=$(cd "$folder" && pwd)
  # shellcheck disable=SC2046 # words
  machines_all stop $(lab_machines) || return 1
  for name in $(lab_machines); do
    machine_qmp "$name" migrate-set-parameters '{"max-bandwidth": 8000000000}' >/dev/null &&
      machine_qmp "$name" migrate "{\"uri\": \"exec:cat >$folder/$name.state\"}" >/dev/null || return 1
  done
  for name in $(lab_machines); do
    machine_wait_written "$name" && cp --sparse=always "$LAB/$name.disk" "$folder/" || return 1
  done
  cp --sparse=always "$LAB/stage.ext4" "$folder/"
}

machine_wait_written() {
  local tries=1800
  while [ $((tries -= 1)) -gt 0 ]; do
    case $(machine_qmp "$1" query-migrate) in
    *'"status": "completed"'*) return ;;
    *'"status": "failed"'*) break ;;
    esac
    sleep 0.1
  done
  fail "the state of $1 was not written"
}

# The same command for all at once: the time from the first to the last is one in which they don't see each other.
machines_all() {
  local command=$1 name pids=() pid status=0
  shift
  for name in "$@"; do
    machine_qmp "$name" "$command" >/dev/null &
    pids+=($!)
  done
  for pid in "${pids[@]}"; do wait "$pid" || status=1; done
  return $status
}

lab_restore() {
  local folder name names
  folder=$(cd "$1" && pwd) || return 1
  names=$(cd "$folder" && ls ./*.state) || { fail "no snapshot in $folder"; return 1; }
  names=${names//.state/}
  names=${names//.\//}
  lab_open && cp --sparse=always "$folder/stage.ext4" "$LAB/" || { lab_down; return 1; }
  for name in $names; do
    cp --sparse=always "$folder/$name.disk" "$LAB/" && machine_start "$name" -S -incoming "exec:cat $folder/$name.state" &&
      controller_start "$name" || { lab_down; return 1; }
  done
  for name in $names; do machine_wait_read "$name" || { lab_down; return 1; }; done
  # shellcheck disable=SC2086 # words
  machines_all cont $names || { lab_down; return 1; }
  for name in $names; do machine_wait "$name" || { lab_down; return 1; }; done
}

machine_wait_read() {
  local tries=1800
  while machine_lives "$1" && [ $((tries -= 1)) -gt 0 ]; do
    case $(machine_qmp "$1" query-status 2>/dev/null) in
    '' | *inmigrate*) sleep 0.05 ;;
    *) return ;;
    esac
  done
  fail "$1 does not take its state: $(tail -n 2 "$LAB/$1.log")"
}
