#!/usr/bin/python3
"""Keeps the promises that no compiler checks.

  includes  every source file of preload/, analyzer/ and workloads/ includes exactly
            what tools/includes.txt says, and that table obeys the rooms below
  library   libmallogram.so exports what preload/exports.map lists, needs libc and
            the loader alone, and calls nothing that is not in ALLOWED_UNDEFINED
  files     sizes, the fixed top level, tabs, trailing blanks, last lines, invisible
            characters; every source file says why it is there, at its head or in its
            own header; the version stands in meson.build alone
  format    clang-format 14, if installed

Usage: lint.py [--root DIR] [--library FILE] [--no-format] [CHECK…]
       lint.py --update-table    rewrites tools/includes.txt from the tree; the rooms
                                 still decide what may stand in it

Each rule has a planted violation in tests/lint/lint_test.py.
"""

import argparse
import re
import shutil
import subprocess
import sys
import unicodedata
from pathlib import Path

TABLE = 'tools/includes.txt'

# ---- rooms ----------------------------------------------------------------

# What runs inside other people's programs: no allocator, no exceptions, so no
# header that brings either.
FREESTANDING = {
    'algorithm', 'array', 'atomic', 'bit', 'cerrno', 'climits', 'concepts',
    'cstddef', 'cstdint', 'cstring', 'initializer_list', 'limits', 'type_traits', 'utility',
}
# C headers declare what the library calls or interposes, dwarf.h constants alone; there
# is no stdio here.
FREESTANDING_C = re.compile(
    r'(sys|linux|asm)/[a-z_]+\.h|(cpuid|x86intrin|immintrin|dlfcn|dwarf|elf|link|errno|fcntl|'
    r'limits|alloca|malloc|pthread|sched|signal|spawn|stdarg|stddef|stdint|stdlib|string|'
    r'time|ucontext|unistd|setjmp|poll|assert)\.h')

TRACE = [r'preload/(trace_format|block_kind|stack_roots)\.h', r'preload/trace/[a-z_]+\.h']



def rooms(*names):
    """The headers of these rooms of the reading side."""
    return [rf'analyzer/{name}/[a-z_]+\.h' for name in names]


# First match decides. (files, project includes allowed, freestanding?)
ROOMS = [
    (r'preload/(trace_format|block_kind|stack_roots|unrecordable)\.h', [], True),
    (r'preload/trace/pch/[^/]+', [], False),
    (r'preload/trace/[^/]+', TRACE, False),
    # A leak check reads a stopped process: it knows the blocks and where the image is,
    # nothing of rings and sessions. leaks/scan_process.h is the way in.
    (r'preload/collector/leaks/[^/]+',
     TRACE + [r'preload/collector/leaks/[a-z_]+\.h', r'preload/collector/live_map\.h',
              r'preload/(image|sys)\.h'], False),
    (r'preload/collector/[^/]+',
     TRACE + [r'preload/collector/[a-z_]+\.h',
              r'preload/collector/leaks/(scan_process|loaded_module|address_space|scan_control)\.h',
              r'preload/(image|ring|sys|clock|unrecordable)\.h'],
     False),
    (r'preload/client/[^/]+', [], False),
    (r'preload/unwinder/[^/]+',
     [r'preload/unwinder/[a-z_]+\.h',
      r'preload/(image|sys|clock|modules|stack_table|own_memory|may_call|thread_id)\.h'], True),
    (r'preload/[^/]+',
     [r'preload/[a-z_]+\.h', r'preload/unwinder/(walker|frame_step|rules|verify|full_walk|outward)\.h'], True),
    # The launcher is control flow: it starts the collector and knows the launch
    # variables. Nobody else here sees how recording works.
    (r'analyzer/launcher/[^/]+',
     TRACE + rooms('command', 'launcher') + [
         r'analyzer/recording/(estimate|process_facts)\.h',
         r'preload/collector/(collector|control|hello|naming|process_facts|processes|resource_limits)\.h',
         r'preload/(image|program_file|unrecordable)\.h'], False),
    (r'analyzer/main\.cc',
     TRACE + rooms('command', 'launcher') + [
         r'analyzer/[a-z]+/[a-z_]+_command\.h', r'analyzer/report/report\.h',
         r'preload/collector/(collector|resource_limits)\.h', r'preload/image\.h'], False),
    # Renderers print results: they open no recording and no executable.
    (r'analyzer/([a-z]+/)+render_[a-z_]+\.(cc|h)',
     TRACE + rooms('command', 'fit', 'report', 'leaks', 'diff', 'scaling', 'sweep', 'check',
                   'study/spec', 'study/judge', 'study/report') +
     [r'analyzer/stacks/(frame_text|names|site_book|stack_book|stack_cursor)\.h',
      r'analyzer/recording/(estimate|phase_marks|process_facts|trace)\.h'], False),
    (r'analyzer/command/[^/]+', rooms('command') + [r'preload/trace_format\.h'], False),
    (r'analyzer/recording/[^/]+',
     TRACE + rooms('recording') + [r'analyzer/command/cli\.h', r'analyzer/fit/distributions\.h'], False),
    (r'analyzer/stacks/[^/]+',
     TRACE + rooms('stacks') + [r'analyzer/command/(cli|files|format|options|terminal|text_writer)\.h',
                                r'analyzer/recording/(block_filter|named_moment|stored_names|trace)\.h'], False),
    (r'analyzer/report/[^/]+', TRACE + rooms('command', 'recording', 'stacks', 'report'), False),
    # Arithmetic on plain numbers, for any caller.
    (r'analyzer/fit/[^/]+', rooms('fit'), False),
    # Plots know nothing of heaps; sweeps run programs and read no traces; studies put
    # all of it together.
    (r'analyzer/plot/[^/]+', rooms('plot') + [r'analyzer/command/(files|format)\.h'], False),
    (r'analyzer/sweep/[^/]+', rooms('command', 'sweep'), False),
    (r'analyzer/scaling/[^/]+',
     TRACE + rooms('command', 'fit', 'recording', 'scaling', 'stacks'), False),
    (r'analyzer/diff/[^/]+',
     TRACE + rooms('command', 'diff', 'recording', 'scaling', 'stacks'), False),
    # Arithmetic, but for the file that reads traces.
    (r'analyzer/leaks/growth/read_growth\.(cc|h)',
     TRACE + rooms('leaks/growth', 'recording'), False),
    (r'analyzer/leaks/growth/[^/]+', rooms('fit', 'leaks/growth'), False),
    (r'analyzer/leaks/[^/]+',
     TRACE + rooms('command', 'leaks', 'leaks/growth', 'recording', 'report', 'stacks'), False),
    (r'analyzer/check/[^/]+',
     TRACE + rooms('check', 'command', 'fit', 'leaks', 'leaks/growth', 'recording', 'report', 'stacks'), False),
    # Rooms of a study, each on those before it: arithmetic opens no recording, and what
    # is said of a study is computed before.
    (r'analyzer/study/spec/[^/]+', rooms('command', 'fit', 'study/spec'), False),
    (r'analyzer/study/measures/[^/]+',
     rooms('command', 'recording', 'scaling', 'stacks', 'study/spec', 'study/measures', 'sweep'), False),
    (r'analyzer/study/judge/[^/]+',
     rooms('command', 'fit', 'study/spec', 'study/judge') +
     [r'analyzer/scaling/(runs|scaling)\.h', r'analyzer/study/measures/measures\.h'], False),
    (r'analyzer/study/report/[^/]+',
     rooms('command', 'fit', 'plot', 'study/spec', 'study/judge', 'study/report') +
     [r'analyzer/stacks/names\.h'], False),
    (r'analyzer/study/[^/]+', [r'analyzer/study/study_command\.h'], False),
    (r'analyzer/symbolize/[^/]+',
     TRACE + rooms('command', 'recording', 'stacks', 'symbolize') + [r'analyzer/leaks/lsan_defaults\.h'], False),
    # No two workloads share code but common/.
    *((rf'workloads/{own}/.+', [rf'workloads/({own}|common)/[a-z_]+\.h'], True)
      for own in ('common', 'session', 'chunk_store', 'agent', 'encoder')),
    # The generator of PUBLISHED.md: it fits, and writes as study reports do.
    (r'workloads/published/[^/]+',
     [r'workloads/published/[a-z_]+\.h'] + rooms('fit', 'study/spec', 'study/report') +
     [r'analyzer/command/format\.h'], False),
    (r'workloads/.+', [], True),
]
COMMANDS = r'analyzer/([a-z]+/)?[a-z_]+_command\.(cc|h)'

SOURCE = re.compile(r'\.(cc|h|c|cpp)$')
IN_TABLE = re.compile(r'^(preload|analyzer|workloads)/')
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.M)
PROJECT = re.compile(r'^(preload|analyzer|workloads|tests|tools)/')


class Lint:
    def __init__(self, root):
        self.root = Path(root).resolve()
        self.errors = []
        self.warnings = []
        self.files = self.list_files()

    def error(self, where, what):
        self.errors.append(f'{where}: {what}')

    def list_files(self):
        """The files that git has or would take; without git, all but builds."""
        if (self.root / '.git').exists():
            done = subprocess.run(
                ['git', '-c', 'safe.directory=*', 'ls-files', '-z', '-co',
                 '--exclude-standard'], cwd=self.root, stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
            if done.returncode == 0:
                names = done.stdout.decode().split('\0')
                return sorted({n for n in names if n and (self.root / n).is_file()})
        names = (p.relative_to(self.root).as_posix()
                 for p in self.root.rglob('*') if p.is_file())
        return sorted(n for n in names
                      if not re.match(r'(build[^/]*|\.git)/', n)
                      and '__pycache__' not in n and not n.endswith('.mgram'))

    def text(self, name):
        try:
            return (self.root / name).read_text(encoding='utf-8')
        except UnicodeDecodeError:
            return None
        except FileNotFoundError:  # taken away since the listing
            return ''

    # ---- includes ---------------------------------------------------------

    def project_includes(self, name):
        return sorted({path for quote, path in INCLUDE.findall(self.text(name) or '')
                       if quote == '"' and PROJECT.match(path)})

    def read_table(self):
        table = {}
        for number, line in enumerate(self.text(TABLE).splitlines(), 1):
            line = line.split('#')[0].strip()
            if not line:
                continue
            name, colon, includes = line.partition(':')
            if not colon or name in table:
                self.error(f'{TABLE}:{number}', f'malformed or repeated: {line}')
                continue
            table[name] = includes.split()
        return table

    def room_of(self, name):
        if re.fullmatch(COMMANDS, name):
            return TRACE + [r'analyzer/(?!launcher/)([a-z]+/)+[a-z_]+\.h',
                            r'analyzer/launcher/record_check\.h',
                            r'preload/collector/check_request\.h'], False
        for pattern, allowed, freestanding in ROOMS:
            if re.fullmatch(pattern, name):
                return allowed, freestanding
        return None

    def check_includes(self):
        table = self.read_table()
        sources = [n for n in self.files if SOURCE.search(n)]
        for name in sources:
            if not name.startswith('tools/'):
                self.check_system_includes(name)
            if name.startswith('tools/'):
                continue
            if not IN_TABLE.match(name):
                self.check_test_includes(name)
                continue
            if name not in table:
                self.error(name, f'not in {TABLE}: a new file needs a line there '
                                 '(tools/lint.py --update-table writes it)')
                continue
            used = self.project_includes(name)
            for include in used:
                if include not in table[name]:
                    self.error(name, f'includes {include}, which {TABLE} does not '
                                     'allow')
            for include in table[name]:
                if include not in used:
                    self.error(TABLE, f'{name} no longer includes {include}')
        for name, includes in table.items():
            if name not in self.files:
                self.error(TABLE, f'{name} does not exist')
            self.check_room(name, includes)

    def check_room(self, name, includes):
        room = self.room_of(name)
        if room is None:
            self.error(name, 'lies in no room that tools/lint.py knows')
            return
        for include in includes:
            if not any(re.fullmatch(pattern, include) for pattern in room[0]):
                self.error(name, f'may not include {include}: outside of its room')

    def check_test_includes(self, name):
        for include in self.project_includes(name):
            if include.startswith('tools/'):
                self.error(name, f'includes {include}: nobody includes tools/')
            if include.startswith('workloads/') and not name.startswith(
                    'tests/workloads/'):
                self.error(name, f'includes {include}: workloads stand alone')

    def check_system_includes(self, name):
        room = self.room_of(name) if IN_TABLE.match(name) else None
        for quote, path in INCLUDE.findall(self.text(name) or ''):
            if quote == '"' and not PROJECT.match(path) and not path.startswith('absl/'):
                self.error(name, f'includes "{path}": paths are from the root of the '
                                 'tree')
            if IN_TABLE.match(name) and path.startswith('gtest/'):
                self.error(name, f'includes {path}: test code in the product')
            if room is None or not room[1] or (quote == '"' and PROJECT.match(path)):
                continue
            if name.startswith('workloads/'):
                if path.startswith('absl/'):
                    self.error(name, f'includes {path}: workloads stand alone')
                continue
            if path not in FREESTANDING and not FREESTANDING_C.fullmatch(path):
                self.error(name, f'includes {path}: the library is freestanding')

    def update_table(self):
        """Writes the table as the tree is."""
        lines = [
            '# What each source file may include of this project, and does. Checked',
            '# by tools/lint.py, which also says which rooms may see which. Written by',
            '# tools/lint.py --update-table; a line more here is a decision, so read',
            '# the difference before you commit it.',
            '']
        for name in self.files:
            if SOURCE.search(name) and IN_TABLE.match(name):
                lines.append(' '.join([f'{name}:'] + self.project_includes(name)))
        (self.root / TABLE).write_text('\n'.join(lines) + '\n', encoding='utf-8')

    # ---- library ----------------------------------------------------------

    def check_library(self, library):
        def output(*command):
            return subprocess.run(command, check=True, text=True,
                                  stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE).stdout

        # libmallogram.so has exports.map, libmallogram_new.so exports_new.map.
        map_name = ('exports_new.map' if Path(library).stem == 'libmallogram_new'
                    else 'exports.map')
        listed = exports_of_map(self.text(f'preload/{map_name}'))
        exported = {line.split()[-1].split('@')[0]
                    for line in output('nm', '-D', '--defined-only',
                                       str(library)).splitlines()}
        for symbol in sorted(exported - listed):
            self.error(library, f'exports {symbol}, which {map_name} does not list')
        for symbol in sorted(listed - exported):
            self.error(library, f'does not export {symbol} of {map_name}')
        needed = re.findall(r'\(NEEDED\).*\[([^]]+)\]',
                            output('readelf', '-dW', str(library)))
        for name in needed:
            if name not in ('libc.so.6', 'ld-linux-x86-64.so.2'):
                self.error(library, f'needs {name}: libc and the loader are all it may')
        for line in output('nm', '-D', '-u', str(library)).splitlines():
            symbol = line.split()[-1].split('@')[0]
            # Its operators look for a plug-in's own (local_scope.cc).
            if symbol == 'dl_iterate_phdr' and map_name == 'exports_new.map':
                continue
            if symbol not in ALLOWED_UNDEFINED:
                self.error(library, f'calls {symbol}, which is not in '
                                    'ALLOWED_UNDEFINED of tools/lint.py')

    # ---- files ------------------------------------------------------------

    def check_files(self):
        version = re.search(r"^ *version: '([^']+)'", self.text('meson.build'), re.M)
        for name in self.files:
            self.check_head(name)
            if version:
                self.check_version(name, version[1])
            top = name.split('/')[0]
            if top not in TOP_LEVEL and not top.startswith('.'):
                self.error(name, 'the top level is fixed: ' + ' '.join(TOP_LEVEL))
            text = self.text(name)
            if text is None:
                if not name.startswith('tests/'):
                    self.error(name, 'is not UTF-8 text')
                continue
            if name != 'LICENSE' and text:
                self.check_text(name, text)

    def check_head(self, name):
        stem, _, suffix = name.rpartition('.')
        if suffix not in ('c', 'cc', 'cpp') or f'{stem}.h' in self.files:
            return
        if not re.match(r'//|/\*', self.text(name) or ''):
            self.error(name, 'no comment at its head and no header of its own says '
                             'why it is there')

    def check_version(self, name, version):
        # Tests make recordings of whatever version they like.
        if not SOURCE.search(name) or not IN_TABLE.match(name):
            return
        for number, line in enumerate((self.text(name) or '').split('\n'), 1):
            if f'"{version}"' in line:
                self.error(f'{name}:{number}', 'the version again: meson.build gives it '
                                               'as MALLOGRAM_VERSION')

    def check_text(self, name, text):
        lines = text.split('\n')
        if lines[-1] != '':
            self.error(name, 'the last line has no end')
        elif len(lines) > 2 and lines[-2] == '':
            self.error(name, 'ends in empty lines')
        code = SOURCE.search(name) or name.endswith('.py')
        if code and len(lines) > 801:
            self.error(name, f'{len(lines) - 1} lines; 800 is the end')
        elif code and len(lines) > 501:
            self.warnings.append(f'{name}: {len(lines) - 1} lines; split it soon')
        if name.endswith('.h') and not re.search(r'^#(pragma once|ifndef \w+_H_?$)',
                                                 text, re.M):
            self.error(name, 'no #pragma once')
        for number, line in enumerate(lines, 1):
            where = f'{name}:{number}'
            if line != line.rstrip() and '/golden/' not in name:
                self.error(where, 'blanks at the end of the line')
            if code and '\t' in line:
                self.error(where, 'a tab')
            for char in line:
                if ord(char) > 126 and (unicodedata.category(char) in ('Cf', 'Cc', 'Co')
                                        or unicodedata.category(char) == 'Zs'):
                    self.error(where, f'invisible character U+{ord(char):04X}')

    # ---- format -----------------------------------------------------------

    def check_format(self):
        sources = [n for n in self.files if SOURCE.search(n)]
        tool = shutil.which('clang-format-14') or shutil.which('clang-format')
        if tool is None:
            self.warnings.append('clang-format is not installed: format not checked')
            return
        version = subprocess.run([tool, '--version'], stdout=subprocess.PIPE,
                                 text=True).stdout
        if ' 14.' not in version:
            self.warnings.append(f'format not checked: {version.strip()} is not 14')
            return
        done = subprocess.run([tool, '--style=file', '--dry-run', '--Werror', *sources],
                              cwd=self.root, stdin=subprocess.DEVNULL, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if done.returncode != 0:
            found = re.findall(r'^(\S+?):(\d+):.*\[-Wclang-format', done.stdout, re.M)
            seen = set()
            for name, line in found:
                if name not in seen:
                    self.error(f'{name}:{line}', 'not formatted: run tools/format')
                seen.add(name)
            if not found:
                self.error('clang-format', done.stdout.strip())


def exports_of_map(text):
    """The names between "global:" and "local:"."""
    text = re.sub(r'/\*.*?\*/|#[^\n]*', '', text, flags=re.S)
    found = re.search(r'global:(.*?)local:', text, re.S)
    return set(re.findall(r'[A-Za-z_][A-Za-z0-9_]*', found.group(1))) if found else set()


TOP_LEVEL = ['meson.build', 'preload', 'analyzer', 'workloads', 'tests', 'tools',
             'README.md', 'LICENSE']

# What the library calls outside itself. None of it may allocate, but for dlerror,
# which only says why verify mode did not find its libunwind, and on_exit, which is
# called at the end. Sanitizers' functions are not called: their addresses tell that
# they are there.
ALLOWED_UNDEFINED = set('''
__errno_location __tls_get_addr
dlsym dlvsym dladdr1 dlerror _dl_find_object abort
pthread_key_create pthread_setspecific pthread_getspecific
memcpy memmove memset memcmp strlen strcmp strncmp
environ __environ __libc_stack_end
__cxa_finalize __gmon_start__ _ITM_deregisterTMCloneTable _ITM_registerTMCloneTable
on_exit
__asan_init __hwasan_init __tsan_init __msan_init __memprof_init __dfsan_set_label
__rtsan_init __nsan_init __tysan_init __lsan_init __lsan_do_leak_check
'''.split())

CHECKS = ('includes', 'library', 'files', 'format')


def main(arguments=None):
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument('--root', default=Path(__file__).resolve().parent.parent)
    parser.add_argument('--library', action='append', default=[])
    parser.add_argument('--no-format', action='store_true')
    parser.add_argument('--update-table', action='store_true')
    parser.add_argument('checks', nargs='*')
    options = parser.parse_args(arguments)
    lint = Lint(options.root)
    if options.update_table:
        lint.update_table()
        lint.check_includes()
    else:
        checks = options.checks or CHECKS
        for check in checks:
            if check not in CHECKS:
                parser.error(f'no check {check}; there are {" ".join(CHECKS)}')
        if 'includes' in checks:
            lint.check_includes()
        if 'library' in checks and options.library:
            for library in options.library:
                lint.check_library(library)
        if 'files' in checks:
            lint.check_files()
        if 'format' in checks and not options.no_format:
            lint.check_format()
    for warning in lint.warnings:
        print(f'warning: {warning}')
    for error in lint.errors:
        print(f'error: {error}')
    print(f'lint: {len(lint.files)} files, {len(lint.errors)} errors, '
          f'{len(lint.warnings)} warnings')
    return 1 if lint.errors else 0


if __name__ == '__main__':
    sys.exit(main())
