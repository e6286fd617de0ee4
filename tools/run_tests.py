#!/usr/bin/python3
"""The body of tools/test: builds in several ways, runs the tests, adds up.

Every build has a directory of its own (build-*, ignored by git), so a second run
only does what changed.
"""

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
import processes

FUZZ_SECONDS = 60
CLANG = {'CC': 'clang', 'CXX': 'clang++'}
PASSED = {'OK', 'EXPECTEDFAIL'}
SKIPPED = {'SKIP', 'IGNORED'}

# As distributions build, and as newer versions of Meson do by themselves: an index at
# the size, a front of nothing, an empty optional and a buffer too small abort.
ASSERTIONS = '-D_GLIBCXX_ASSERTIONS'
FORTIFIED = '-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3'
HARDENED = [f'-Dcpp_args={ASSERTIONS} {FORTIFIED}', f'-Dc_args={FORTIFIED}']

# Tests that run under the address sanitizer; the library and what is linked like it are
# never instrumented, nor are processes whose memory a leak check reads.
SANITIZED = re.compile(r'/tests/(trace|collector(?!/leaks)|analyzer)/|'
                       r'/tests/preload/(ring|stack_table|modules)')
LIBRARIES = ['preload/libmallogram.so', 'preload/libmallogram_new.so']


def suites(test):
    return {suite.split(':')[-1] for suite in test['suite']}


class Run:
    def __init__(self):
        self.rows = []  # (step, seconds, passed, failed, skipped)
        self.logs = ROOT / 'build-test' / 'steps'

    def command(self, step, arguments, environment=None, seconds=1200):
        """Runs, keeps the output in a file; returns (ok, output)."""
        print(f'   {" ".join(map(str, arguments))}', flush=True)
        self.logs.mkdir(parents=True, exist_ok=True)
        log = self.logs / (re.sub(r'[^a-z0-9]+', '-', step.lower()) + '.log')
        with open(log, 'w+b') as out:
            child = subprocess.Popen(
                [str(a) for a in arguments], cwd=ROOT, stdin=subprocess.DEVNULL,
                stdout=out, stderr=subprocess.STDOUT, start_new_session=True,
                env={**os.environ, **(environment or {})})
            try:
                ok = child.wait(timeout=seconds) == 0
            except subprocess.TimeoutExpired:
                os.killpg(child.pid, signal.SIGKILL)
                child.wait()
                out.write(f'\ntaking longer than {seconds} s: killed\n'.encode())
                ok = False
            for stray in processes.kill_children():
                out.write(f'\nleft running, killed: {stray}\n'.encode())
                print(f'   left running, killed: {stray}', flush=True)
            out.seek(0)
            return ok, out.read().decode(errors='replace')

    def single(self, step, arguments, environment=None, seconds=1200):
        """A step that passes or fails as one."""
        print(f'== {step}', flush=True)
        start = time.monotonic()
        ok, text = self.command(step, arguments, environment, seconds)
        if not ok:
            print('\n'.join(text.splitlines()[-60:]), flush=True)
        self.rows.append((step, time.monotonic() - start, int(ok), int(not ok), 0))
        return ok

    def build(self, step, directory, options, environment=None, targets=()):
        print(f'== {step}', flush=True)
        start = time.monotonic()
        ok, text = self.set_up(step + ' setup', directory, options, environment)
        if ok:
            ok, text = self.command(step, ['ninja', '-C', directory, *targets],
                                    seconds=2400)
        if not ok:
            errors = [i for i, line in enumerate(text.splitlines())
                      if re.search(r'\berror: |ERROR: |^FAILED', line)]
            begin = max(0, errors[0] - 3) if errors else -40
            print('\n'.join(text.splitlines()[begin:][:60]), flush=True)
        self.rows.append((step, time.monotonic() - start, int(ok), int(not ok), 0))
        return ok

    def set_up(self, step, directory, options, environment=None):
        """meson setup, or what has changed of the options since: (ok, output)."""
        # The sanitized build is begun by fuzz.sh, with options of its own.
        stamp = ROOT / directory / 'options-of-run-tests.txt'
        wanted = '\n'.join(options)
        known = (ROOT / directory / 'build.ninja').exists()
        if known and (not options or stamp.exists() and stamp.read_text() == wanted):
            return True, ''
        verb = ['configure'] if known else ['setup']
        ok, text = self.command(step, ['meson', *verb, directory, *options], environment)
        if ok:
            stamp.write_text(wanted)
        return ok, text

    def tests(self, step, directory, selection, environment=None):
        """meson test; counts what its log says, not what its exit status says."""
        print(f'== {step}', flush=True)
        start = time.monotonic()
        base = re.sub(r'[^a-z0-9]+', '-', step.lower())
        log = ROOT / directory / 'meson-logs' / f'{base}.json'
        log.unlink(missing_ok=True)
        ok, text = self.command(
            step, ['meson', 'test', '-C', directory, '--logbase', base,
                   '--timeout-multiplier', '2', *selection], environment, seconds=2400)
        counts = {'passed': 0, 'failed': 0, 'skipped': 0}
        for line in log.read_text().splitlines() if log.exists() else ():
            test = json.loads(line)
            kind = ('passed' if test['result'] in PASSED else
                    'skipped' if test['result'] in SKIPPED else 'failed')
            counts[kind] += 1
            if kind == 'failed':
                output = (test.get('stdout') or '') + (test.get('stderr') or '')
                print(f'FAILED {test["name"]} ({test["result"]}, '
                      f'{test["duration"]:.1f} s)')
                print('\n'.join('   ' + x for x in output.splitlines()[-40:]), flush=True)
        if not sum(counts.values()) or not ok and not counts['failed']:
            print('\n'.join(text.splitlines()[-40:]), flush=True)
            counts['failed'] += 1  # nothing ran, or meson itself failed
        self.rows.append((step, time.monotonic() - start, counts['passed'],
                          counts['failed'], counts['skipped']))

    def introspect(self, directory):
        """The tests of a build, as meson knows them."""
        text = subprocess.run(['meson', 'introspect', '--tests', directory], cwd=ROOT,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              text=True).stdout
        return json.loads(text)

    def unit_tests(self, directory, wanted):
        """Name → target of the unit tests that are programs whose path is wanted."""
        base = ROOT / directory
        return {test['name']: str(Path(test['cmd'][0]).relative_to(base))
                for test in self.introspect(directory)
                if 'unit' in suites(test) and Path(test['cmd'][0]).is_relative_to(base)
                and wanted(test['cmd'][0])}

    def finish(self):
        width = max(len(row[0]) for row in self.rows)
        print(f'\n{"step":{width}}  {"time":>7}  result')
        for step, seconds, passed, failed, skipped in self.rows:
            result = 'ok' if failed == 0 else 'FAILED'
            if passed + failed + skipped > 1:
                result += f' ({passed} passed'
                result += f', {failed} failed' if failed else ''
                result += f', {skipped} skipped)' if skipped else ')'
            print(f'{step:{width}}  {seconds:5.0f} s  {result}')
        passed, failed, skipped = (sum(row[i] for row in self.rows) for i in (2, 3, 4))
        print(f'{"all":{width}}  {sum(row[1] for row in self.rows):5.0f} s\n')
        print(f'{passed} passed, {failed} failed' +
              (f', {skipped} skipped' if skipped else ''), flush=True)
        return 1 if failed else 0


def full(run):
    # The sanitized build compiles with clang what its tests test; the library, the
    # workloads and their tests are never instrumented, and have a plain one.
    if setup(run, 'build-clang', ['-Dwerror=true', *HARDENED], CLANG):
        tests = run.unit_tests('build-clang', lambda path: not SANITIZED.search(path))
        if run.build('build, clang, hardened', 'build-clang', (), CLANG,
                     [*LIBRARIES, *tests.values()]):
            run.tests('unit tests, clang', 'build-clang', list(tests))

    # fuzz.sh makes an ASan + UBSan build; the unit tests run in the same one.
    run.single(f'fuzz the reader, {FUZZ_SECONDS} s, ASan + UBSan',
               ['bash', 'tests/analyzer/recording/fuzz.sh', FUZZ_SECONDS, 'build-asan'],
               {'TMPDIR': '/tmp'}, seconds=1200)
    if (ROOT / 'build-asan' / 'build.ninja').exists():
        tests = run.unit_tests('build-asan', SANITIZED.search)
        if run.build('build, clang, ASan + UBSan', 'build-asan', (), CLANG,
                     ['analyzer/mallogram', *tests.values()]):
            run.tests('unit tests, ASan + UBSan', 'build-asan', list(tests),
                      # Debian's Abseil is built without ASan: what its headers poison,
                      # it does not unpoison.
                      {'ASAN_OPTIONS': 'detect_leaks=1:allow_user_poisoning=0',
                       'UBSAN_OPTIONS': 'halt_on_error=1:print_stacktrace=1'})

    # Clang, because g++ warns of every fence here.
    options = ['-Db_sanitize=thread', '-Db_lundef=false']
    if setup(run, 'build-tsan', options, CLANG):
        names = [test['name'] for test in run.introspect('build-tsan')
                 if 'tsan' in suites(test) or test['name'] == 'threads']
        run.tests('threads, TSan', 'build-tsan', names,
                  {'TSAN_OPTIONS': 'halt_on_error=1'})


def setup(run, directory, options, environment=None):
    ok, text = run.set_up(f'setup {directory}', directory, options, environment)
    if not ok:
        print(text)
        run.rows.append((f'setup {directory}', 0.0, 0, 1, 0))
    return ok


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--quick', action='store_true')
    parser.add_argument('--packages-seconds', type=float, default=0)
    options = parser.parse_args()

    processes.adopt_orphans()  # so that what a test leaves behind is ours to find
    run = Run()
    run.rows.append(('packages', options.packages_seconds, 1, 0, 0))
    if run.build('build, gcc, hardened', 'build-test', ['-Dwerror=true', *HARDENED]):
        selection = ['--no-rebuild']
        if options.quick:
            selection += ['--no-suite', 'slow']
        run.tests('tests', 'build-test', selection)
    if not options.quick:
        full(run)
    return run.finish()


if __name__ == '__main__':
    sys.exit(main())
