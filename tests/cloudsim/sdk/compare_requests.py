#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Compares the requests of two of the simulator's logs, action by action: compare_requests.py VENDOR OURS AT-LEAST ALLOWED

VENDOR is what a vendor's own client sent, OURS what lib/cloud sent. AT-LEAST so many actions are in both; ALLOWED are names of parameters that ours may send beside.
"""
import json
import re
import sys


def shapes(path):
    """Action -> method, path, kind of the body, parameters, names in a body of REST."""
    found = {}
    with open(path, encoding="utf-8") as file:
        log = json.load(file)
    for entry in log:
        if entry["service"] == "metadata" or entry.get("scheme") == "aliyun-v1":
            continue
        headers = {name.lower(): value for name, value in entry["headers"]}
        target = re.sub("[0-9a-f]{8}-[0-9a-f-]{27}|[0-9a-f]{32}", "ID", entry["target"].split("?")[0])
        kind = headers.get("content-type", "").split(";")[0] if entry["body"] else ""
        body = sorted(json.loads(entry["body"])) if entry["cloud"] == "huawei" and entry["body"] else []
        shape = found.setdefault(entry["action"], {"method": entry["method"], "path": target, "kind": kind, "body": body, "params": set()})
        shape["params"] |= set(entry["params"])
    return found


def main():
    vendor, ours = shapes(sys.argv[1]), shapes(sys.argv[2])
    common = sorted(set(vendor) & set(ours))
    allowed = set(sys.argv[4].split()) | {"ClientToken"}
    wrong = []
    for action in common:
        for part in ("method", "path", "kind", "body"):
            if vendor[action][part] != ours[action][part]:
                wrong.append("%s: %s is %r, the vendor's client has %r" % (action, part, ours[action][part], vendor[action][part]))
        more = ours[action]["params"] - vendor[action]["params"] - allowed
        if more:
            wrong.append("%s: parameters that the vendor's client does not send: %s" % (action, sorted(more)))
    print("compared: " + " ".join(common))
    print("\n".join(wrong))
    if len(common) < int(sys.argv[3]):
        print("only %d actions are in both: ours has %s" % (len(common), sorted(ours)))
        return 1
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
