# SPDX-License-Identifier: Apache-2.0
"""A receiver that misbehaves: an HTTP or HTTPS server on 127.0.0.1 that takes Datadog's form, keeps the ids of what it
took, drops what it has already, and does to each request what it is told. Used by chaos.py."""

import http.server
import json
import re
import socket
import ssl
import struct
import threading
import time


class Nobody:
    """An address of 127.0.0.1 at which nobody listens, nor somebody else's test begins to"""

    def __enter__(self):
        self.socket = socket.socket()
        self.socket.bind(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.socket.getsockname()[1]}"
        return self

    def __exit__(self, *args):
        self.socket.close()


class Receiver:
    """behave(number) answers, for each request, one of
    ("answer", status, headers)   reads it all, then answers; 2xx: it was taken
    ("reset", bytes)              reads so much of the body, then breaks the connection
    ("take-and-reset",)           takes it, then breaks the connection instead of answering
    ("slow", seconds)             reads a byte, waits, then breaks the connection
    """

    def __init__(self, behave=lambda n: ("answer", 200, {}), certificate=None):
        self.behave = behave
        self.lock = threading.Lock()
        self.requests = 0
        self.times = []         # monotonic, of each request
        self.took = {}          # id: how often
        self.faults = []        # what should never come
        self.counts = {}        # what was done: how often
        self.ending = threading.Event()
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                receiver.serve(self)

            def log_message(self, *args):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request, client_address):
                pass            # connections break here all the time

        self.server = Server(("127.0.0.1", 0), Handler)
        scheme = "http"
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True,
                                                     do_handshake_on_connect=False)
            scheme = "https"
        self.port = self.server.server_address[1]
        self.url = f"{scheme}://127.0.0.1:{self.port}"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self.thread.start()

    def stop(self):
        self.ending.set()
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

    def note(self, what):
        with self.lock:
            self.counts[what] = self.counts.get(what, 0) + 1

    def serve(self, request):
        with self.lock:
            number = self.requests
            self.requests += 1
            self.times.append(time.monotonic())
            action = self.behave(number)
        self.note(action[0] if action[0] != "answer" else str(action[1]))
        length = int(request.headers["Content-Length"])
        if action[0] == "reset":
            request.rfile.read(min(action[1], length))
            return self.reset(request)
        if action[0] == "slow":
            request.rfile.read(1)
            self.ending.wait(action[1])
            return self.reset(request)
        body = request.rfile.read(length)
        if len(body) != length:
            return None         # the other side was killed
        if action[0] == "take-and-reset":
            self.take(request, body)
            return self.reset(request)
        if 200 <= action[1] < 300:
            self.take(request, body)
        request.send_response(action[1])
        for name, value in action[2].items():
            request.send_header(name, value)
        request.send_header("Content-Length", "0")
        request.end_headers()
        request.close_connection = True
        return None

    @staticmethod
    def reset(request):
        """RST instead of FIN: whatever was on its way is gone"""
        request.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        request.close_connection = True
        request.connection.close()

    def take(self, request, body):
        boundary = re.search("boundary=(.*)", request.headers["Content-Type"]).group(1).encode()
        parts = {}
        for part in body.split(b"--" + boundary)[1:-1]:
            head, content = part.split(b"\r\n\r\n", 1)
            parts[re.search(b'name="([^"]*)"', head).group(1).decode()] = content[:-2]
        ident = json.loads(parts["event"])["internal"]["profile_id"]
        profile = parts["profile.pprof"]
        whole = (ident.encode() * (len(profile) // 36 + 1))[:len(profile)]
        with self.lock:
            if profile != whole:
                self.faults.append(f"{ident}: its profile is another one")
            self.took[ident] = self.took.get(ident, 0) + 1

    def wait_requests(self, number, patience_s=60):
        until = time.monotonic() + patience_s
        while self.requests < number and time.monotonic() < until:
            time.sleep(0.001)
        return self.requests >= number
