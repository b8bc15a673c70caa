#!/usr/bin/env bats
# The laws of the tree that a compiler does not know: who may include whom, who may call what, how long a function may be.
load ../lib/common
load ../lib/source

libraries='lib/*.[ch]'

# base <- agent <- {net, storage, health, power, cluster} <- agents, stonith, tools. allowed FOLDER: what its files may include.
allowed() {
  case $1 in
    base) echo base ;;
    agent) echo "base agent" ;;
    programs) echo "base agent net storage health power cluster cloud watch" ;;
    *) echo "base agent $1" ;;
  esac
}

@test "a layer includes only what stands left of it" {
  local file layer included breaches='' layers
  layers=$(cd "$VIGIL_SOURCE/lib" && ls -d ./*/ | tr -d ./)
  while read -r file; do
    case $file in
      lib/*) layer=${file#lib/} layer=${layer%%/*} ;;
      *) layer=programs ;;
    esac
    for included in $(sed -nE 's/^[[:space:]]*#[[:space:]]*include[[:space:]]*"([^"\/]+)\/.*/\1/p' "$VIGIL_SOURCE/$file"); do
      grep -qwx -- "$included" <<<"$layers" || continue
      grep -qw -- "$included" <<<"$(allowed "$layer")" || breaches+="$file includes $included/"$'\n'
    done
    # Without a folder, or by a relative path, the law could be walked around.
    if grep -nE '^[[:space:]]*#[[:space:]]*include[[:space:]]*"(\.|[^"/]*")' "$VIGIL_SOURCE/$file" | grep -v '"config.h"'; then
      breaches+="$file includes a file of ours without naming its layer"$'\n'
    fi
  done < <(source_files "$libraries" 'agents/*.c' 'stonith/*.c' 'tools/*.c')
  assert_equal "$breaches" ""
}

@test "only base and agent read the environment, exit or execute" {
  local files
  mapfile -t files < <(source_files "$libraries" 'agents/*.c' 'stonith/*.c' 'tools/*.c' | grep -vE '^lib/(base|agent)/')
  assert [ ${#files[@]} -gt 10 ]
  assert_equal "$(source_calls 'getenv|secure_getenv|exit|_exit|_Exit|quick_exit|abort|exec[lv][pe]*|execveat|posix_spawnp?|v?fork|clone3?' "${files[@]}")" ""
}

@test "no banned function" {
  local files
  mapfile -t files < <(source_files '*.[ch]')
  assert_equal "$(source_calls 'atoi|atol|atoll|atof|v?sprintf|strcpy|strcat|stpcpy|strncpy|strncat|gets|strtok|system|popen|tmpnam|tempnam|mktemp|alloca|rand' "${files[@]}")" ""
  # Numbers are parsed in one place.
  mapfile -t files < <(source_files "$libraries" 'agents/*.c' 'stonith/*.c' 'tools/*.c' | grep -v '^lib/base/number')
  assert_equal "$(source_calls 'strtou?l|strtou?ll|strto[fd]' "${files[@]}")" ""
}

@test "only lib/agent prints metadata" {
  local files
  mapfile -t files < <(source_files "$libraries" 'agents/*.c' 'stonith/*.c' 'tools/*.c' | grep -v '^lib/agent/')
  assert_equal "$(cd "$VIGIL_SOURCE" && grep -nE '<(resource-agent|parameter|longdesc)' "${files[@]}")" ""
}

@test "a library is silent: only agent and programs write to the standard streams" {
  local files
  mapfile -t files < <(source_files "$libraries" | grep -v '^lib/agent/')
  assert_equal "$(source_calls 'v?printf|puts|putchar|perror|v?syslog|error|warnx?|errx?' "${files[@]}")" ""
  assert_equal "$(cd "$VIGIL_SOURCE" && grep -nE '\<(stdout|stderr)\>' "${files[@]}" | grep -vE ':[[:space:]]*(/?\*|//)|/\*.*(stdout|stderr)')" ""
}

@test "every header compiles alone, and twice" {
  local header bad=''
  while read -r header; do
    printf '#include "%s"\n#include "%s"\n' "${header#lib/}" "${header#lib/}" |
      gcc -std=gnu17 -Wall -Wextra -Werror -fsyntax-only -D_GNU_SOURCE -include "$VIGIL_BUILD/config.h" \
        -DVIGIL_STATEDIR='"/"' -DVIGIL_RUNDIR='"/"' -I"$VIGIL_SOURCE/lib" \
        $(pkg-config --cflags libmnl mount blkid libqb libfreeipmi libcurl 2>/dev/null) -xc - || bad+="$header "
  done < <(source_files 'lib/*.h')
  assert_equal "$bad" ""
}

# One line for each function: its length, its file, its name. The style puts a function's braces at the start of a line.
function_lengths() {
  local file
  source_files "$libraries" 'agents/*.c' 'stonith/*.c' 'tools/*.c' | while read -r file; do
    awk -v file="$file" '
      /^[A-Za-z_].*\(/ { name = $0; sub(/\(.*/, "", name); sub(/.*[ *]/, "", name) }
      /^{/ { begin = NR }
      /^}/ && begin { print NR - begin + 1, file, name; begin = 0 }' "$VIGIL_SOURCE/$file"
  done | sort -rn
}

@test "functions are short: 60 lines at most is the aim, 80 the law" {
  local lengths
  lengths=$(function_lengths)
  assert [ "$(wc -l <<<"$lengths")" -gt 100 ]
  echo "# functions: $(wc -l <<<"$lengths"), median $(awk '{ print $1 }' <<<"$lengths" | sed -n "$(($(wc -l <<<"$lengths") / 2 + 1))p") lines, longest:"
  head -n 5 <<<"$lengths" | sed 's/^/#   /'
  assert_equal "$(awk '$1 > 80' <<<"$lengths")" ""
}

@test "file names are unique in the tree" {
  assert_equal "$(source_files 'lib/*.[ch]' 'agents/*.c' 'stonith/*.c' 'tools/*.[ch]' | sed 's:.*/::' | sort | uniq -d)" ""
  assert_equal "$(source_files 'tests/*.[ch]' 'tests/*.bats' 'tests/*.bash' | sed 's:.*/::' | sort | uniq -d)" ""
}

@test "every source file says its licence" {
  local file bad=''
  while read -r file; do
    grep -q 'SPDX-License-Identifier: GPL-2.0-or-later' "$VIGIL_SOURCE/$file" || bad+="$file "
  done < <(source_files '*.[ch]')
  assert_equal "$bad" ""
}

@test "no path of a machine, no host of a registry" {
  local files
  mapfile -t files < <(source_files '*' | grep -vE '^(COPYING|tests/fuzz/corpus/.*)$')
  # Brackets, so that this file does not find itself.
  assert_equal "$(cd "$VIGIL_SOURCE" && grep -nIE '(^|[^A-Za-z0-9_.-])/(wor[k]|hom[e]|far[m])/|/tmp/bash_job[s]|(^|[^A-Za-z0-9_.)}/*-])/roo[t]/' "${files[@]}")" ""
  assert_equal "$(cd "$VIGIL_SOURCE" && grep -nIiE '(pyp[i]\.org|npmj[s]\.|crate[s]\.io|golan[g]\.org|(deb|ftp|security)\.debia[n]\.org|archive\.ubunt[u]|docke[r]\.io|ghc[r]\.io|qua[y]\.io)' "${files[@]}")" ""
}

@test "text files end in a newline and have no blanks at line ends" {
  local files
  mapfile -t files < <(source_files '*.[ch]' '*.bats' '*.bash' '*.am' '*.rng' 'tests/check')
  assert_equal "$(cd "$VIGIL_SOURCE" && grep -nE '[[:blank:]]+$' "${files[@]}")" ""
  assert_equal "$(cd "$VIGIL_SOURCE" && for file in "${files[@]}"; do [ -z "$(tail -c 1 "$file" | tr -d '\n')" ] || echo "$file"; done)" ""
}
