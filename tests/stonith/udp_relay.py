#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A controller that misbehaves: a UDP relay in front of a good one.

    udp_relay.py ADDRESS PORT BMC_ADDRESS BMC_PORT MODE_FILE

The first word of MODE_FILE says what happens to the next datagrams; it is read for each of them.
    pass              both ways
    silent            nothing is answered
    deaf              requests are dropped before the controller sees them, like a cable that is out
    mute-long N       requests that are longer than N bytes reach the controller, their answers are lost
    lossy             two of seven datagrams are lost, in both directions
    garbage           each request is answered by bytes that mean nothing
    flood             each request is answered by a stream of such datagrams, for 30 s
    corrupt           one bit in the middle of each answer is turned
    full              answers as a controller that has no session left; MODE_FILE.refused is made then
"""
import os
import select
import socket
import sys
import time

NO_SESSION_LEFT = 1  # IPMI v2.0, table 13-15: insufficient resources to create a session


def mode_of(path):
    try:
        with open(path, encoding="ascii") as file:
            return file.read().split() or ["pass"]
    except FileNotFoundError:
        return ["pass"]


def refuse_session(request):
    """An RMCP+ open session response with an error (IPMI v2.0, table 13-10), or None for another request."""
    if len(request) < 24 or request[4] != 6 or request[5] & 0x3F != 0x10:
        return None
    payload = bytes([request[16], NO_SESSION_LEFT, 0, 0]) + request[20:24]
    return bytes([6, 0, 0xFF, 7, 6, 0x11]) + bytes(8) + len(payload).to_bytes(2, "little") + payload


def flood(front, client, until):
    while time.monotonic() < until:
        front.sendto(os.urandom(40), client)
        time.sleep(0.001)


def is_lost(mode, count):
    return mode[0] == "lossy" and count % 7 in (1, 4)


def answer(mode, reply, count, request_length):
    """What the client gets of an answer, or None."""
    if mode[0] == "silent" or is_lost(mode, count):
        return None
    if mode[0] == "mute-long" and request_length > int(mode[1]):
        return None
    if mode[0] == "corrupt":
        middle = len(reply) - 4
        return reply[:middle] + bytes([reply[middle] ^ 0x10]) + reply[middle + 1:]
    return reply


def main():
    family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
    front = socket.socket(family, socket.SOCK_DGRAM)
    front.bind((sys.argv[1], int(sys.argv[2])))
    back = socket.socket(socket.AF_INET6 if ":" in sys.argv[3] else socket.AF_INET, socket.SOCK_DGRAM)
    back.connect((sys.argv[3], int(sys.argv[4])))
    client, count, request_length = None, 0, 0
    while True:
        for ready in select.select([front, back], [], [])[0]:
            mode = mode_of(sys.argv[5])
            count += 1
            if ready is front:
                request, client = front.recvfrom(4096)
                request_length = len(request)
                refusal = refuse_session(request) if mode[0] == "full" else None
                if refusal:
                    front.sendto(refusal, client)
                    open(sys.argv[5] + ".refused", "w", encoding="ascii").close()
                elif mode[0] == "garbage":
                    front.sendto(os.urandom(request_length), client)
                elif mode[0] == "flood":
                    flood(front, client, time.monotonic() + 30)
                elif mode[0] != "deaf" and not is_lost(mode, count):
                    back.send(request)
            else:
                try:
                    reply = back.recv(4096)
                except ConnectionRefusedError:
                    continue
                reply = answer(mode, reply, count, request_length)
                if reply and client:
                    front.sendto(reply, client)


main()
