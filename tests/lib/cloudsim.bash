# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# cloudsim.bash: the simulator of the clouds (tests/cloudsim) for tests. curl and python3 are needed.
#
#   cloudsim_start [FOLDER] [OPTION...]   starts one; sets CLOUDSIM (its URL), CLOUDSIM_HTTPS, CLOUDSIM_CA, CLOUDSIM_WRONG_NAME, CLOUDSIM_WRONG_CA, CLOUDSIM_PID
#                                   and the addresses of what it needs in FOLDER ($BATS_TEST_TMPDIR)
#                                   CLOUDSIM_RUN is an array put in front of its command line, to run it on a node (nsenter ...)
#   cloudsim_stop                   ends it; safe to call at any time
#   cloudsim PATH [JSON]            asks its own interface: POST where there is a JSON, else GET (sim_control.py says what there is); prints the answer
#   cloudsim_delete PATH            the same with DELETE: faults, log
#   cloudsim_field NAME             the value of a text or number NAME in the JSON on standard input
#   cloudsim_instance CLOUD NAME [MORE-JSON]    makes an instance; sets INSTANCE, NIC and METADATA (URL)
#   cloudsim_disk CLOUD [MORE-JSON]             makes a disk; sets DISK and SERIAL
#   cloudsim_get CLOUD KIND ID FIELD...         one value of the truth
#   cloudsim_fault JSON             adds one fault: '"kind":"reset","action":"AttachVolume"'
#   cloudsim_credentials CLOUD FILE             writes the account's keys as the vendor's own file, mode 0600

CLOUDSIM='' CLOUDSIM_PID=''
declare -p CLOUDSIM_RUN >/dev/null 2>&1 || CLOUDSIM_RUN=()
CLOUDSIM_FOLDER=$(cd "$(dirname "${BASH_SOURCE[0]}")/../cloudsim" && pwd)

cloudsim_start() {
  local folder=${1:-$BATS_TEST_TMPDIR} tries=1200 word
  shift $(($# > 0))
  rm -f "$folder/cloudsim.ready"
  mkdir -p "$folder/cloudsim"
  "${CLOUDSIM_RUN[@]}" python3 "$CLOUDSIM_FOLDER/cloudsim" --dir "$folder/cloudsim" --ready "$folder/cloudsim.ready" "$@" \
    </dev/null >"$folder/cloudsim.log" 2>&1 3>&- 4>&- &
  CLOUDSIM_PID=$!
  until [ -s "$folder/cloudsim.ready" ]; do
    kill -0 "$CLOUDSIM_PID" 2>/dev/null && [ $((tries -= 1)) -gt 0 ] || { cat "$folder/cloudsim.log" >&2; return 1; }
    sleep 0.05
  done
  for word in $(<"$folder/cloudsim.ready"); do
    case $word in
      http=*) CLOUDSIM=${word#*=} ;;
      https=*) CLOUDSIM_HTTPS=${word#*=} ;;
      ca=*) CLOUDSIM_CA=${word#*=} ;;
      wrong_name=*) CLOUDSIM_WRONG_NAME=${word#*=} ;;
      wrong_ca=*) CLOUDSIM_WRONG_CA=${word#*=} ;;
    esac
  done
}

cloudsim_stop() {
  [ -n "$CLOUDSIM_PID" ] || return 0
  kill "$CLOUDSIM_PID" 2>/dev/null
  wait "$CLOUDSIM_PID" 2>/dev/null
  CLOUDSIM_PID=''
}

cloudsim() {
  if [ $# -gt 1 ]; then
    "${CLOUDSIM_RUN[@]}" curl -sS --noproxy '*' --fail-with-body --data-binary @- "$CLOUDSIM/_sim/$1" <<<"$2"
  else
    "${CLOUDSIM_RUN[@]}" curl -sS --noproxy '*' --fail-with-body "$CLOUDSIM/_sim/$1"
  fi
}

cloudsim_delete() {
  "${CLOUDSIM_RUN[@]}" curl -sS --noproxy '*' --fail-with-body -X DELETE "$CLOUDSIM/_sim/$1"
}

cloudsim_field() {
  sed -nE "s/.*\"$1\": \"?([^\",}]*)\"?[,}].*/\1/p"
}

cloudsim_instance() {
  local answer
  answer=$(cloudsim instance "{\"cloud\":\"$1\",\"name\":\"$2\"${3:+,$3}}") || { echo "$answer" >&2; return 1; }
  INSTANCE=$(cloudsim_field id <<<"$answer") NIC=$(cloudsim_field nic <<<"$answer") METADATA=$(cloudsim_field metadata <<<"$answer")
}

cloudsim_disk() {
  local answer
  answer=$(cloudsim disk "{\"cloud\":\"$1\"${2:+,$2}}") || { echo "$answer" >&2; return 1; }
  DISK=$(cloudsim_field id <<<"$answer") SERIAL=$(cloudsim_field serial <<<"$answer")
}

cloudsim_get() {
  local IFS=/
  cloudsim "get/$*"
}

cloudsim_fault() {
  cloudsim faults "[{$1}]"
}

cloudsim_credentials() {
  local key secret
  read -r key secret < <(cloudsim keys | python3 -c 'import json, sys; k = json.load(sys.stdin)[sys.argv[1]]; print(k["key"], k["secret"])' "$1")
  (
    umask 077
    case $1 in
      aws) printf '[default]\naws_access_key_id = %s\naws_secret_access_key = %s\n' "$key" "$secret" ;;
      aliyun) printf '{"current":"default","profiles":[{"name":"default","mode":"AK","access_key_id":"%s","access_key_secret":"%s"}]}\n' "$key" "$secret" ;;
      tencent) printf '{"secretId":"%s","secretKey":"%s"}\n' "$key" "$secret" ;;
      huawei) printf '[basic]\nak = %s\nsk = %s\n' "$key" "$secret" ;;
    esac >"$2"
  )
}
