# shellcheck shell=bash
# source.bash: the files of this project, for tests that read them.
#
#   source_files PATTERN...   the project's own files whose path matches one of the shell patterns, one a line, from its root
#   source_calls REGEX FILE... where functions of these names are called in C files, outside of comments and strings

# In a checkout what git knows, in an unpacked release everything; never what a build made.
source_files() {
  local path pattern
  (
    cd "$VIGIL_SOURCE" || exit
    if [ -e .git ]; then git ls-files --cached --others --exclude-standard; else find . -type f -printf '%P\n' | grep -v '^build'; fi
  ) | while IFS= read -r path; do
    [ -e "$VIGIL_SOURCE/$path" ] || continue
    for pattern in "$@"; do
      # shellcheck disable=SC2053 # a pattern
      [[ $path == $pattern ]] && echo "$path" && break
    done
  done
}

source_calls() {
  python3 - "$VIGIL_SOURCE" "$@" <<'END'
import os
import re
import sys

root, names, *files = sys.argv[1:]
token = re.compile(r'"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'|/\*.*?\*/|//[^\n]*', re.S)
call = re.compile(r"(?<![A-Za-z0-9_>.])(?:" + names + r")\s*\(")
for path in files:
    text = open(os.path.join(root, path), encoding="utf-8").read()
    # Comments and strings become nothing, and the lines keep their numbers.
    text = token.sub(lambda m: "\n" * m[0].count("\n") if m[0].startswith("/") else '""', text)
    for number, line in enumerate(text.splitlines(), 1):
        if call.search(line):
            print(f"{path}:{number}:{line}")
END
}
