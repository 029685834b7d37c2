# SPDX-License-Identifier: Apache-2.0
"""Small pprof files made of lists, by protoc, and pages made of them by ddprofctl."""

import pathlib
import subprocess

PROTO = pathlib.Path("collector/lib/profile.proto")


class Profile:
    """Samples in, pprof out. A frame is a name, or (name, file, line, mapping)."""

    def __init__(self, *types):
        self.strings = {"": 0}
        self.lines = []
        self.samples = []
        self.locations = {}
        self.mappings = {}
        for name, unit in types:
            self.lines.append(f"sample_type {{ type: {self.string(name)} unit: {self.string(unit)} }}")

    def string(self, text):
        return self.strings.setdefault(text, len(self.strings))

    def mapping(self, name):
        if name and name not in self.mappings:
            self.mappings[name] = len(self.mappings) + 1
            self.lines.append(f"mapping {{ id: {self.mappings[name]} filename: {self.string(name)} }}")
        return self.mappings.get(name, 0)

    def location(self, frame):
        frame = frame if isinstance(frame, tuple) else (frame, "", 0, "")
        if frame not in self.locations:
            name, file, line, mapping = frame
            self.locations[frame] = number = len(self.locations) + 1
            self.lines.append(f"function {{ id: {number} name: {self.string(name)} filename: {self.string(file)} }}")
            self.lines.append(f"location {{ id: {number} mapping_id: {self.mapping(mapping)} "
                              f"line {{ function_id: {number} line: {line} }} }}")
        return self.locations[frame]

    def add(self, stack, *values):
        """A sample; the outermost frame first."""
        self.samples.append((stack, values))
        ids = "".join(f" location_id: {self.location(f)}" for f in reversed(stack))
        self.lines.append(f"sample {{{ids}" + "".join(f" value: {v}" for v in values) + " }")

    def write(self, path):
        strings = []
        for text in self.strings:
            escaped = "".join(f"\\{byte:03o}" for byte in text.encode())
            strings.append(f'string_table: "{escaped}"')
        out = subprocess.run(["protoc", f"--proto_path={PROTO.parent}", "--encode=perftools.profiles.Profile",
                              PROTO.name], input="\n".join(self.lines + strings).encode(), check=True,
                             stdout=subprocess.PIPE).stdout
        pathlib.Path(path).write_bytes(out)
        return path


def shop(scale=1, types=(("cpu-samples", "count"), ("cpu-time", "nanoseconds"))):
    """
    60 of 100 in serve: 45 of them in parse (15 below, in read_token), 15 in memcpy; 40 in idle, 10 of which in memcpy.
    The samples' values do not follow the times': parse has most samples.
    """
    p = Profile(*types)
    main = ("main", "src/main.c", 10, "/usr/bin/shop")
    serve = ("serve", "src/serve.c", 20, "/usr/bin/shop")
    parse = ("parse", "src/parse.c", 31, "/usr/bin/shop")
    token = ("read_token", "src/parse.c", 77, "/usr/bin/shop")
    idle = ("do_idle", "", 0, "[kernel]")
    copy = ("memcpy", "", 0, "/usr/lib/libc.so.6")
    for stack, samples, ms in (((main, serve, parse), 70, 30 * scale), ((main, serve, parse, token), 10, 15),
                               ((main, serve, copy), 10, 15), ((main, idle), 5, 30), ((main, idle, copy), 5, 10)):
        p.add(stack, samples, ms * 1000000)
    return p


MACHINE = {
    "nginx": ["main", "ngx_master_process_cycle", "ngx_worker_process_cycle", "ngx_process_events_and_timers",
              "ngx_epoll_process_events", "ngx_http_wait_request_handler", "ngx_http_process_request_line",
              "ngx_http_parse_request_line", "ngx_http_process_request", "ngx_http_upstream_handler",
              "ngx_http_gzip_body_filter", "deflate", "ngx_writev_chain"],
    "postgres": ["main", "PostmasterMain", "ServerLoop", "BackendRun", "PostgresMain", "exec_simple_query",
                 "PortalRun", "ExecutorRun", "ExecProcNode", "ExecSeqScan", "heap_getnextslot", "ExecHashJoin",
                 "hash_search_with_hash_value", "ReadBuffer_common", "LockBuffer"],
    "python3": ["Py_RunMain", "PyRun_SimpleFile", "_PyEval_EvalFrameDefault", "PyObject_Call", "json_loads",
                "PyDict_SetItem", "gc_collect_main", "unicode_decode_utf8", "list_sort_impl"],
    "[kernel]": ["entry_SYSCALL_64", "do_syscall_64", "ksys_read", "vfs_read", "ext4_file_read_iter",
                 "filemap_read", "copy_page_to_iter", "tcp_sendmsg", "ip_queue_xmit", "schedule", "clear_page_erms"],
}


def machine():
    """What a busy server's profile could look like; for pictures."""
    p = Profile(("cpu-samples", "count"), ("cpu-time", "nanoseconds"))
    state = 7

    def random(n):
        nonlocal state
        state = (state * 1103515245 + 12345) % 2 ** 31
        return (state >> 8) % n

    for _ in range(700):
        program = ("nginx", "postgres", "postgres", "python3")[random(4)]
        names = MACHINE[program]
        stack = [(n, f"src/{program}/{n.split('_')[0]}.c", 10 + len(n), f"/usr/bin/{program}")
                 for i, n in enumerate(names) if i < 4 or random(5) < 3][:4 + random(len(names))]
        if random(3) == 0:
            stack += [(n, "", 0, "[kernel]") for i, n in enumerate(MACHINE["[kernel]"]) if i < 2 or random(3) == 0]
        count = 1 + random(9) ** 2
        p.add(stack, count, count * 10101010)
    return p


def large(nodes):
    """That many nodes, 40 deep; names as long as those of C++."""
    p = Profile(("cpu-time", "nanoseconds"))
    made = 0
    for i in range(nodes):
        if made >= nodes:
            break
        fork = i % 35
        stack = [(f"name_space_{d % 7}::some_class_{d}<int, std::string>::method_{d}", f"source_{d}.cc", d + 1,
                  f"/usr/lib/library_{d % 9}.so") for d in range(fork)]
        stack += [(f"detail::leaf_{(i * 31 + d) % 4001}(unsigned long)", "leaf.cc", d + 1, "/usr/bin/program")
                  for d in range(40 - fork)]
        made += 40 - fork
        p.add(stack, 1000000 + i % 13 * 1000)
    return p
