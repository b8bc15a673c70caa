#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# A few fault schedules of each agent in each cloud, the same ones each time; tests/soak runs as many others as one likes. A failure prints seed, story and requests.
load ../lib/common

@test "the agents keep their rules in a cloud in which anything goes wrong" {
  run "$BATS_TEST_DIRNAME/fault_schedules" --count "${FAULT_SCHEDULES:-3}" --seed "${FAULT_SEED:-resolved}" --jobs 8
  echo "$output"
  assert_equal "$status" 0
  assert_equal "$(grep -c '^ok ' <<<"$output")" 16
}
