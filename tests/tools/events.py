#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Writes events of a flight recorder as lib/watch/event.h and lib/watch/event_file.h say, from what they say alone.

    events.py FOLDER < lines of JSON       {"file": "own", "kind": 8, "node": "n1", "boot": "01", "mono": 1.5, "wall": 1800000000.5, ...}
    events.py --failover FOLDER            the story of a failover from n1 to n2, whose clocks are an hour apart
"""
import json
import os
import struct
import sys
import zlib

MARK = b"\x89VE\n"
NUMBERS = {"kind": 1, "node_id": 2, "incarnation": 4, "sequence": 5, "mono_ns": 6, "wall_ns": 7, "duration_ns": 13}
TEXTS = {"node": 8, "resource": 9, "peer": 10, "text": 14}


def number(tag, value):
    data = value.to_bytes((value.bit_length() + 7) // 8, "little") if value else b""
    return bytes([tag, len(data)]) + data if data else b""


def encode(event):
    out = b"\x01"
    for name, tag in NUMBERS.items():
        out += number(tag, event.get(name, 0))
    for name, tag in (("boot", 3), ("peer_boot", 11)):
        if name in event:
            out += bytes([tag, 16]) + bytes.fromhex(event[name]) * 16
    for name, tag in TEXTS.items():
        data = event.get(name, "").encode()
        out += bytes([tag, len(data)]) + data if data else b""
    value = event.get("value", 0)
    return out + number(12, (-(value + 1) << 1) | 1 if value < 0 else value << 1)


def frame(event):
    data = encode(event)
    return MARK + struct.pack("<HI", len(data), zlib.crc32(data)) + data


sequences = {}


def write(folder, event):
    event = dict(event)
    event["mono_ns"] = round(event.pop("mono") * 1e9)
    event["wall_ns"] = round(event.pop("wall") * 1e9)
    key = event.setdefault("boot", "01"), event.setdefault("incarnation", 1), event["node"]
    sequences[key] = event.setdefault("sequence", sequences.get(key, 0) + 1)
    name = event.pop("file", "own")
    with open(os.path.join(folder, name + ".events"), "ab") as file:
        file.write(frame(event))


NOTE, START, STARTED, LEFT, JOINED, FENCE, FENCED = 31, 8, 9, 13, 12, 16, 17


def failover(folder):
    """n2's monotonic clock is 1000 s ahead of n1's, and its wall clock an hour; both steps of n1's wall clock are in the middle of it."""
    def n1(mono, wall, **event):
        write(folder, {"file": "own", "node": "n1", "node_id": 1, "boot": "01", "mono": mono, "wall": 1800000000 + wall, **event})

    def n2(mono, **event):
        write(folder, {"file": "node-2", "node": "n2", "node_id": 2, "boot": "02", "mono": mono + 1000, "wall": 1800003600 + mono, **event})

    n1(90, 90, kind=27, peer="n2", peer_boot="02", value=1000 * 10**9 + 400000, duration_ns=500000)
    n1(100.0, 100, kind=3, resource="db", text="process 4711 has ended (SIGKILL)")
    n1(100.004, 100.004, kind=6, resource="db")
    n2(100.6, kind=LEFT, peer="n1", value=1)
    n2(100.7, kind=FENCE, peer="n1", text="fence_vigil_bmc")
    n2(101.5, kind=FENCED, peer="n1", value=0, duration_ns=800000000, text="fence_vigil_bmc")
    n2(101.6, kind=START, resource="db_ip")
    n2(101.61, kind=18, resource="db_ip", text="192.0.2.10")
    n2(101.62, kind=STARTED, resource="db_ip", duration_ns=20000000)
    n2(101.63, kind=START, resource="db")
    n2(102.4, kind=19, resource="db", text="<b>http://db/&\"'</b>")
    n2(102.5, kind=STARTED, resource="db", duration_ns=870000000)


if sys.argv[1] == "--failover":
    failover(sys.argv[2])
else:
    for line in sys.stdin:
        write(sys.argv[1], json.loads(line))
