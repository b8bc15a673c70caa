#!/usr/bin/env bats
# gcc and clang without a warning, gcc's analyser and cppcheck without a finding. Each builds the tree in a folder of its own
# below the build tree, where a second run finds what has not changed.
load ../lib/common
load ../lib/source

# build_with FOLDER CONFIGURE-ARGUMENT...
build_with() {
  local folder=$VIGIL_BUILD/$1
  shift
  mkdir -p "$folder"
  cd "$folder"
  [ -f config.status ] || "$VIGIL_SOURCE/configure" --enable-werror -q "$@"
  build_all
  make -s V=1 -j2 check TESTS=
}

# The Makefile first and alone: config.status runs a make that would look for the job server of ours.
build_all() {
  make -s Makefile
  make -s V=1 -j2 all
}

cached() {
  if command -v ccache >/dev/null; then echo "ccache $1"; else echo "$1"; fi
}

@test "gcc -O2 -Werror" {
  build_with gcc CC="$(cached gcc)" CFLAGS="-O2 -g"
}

@test "gcc -O0 -Werror" {
  build_with gcc-O0 CC="$(cached gcc)" CFLAGS="-O0"
}

@test "clang -Werror" {
  build_with clang CC="$(cached clang)"
}

# Without two of its checks: gcc 12 takes variables with a cleanup attribute, initialised to NULL, for uninitialized, and memory whose only pointer goes into an
# array or a structure behind a pointer for lost. valgrind and the sanitizers look at both.
@test "gcc -fanalyzer" {
  local folder=$VIGIL_BUILD/analyzer
  mkdir -p "$folder"
  cd "$folder"
  [ -f config.status ] || "$VIGIL_SOURCE/configure" --enable-werror -q CC="$(cached gcc)" CFLAGS="-O1 -fanalyzer -Wno-analyzer-use-of-uninitialized-value -Wno-analyzer-malloc-leak"
  build_all
}

# cppcheck does not know the cleanup attribute, so leaks are for valgrind and the sanitizers; and it takes a bound that is checked, or a
# pointer that is, for a doubt about it.
@test "cppcheck" {
  local files
  mapfile -t files < <(source_files 'lib/*.c' 'agents/*.c' 'stonith/*.c' 'tools/*.c')
  cd "$VIGIL_SOURCE"
  cppcheck -q -j2 --std=c11 --enable=warning,performance,portability --inline-suppr --error-exitcode=1 \
    --suppress=missingInclude --suppress=missingIncludeSystem --suppress=unknownMacro --suppress=varFuncNullUB --suppress=memleak --suppress=resourceLeak \
    --suppress=arrayIndexOutOfBoundsCond --suppress=nullPointerRedundantCheck \
    -D_GNU_SOURCE -DVIGIL_STATEDIR='"/s"' -DVIGIL_RUNDIR='"/r"' -DPACKAGE_VERSION='"0"' \
    -D'_cleanup_(x)=' -D'_printf_(x,y)=' -D_unused_= -D_noreturn_= -D_must_check_= -Ilib "${files[@]}"
}
