#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Behind `make conformance`: do real receivers take what we send, and is it the same there?

  datadog    Datadog's test agent (Python package ddapm-test-agent) lists both of Datadog's forms
  otlp       the OpenTelemetry Collector's OTLP receiver hands on every sample
  pyroscope  Grafana Pyroscope's query API gives the same totals back; where the server cannot be had, its
             parser of names and pprof's reader stand behind /ingest

Each is got through its registry and built once, into ${XDG_CACHE_HOME:-~/.cache}/ddprof/receivers, runs on
loopback for as long as it is looked at, and is left out, with a line that says why, where it cannot be had.
A line a case, and at the end the counts. BUILD is the build folder; send is in BUILD/conformance.
"""
import base64
import email
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request

DATADOG = '1.69.1'			# ddapm-test-agent
OTLP = 'v0.162.0'			# go.opentelemetry.io/collector
PYROSCOPE = 'latest'			# github.com/grafana/pyroscope/v2
PYROSCOPE_API = 'v1.6.0'		# github.com/grafana/pyroscope/api

HERE = os.path.dirname(os.path.abspath(__file__))
WORK = os.path.join(os.path.abspath(os.environ.get('BUILD', 'build')), 'conformance')
CACHE = os.path.join(os.environ.get('XDG_CACHE_HOME') or os.path.expanduser('~/.cache'), 'ddprof', 'receivers')
TAGS = 'service:shop,env:prod,version:1.2.3,host:box,profile_seq:7,team:a/b'
ID = '7d444840-9dc0-11d1-b245-5ffdce74fad2'
START_S, DURATION_S = int(time.time()) - 60, 59
BUILD_S, START_UP_S, QUERY_S = 3600, 180, 60	# how long each may take
counts = {'ok': 0, 'not ok': 0, 'skip': 0}


class Skip(Exception):
    """This receiver cannot be had here."""


def say(status, name, why=''):
    counts[status] += 1
    print(f'{status} {name}' + (f': {why}' if why else ''), flush=True)


def check(name, expected, got):
    if expected == got:
        say('ok', name)
    else:
        say('not ok', name, f'expected {expected!r}, got {got!r}')


def run(what, argv, **more):
    """A step of getting a receiver; what it said last is why there is none."""
    try:
        done = subprocess.run(['nice', '-n', '10', *argv], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=BUILD_S, check=False, **more)
    except subprocess.TimeoutExpired:
        raise Skip(f'{what} took more than {BUILD_S} s') from None
    if done.returncode:
        last = ' '.join(line.strip() for line in done.stdout.splitlines()[-2:])
        raise Skip(f'{what}: {last[-240:]}')
    return done.stdout


def built(name, make):
    """The folder NAME of the cache, which make() fills when it is not there yet."""
    folder = os.path.join(CACHE, name)
    if not os.path.exists(os.path.join(folder, 'complete')):
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder)
        print(f'# getting {name}; this takes a while the first time', flush=True)
        make(folder)
        open(os.path.join(folder, 'complete'), 'w', encoding='utf-8').close()
    return folder


def go(folder, *argv):
    tool = shutil.which('go') or '/usr/local/go/bin/go'
    if not os.path.exists(tool):
        raise Skip('there is no Go here (Debian: golang-go)')
    return run(f'go {argv[0]}', [tool, *argv], cwd=folder,
               env={**os.environ, 'GOFLAGS': '-mod=mod -buildvcs=false', 'GOBIN': folder, 'GOWORK': 'off'})


def free_ports(nr):
    sockets = [socket.create_server(('127.0.0.1', 0)) for _ in range(nr)]
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


def get(url, **headers):
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=10) as answer:
        return answer.read()


class Server:
    """A receiver that runs while the block does; its output is in .log."""

    def __init__(self, name, argv, ready, cwd=None):
        self.log_path = os.path.join(WORK, name + '.log')
        self.argv, self.ready, self.cwd = argv, ready, cwd

    def __enter__(self):
        with open(self.log_path, 'w', encoding='utf-8') as log:
            self.process = subprocess.Popen(self.argv, stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=subprocess.STDOUT, cwd=self.cwd)
        end = time.monotonic() + START_UP_S
        while not self.is_ready():
            if self.process.poll() is not None or time.monotonic() > end:
                self.__exit__()
                raise RuntimeError(f'did not start, see {self.log_path}')
            time.sleep(0.1)
        return self

    def is_ready(self):
        try:
            get(self.ready)
            return True
        except urllib.error.HTTPError as e:
            return e.code < 500
        except OSError:
            return False

    def log(self):
        with open(self.log_path, encoding='utf-8', errors='replace') as log:
            return log.read()

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def eventually(what, wanted):
    """Asks until there is an answer; None after a while."""
    end = time.monotonic() + QUERY_S
    while time.monotonic() < end:
        answer = what()
        if wanted(answer):
            return answer
        time.sleep(0.2)
    return None


def send(form, url, **env):
    done = subprocess.run([os.path.join(WORK, 'send'), form, url, PROFILE, TAGS, str(START_S),
                           str(START_S + DURATION_S), ID], capture_output=True, text=True, timeout=60,
                          check=False, env={**os.environ, **env})
    check(f'{form}.is_taken', (0, '200', ''), (done.returncode, done.stdout.strip(), done.stderr.strip()))


def utc(seconds):
    return time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))


# Datadog

def datadog_agent(folder):
    run('python3 -m venv', [sys.executable, '-m', 'venv', folder])
    run('pip install', [folder + '/bin/pip', 'install', '-q', 'ddapm-test-agent==' + DATADOG])


def parts_of(request):
    """name -> [(file name, bytes)] of a multipart request that the agent kept."""
    message = email.message_from_bytes(b'Content-Type: ' + request['headers']['Content-Type'].encode() + b'\r\n\r\n' +
                                       base64.b64decode(request['body']))
    parts = {}
    for part in message.get_payload():
        name = part.get_param('name', header='content-disposition')
        parts.setdefault(name, []).append((part.get_filename(), part.get_payload(decode=True)))
    return parts


def check_current(request):
    parts = parts_of(request)
    event = json.loads(parts['event'][0][1])
    with open(PROFILE, 'rb') as f:
        profile = f.read()
    check('datadog.parts', ['event', 'profile.pprof'], list(parts))
    check('datadog.profile', ('profile.pprof', profile), parts['profile.pprof'][0])
    check('datadog.event', (['profile.pprof'], TAGS, 'native', '4', ID, utc(START_S) + '.000000000Z',
                            utc(START_S + DURATION_S) + '.000000000Z'),
          (event['attachments'], event['tags_profiler'], event['family'], event['version'],
           event['internal']['profile_id'], event['start'], event['end']))
    check('datadog.headers', ('ddprof', 'close'),
          (request['headers'].get('DD-EVP-ORIGIN'), request['headers'].get('Connection')))


def check_legacy(request):
    parts = parts_of(request)
    fields = {name: values[0][1].decode() for name, values in parts.items() if not values[0][0]}
    check('datadog-legacy.fields', ('pprof', 'native', utc(START_S) + 'Z', utc(START_S + DURATION_S) + 'Z',
                                    'cpu-samples,cpu-time'),
          tuple(fields.get(name) for name in ('format', 'runtime', 'recording-start', 'recording-end', 'types[0]')))
    check('datadog-legacy.tags', TAGS.split(',') + ['runtime:native'],
          [value.decode() for _, value in parts['tags[]']])
    check('datadog-legacy.data', ('pprof-data', b'\x1f\x8b'),
          (parts['data[0]'][0][0], parts['data[0]'][0][1][:2]))


def datadog():
    folder = built('ddapm-test-agent-' + DATADOG, datadog_agent)
    port, *others = free_ports(3)
    url = f'http://127.0.0.1:{port}'
    argv = [folder + '/bin/ddapm-test-agent', '--host', '127.0.0.1', '--port', str(port), '--otlp-http-port',
            str(others[0]), '--otlp-grpc-port', str(others[1])]
    with Server('datadog', argv, url + '/info', cwd=WORK):
        send('datadog', url)
        send('datadog-legacy', url)
        requests = [r for r in json.loads(get(url + '/test/session/requests'))
                    if urllib.parse.urlsplit(r['url']).path == '/profiling/v1/input']
        check('datadog.listed', 2, len(requests))
        check_current(requests[0])
        check_legacy(requests[1])


# OpenTelemetry

def otlp_collector(folder):
    modules = 'go.opentelemetry.io/collector'
    with open(folder + '/builder.yaml', 'w', encoding='utf-8') as f:
        f.write(f'dist: {{name: otelcol, output_path: {folder}/source}}\n'
                f'receivers: [{{gomod: {modules}/receiver/otlpreceiver {OTLP}}}]\n'
                f'exporters: [{{gomod: {modules}/exporter/debugexporter {OTLP}}}]\n')
    go(folder, 'install', f'{modules}/cmd/builder@{OTLP}')
    path = os.path.dirname(shutil.which('go') or '/usr/local/go/bin/go')
    run('builder', [folder + '/builder', '--config', folder + '/builder.yaml'],
        env={**os.environ, 'PATH': path + os.pathsep + os.environ['PATH']})
    os.rename(folder + '/source/otelcol', folder + '/otelcol')
    shutil.rmtree(folder + '/source')


def sums_of(log):
    """Of each profile in the debug exporter's text, the sum of all values."""
    for profile in re.split(r'^Profile #\d+$', log, flags=re.M)[1:]:
        values = [int(v) for line in re.findall(r' Values: \[([^]]*)\]', profile) for v in line.split()]
        yield sum(values)


def otlp():
    folder = built('otelcol-' + OTLP, otlp_collector)
    port, = free_ports(1)
    url = f'http://127.0.0.1:{port}'
    config = os.path.join(WORK, 'otelcol.yaml')
    with open(config, 'w', encoding='utf-8') as f:
        f.write(f'receivers: {{otlp: {{protocols: {{http: {{endpoint: "127.0.0.1:{port}"}}}}}}}}\n'
                'exporters: {debug: {verbosity: detailed}}\n'
                'service:\n'
                '  telemetry: {metrics: {level: none}}\n'
                '  pipelines: {profiles: {receivers: [otlp], exporters: [debug]}}\n')
    argv = [folder + '/otelcol', '--config', config, '--feature-gates', 'service.profilesSupport']
    with Server('otlp', argv, url) as server:
        send('otlp', url)
        log = eventually(server.log, lambda log: log.count('Profile #') == 2 and log.endswith('}\n')) or server.log()
        check('otlp.sums', TOTALS, list(sums_of(log)))
        check('otlp.resource', ['deployment.environment.name=prod', 'host.name=box', 'service.name=shop',
                                'service.version=1.2.3', 'team=a/b'],
              sorted(f'{k}={v}' for k, v in re.findall(r'^ +-> ([a-z.]+): Str\((.*)\)$', log.split('ScopeProfiles #0')[0]
                                                       .split('Resource attributes')[-1], flags=re.M)))
        check('otlp.attributes', {'reader', 'writer'}, set(re.findall(r'-> thread.name: Str\((\w+)\)', log)))
        check('otlp.functions', {f'work_{i}' for i in range(20)},
              set(re.findall(r'^ +(work_\d+)$', log, flags=re.M)))


# Pyroscope

def pyroscope_server(folder):
    """Its go.mod has replace lines for the modules beside it, which are not in the module's archive."""
    go(folder, 'mod', 'init', 'receiver')
    go(folder, 'get', f'github.com/grafana/pyroscope/v2@{PYROSCOPE}')
    module = go(folder, 'list', '-m', '-f', '{{.Dir}}', 'github.com/grafana/pyroscope/v2')
    source = folder + '/source'
    shutil.copytree(module.strip(), source)
    run('chmod', ['chmod', '-R', 'u+w', source])
    for beside in ('api', 'lidia'):
        go(source, 'mod', 'edit', f'-dropreplace=github.com/grafana/pyroscope/{beside}')
        go(source, 'get', f'github.com/grafana/pyroscope/{beside}@latest')
    go(source, 'build', '-o', folder + '/pyroscope', './cmd/pyroscope')
    shutil.rmtree(source)


def pyroscope_parser(folder):
    shutil.copy(os.path.join(HERE, 'pyroscope.go'), folder + '/main.go')
    go(folder, 'mod', 'init', 'receiver')
    go(folder, 'get', f'github.com/grafana/pyroscope/api@{PYROSCOPE_API}', 'github.com/google/pprof@latest')
    go(folder, 'build', '-o', folder + '/parser', '.')


def pyroscope_total(url, value_type):
    """What the query API gives back for one value type of the service; 0: nothing yet."""
    kind, unit = value_type
    query = f'process_cpu:{kind}:{unit}:cpu:nanoseconds{{service_name="shop",team="a/b"}}'
    answer = json.loads(get(url + '/pyroscope/render?' + urllib.parse.urlencode({
        'query': query, 'from': (START_S - 60) * 1000, 'until': (START_S + 3600) * 1000, 'format': 'json'}),
        **{'X-Scope-OrgID': 'team-a'}))
    return answer['flamebearer']['numTicks']


def pyroscope_queried(folder):
    data = os.path.join(WORK, 'pyroscope.data')
    shutil.rmtree(data, ignore_errors=True)
    os.makedirs(data)
    port, grpc, gossip, raft = free_ports(4)
    url = f'http://127.0.0.1:{port}'
    argv = [folder + '/pyroscope', '-server.http-listen-address=127.0.0.1', f'-server.http-listen-port={port}',
            '-server.grpc-listen-address=127.0.0.1', f'-server.grpc-listen-port={grpc}',
            f'-metastore.address=127.0.0.1:{grpc}', f'-query-backend.address=127.0.0.1:{grpc}',
            *(f'-metastore.raft.{of}=127.0.0.1:{raft}' for of in ('bind-address', 'advertise-address', 'server-id')),
            '-memberlist.bind-addr=127.0.0.1', f'-memberlist.bind-port={gossip}',
            *(f'-{of}=127.0.0.1' for of in ('segment-writer.lifecycler.addr', 'distributor.ring.instance-addr',
                                            'overrides-exporter.ring.instance-addr')),
            '-architecture.storage=v2', '-usage-stats.enabled=false', '-self-profiling.disable-push=true',
            '-auth.multitenancy-enabled=true']
    with Server('pyroscope', argv, url + '/ready', cwd=data):
        send('pyroscope', url, DDPROF_TENANT='team-a')
        for value_type, total in zip((('samples', 'count'), ('cpu', 'nanoseconds')), TOTALS):
            check('pyroscope.' + value_type[0], total, eventually(lambda: pyroscope_total(url, value_type), bool))


def pyroscope():
    try:
        folder = built('pyroscope-' + PYROSCOPE, pyroscope_server)
    except Skip as e:
        say('skip', 'pyroscope', e)
        parser = built('pyroscope-parser-' + PYROSCOPE_API, pyroscope_parser)
        port, = free_ports(1)
        url = f'http://127.0.0.1:{port}'
        with Server('pyroscope', [parser + '/parser', f'127.0.0.1:{port}'], url + '/ready') as server:
            send('pyroscope', url)
            check('pyroscope.parsed', f'shop{{env=prod,host=box,team=a/b,version=1.2.3}} from={START_S} '
                  f'until={START_S + DURATION_S} samples/count={TOTALS[0]} '
                  f'cpu/nanoseconds={TOTALS[1]}', server.log().strip())
        return
    pyroscope_queried(folder)


os.makedirs(WORK, exist_ok=True)
PROFILE = os.path.join(WORK, 'sent.lz4')
TOTALS = [int(t) for t in subprocess.run([os.path.join(WORK, 'send'), 'make', PROFILE, str(START_S)],
                                         check=True, stdout=subprocess.PIPE, text=True).stdout.split()]
for receiver in (datadog, otlp, pyroscope):
    try:
        receiver()
    except Skip as e:
        say('skip', receiver.__name__, e)
    except (RuntimeError, OSError, ValueError, KeyError, IndexError) as e:
        say('not ok', receiver.__name__, e)
print(f"{counts['ok']} passed, {counts['not ok']} failed, {counts['skip']} left out")
sys.exit(counts['not ok'] > 0)
