# SPDX-License-Identifier: Apache-2.0
"""A receiver of profiles: answers 200 to every upload and keeps its parts.

usage: receiver.py FOLDER: listens on 127.0.0.1:8126. Upload N, from 1 on and on after a restart, becomes FOLDER/N.event,
the event's JSON, and FOLDER/N.pprof; they appear complete. Several at once are taken.
"""
import email
import http.server
import os
import sys
import threading

folder = sys.argv[1]
lock = threading.Lock()
os.makedirs(folder, exist_ok=True)


def keep(parts):
    with lock:
        number = 1 + max((int(f.split(".")[0]) for f in os.listdir(folder) if f.endswith(".event")), default=0)
        for part in parts:
            name = part.get_param("name", header="content-disposition")
            path = f"{folder}/{number}.{'event' if name == 'event' else 'pprof'}"
            with open(path + ".new", "wb") as f:
                f.write(part.get_payload(decode=True))
        os.rename(f"{folder}/{number}.pprof.new", f"{folder}/{number}.pprof")
        os.rename(f"{folder}/{number}.event.new", f"{folder}/{number}.event")


class Receiver(http.server.BaseHTTPRequestHandler):
    def body(self):
        if "Content-Length" in self.headers:
            return self.rfile.read(int(self.headers["Content-Length"]))
        chunks = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            chunks += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return chunks

    def do_POST(self):
        head = f"Content-Type: {self.headers['Content-Type']}\r\n\r\n"
        keep(email.message_from_bytes(head.encode() + self.body()).get_payload())
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


http.server.ThreadingHTTPServer(("127.0.0.1", 8126), Receiver).serve_forever()
