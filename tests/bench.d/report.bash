# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# report.bash: runs measure, keeps its figures, prints them as lines of a table, and counts the bounds.
#
#   measured ITEM [::: ITEM]...     runs the items (see measure.c) and keeps their figures by name; MEASURE_OPTIONS go in front, and MEASURE_PREFIX
#                                   in front of the whole command
#   report_title TEXT COLUMNS       begins a table
#   report LABEL FIGURE STOCK OURS [BOUND]    one line: FIGURE is cpu, time or peak; STOCK and OURS are items' names, a name may
#                                   be -; BOUND is 1/40, 2x (at most twice STOCK), 15ms or 4MiB

declare -gA figure=()

measured() {
    local name count wrong cpu_min cpu cpu_max time_min time time_max peak failed=0
    "${MEASURE_PREFIX[@]}" "$build/tests/bench.d/measure" --runs "$runs" "${MEASURE_OPTIONS[@]}" "$@" >"$work/measured" || return 1
    while IFS=$'\t' read -r name count wrong cpu_min cpu cpu_max time_min time time_max peak; do
        figure[$name.cpu]="$cpu $cpu_min $cpu_max"
        figure[$name.time]="$time $time_min $time_max"
        figure[$name.peak]="$peak $peak $peak"
        if [ "$wrong" -gt 0 ]; then
            echo "bench: $name: $wrong of $count runs gave another exit code than was wanted" >&2
            failed=1
        fi
    done <"$work/measured"
    return $failed
}

report_header() {
    echo "Vigil bench, $(date -u '+%Y-%m-%d %H:%M UTC'), commit $(git -C "$source_root" rev-parse --short HEAD 2>/dev/null || echo unknown)"
    echo "kernel $(uname -r), $(nproc) processors ($(sed -n 's/^model name[^:]*: *//p' /proc/cpuinfo | head -n 1)), load $(cut -d' ' -f1 /proc/loadavg) at the start"
    echo "stock: resource-agents $(report_version resource-agents), fence-agents $(report_version fence-agents), pacemaker $(report_version pacemaker)"
    echo "Each figure is the median of $runs runs, stock and ours in turn; in brackets the least and the most."
}

report_version() {
    dpkg-query -W -f '${Version}' "$1" 2>/dev/null || rpm -q --qf '%{VERSION}-%{RELEASE}' "$1" 2>/dev/null || echo unknown
}

report_title() {
    printf '\n%s\n%-34s %-26s %-26s %-9s %s\n' "$1" "" "${2:-stock}" "${3:-ours}" "ratio" "bound"
}

# Prints one figure with its spread: microseconds as ms or s, KiB as MiB.
report_figure() {
    awk -v kind="$1" -v figures="$2" 'BEGIN {
        if (split(figures, f, " ") < 3) { print "-"; exit }
        if (kind == "peak") { printf "%.1f MiB", f[1] / 1024; exit }
        unit = f[1] >= 1000000 ? "s" : "ms"; scale = unit == "s" ? 1000000 : 1000
        form = f[1] / scale < 10 ? "%.2f (%.2f-%.2f) %s" : "%.1f (%.1f-%.1f) %s"
        printf form, f[1] / scale, f[2] / scale, f[3] / scale, unit
    }'
}

# Prints "RATIO<TAB>VERDICT" of two medians under a bound. A bound below what a program costs that does nothing is out of reach, which is
# said, but counted as not met all the same.
report_compare() {
    awk -v stock="${1%% *}" -v ours="${2%% *}" -v bound="$3" -v floor="${4%% *}" 'BEGIN {
        ratio = "-"; value = ""
        if (stock > 0 && ours > 0)
            ratio = stock >= ours ? sprintf(stock / ours < 10 ? "1/%.1f" : "1/%.0f", stock / ours) : sprintf("%.2fx", ours / stock)
        if (bound != "" && ours <= 0) { print ratio "\t" bound ": NOT measured"; exit }
        if (bound ~ /^1\//) { limit = substr(bound, 3); met = ours * limit <= stock }
        else if (bound ~ /x$/) { limit = bound + 0; met = ours <= stock * limit; ratio = sprintf("%.2fx", ours / stock) }
        else if (bound ~ /ms$/) { limit = bound + 0; met = ours <= limit * 1000 }
        else if (bound ~ /MiB$/) { limit = bound + 0; met = ours <= limit * 1024 }
        else { print ratio "\t"; exit }
        note = !met && bound ~ /^1\// && floor * limit > stock ? sprintf(" (an empty program is 1/%.1f)", stock / floor) : ""
        print ratio "\t" bound ": " (met ? "met" : "NOT met" note)
    }'
}

report() {
    local label=$1 kind=$2 stock=${figure[$3.$2]:-} ours=${figure[$4.$2]:-} bound=${5:-} floor=0 ratio verdict
    [ "$kind" != cpu ] || floor=${figure[empty.cpu]:-0}
    IFS=$'\t' read -r ratio verdict <<<"$(report_compare "${stock:-0}" "${ours:-0}" "$bound" "$floor")"
    printf '%-34s %-26s %-26s %-9s %s\n' "$label" "$(report_figure "$kind" "$stock")" "$(report_figure "$kind" "$ours")" "$ratio" "$verdict" |
        sed 's/ *$//'
    case $verdict in
        *NOT*) echo missed >>"$bench_tally" ;;
        *met) echo met >>"$bench_tally" ;;
    esac
}

# The last line; fails where a bound was not met.
report_tally() {
    local met missed
    met=$(awk '/^met/ { n++ } END { print n + 0 }' "$bench_tally")
    missed=$(awk '/^missed/ { n++ } END { print n + 0 }' "$bench_tally")
    printf '\nbounds: %s met, %s not met\n' "$met" "$missed"
    [ "$missed" -eq 0 ]
}
