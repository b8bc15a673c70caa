# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# takeover.bash: tests/demo and tests/demo --stock in turn, several times each; the medians of each phase.

# What the demo prints of a phase, and what the phase is called here, in order.
takeover_events=("membership lost" "fenced" "volume mounted" "database up" "address announced" "first commit answered")
takeover_phases=("detected" "fenced" "volume" "application" "address" "first answer")

# Reads a demo's output; prints "KIND NAME MILLISECONDS" lines: of the power cut each phase's length, the whole, and the client's gap; the same
# of the killed application.
takeover_read() {
    awk '
        /cutting the power of/ { part = "cut"; last = 0 }
        /killing the database on/ { part = "kill"; last = 0 }
        part && /^ +[0-9]+\.[0-9]+ s  / {
            seconds = $1; text = $0
            sub(/^ +[0-9.]+ s  /, "", text)
            sub(/   *.*$/, "", text)
            gsub(/ /, "_", text)
            if (seconds == 0) next
            printf "%s %s %d\n", part, text, (seconds - last) * 1000 + 0.5
            printf "%s at_%s %d\n", part, text, seconds * 1000 + 0.5
            last = seconds
        }
        part && /client gap [0-9]+ ms/ { match($0, /client gap [0-9]+/); printf "%s gap %d\n", part, substr($0, RSTART + 11, RLENGTH - 11) }
        /rows lost [0-9]+/ { match($0, /rows lost [0-9]+/); printf "%s lost %d\n", part, substr($0, RSTART + 10, RLENGTH - 10) }
    '
}

# Puts the medians of a run's phases in microseconds into `figure`, as measure's figures stand there.
takeover_medians() {
    local whose=$1 key middle least most
    while read -r key middle least most; do
        figure[$key.$whose.time]="$middle $least $most"
    done < <(sort -k1,1 -k2,2 -k3,3n "$work/takeover.$whose" | awk '
        function flush() {
            if (count) print key, (values[int((count + 1) / 2)] + values[int(count / 2) + 1]) / 2 * 1000, values[1] * 1000, values[count] * 1000
        }
        { if ($1 "." $2 != key) { flush(); key = $1 "." $2; count = 0 } values[++count] = $3 }
        END { flush() }')
}

takeover_run() {
    local whose=$1 log=$work/demo.$1.$2
    shift 2
    "$source_root/tests/demo" "$@" >"$log" 2>&1 || { tail -n 20 "$log" >&2; echo "bench: tests/demo $* failed" >&2; return 1; }
    takeover_read <"$log" >>"$work/takeover.$whose"
}

section_takeover() {
    local number index event lost
    : >"$work/takeover.stock"
    : >"$work/takeover.ours"
    for ((number = 1; number <= takeovers; number++)); do
        takeover_run stock "$number" --stock && takeover_run ours "$number" || return 1
    done
    takeover_medians stock
    takeover_medians ours
    report_title "Takeover after a power cut, $takeovers times each: the phases' lengths"
    for index in "${!takeover_events[@]}"; do
        event=${takeover_events[index]// /_}
        report "${takeover_phases[index]}" time "cut.$event.stock" "cut.$event.ours"
    done
    report "power cut to first answer" time cut.at_first_commit_answered.stock cut.at_first_commit_answered.ours
    report "the client's gap" time cut.gap.stock cut.gap.ours
    report_title "Application killed, $takeovers times each: seconds since"
    report "noticed" time kill.at_failure_noticed.stock kill.at_failure_noticed.ours
    report "application runs" time kill.at_database_up.stock kill.at_database_up.ours
    report "first answer" time kill.at_first_commit_answered.stock kill.at_first_commit_answered.ours
    lost=$(awk '$2 == "lost" { sum += $3 } END { print sum + 0 }' "$work/takeover.stock" "$work/takeover.ours")
    echo "acknowledged rows lost in all $((2 * takeovers)) runs: $lost"
    [ "$lost" -eq 0 ]
}
