# SPDX-License-Identifier: Apache-2.0
"""An agent that takes uploads: answers 200 to every POST and keeps the bodies.

usage: agent.py FOLDER: writes its port to FOLDER/port, the path and body of upload N to FOLDER/upload-N
"""
import http.server
import itertools
import os
import sys

folder = sys.argv[1]
numbers = itertools.count(1)


class Agent(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with open(f"{folder}/upload-{next(numbers)}", "wb") as f:
            f.write(self.path.encode() + b"\n" + body)
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass


server = http.server.HTTPServer(("127.0.0.1", 0), Agent)
with open(f"{folder}/port.new", "w") as f:
    f.write(str(server.server_port))
os.rename(f"{folder}/port.new", f"{folder}/port")
server.serve_forever()
