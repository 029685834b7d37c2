# SPDX-License-Identifier: Apache-2.0
"""Python to be stopped at random: recursion through C code (sorting with a key, json, re, zlib), exceptions
and threads. Runs until it is killed."""
import functools
import json
import re
import threading
import zlib


class Node:
    def __init__(self, value, rest):
        self.value, self.rest = value, rest

    def __lt__(self, other):
        return str(self.value) < str(other.value)

    def __repr__(self):
        return f"<{self.value} {self.rest!r}>"


def chain(n):
    return None if n == 0 else Node(n * 7919 % 101, chain(n - 1))


def through_c(depth, action):
    """Each level goes through the interpreter's C code."""
    if depth == 0:
        return action()
    return functools.reduce(lambda _, d: max(map(through_c, [d], [action])), [depth - 1], None)


def act():
    words = re.sub(r"([a-z]+)-(\d+)", lambda m: m[2] + m[1], "abc-123 def-456 " * 20).split()
    text = json.dumps({w: [len(w)] * 5 for w in words}, indent=1)
    nodes = sorted(Node(zlib.crc32(w.encode()), None) for w in words)
    return len(zlib.compress((text + repr(chain(20)) + repr(nodes[0])).encode()))


def fail(depth):
    if depth == 0:
        raise ValueError(depth)
    fail(depth - 1)


def work():
    n = 0
    while True:
        n += 1
        through_c(n % 8, act)
        try:
            fail(n % 30)
        except ValueError:
            pass


for _ in range(2):
    threading.Thread(target=work, daemon=True).start()
work()
