# SPDX-License-Identifier: GPL-2.0-or-later
"""Faults by schedule: what goes wrong with which request.

A rule is {"kind": ..., and of cloud, service, action (a regular expression), changes (true: only what changes state), skip (so many that
match go well first), count (so many are spoiled; 0: all), rate (a probability), and the kind's own words}. With a seed, the plan is
drawn: {"seed": 7, "rate": 0.3, "kinds": [...]} spoils that part of the requests, each time the same ones for the same requests.

Before the work is done: error (status, code, message), unavailable, throttle, expired, denied, busy, reset, hang, redirect.
After it is done:        error-after, unavailable-after, reset-after, truncate, drip, slow, kind, empty, garbage, huge, headers, bomb, deep, nul, twice.
"stale" lets a describe see what was so long ago.
"""
import random
import re
import socket
import time

from sim_http import Reply, reset_connection

BEFORE = ("error", "unavailable", "throttle", "expired", "denied", "busy", "reset", "hang", "redirect")
AFTER = ("error-after", "unavailable-after", "reset-after", "truncate", "drip", "slow", "kind", "empty", "garbage", "huge", "headers",
         "bomb", "deep", "nul", "twice", "stale")
KINDS = BEFORE + AFTER
# By a rule only, not drawn: "lacks" is an answer without its contents.
RULED = ("lacks",)


class Faults:
    def __init__(self):
        self.clear()

    def clear(self):
        self.rules, self.random, self.rate, self.kinds, self.left, self.done, self.metadata = [], None, 0.0, KINDS, 0, [], True

    def add(self, rule):
        if rule.get("kind", "error") not in KINDS + RULED:
            raise ValueError("no fault of the kind " + str(rule.get("kind")))
        self.rules.append(dict(rule, seen=0, used=0))

    def draw(self, seed, rate=0.3, kinds=KINDS, count=0, metadata=True):
        """count: after so many faults all goes well again; 0: no end. metadata: those services are spoiled, too."""
        self.metadata = metadata
        self.random, self.rate, self.kinds, self.left = random.Random(seed), rate, tuple(kinds), count or 1 << 30

    def pick(self, cloud, service, action, changes):
        for rule in self.rules:
            if rule.get("cloud", cloud) != cloud or rule.get("service", service) != service:
                continue
            if not re.search(rule.get("action", ""), action) or rule.get("changes", changes) != changes:
                continue
            rule["seen"] += 1
            if rule["seen"] <= rule.get("skip", 0) or (rule.get("count", 1) and rule["used"] >= rule.get("count", 1)):
                continue
            if rule.get("rate") and random.random() > rule["rate"]:
                continue
            rule["used"] += 1
            return self.note(rule, action)
        if self.random and self.left > 0 and (self.metadata or service != "metadata") and self.random.random() < self.rate:
            self.left -= 1
            return self.note({"kind": self.random.choice(self.kinds), "seconds": self.random.choice((0.01, 0.1, 0.3)), "bytes": 8 << 20}, action)
        return None

    def note(self, rule, action):
        self.done.append({"kind": rule.get("kind", "error"), "action": action})
        return rule


# --- faults on the wire: each takes what would have been sent, and the rule ---

def send_reset(rule, connection, head, body):
    reset_connection(connection)


def send_hang(rule, connection, head, body):
    """No answer at all; ends when the other side has had enough, or after "seconds"."""
    connection.settimeout(rule.get("seconds", 600))
    try:
        connection.recv(1)
    except OSError:
        pass


def send_truncate(rule, connection, head, body):
    whole = head + body
    connection.sendall(whole[:max(len(head) + len(body) // 2, 1)] if body else whole[:len(head) // 2])


def send_drip(rule, connection, head, body):
    """A byte or so at a time, for "seconds" in all."""
    whole, seconds = head + body, rule.get("seconds", 2)
    parts = max(1, min(len(whole), int(seconds / 0.02)))
    size = len(whole) // parts + 1
    for begin in range(0, len(whole), size):
        connection.sendall(whole[begin:begin + size])
        time.sleep(seconds / parts)


def send_slow(rule, connection, head, body):
    time.sleep(rule.get("seconds", 2))
    connection.sendall(head + body)


def send_endless_body(rule, connection, head, body):
    """More than anybody could want: ends when the other side hangs up, or at "bytes"."""
    limit = rule.get("bytes", 256 << 20)
    kind = b"text/xml" if body.lstrip().startswith(b"<") else b"application/json"
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: " + kind + b"\r\nContent-Length: %d\r\n\r\n" % limit)
    send_block(connection, (b"<a>" if kind == b"text/xml" else b'["') + b"A" * 65536, limit)


def send_endless_head(rule, connection, head, body):
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    block = b"".join(b"X-More-%d: %s\r\n" % (n, b"h" * 100) for n in range(500))
    send_block(connection, block, rule.get("bytes", 256 << 20))


def send_block(connection, block, limit):
    sent = 0
    while sent < limit:
        connection.sendall(block)
        sent += len(block)


WIRE = {"reset": send_reset, "reset-after": send_reset, "hang": send_hang, "truncate": send_truncate, "drip": send_drip, "slow": send_slow,
        "huge": send_endless_body, "headers": send_endless_head}

BOMB = ('<?xml version="1.0"?><!DOCTYPE b [<!ENTITY a0 "ha">' +
        "".join('<!ENTITY a%d "%s">' % (n, "&a%d;" % (n - 1) * 10) for n in range(1, 10)) +
        "]><DescribeVolumesResponse><volumeSet>&a9;</volumeSet></DescribeVolumesResponse>").encode()
DEEP_JSON = b'{"Response":' * 1 + b'[' * 200000 + b']' * 200000 + b'}'
DEEP_XML = b"<a>" * 100000 + b"</a>" * 100000


def spoil(rule, reply):
    """Turns a good reply into that of a fault which comes after the work."""
    kind = rule["kind"]
    xml = reply.body.lstrip().startswith(b"<")
    if kind in WIRE:
        wire = WIRE[kind]
        reply.wire = lambda connection, head, body: wire(rule, connection, head, body)
    elif kind == "kind":
        return Reply(200, b"<html><head><title>Welcome</title></head><body>Please log in</body></html>", "text/html")
    elif kind == "empty":
        return Reply(reply.status, b"", reply.kind)
    elif kind == "garbage":
        return Reply(reply.status, bytes((n * 89 + 7) % 256 for n in range(2000)), reply.kind)
    elif kind == "bomb":
        return Reply(200, BOMB if xml else DEEP_JSON, reply.kind)
    elif kind == "deep":
        return Reply(200, DEEP_XML if xml else DEEP_JSON, reply.kind)
    elif kind == "lacks":
        name = re.search(rb"<(\w+Response)", reply.body) if xml else None
        ident = b"<requestId>0</requestId>" if xml else b'{"Response":{"RequestId":"0"},"RequestId":"0","count":0}'
        return Reply(200, b"<%s>%s</%s>" % (name[1], ident, name[1]) if name else ident, reply.kind)
    elif kind == "nul":
        half = len(reply.body) // 2
        return Reply(reply.status, reply.body[:half] + b"\0\0" + reply.body[half:], reply.kind)
    return reply


def wire_reply(rule):
    """The reply of a fault that comes before the work, where it is one of the wire."""
    if rule["kind"] == "redirect":
        return Reply(302, b"", "text/plain", [("Location", rule.get("location", "http://198.51.100.99/"))])
    reply = Reply(200, b"")
    return spoil(rule, reply)
