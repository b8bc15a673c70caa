# SPDX-License-Identifier: GPL-2.0-or-later
"""A small HTTP/1.1 server that can also behave badly: what goes out on the wire is made here, so that a fault can be anything."""
import email.utils
import json
import socket
import socketserver
import ssl
import struct
import threading
import time

PHRASES = {200: "OK", 201: "Created", 202: "Accepted", 204: "No Content", 302: "Found", 400: "Bad Request", 401: "Unauthorized", 403: "Forbidden",
           404: "Not Found", 405: "Method Not Allowed", 409: "Conflict", 412: "Precondition Failed", 429: "Too Many Requests", 500: "Internal Server Error",
           502: "Bad Gateway", 503: "Service Unavailable"}
HEADER_LIMIT = 65536
BODY_LIMIT = 4 << 20


class Request:
    def __init__(self, method, target, headers, body, peer="", port=0, connection=0):
        self.method, self.target, self.headers, self.body = method, target, headers, body
        self.peer, self.port, self.connection = peer, port, connection

    def all_headers(self, name):
        return [value for key, value in self.headers if key.lower() == name]

    def header(self, name):
        values = self.all_headers(name)
        return values[0].strip() if values else None


class Reply:
    def __init__(self, status, body=b"", kind="application/json", headers=()):
        self.status, self.kind, self.headers = status, kind, list(headers)
        self.body = body if isinstance(body, bytes) else body.encode()
        self.wire = None # a function of (socket, head, body) that sends something else than that

    def head(self, clock, length=None):
        lines = ["HTTP/1.1 %d %s" % (self.status, PHRASES.get(self.status, "Status")), "Server: cloudsim",
                 "Date: " + email.utils.formatdate(clock, usegmt=True)]
        if self.status != 204:
            lines += ["Content-Type: " + self.kind, "Content-Length: %d" % (len(self.body) if length is None else length)]
        lines += ["%s: %s" % pair for pair in self.headers]
        return ("\r\n".join(lines) + "\r\n\r\n").encode()


def json_reply(status, value, headers=()):
    return Reply(status, json.dumps(value, ensure_ascii=False).encode(), "application/json; charset=utf-8", headers)


def reset_connection(connection):
    """The peer sees a reset, not an end."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


class BadRequest(Exception):
    pass


class Handler(socketserver.BaseRequestHandler):
    """One connection: requests until either side has enough."""

    def handle(self):
        connection = self.request
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.settimeout(60)
        try:
            if self.server.tls:
                connection = self.server.tls.wrap_socket(connection, server_side=True)
            self.buffer = b""
            while self.serve_one(connection):
                pass
        except (OSError, ssl.SSLError, BadRequest, ValueError):
            pass
        finally:
            try:
                connection.close()
            except OSError:
                pass

    def serve_one(self, connection):
        request = self.read_request(connection)
        if request is None:
            return False
        reply = self.server.answer(request)
        head = reply.head(self.server.clock())
        if reply.wire:
            reply.wire(connection, head, reply.body)
            return False
        connection.sendall(head + (b"" if request.method == "HEAD" else reply.body))
        return (request.header("connection") or "").lower() != "close"

    def more(self, connection):
        data = connection.recv(65536)
        if not data:
            raise BadRequest("ended")
        self.buffer += data

    def read_request(self, connection):
        while b"\r\n\r\n" not in self.buffer:
            if len(self.buffer) > HEADER_LIMIT:
                raise BadRequest("head too long")
            data = connection.recv(65536)
            if not data:
                return None
            self.buffer += data
        head, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        method, target, _ = lines[0].split(" ", 2)
        if target.startswith(("http://", "https://")): # as a proxy is asked
            target = "/" + target.split("/", 3)[3] if target.count("/") > 2 else "/"
        headers = [tuple(part.strip() for part in line.split(":", 1)) for line in lines[1:] if ":" in line]
        request = Request(method, target, headers, b"", self.client_address[0], self.server.server_address[1], self.client_address[1])
        request.body = self.read_body(connection, request)
        return request

    def read_body(self, connection, request):
        if (request.header("expect") or "").lower() == "100-continue":
            connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        if "chunked" in (request.header("transfer-encoding") or "").lower():
            return self.read_chunks(connection)
        length = int(request.header("content-length") or 0)
        if length > BODY_LIMIT:
            raise BadRequest("body too long")
        while len(self.buffer) < length:
            self.more(connection)
        body, self.buffer = self.buffer[:length], self.buffer[length:]
        return body

    def read_chunks(self, connection):
        body = b""
        while True:
            while b"\r\n" not in self.buffer:
                self.more(connection)
            line, _, self.buffer = self.buffer.partition(b"\r\n")
            length = int(line.split(b";")[0], 16)
            while len(self.buffer) < length + 2:
                self.more(connection)
            body, self.buffer = body + self.buffer[:length], self.buffer[length + 2:]
            if length == 0 or len(body) > BODY_LIMIT:
                return body


class Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, address, answer, tls=None, clock=time.time):
        if ":" in address[0]:
            self.address_family = socket.AF_INET6
        self.answer, self.tls, self.clock = answer, tls, clock
        super().__init__(address, Handler)
        self.port = self.server_address[1]
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 3600}, daemon=True).start()

    def handle_error(self, request, client_address):
        pass
