"""Each rule of tools/lint.py catches a planted violation, in a copy of the tree,
and names the culprit; the unspoiled copy passes."""

import contextlib
import io
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / 'tools'))
sys.dont_write_bytecode = True
import lint  # noqa: E402


def run_lint(root, *arguments):
    with contextlib.redirect_stdout(io.StringIO()) as text:
        status = lint.main(['--root', str(root), *arguments])
    return status, text.getvalue()


class Tree(unittest.TestCase):
    """A copy of the tree, made small: the rules don't care how much there is."""

    def setUp(self):
        self.directory = tempfile.TemporaryDirectory()
        self.addCleanup(self.directory.cleanup)
        self.root = Path(self.directory.name)
        for name, text in self.TREE.items():
            self.write(name, text)

    CHECKS = ()  # those to run where a test does not say

    TREE = {
        'meson.build': "project('x')\n",
        'README.md': '# x\n',
        '.clang-format': 'BasedOnStyle: Google\n',
        'preload/trace_format.h': '#pragma once\n#include <cstdint>\n',
        'preload/ring.h': '#pragma once\n#include <atomic>\n',
        'preload/recorder.h': '#pragma once\n#include "preload/ring.h"\n',
        'preload/recorder.cc':
            '#include "preload/recorder.h"\n\n#include <sys/mman.h>\n',
        'preload/unwinder/walker.h': '#pragma once\n',
        'preload/trace/records.h':
            '#pragma once\n#include <string>\n\n#include "preload/trace_format.h"\n',
        'preload/collector/collector.h':
            '#pragma once\n#include "absl/status/status.h"\n',
        'preload/collector/session.h': '#pragma once\n#include "preload/ring.h"\n',
        'analyzer/launcher/record.cc': '// A launcher.\n#include "preload/collector/collector.h"\n',
        'analyzer/recording/trace_reader.h':
            '#pragma once\n#include "preload/trace/records.h"\n',
        'analyzer/report/report.h': '#pragma once\n',
        'analyzer/report/render_text.cc': '// A text.\n#include "analyzer/report/report.h"\n',
        'analyzer/study/spec/fields.h': '#pragma once\n',
        'analyzer/study/measures/prepare.h': '#pragma once\n',
        'analyzer/study/judge/criteria.h': '#pragma once\n',
        'analyzer/study/report/describe.h': '#pragma once\n',
        'workloads/shapes.cc': '// Shapes.\n#include <vector>\n',
        'workloads/agent/run.cc': '// An agent.\n#include "workloads/common/flags.h"\n',
        'workloads/common/flags.h': '#pragma once\n#include <string>\n',
        'tests/workloads/flags_test.cc': '// Flags.\n#include "workloads/common/flags.h"\n',
        'tests/preload/ring_test.cc':
            '// The ring.\n#include <gtest/gtest.h>\n\n#include "preload/ring.h"\n',
        'tools/includes.txt': '''\
preload/trace_format.h:
preload/ring.h:
preload/recorder.h: preload/ring.h
preload/recorder.cc: preload/recorder.h
preload/unwinder/walker.h:
preload/trace/records.h: preload/trace_format.h
preload/collector/collector.h:
preload/collector/session.h: preload/ring.h
analyzer/launcher/record.cc: preload/collector/collector.h
analyzer/recording/trace_reader.h: preload/trace/records.h
analyzer/report/report.h:
analyzer/report/render_text.cc: analyzer/report/report.h
analyzer/study/spec/fields.h:
analyzer/study/measures/prepare.h:
analyzer/study/judge/criteria.h:
analyzer/study/report/describe.h:
workloads/shapes.cc:
workloads/agent/run.cc: workloads/common/flags.h
workloads/common/flags.h:
''',
    }

    def write(self, name, text):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding='utf-8')

    def append(self, name, text):
        self.write(name, (self.root / name).read_text(encoding='utf-8') + text)

    def add_include(self, name, include, in_table):
        """Plants an include, also in the table: then the rooms must object."""
        self.append(name, f'#include "{include}"\n')
        if in_table:
            table = self.root / lint.TABLE
            table.write_text(''.join(
                line + (f' {include}\n' if line.startswith(f'{name}:') else '\n')
                for line in table.read_text().splitlines()))

    def passes(self, *arguments):
        status, text = run_lint(self.root, *(arguments or self.CHECKS))
        self.assertEqual(status, 0, text)

    def catches(self, culprit, *arguments):
        status, text = run_lint(self.root, *(arguments or self.CHECKS))
        self.assertEqual(status, 1, text)
        errors = [line for line in text.splitlines() if line.startswith('error: ')]
        self.assertTrue(any(culprit in line for line in errors), f'{culprit}:\n{text}')
        self.assertLessEqual(len(errors), 2, f'more than the planted error:\n{text}')


class Includes(Tree):
    CHECKS = ('includes',)

    def test_clean_tree_passes(self):
        self.passes()

    def test_file_that_is_not_in_the_table(self):
        self.write('analyzer/new.cc', '\n'.join(['int x;', '']))
        self.catches('analyzer/new.cc: not in tools/includes.txt')

    def test_table_line_of_a_missing_file(self):
        self.append(lint.TABLE, 'analyzer/gone.cc:\n')
        self.catches('analyzer/gone.cc does not exist')

    def test_include_that_the_table_does_not_allow(self):
        self.add_include('analyzer/recording/trace_reader.h', 'analyzer/report/report.h', False)
        self.catches('analyzer/recording/trace_reader.h: includes analyzer/report/report.h')

    def test_table_allows_what_is_no_longer_used(self):
        self.write('preload/recorder.h', '#pragma once\n')
        self.catches('preload/recorder.h no longer includes preload/ring.h')

    def test_rooms(self):
        for name, include in (
                ('preload/trace_format.h', 'preload/ring.h'),
                ('preload/recorder.h', 'preload/trace/records.h'),
                ('preload/recorder.h', 'preload/collector/collector.h'),
                ('preload/recorder.cc', 'analyzer/report/report.h'),
                ('preload/unwinder/walker.h', 'preload/recorder.h'),
                ('preload/trace/records.h', 'preload/ring.h'),
                ('preload/collector/session.h', 'preload/recorder.h'),
                ('preload/collector/session.h', 'analyzer/report/report.h'),
                ('analyzer/recording/trace_reader.h', 'preload/ring.h'),
                ('analyzer/recording/trace_reader.h', 'preload/collector/collector.h'),
                ('analyzer/recording/trace_reader.h', 'analyzer/launcher/record.h'),
                ('analyzer/launcher/record.cc', 'preload/recorder.h'),
                ('analyzer/launcher/record.cc', 'preload/collector/session.h'),
                ('analyzer/report/render_text.cc', 'analyzer/recording/trace_reader.h'),
                ('analyzer/study/spec/fields.h', 'analyzer/study/measures/measures.h'),
                ('analyzer/study/measures/prepare.h', 'analyzer/study/judge/study_result.h'),
                ('analyzer/study/judge/criteria.h', 'analyzer/recording/recording.h'),
                ('analyzer/study/judge/criteria.h', 'analyzer/study/report/document.h'),
                ('analyzer/study/report/describe.h', 'analyzer/study/measures/measures.h'),
                ('workloads/shapes.cc', 'preload/trace_format.h'),
                ('workloads/agent/run.cc', 'preload/trace_format.h'),
                ('workloads/agent/run.cc', 'workloads/session/run.h'),
                ('workloads/common/flags.h', 'workloads/agent/run.h'),
                ('analyzer/report/report.h', 'tests/preload/x.h'),
                ('preload/ring.h', 'tools/x.h')):
            with self.subTest(name=name, include=include):
                self.setUp()
                self.add_include(name, include, True)
                self.catches(f'{name}: may not include {include}')

    def test_spelling_variants_are_includes_too(self):
        self.append('preload/recorder.cc', ' #  include "analyzer/report/report.h"\n')
        self.catches('preload/recorder.cc: includes analyzer/report/report.h')

    def test_allocating_headers_in_the_library(self):
        for header in ('string', 'vector', 'map', 'iostream', 'memory', 'functional',
                       'mutex', 'thread', 'stdio.h', 'libunwind.h', 'mimalloc.h',
                       'gtest/gtest.h', 'absl/strings/str_cat.h', 'zstd.h'):
            for name in ('preload/recorder.cc', 'preload/unwinder/walker.h'):
                with self.subTest(header=header, name=name):
                    self.setUp()
                    self.append(name, f'#include <{header}>\n')
                    self.catches(f'{name}: includes {header}')

    def test_the_collector_may_use_them(self):
        self.append('preload/collector/session.h', '#include <vector>\n')
        self.passes()

    def test_test_code_in_the_product(self):
        self.append('analyzer/report/report.h', '#include <gtest/gtest.h>\n')
        self.catches('test code in the product')

    def test_nobody_includes_tools_or_workloads(self):
        for include in ('tools/x.h', 'workloads/shapes.h'):
            self.setUp()
            self.append('tests/preload/ring_test.cc', f'#include "{include}"\n')
            self.catches(f'tests/preload/ring_test.cc: includes {include}')

    def test_workloads_use_no_abseil(self):
        self.append('workloads/shapes.cc', '#include "absl/strings/str_cat.h"\n')
        self.catches('workloads stand alone')

    def test_paths_are_from_the_root(self):
        self.append('analyzer/report/render_text.cc', '#include "report.h"\n')
        self.catches('paths are from the root')

    def test_update_table_does_not_silence_the_rooms(self):
        self.append('preload/recorder.cc', '#include "analyzer/report/report.h"\n')
        self.catches('may not include analyzer/report/report.h', '--update-table')


class Files(Tree):
    def test_violations(self):
        for name, text, culprit in (
                ('notes/x.txt', 'x\n', 'the top level is fixed'),
                ('analyzer/report/report.h', '#pragma once\nint x; \n', 'report.h:2: blanks'),
                ('meson.build', 'x  \n', 'meson.build:1: blanks'),
                ('analyzer/report/report.h', '#pragma once\n\tint x;\n', 'report.h:2: a tab'),
                ('analyzer/report/report.h', '#pragma once\nint x;', 'has no end'),
                ('analyzer/report/report.h', '#pragma once\n\n', 'ends in empty lines'),
                ('analyzer/report/report.h', 'int x;\n', 'no #pragma once'),
                ('README.md', 'a\u200bb\n', 'README.md:1: invisible'),
                ('README.md', 'a\u00a0b\n', 'U+00A0'),
                ('README.md', '\ufeffa\n', 'U+FEFF'),
                ('analyzer/report/report.h', '#pragma once\n// a\u202eb\n', 'U+202E'),
                ('analyzer/report/report.h', '#pragma once\n' + 'int x;\n' * 800,
                 '800 is the end')):
            with self.subTest(culprit=culprit):
                self.setUp()
                self.write(name, text)
                self.catches(culprit, 'files')

    def test_a_file_says_why_it_is_there(self):
        for name in ('analyzer/report/bare.cc', 'tests/preload/bare_test.cc', 'workloads/bare.c'):
            with self.subTest(name=name):
                self.setUp()
                self.write(name, '#include <vector>\n\n// Late.\n')
                self.catches(f'{name}: no comment at its head', 'files')
                self.write(name, '/* Early. */\n#include <vector>\n')
                self.passes('files')
        self.setUp()
        self.write('analyzer/report/report.cc', '#include "analyzer/report/report.h"\n')
        self.passes('files')

    def test_one_version(self):
        self.write('meson.build', "project('x',\n  version: '4.5.6')\n")
        self.passes('files')
        self.append('preload/ring.h', 'constexpr char kVersion[] = "4.5.6";\n')
        self.catches('preload/ring.h:3: the version again', 'files')

    def test_binary_outside_of_tests(self):
        (self.root / 'analyzer/x.bin').write_bytes(b'\xff\xfe\x00')
        self.catches('analyzer/x.bin: is not UTF-8', 'files')
        (self.root / 'analyzer/x.bin').rename(self.root / 'tests/x.bin')
        self.passes('files')

    def test_expected_outputs_may_end_in_blanks(self):
        self.write('tests/analyzer/report/golden/x.txt', 'x  \n')
        self.passes('files')

    def test_long_file_is_a_warning(self):
        self.write('analyzer/report/report.h', '#pragma once\n' + 'int x;\n' * 600)
        status, text = run_lint(self.root, 'files')
        self.assertEqual(status, 0, text)
        self.assertIn('warning: analyzer/report/report.h: 601 lines', text)


class Format(Tree):
    def test_unformatted(self):
        if not (shutil.which('clang-format-14') or shutil.which('clang-format')):
            self.skipTest('clang-format is not installed')
        if 'format not checked' in run_lint(self.root, 'format')[1]:
            self.skipTest('another clang-format')
        self.append('analyzer/report/report.h', 'int   x ;\n')
        self.catches('report.h:2: not formatted', 'format')


class Library(Tree):
    MAP = '{\n  global:\n    malloc; free;  /* and more */\n  local: *;\n};\n'

    def build(self, code, *flags):
        self.write('preload/exports.map', self.MAP)
        self.write('x.c', code)
        library = self.root / 'libx.so'
        subprocess.run(['gcc', '-shared', '-fPIC', '-O0', '-w', '-std=gnu89', '-o', str(library),
                        str(self.root / 'x.c'), *flags], check=True)
        return ('--library', str(library), 'library')

    GOOD = 'void *malloc(unsigned long n) { return 0; }\nvoid free(void *p) {}\n'

    def test_clean(self):
        self.passes(*self.build(self.GOOD))

    def test_export_too_many(self):
        self.catches('exports Stray', *self.build(self.GOOD + 'void Stray(void) {}\n'))

    def test_export_missing(self):
        self.catches('does not export free', *self.build(self.GOOD.splitlines()[0]))

    def test_needed(self):
        self.catches('needs libm.so.6',
                     *self.build(self.GOOD, '-Wl,--no-as-needed', '-lm'))

    def test_calls_that_allocate(self):
        for call in ('strdup("x")', 'fopen("x", "r")', '_Znwm(1)', 'calloc(1, 1)',
                     '__cxa_throw(0, 0, 0)', '_ZNSs6appendEPKc()'):
            name = call.split('(')[0]
            code = self.GOOD + ('__attribute__((visibility("hidden"))) void Hidden(void)'
                                f' {{ {call}; }}\n'
                                '__attribute__((constructor)) static void Start(void)'
                                ' { Hidden(); }\n')
            with self.subTest(name=name):
                self.setUp()
                self.catches(f'calls {name}', *self.build(code))


if __name__ == '__main__':
    unittest.main()
