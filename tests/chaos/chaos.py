#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What happens to profiles when nothing works: receivers that are down, slow, refuse, break connections, have the
wrong certificate or no address; spools that are damaged, full or used twice; and a sender that is killed at random
moments. The sender is a real process (tests/chaos/produce.c) with a real spool, the receiver listens on 127.0.0.1 and
knows by the id in event.json what it has. Every batch that was stored must arrive, once, or be told as dropped. One
TAP line a case, and its tally as key=value lines. Called by tests/run and `make chaos`."""

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading

from receiver import Nobody, Receiver

PATIENCE_S = 120


class Failed(Exception):
    pass


class Skipped(Exception):
    pass


def need(condition, text):
    if not condition:
        raise Failed(text)


class Said:
    """What a producer said, over all of its lives"""

    def __init__(self):
        self.lines = []

    def words(self, first):
        return [line.split(" ", 1)[1] for line in self.lines if line.split(" ")[0] == first]

    def ids(self, first):
        return [words.split(" ")[0] for words in self.words(first)]

    def number(self, name):
        return sum(int(n) for n in self.words(name))


class Case:
    def __init__(self, folder, program):
        self.folder = folder
        self.program = program
        self.spool = os.path.join(folder, "spool")
        self.said = Said()
        self.tally = {}

    def start(self, url, *options):
        """Nobody reads what it says before finish(): not more than a pipe holds"""
        return subprocess.Popen([self.program, "--url", url, "--spool", self.spool, *options],
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def finish(self, process):
        """The rest of what it says"""
        watchdog = threading.Timer(PATIENCE_S, process.kill)
        watchdog.start()
        if process.stdin:
            process.stdin.close()
        out = process.stdout.read()     # behind what was read of it already
        process.wait()
        watchdog.cancel()
        # a line that a kill cut short says nothing
        self.said.lines += [line for line in out.split("\n")[:-1] if line]
        return process.returncode

    def run(self, url, *options, status=0):
        returned = self.finish(self.start(url, *options))
        need(returned == status, f"exit status {returned}: {self.said.lines[-3:]}")

    def check(self, receivers):
        """Of all that was stored: arrived or told as dropped, one of the two"""
        took = {}
        for receiver in receivers:
            need(not receiver.faults, f"{receiver.faults}")
            for ident, times in receiver.took.items():
                took[ident] = took.get(ident, 0) + times
            for what, times in receiver.counts.items():
                self.tally[f"answered_{what}"] = self.tally.get(f"answered_{what}", 0) + times
        stored, dropped = set(self.said.ids("stored")), set(self.said.ids("dropped"))
        missing = stored - set(took) - dropped
        need(not missing, f"{len(missing)} of {len(stored)} are nowhere: {sorted(missing)[:3]}, "
             f"down: {self.said.words('down')}, spooled: {self.said.words('spooled')}")
        both = set(took) & dropped
        need(not both, f"{len(both)} arrived and were dropped")
        self.tally.update(stored=len(stored), arrived=len(took), dropped=len(dropped),
                          second_copies=sum(times - 1 for times in took.values()), lost=len(missing))


def killed_at_random_moments(case, args):
    kinds = [("answer", 200, {})] * 4 + [
        ("answer", 500, {}), ("answer", 429, {"Retry-After": "0"}), ("answer", 408, {}),
        ("reset", 10), ("reset", 5000), ("take-and-reset",), ("take-and-reset",)]
    room = ("--spool-kb", str(16 << 20))    # a fast machine stores more than the default limit has room for
    receiver = Receiver(lambda number: random.choice(kinds))
    try:
        for _ in range(args.kills):
            process = case.start(receiver.url, "--endless", *room)
            first = process.stdout.readline()
            need(first == "ready\n", f"said {first!r}")
            try:        # up to here it ran, whatever it was at
                process.wait(random.uniform(0, 0.1))
                raise Failed("it ended by itself")
            except subprocess.TimeoutExpired:
                process.kill()
            need(case.finish(process) == -signal.SIGKILL, "it was not killed")
        receiver.behave = lambda number: ("answer", 200, {})
        case.run(receiver.url, *room)
    finally:
        receiver.stop()
    case.check([receiver])
    case.tally["kills"] = args.kills
    need(case.said.words("spooled")[-1] == "0", "some are still in the spool")
    need(not case.said.ids("dropped"), "some were dropped")
    need(len(case.said.ids("stored")) > args.kills, "hardly any were stored")


def receiver_is_down(case, _):
    with Nobody() as nobody:
        case.run(nobody.url, "--count", "10", "--finish", "100")
    need(len(case.said.words("down")) == 1, "it was not told once")
    need(case.said.words("spooled")[-1] == "10", "not all are kept")
    receiver = Receiver()
    case.run(receiver.url)
    receiver.stop()
    case.check([receiver])
    need(len(receiver.took) == 10, "not all arrived")


def misbehave(case, actions, *options, least=1):
    """Ten batches to one that does @actions first, then takes all"""
    receiver = Receiver(lambda number: actions[number] if number < len(actions) else ("answer", 200, {}))
    try:
        case.run(receiver.url, "--count", "10", *options)
        for _ in actions:       # an end gives up at the first failure
            if case.said.words("spooled")[-1] != "0":
                case.run(receiver.url, *options)
    finally:
        receiver.stop()
    case.check([receiver])
    need(receiver.requests >= len(actions) + least, "it was not tried again")
    return receiver


def receiver_is_slow(case, _):
    misbehave(case, [("slow", 60)] * 3, "--timeout", "200")


def receiver_resets_in_mid_body(case, _):
    misbehave(case, [("reset", n * 1000) for n in range(10)])


def receiver_takes_and_says_nothing(case, _):
    misbehave(case, [("take-and-reset",)] * 5)
    need(case.tally["second_copies"] >= 5, "there were no second copies")


def receiver_answers_500(case, _):
    misbehave(case, [("answer", status, {}) for status in (500, 502, 503, 504, 408)])


def receiver_asks_to_wait(case, _):
    receiver = Receiver(lambda number: ("answer", 200, {}) if number else ("answer", 429, {"Retry-After": "1"}))
    process = case.start(receiver.url, "--count", "3", "--at-once")
    waited = receiver.wait_requests(2)
    case.finish(process)
    need(waited, "it did not come back")
    between = receiver.times[1] - receiver.times[0]
    need(between >= 1, f"it came back after {between} s")
    case.run(receiver.url)
    receiver.stop()
    case.check([receiver])


def receiver_refuses(case, _):
    receiver = Receiver(lambda number: ("answer", [400, 403, 413, 200][number % 4], {}))
    case.run(receiver.url, "--count", "8")
    receiver.stop()
    case.check([receiver])
    need(receiver.requests == 8, "what was refused was tried again")
    need(len(receiver.took) == 2 and case.said.number("dropped_refused") == 6, "others were refused")


def certificate_is_wrong(case, _):
    certificate = os.path.join(case.folder, "certificate.pem")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", certificate + ".key",
                    "-out", certificate + ".crt", "-days", "2", "-subj", "/CN=127.0.0.1",
                    "-addext", "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True)
    with open(certificate, "w", encoding="ascii") as both:
        for end in (".key", ".crt"):
            with open(certificate + end, encoding="ascii") as one:
                both.write(one.read())
    receiver = Receiver(certificate=certificate)
    try:
        case.run(receiver.url, "--count", "5", "--finish", "200")
        need(not receiver.took, "it was trusted")
        need("certificate" in case.said.words("down")[0].lower(), f"it said {case.said.words('down')}")
        case.run(receiver.url, "--ca", certificate + ".crt")
    finally:
        receiver.stop()
    case.check([receiver])
    need(len(receiver.took) == 5, "not all arrived")


def name_does_not_resolve(case, _):
    case.run("http://there-is-no-such-host.invalid:1", "--count", "3", "--finish", "1000", "--timeout", "5000")
    need(case.said.words("spooled")[-1] == "3", "not all are kept")
    receiver = Receiver()
    case.run(receiver.url)
    receiver.stop()
    case.check([receiver])


def spool_is_full(case, _):
    with Nobody() as nobody:
        case.run(nobody.url, "--count", "30", "--spool-kb", "256", "--finish", "100")
    need(case.said.number("dropped_spool") > 0, "it was not full")
    receiver = Receiver()
    case.run(receiver.url)
    receiver.stop()
    case.check([receiver])


def disk_is_full(case, _):
    """A disk of 400 KiB, which lives as long as the sender: what it does not take is sent from memory"""
    disk = os.path.join(case.folder, "disk")
    os.mkdir(disk)
    own = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--mount", "--map-root-user"]
    mount = [*own, "sh", "-c", f"mount -t tmpfs -o size=400k,mode=700 none '{disk}' && exec \"$@\"", "sh"]
    try:
        subprocess.run([*mount, "true"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        raise Skipped("a small disk cannot be mounted here") from None
    receiver = Receiver(lambda number: ("answer", 503, {}))
    try:
        process = subprocess.Popen([*mount, case.program, "--url", receiver.url, "--spool", disk, "--count", "60",
                                    "--at-once"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for line in process.stdout:
            case.said.lines.append(line.rstrip("\n"))
            if line.startswith("spool_down"):
                break
        receiver.behave = lambda number: ("answer", 200, {})
        need(case.finish(process) == 0, "it failed")
    finally:
        receiver.stop()
    case.check([receiver])
    need("No space left" in case.said.words("spool_down")[0], f"it said {case.said.words('spool_down')}")
    need(len(receiver.took) == 60, f"{len(receiver.took)} of 60 arrived, down: {case.said.words('down')}")
    need(len(case.said.ids("stored")) < 60, "the disk took them all")


def spool_is_damaged(case, _):
    with Nobody() as nobody:
        case.run(nobody.url, "--count", "30", "--finish", "100")
    entries = sorted(name for name in os.listdir(case.spool) if name.endswith(".batch"))
    need(len(entries) == 30, f"{len(entries)} entries")
    for name in entries[::3]:
        with open(os.path.join(case.spool, name), "r+b") as entry:
            size = os.fstat(entry.fileno()).st_size
            entry.seek(random.randrange(size))
            byte = entry.read(1)
            entry.seek(-1, os.SEEK_CUR)
            entry.write(bytes([byte[0] ^ 1 << random.randrange(8)]))
    receiver = Receiver()
    case.run(receiver.url)
    receiver.stop()
    need(not receiver.faults, f"{receiver.faults}")
    need(len(receiver.took) == 20 and case.said.number("dropped_damaged") == 10,
         f"{len(receiver.took)} arrived, {case.said.number('dropped_damaged')} were damaged")
    case.tally.update(stored=30, arrived=len(receiver.took), dropped_damaged=10)


def spool_is_used_twice(case, _):
    """The second one sends from memory, and takes the folder over when the first has ended"""
    receiver = Receiver(lambda number: ("answer", 503, {}))
    first = case.start(receiver.url, "--count", "20", "--at-once")
    need(first.stdout.readline() == "ready\n", "it did not begin")
    need(receiver.wait_requests(1), "it sends nothing")
    receiver.behave = lambda number: ("answer", 200, {})
    other = Case(case.folder, case.program)
    other.run(receiver.url, "--count", "3", "--finish", "5000")
    need(not other.said.ids("stored") and len(other.said.ids("sent")) == 3, f"{other.said.lines}")
    first.kill()
    case.finish(first)
    case.run(receiver.url)
    receiver.stop()
    case.check([receiver])


SHORT = [killed_at_random_moments, receiver_is_down, receiver_is_slow, receiver_resets_in_mid_body,
         receiver_takes_and_says_nothing, receiver_answers_500, receiver_asks_to_wait, receiver_refuses,
         certificate_is_wrong, spool_is_full, disk_is_full, spool_is_damaged, spool_is_used_twice]
LONG = SHORT + [name_does_not_resolve]


def run_case(function, args):
    with tempfile.TemporaryDirectory(prefix="ddprof-chaos-") as folder:
        case = Case(folder, args.program)
        try:
            function(case, args)
        except Skipped as reason:
            print(f"ok {function.__name__} # SKIP {reason}", flush=True)
            return True
        except (Failed, subprocess.SubprocessError, OSError) as error:
            print(f"# {error}\nnot ok {function.__name__}", flush=True)
            return False
        for key, value in sorted(case.tally.items()):
            print(f"{function.__name__}.{key}={value}")
        print(f"ok {function.__name__}", flush=True)
        return True


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("program", help="BUILD/chaos/produce")
    parser.add_argument("--kills", type=int, default=20, help="random moments at which it is killed (20)")
    parser.add_argument("--long", action="store_true", help="also what takes long")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    parser.add_argument("case", nargs="*", help="only these")
    args = parser.parse_args()
    random.seed(args.seed)
    print(f"seed={args.seed}")
    cases = LONG if args.long else SHORT
    results = [run_case(function, args) for function in cases if not args.case or function.__name__ in args.case]
    sys.exit(0 if results and all(results) else 1)


if __name__ == "__main__":
    main()
