#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A management controller that says what a test wants: RMCP+ by the IPMI v2.0 specification, chapter 13.

    scripted_bmc.py ADDRESS PORT SCRIPT

SCRIPT holds lines "name value", read again for each command:
    user NAME, password TEXT      the account (vigil, secret)
    suites 3,17                   the cipher suites that are offered (3,17)
    power BYTE                    the byte "current power state" of a chassis status (0x01: on), until a command changes it
    obeys yes|no|always           whether off, on and cycle change that byte: when answered with success, never, in any case (yes)
    status_codes 0xc0,0xc0        completion codes of the next chassis status answers, one each; then 0
    control_codes ...             the same for chassis control
    short yes|no                  chassis status answers lack their last bytes (no)
SCRIPT.calls tells what came: "suite N", "status", "control N".
"""
import hashlib
import hmac
import os
import socket
import sys

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

SUITES = {3: (1, 1, 1), 17: (3, 4, 1)}  # table 22-20: authentication, integrity, confidentiality
HASHES = {1: hashlib.sha1, 3: hashlib.sha256}
CODE_LENGTHS = {1: 12, 4: 16}  # of integrity algorithms and, alike, of RAKP 4
GUID = bytes(range(16))
RMCP = bytes([6, 0, 0xFF, 7])


def checksum(data):
    return -sum(data) & 0xFF


def little(value, size):
    return value.to_bytes(size, "little")


class Script:
    def __init__(self, path):
        self.path = path
        self.power = None
        self.used = {"status_codes": 0, "control_codes": 0}

    def get(self, name, default):
        with open(self.path, encoding="ascii") as file:
            for line in file:
                words = line.split(None, 1)
                if len(words) == 2 and words[0] == name:
                    return words[1].strip()
        return default

    def note(self, text):
        with open(self.path + ".calls", "a", encoding="ascii") as file:
            file.write(text + "\n")

    def next_code(self, name):
        codes = [int(code, 0) for code in self.get(name, "").split(",") if code]
        self.used[name] += 1
        return codes[self.used[name] - 1] if self.used[name] <= len(codes) else 0

    def power_byte(self):
        return int(self.get("power", "0x01"), 0) if self.power is None else self.power


class Session:
    """One session; the console's and our ids, the keys of table 13-17 ff."""

    def __init__(self, suite, console_id, own_id):
        self.authentication, self.integrity, _ = SUITES[suite]
        self.console_id, self.own_id = console_id, own_id
        self.own_random = os.urandom(16)
        self.sequence = 0

    def mac(self, key, *parts):
        return hmac.new(key, b"".join(parts), HASHES[self.authentication]).digest()

    def take_rakp_1(self, payload, key):
        self.key = key
        self.console_random = payload[8:24]
        self.who = payload[24:25] + payload[27:28] + payload[28:28 + payload[27]]
        return self.mac(key, little(self.console_id, 4), little(self.own_id, 4), self.console_random, self.own_random, GUID, self.who)

    def expected_rakp_3(self):
        return self.mac(self.key, self.own_random, little(self.console_id, 4), self.who)

    def make_keys(self):
        sik = self.mac(self.key, self.console_random, self.own_random, self.who)
        self.integrity_key = self.mac(sik, b"\1" * 20)
        self.cipher_key = self.mac(sik, b"\2" * 20)[:16]
        return self.mac(sik, self.console_random, little(self.own_id, 4), GUID)[:CODE_LENGTHS[self.integrity]]

    def cipher(self, vector):
        return Cipher(algorithms.AES(self.cipher_key), modes.CBC(vector))

    def code(self, data):
        return self.mac(self.integrity_key, data)[:CODE_LENGTHS[self.integrity]]

    def open_packet(self, packet):
        """The message in an encrypted and authenticated packet, or None."""
        length = CODE_LENGTHS[self.integrity]
        if not hmac.compare_digest(self.code(packet[4:-length]), packet[-length:]):
            return None
        size = int.from_bytes(packet[14:16], "little")
        payload = packet[16:16 + size]
        clear = self.cipher(payload[:16]).decryptor()
        text = clear.update(payload[16:]) + clear.finalize()
        return text[:-1 - text[-1]]

    def make_packet(self, message):
        pad = -(len(message) + 1) % 16
        text = message + bytes(range(1, pad + 1)) + bytes([pad])
        vector = os.urandom(16)
        box = self.cipher(vector).encryptor()
        payload = vector + box.update(text) + box.finalize()
        self.sequence += 1
        body = bytes([6, 0xC0]) + little(self.console_id, 4) + little(self.sequence, 4) + little(len(payload), 2) + payload
        pad = -(len(body) + 2) % 4
        body += b"\xff" * pad + bytes([pad, 7])
        return RMCP + body + self.code(body)


def answer_message(message, data):
    head = bytes([message[3], (message[1] >> 2 | 1) << 2])
    tail = bytes([message[0], message[4], message[5]]) + data
    return head + bytes([checksum(head)]) + tail + bytes([checksum(tail)])


def chassis_status(script):
    script.note("status")
    code = script.next_code("status_codes")
    if code:
        return bytes([code])
    return bytes([0, script.power_byte()]) + (b"" if script.get("short", "no") == "yes" else b"\0\0")


def chassis_control(script, command):
    script.note(f"control {command}")
    code = script.next_code("control_codes")
    obeys = script.get("obeys", "yes")
    if command in (0, 1, 2) and (obeys == "always" or (obeys == "yes" and not code)):
        script.power = 0 if command == 0 else 1
    return bytes([code])


def run_command(script, message):
    function, command, data = message[1] >> 2, message[5], message[6:-1]
    if (function, command) == (6, 0x3B):  # set session privilege level
        return bytes([0, data[0]])
    if (function, command) == (6, 0x3C):  # close session
        return bytes([0])
    if (function, command) == (0, 1):
        return chassis_status(script)
    if (function, command) == (0, 2):
        return chassis_control(script, data[0] & 0x0F)
    return bytes([0xC1])


class Controller:
    def __init__(self, script):
        self.script = script
        self.sessions = {}
        self.next_id = 0x1000

    def plain(self, kind, payload):
        return RMCP + bytes([6, kind]) + bytes(8) + little(len(payload), 2) + payload

    def answer(self, packet):
        if packet[4] == 0:  # IPMI 1.5: get channel authentication capabilities
            return RMCP + bytes(9) + self.with_length(answer_message(packet[14:], bytes([0, 1, 0x84, 4, 3, 0, 0, 0, 0])))
        kind, payload = packet[5] & 0x3F, packet[16:]
        if kind == 0x10:
            return self.open_session(payload)
        session = self.sessions.get(int.from_bytes(packet[6:10] if kind == 0 else payload[4:8], "little"))
        if not session:
            return None
        if kind == 0:
            message = session.open_packet(packet)
            return session.make_packet(answer_message(message, run_command(self.script, message))) if message else None
        return self.rakp_2(session, payload) if kind == 0x12 else self.rakp_4(session, payload)

    @staticmethod
    def with_length(message):
        return bytes([len(message)]) + message

    def open_session(self, payload):
        wanted = (payload[12], payload[20], payload[28])
        offered = [int(suite) for suite in self.script.get("suites", "3,17").split(",")]
        suite = next((suite for suite in offered if SUITES[suite] == wanted), None)
        if suite is None:  # table 13-15: no cipher suite match
            return self.plain(0x11, bytes([payload[0], 0x11, 0, 0]) + payload[4:8])
        self.script.note(f"suite {suite}")
        self.next_id += 1
        self.sessions[self.next_id] = Session(suite, int.from_bytes(payload[4:8], "little"), self.next_id)
        return self.plain(0x11, bytes([payload[0], 0, 4, 0]) + payload[4:8] + little(self.next_id, 4) + payload[8:32])

    def rakp_2(self, session, payload):
        name = payload[28:28 + payload[27]].decode("ascii", "replace")
        status = 0 if name == self.script.get("user", "vigil") else 0x0D
        head = bytes([payload[0], status, 0, 0]) + little(session.console_id, 4)
        if status:
            return self.plain(0x13, head)
        code = session.take_rakp_1(payload, self.script.get("password", "secret").encode())
        return self.plain(0x13, head + session.own_random + GUID + code)

    def rakp_4(self, session, payload):
        status = 0 if hmac.compare_digest(payload[8:], session.expected_rakp_3()) else 0x0F
        head = bytes([payload[0], status, 0, 0]) + little(session.console_id, 4)
        return self.plain(0x15, head if status else head + session.make_keys())


def main():
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind((sys.argv[1], int(sys.argv[2])))
    controller = Controller(Script(sys.argv[3]))
    while True:
        packet, client = server.recvfrom(4096)
        reply = controller.answer(packet)
        if reply:
            server.sendto(reply, client)


main()
