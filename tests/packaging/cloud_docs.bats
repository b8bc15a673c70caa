#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# What doc/cloud-*.md tell a person to do: the policies are JSON and permit what the code calls, no more and no less; the commands make a cluster that its agents accept.
load ../lib/common
load ../lib/packages

setup_file() {
    make -s -C "$VIGIL_BUILD" install prefix=/usr ocfdir=/usr/lib/ocf fencedir=/usr/sbin localstatedir=/var \
        DESTDIR="$BATS_FILE_TMPDIR/installed" >"$BATS_FILE_TMPDIR/install.log" 2>&1 || { tail "$BATS_FILE_TMPDIR/install.log" >&2; return 1; }
}

setup() {
    installed=$BATS_FILE_TMPDIR/installed
    cib=$BATS_TEST_TMPDIR/cib.xml
    cibadmin --empty >"$cib"
}

# tested_block CLOUD MARK
tested_block() {
    awk -v mark="<!-- tested: $2 -->" '$0 == mark { found = 1 } found && /^```/ { if (inside) exit; inside = 1; next } inside' "$VIGIL_SOURCE/doc/cloud-$1.md"
}

permitted() {
    tested_block "$1" policy | python3 -c '
import json, sys
policy = json.load(sys.stdin)
for statement in policy.get("Statement") or policy["statement"]:
    assert (statement.get("Effect") or statement["effect"]).lower() == "allow"
    for action in statement.get("Action") or statement["action"]:
        assert "*" not in action, action
        print(action.removeprefix("name/"))' | sort
}

# The calls in lib/cloud: texts that are names of calls which the simulator knows as well.
called() {
    python3 - "$VIGIL_SOURCE" "$1" <<'PY'
import re, sys
top, cloud = sys.argv[1:]
source = open(f"{top}/lib/cloud/{cloud}.c").read()
simulator = open(f"{top}/tests/cloudsim/sim_{cloud}.py").read()
texts = set(re.findall(r'"([A-Z][A-Za-z]+)"', source))
for service, action in re.findall(r"\b([a-z0-9]+)_([A-Z]\w+)(?=\(self| =)", simulator):
    if action in texts:
        print(f"{service}:{action}")
PY
}


# The permission of each call on standard input, where it has another name.
permission_of() {
    case $1 in
        # A disk's actions are CVM's, an elastic address's stand under both names (doc/cloud-tencent.md says where).
        tencent) sed -E 's/^cbs:/cvm:/; s/^vpc:((Describe|Associate|Disassociate)Address(es)?)$/&\ncvm:\1/' ;;
        *) cat ;;
    esac
}

assert_permits() {
    local cloud=$1
    permitted "$cloud" >"$BATS_TEST_TMPDIR/permitted"
    called "$cloud" | permission_of "$cloud" | sort -u >"$BATS_TEST_TMPDIR/called"
    assert [ "$(wc -l <"$BATS_TEST_TMPDIR/called")" -gt 15 ]
    assert_equal "$(uniq -d "$BATS_TEST_TMPDIR/permitted")" ""
    echo "permitted and never called, or called and not permitted:"
    diff "$BATS_TEST_TMPDIR/called" "$BATS_TEST_TMPDIR/permitted"
}

@test "aws: the policy permits what the code calls" { assert_permits aws; }
@test "aliyun: the policy permits what the code calls" { assert_permits aliyun; }
@test "tencent: the policy permits what the code calls" { assert_permits tencent; }

# Huawei's permissions have other names than the calls: the calls that the code names, and what each needs.
@test "huawei: the policy permits what the code calls" {
    local what needs all=''
    permitted huawei >"$BATS_TEST_TMPDIR/permitted"
    while read -r what; do
        case $what in
            "show server") needs=ecs:cloudServers:showServer ;;
            "show job") needs='' ;; # the vendor's tables have no action for it
            "list servers") needs=ecs:cloudServers:list ;;
            os-stop) needs=ecs:cloudServers:stop ;;
            os-start) needs=ecs:cloudServers:start ;;
            reboot) needs=ecs:cloudServers:reboot ;;
            "show volume") needs=evs:volumes:get ;;
            "attach volume") needs="ecs:cloudServers:attach evs:volumes:use" ;;
            "detach volume") needs=ecs:cloudServers:detachVolume ;;
            "list ports") needs=vpc:ports:get ;;
            "update port") needs=vpc:ports:update ;;
            "list elastic addresses") needs=vpc:publicIps:list ;;
            "associate address" | "disassociate address") needs=vpc:publicIps:update ;;
            "show route table") needs=vpc:routeTables:get ;;
            "update route table") needs=vpc:routeTables:update ;;
            "show pool") needs=elb:pools:get ;;
            "list members") needs=elb:members:list ;;
            "create member") needs=elb:members:create ;;
            "update member") needs=elb:members:put ;;
            "delete member") needs=elb:members:delete ;;
            "list projects") needs='' ;; # anybody may see the own ones
            *) echo "no permission is known for '$what'"; return 1 ;;
        esac
        all+=" $needs"
    done < <({ grep -oE '\.what = [^,]*' "$VIGIL_SOURCE/lib/cloud/huawei.c" | grep -oE '"[^"]+"' | tr -d '"'; echo os-stop; echo os-start; echo reboot; echo "list projects"; } | sort -u)
    diff <(tr ' ' '\n' <<<"$all" | grep . | sort -u) "$BATS_TEST_TMPDIR/permitted"
}

# The parameters of every resource pass the agent's own checks.
assert_agents_accept() {
    local id type
    for id in $(xmllint --xpath "//primitive[@provider='vigil']/@id" "$cib" | sed 's/.*"\(.*\)"/\1/'); do
        type=$(xmllint --xpath "string(//primitive[@id='$id']/@type)" "$cib")
        mapfile -t parameters < <(xmllint --xpath "//primitive[@id='$id']/instance_attributes/nvpair" "$cib" |
            sed -n 's/.*name="\([^"]*\)" value="\([^"]*\)".*/\1=\2/p' | sed 's/&quot;/"/g')
        assert test ${#parameters[@]} -ge 1
        agent "$type" validate-all "${parameters[@]}"
        echo "$id: $status $stderr"
        assert test "$status" -eq 0 -o "$status" -eq 1 -o "$status" -eq 5
        refute grep -q 'not known' <<<"$stderr"
    done
}

configures() {
    local mark
    for mark in pcs "pcs balancer"; do
        tested_block "$1" "$mark" | sed "s:^pcs :pcs -f '$cib' :"
    done >"$BATS_TEST_TMPDIR/commands"
    assert test "$(grep -c '[^\\]$' "$BATS_TEST_TMPDIR/commands")" -ge 9
    installed_view "$installed" bash -euxo pipefail "$BATS_TEST_TMPDIR/commands" >"$BATS_TEST_TMPDIR/pcs.log" 2>&1 ||
        { cat "$BATS_TEST_TMPDIR/pcs.log" >&2; return 1; }
    refute grep -iE 'error|invalid|unknown|deprecated' "$BATS_TEST_TMPDIR/pcs.log"
    assert_equal fence_vigil_cloud "$(xmllint --xpath "string(//primitive[@class='stonith']/@type)" "$cib")"
    assert_equal "cloud-disk san-volume app cloud-vip vip cloud-lb" \
        "$(xmllint --xpath "//group[@id='db']/primitive/@type" "$cib" | sed 's/.*"\(.*\)"/\1/' | xargs)"
    # The link that cloud-disk makes is what the volume is given.
    assert_equal "/run/vigil/disk/$(xmllint --xpath "string(//primitive[@id='db-disk']//nvpair[@name='volume']/@value)" "$cib")" \
        "$(xmllint --xpath "string(//primitive[@id='db-volume']//nvpair[@name='device']/@value)" "$cib")"
    assert crm_verify --xml-file "$cib"
    assert_agents_accept
}

@test "aws: the commands configure a cluster, and the agents accept it" { configures aws; }
@test "aliyun: the commands configure a cluster, and the agents accept it" { configures aliyun; }
@test "tencent: the commands configure a cluster, and the agents accept it" { configures tencent; }
@test "huawei: the commands configure a cluster, and the agents accept it" { configures huawei; }

@test "the recipe is a configuration that the agents accept" {
    cp "$VIGIL_SOURCE/xml/recipes/cloud.xml" "$cib"
    assert crm_verify --xml-file "$cib"
    assert_agents_accept
}

@test "section 5: the commands that try it are ones that the agents know" {
    local cloud line
    node_start
    for cloud in aws aliyun tencent huawei; do
        # Without a cloud here: it is asked, and can't be.
        run grep -oE '^fence_vigil_cloud .*' "$VIGIL_SOURCE/doc/cloud-$cloud.md"
        assert [ "${#lines[@]}" -eq 2 ]
        for line in "${lines[@]}"; do
            run node_run bash -c "timeout 120 $VIGIL_BUILD/stonith/$line --login-timeout=2 --shell-timeout=2"
            echo "$output"
            assert_equal "$status" 1
            refute grep -qE 'usage|no option|not known|unknown' <<<"$output"
        done
    done
}
