#!/usr/bin/python3
"""`mallogram study` from outside: a study of the session workload at small sizes, its
directory, resuming, --fail-on, --compare with a planted regression, errors.

Environment: as tests/e2e/harness.py says; MALLOGRAM_PROGRAMS, where steep is; SESSION,
a program.
"""

import json
import os
import shutil

import harness

SESSION = """
title = "Sessions"
program = "@PROGRAM@"
[[group]]
name = "texts"
match = "MessageText>::allocate"
[[table]]
id = "load"
title = "Load"
arguments = ["--sessions", "{n}", "--messages", "10", "--window", "20", "--phase-marks"]
parameter = "sessions"
n = [2, 6, 20, 60]
reps = 2
unit = "session"
units = "truth.sessions"
value = "at.filled - at.ready"
columns = [{title = "texts", value = "group.texts.at.filled"}]
ratios = [{title = "overhead", value = "group.texts.at.filled / truth.entities.message_text.payload_bytes"}]
predict = [200]
budget = "1MB"
residual = {before = "at.ready", high = "at.filled", after = "at.end"}
[[criterion]]
name = "small"
table = "load"
value = "at.filled - at.ready"
n = 60
target = "< 100MB"
[[criterion]]
name = "tiny"
table = "load"
value = "peak"
n = 60
target = "< 10"
[[criterion]]
name = "at most linear"
table = "load"
law = true
target = "<= linear"
"""

# A site that is linear without and quadratic with --steep, beside a large linear one.
STEEP = """
program = "@PROGRAM@"
[[table]]
id = "growth"
arguments = ["{n}"@MORE@]
n = [10, 32, 100, 316, 1000]
reps = 2
"""


class Study(harness.Case):
    def study(self, text, name, program, *options, status=0, more=''):
        file = self.path / f'{name}.toml'
        text = text.replace('@PROGRAM@', program).replace('@MORE@', more)
        file.write_text(text.strip() + '\n')
        done = harness.command('study', file, '-o', self.path / name, '--no-plots',
                               *options, timeout=120)
        self.assertEqual(done.returncode, status, done.stderr.decode())
        return done

    def setUp(self):
        super().setUp()
        self.path = self.dir

    def test_runs_and_resumes(self):
        program = os.environ['SESSION']
        first = self.study(SESSION, 'load', program)
        directory = self.path / 'load'
        for name in ('report.txt', 'report.md', 'summary.json', 'study.toml'):
            self.assertTrue((directory / name).stat().st_size, name)
        runs = sorted((directory / 'runs' / 'load').glob('n=*/measures.json'))
        self.assertEqual(len(runs), 8)
        measures = json.loads(runs[0].read_text())
        # What the program counted and what was measured at the phase agree: the
        # bytes of its texts are those of the group.
        phases = {p['name']: p['bytes'] for p in measures['phases']}
        self.assertIn('filled', phases)
        group = measures['groups'][0]
        self.assertGreater(group['at']['filled'], 0)
        self.assertLessEqual(group['at']['filled'], phases['filled'])
        truth = measures['truth']['entities.message_text.payload_bytes']
        self.assertGreaterEqual(group['at']['filled'], truth)

        # Nothing is recorded again, one run that is taken away is.
        times = {r: r.stat().st_mtime_ns for r in runs}
        self.study(SESSION, 'load', program)
        self.assertEqual(times, {r: r.stat().st_mtime_ns for r in runs})
        lost = runs[3].parent
        shutil.rmtree(lost)
        again = self.study(SESSION, 'load', program)
        self.assertTrue((lost / 'measures.json').exists())
        self.assertEqual(first.stdout.count(b'\n'), again.stdout.count(b'\n'))

        # Without recordings the measures still do.
        for recording in directory.rglob('*.mgram'):
            recording.unlink()
        same = harness.command('study', '--compare', '--json', directory, directory,
                               check=True)
        tables = json.loads(same.stdout)['tables']
        self.assertEqual(len(tables), 1)
        for size in tables[0]['sizes']:
            self.assertEqual(size['difference'], 0)

    def test_fails_on(self):
        program = os.environ['SESSION']
        self.study(SESSION, 'load', program, '--fail-on', 'budget,law>linear')
        done = self.study(SESSION, 'load', program, '--fail-on', 'criteria,budget',
                          status=3)
        self.assertIn(b'failed on criteria: "tiny"', done.stderr)
        self.assertNotIn(b'"small"', done.stderr)
        done = self.study(SESSION.replace('1MB', '1kB'), 'budget', program,
                          '--fail-on', 'budget', '--quick', status=3)
        self.assertIn(b'failed on budget: load', done.stderr)

    def test_compare_names_the_regression(self):
        program = os.path.join(os.environ['MALLOGRAM_PROGRAMS'], 'steep')
        self.study(STEEP, 'before', program)
        self.study(STEEP, 'after', program, more=', "--steep"')
        done = harness.command('study', '--compare', '--json', self.path / 'before',
                               self.path / 'after', check=True)
        table = json.loads(done.stdout)['tables'][0]
        changed = [s for s in table['sites'] if s['law']['changed']]
        self.assertEqual(len(changed), 1, table['sites'])
        self.assertIn('MakeIndex', ' '.join(changed[0]['stack']))
        self.assertTrue(changed[0]['law']['before'].startswith('linear'))
        self.assertTrue(changed[0]['law']['after'].startswith('quadratic'))
        self.assertTrue(changed[0]['law']['steeper'])
        text = harness.command('study', '--compare', self.path / 'before',
                               self.path / 'after', check=True).stdout.decode()
        self.assertRegex(text, r'site .*MakeIndex.*: linear -> quadratic')

    def test_says_what_is_wrong(self):
        self.fails('study file is needed', 'study')
        self.fails('cannot open', 'study', self.path / 'no.toml', status=1)
        file = self.path / 'bad.toml'
        file.write_text('program = "no-such-program"\n[[table]]\nid = "t"\nm = [1]\n'
                        'n = [1]\n')
        self.fails('bad.toml:4: unknown key "m"', 'study', file, status=1)
        file.write_text('program = "no-such-program"\n[[table]]\nid = "t"\nn = [1]\n')
        self.fails('no program "no-such-program"', 'study', file, '-o', self.path / 'x', status=1)
        self.fails('--fail-on: no "budgt" (did you mean budget?)', 'study', file,
                   '--fail-on', 'budgt')
        self.fails('did you mean', 'study', file, '--onyl', 't')
        self.fails('no table "u"', 'study', file, '--only', 'u')
        self.fails('takes two directories', 'study', '--compare', file)
        self.fails('no directory of a study', 'study', '--compare', self.path, self.path, status=1)
        program = os.environ['SESSION']
        bad = SESSION.replace('at.filled - at.ready', 'at.full')
        (self.path / 'phase.toml').write_text(bad.replace('@PROGRAM@', program))
        done = harness.command('study', self.path / 'phase.toml', '--quick', '--quiet',
                               '--no-plots', '-o', self.path / 'phase')
        self.assertEqual(done.returncode, 1)
        self.assertIn(b'no phase "full"; there are ', done.stderr)


if __name__ == '__main__':
    harness.main()
