# shellcheck shell=bash
# install.bash: Debian packages by name, from the lists in tests/packages.
#
#   install_packages GROUP...    installs what the lists GROUP.txt name and the machine lacks
#
# Works on a bare Debian 12. Nothing is started by the installation: a cluster stack or a database that comes up on the
# machine itself would be in the way of the one under test.

INSTALL_LISTS=${INSTALL_LISTS:-$(dirname "${BASH_SOURCE[0]}")/../packages}

# Prints the names in the lists of the groups, once each.
install_names() {
  local group
  for group in "$@"; do
    [ -f "$INSTALL_LISTS/$group.txt" ] || { echo "install: no list tests/packages/$group.txt" >&2; return 1; }
  done
  for group in "$@"; do
    sed -e 's/#.*//' -e 's/[[:space:]]//g' -e '/^$/d' "$INSTALL_LISTS/$group.txt"
  done | sort -u
}

# Prints those of the named packages that are not installed. "NAME(COMMAND)" is not needed where the command is there already, from wherever.
install_missing() {
  local name status
  for name in "$@"; do
    case $name in
    *"("*")")
      status=${name#*(}
      ! command -v "${status%)}" >/dev/null 2>&1 || continue
      name=${name%%(*} ;;
    esac
    # shellcheck disable=SC2016 # dpkg-query's own variable
    status=$(dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null) || status=
    [ "$status" = installed ] || echo "$name"
  done
}

# Runs apt-get; waits for another run's lock, and asks nothing.
install_apt() {
  DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=600 -o Acquire::Retries=3 "$@"
}

# Keeps maintainer scripts from starting services, where the machine has no such policy of its own. Undone by
# install_allow_services.
install_deny_services() {
  INSTALL_POLICY=
  [ -e /usr/sbin/policy-rc.d ] && return
  INSTALL_POLICY=/usr/sbin/policy-rc.d
  printf '#!/bin/sh\nexit 101\n' > "$INSTALL_POLICY" && chmod 755 "$INSTALL_POLICY"
}

install_allow_services() {
  [ -z "${INSTALL_POLICY:-}" ] || rm -f "$INSTALL_POLICY"
  INSTALL_POLICY=
}

# Reads apt's output and prints a line now and then, so that a long installation shows where it stands without a screen
# of text.
install_progress() {
  awk '
    /^(Fetched|E:|W:|Err)/ { print "    " $0; fflush() }
    /^Get:/        { if (++got % 20 == 0) { print "    " got " files fetched"; fflush() } }
    /^Unpacking /  { if (++unpacked % 20 == 0) { print "    " unpacked " packages unpacked (" $2 ")"; fflush() } }
    /^Setting up / { if (++setup % 20 == 0) { print "    " setup " packages set up (" $3 ")"; fflush() } }'
}

install_packages() {
  local names missing
  names=$(install_names "$@") || return 1
  mapfile -t names <<< "$names"
  mapfile -t missing < <(install_missing "${names[@]}")
  [ ${#missing[@]} -gt 0 ] || return 0
  if [ "$(id -u)" -ne 0 ]; then
    echo "install: not root, and these packages are missing: ${missing[*]}" >&2
    return 1
  fi
  echo "  installing: ${missing[*]}"
  install_apt update -q 2>&1 | awk '/^(E|W):/ { print "    " $0; fflush() }'
  (
    # However it ends: an interrupted installation leaves no policy behind.
    trap install_allow_services EXIT
    trap 'exit 130' INT TERM HUP
    install_deny_services
    install_apt install -q -y --no-install-recommends "${missing[@]}" 2>&1 | install_progress
  ) || return 1
  # apt's own exit is lost in the pipe, and is not the question anyway: are they there now?
  mapfile -t missing < <(install_missing "${names[@]}")
  [ ${#missing[@]} -eq 0 ] || { echo "install: could not install: ${missing[*]}" >&2; return 1; }
}
