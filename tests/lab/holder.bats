# SPDX-License-Identifier: GPL-2.0-or-later
# The cluster's record of who held a volume last, in a real CIB: a node that stood still between reading and writing it changes nothing of what another
# has written meanwhile, be it its release or its take.

bats_require_minimum_version 1.5.0

load_lab() {
  # shellcheck source=tests/lab/lab.bash
  . "$BATS_TEST_DIRNAME/lab.bash"
}

setup_file() {
  load_lab
  local build=${VIGIL_BUILD:-$BATS_TEST_DIRNAME/../../build}
  lab_reap
  lab_stage "$build" "$BATS_FILE_TMPDIR/stage" > "$BATS_FILE_TMPDIR/stage.log" 2>&1 || { cat "$BATS_FILE_TMPDIR/stage.log"; return 1; }
  LAB_TOKEN=3000 lab_up 2 "$BATS_FILE_TMPDIR/stage" || return 1
  export LAB
  lab_wait 60 "the options of the cluster" recorded_is n1 ''
}

teardown_file() {
  [ -n "${LAB:-}" ] || return 0
  load_lab
  lab_attach "$LAB"
  lab_down
  local left
  left=$(lab_leftovers)
  [ -z "$left" ] || { echo "left behind: $left" >&2; return 1; }
}

setup() {
  local lab=$LAB
  load_lab
  lab_attach "$lab"
  lab_exec n1 mkdir -p /run/slow
  # A cibadmin that stands still before it changes anything, and notes how it ended.
  lab_exec n1 cp /dev/stdin /run/slow/cibadmin << 'END'
#!/bin/bash
if [ "$1" = --modify ]; then
  : > /run/slow/stands
  until [ -e /run/slow/go ]; do sleep 0.05; done
fi
/usr/sbin/cibadmin "$@"
code=$?
[ "$1" != --modify ] || echo "$code" >> /run/slow/ended
exit "$code"
END
  lab_exec n1 chmod 755 /run/slow/cibadmin
  lab_exec n1 rm -f /run/slow/stands /run/slow/go /run/slow/ended /run/slow/log
}

teardown() {
  [ -n "${BATS_TEST_COMPLETED:-}" ] || cp -r "$LAB/log" "$BATS_FILE_TMPDIR/log.$BATS_TEST_NUMBER"
}

# volume NODE ACTION, by hand, but as Pacemaker calls it; AGENT_PATH goes before the node's own.
volume() {
  lab_exec "$1" env "PATH=${AGENT_PATH:+$AGENT_PATH:}/usr/sbin:/usr/bin:/sbin:/bin" OCF_ROOT=/usr/lib/ocf OCF_RESOURCE_INSTANCE=held OCF_RESKEY_CRM_meta_timeout=110000 \
    PCMK_logfile=/run/slow/log OCF_RESKEY_device=/dev/disk/by-id/scsi-shared-volume OCF_RESKEY_directory=/srv/db OCF_RESKEY_last_holder=require OCF_RESKEY_watch=false \
    /usr/lib/ocf/resource.d/vigil/san-volume "$2"
}

recorded() {
  lab_exec "$1" crm_attribute --type crm_config --name vigil-holder-held --query --quiet --default '' 2>/dev/null
}

# Known, and this.
recorded_is() {
  local text
  text=$(recorded "$1") && [ "$text" = "$2" ]
}

is_mounted() { lab_exec "$1" mountpoint -q /srv/db; }
stands_still() { lab_exec n1 test -e /run/slow/stands; }

# Begins an action on n1 that stands still as it is about to write.
begin_slow() {
  AGENT_PATH=/run/slow volume n1 "$1" > "$BATS_TEST_TMPDIR/slow" 2>&1 &
  slow=$!
  lab_wait 60 "n1 about to write" stands_still
}

@test "a release that comes late leaves the next holder's record alone" {
  local code=0
  volume n1 start
  recorded_is n1 "held n1 0 1"
  recorded_is n2 "held n1 0 1"
  begin_slow stop
  run ! is_mounted n1
  # Neither released nor fenced: nobody else has it before a person says that it is not in use.
  run ! volume n2 start
  lab_exec n2 crm_attribute -t crm_config -n vigil-holder-held -v 'released n1 0'
  volume n2 start
  recorded_is n2 "held n2 0 1"
  lab_exec n1 touch /run/slow/go
  wait "$slow" || code=$?
  [ "$code" -eq 0 ] || { cat "$BATS_TEST_TMPDIR/slow"; return 1; }
  lab_exec n1 grep -q 'written it meanwhile' /run/slow/log || { cat "$BATS_TEST_TMPDIR/slow"; lab_exec n1 cat /run/slow/log; return 1; }
  [ "$(lab_exec n1 cat /run/slow/ended)" = 105 ]
  recorded_is n1 "held n2 0 1"
  is_mounted n2
  volume n2 stop
  recorded_is n1 "released n2 0 1"
}

@test "of two nodes that write the first record at once, one has it, and the other does not mount" {
  local code=0
  lab_exec n1 crm_attribute -t crm_config -n vigil-holder-held -D
  begin_slow start
  volume n2 start
  lab_exec n1 touch /run/slow/go
  wait "$slow" || code=$?
  [ "$code" -eq 1 ] || { cat "$BATS_TEST_TMPDIR/slow"; return 1; }
  grep -q 'ocf-exit-reason:.*another node has written it meanwhile' "$BATS_TEST_TMPDIR/slow" || { cat "$BATS_TEST_TMPDIR/slow"; return 1; }
  run ! is_mounted n1
  [ "$(lab_exec n1 cat /run/slow/ended)" = 105 ]
  recorded_is n1 "held n2 0 1"
  volume n2 stop
}

@test "the hold is counted from node to node" {
  volume n1 start
  recorded_is n2 "held n1 0 2"
  volume n1 stop
  volume n2 start
  recorded_is n1 "held n2 0 3"
  volume n2 stop
  recorded_is n1 "released n2 0 3"
}
