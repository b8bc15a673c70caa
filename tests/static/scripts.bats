#!/usr/bin/env bats
# The project's shell and Python files.
load ../lib/common
load ../lib/source

# Files that a shell runs, by suffix or by their first line.
shell_files() {
  local file
  source_files '*' | grep -vE '\.(c|h|md|am|xml|rng|xsl|txt|said)$|^tests/fuzz/corpus/' | while read -r file; do
    case $file in
      *.bash | *.sh) echo "$file" ;;
      *.bats) ;;
      *) head -n 1 "$VIGIL_SOURCE/$file" | grep -aqE '^#!.*[/ ](ba|da)?sh( |$)' && echo "$file" ;;
    esac
  done
}

# A part that is sourced uses and sets what others do, and names what it sources by a variable.
@test "shellcheck has nothing to say about the scripts" {
  local files
  mapfile -t files < <(shell_files)
  assert [ ${#files[@]} -gt 5 ]
  cd "$VIGIL_SOURCE"
  shellcheck -S warning -x -e SC2154,SC2034,SC1090,SC1091 "${files[@]}"
}

# In bats files a variable may be set by a helper that shellcheck does not follow, and each test is a subshell.
@test "shellcheck has nothing to say about the bats files" {
  local files
  mapfile -t files < <(source_files '*.bats')
  cd "$VIGIL_SOURCE"
  shellcheck -S warning -x -e SC2154,SC2030,SC2031,SC2034,SC1090,SC1091,SC2046,SC2054,SC2120,SC2164 "${files[@]}"
}

@test "python files compile" {
  local files
  mapfile -t files < <(cd "$VIGIL_SOURCE" && grep -lE '^#!.*python3' $(source_files 'tests/*' 'tools/*' 'packaging/*') /dev/null)
  for file in "${files[@]}"; do
    python3 -c 'import ast, sys; ast.parse(open(sys.argv[1]).read())' "$VIGIL_SOURCE/$file"
  done
}

@test "no test sleeps for a fixed time where it could wait for a state" {
  # A sleep of a second or more outside of a background process is a guess about a machine's speed.
  assert_equal "$(cd "$VIGIL_SOURCE" && grep -nE '^[[:space:]]*sleep ([1-9]|[0-9]+\.[0-9]*[1-9]{3})' $(source_files 'tests/*.bats' 'tests/lib/*.bash'))" ""
}
