#!/usr/bin/python3
"""`mallogram fit`: labelled data, the JSON, errors.

Usage: command_test.py LABELLED.tsv
"""

import json
import sys
import tempfile
import unittest

import harness

LABELLED = sys.argv.pop(1)
CLASSES = set('zero constant bounded logarithmic sublinear linear linearithmic '
              'superlinear quadratic superquadratic decreasing erratic '
              'undetermined'.split())


def run(*arguments, text=None):
    done = harness.command('fit', *arguments, input=None if text is None else text.encode(),
                           env=harness.clean_env(LC_ALL='C.UTF-8'))
    done.stdout, done.stderr = done.stdout.decode(), done.stderr.decode()
    return done


def fit(text, *arguments):
    done = run('--data', '-', '--json', *arguments, text=text)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)['series']


def labelled():
    with open(LABELLED, encoding='utf-8') as file:
        rows = [line.rstrip('\n').split('\t') for line in file if line[0] != '#']
    return [dict(zip(rows[0], row)) for row in rows[1:]]


class Labelled(unittest.TestCase):
    def test_classes_and_predictions(self):
        rows = labelled()
        truth = {r['id']: r for r in rows if r['role'] == 'predict'}
        sizes = ','.join(sorted({r['n'] for r in truth.values()}, key=float))
        done = run('--data', LABELLED, '--json', '--predict', sizes)
        self.assertEqual(done.returncode, 0, done.stderr)
        series = {s['id']: s for s in json.loads(done.stdout)['series']}
        self.assertEqual(len(series), 15)
        inside = 0
        for name, row in truth.items():
            one = series[name]
            self.assertIn(one['class'], row['accept'].split(';'), name)
            if row['exponent'] != '-' and one['exponent'] is not None:
                # P08's own note: the local exponent is 0.97.
                self.assertAlmostEqual(one['exponent']['value'], float(row['exponent']),
                                       delta=0.05, msg=name)
            for p in one['predictions']:
                if p['n'] == float(row['n']):
                    self.assertLessEqual(p['low'], float(row['bytes']), name)
                    self.assertGreaterEqual(p['high'], float(row['bytes']), name)
                    inside += 1
        # All but the one that must be refused.
        self.assertEqual(inside, 14)
        self.assertEqual(series['P15']['word'], 'not enough data')

    def test_rows_to_predict_are_not_fitted(self):
        text = 'id\tn\tbytes\trole\n'
        for n in (100, 300, 1000, 3000, 10000):
            text += f'a\t{n}\t{64 * n}\tfit\n'
        wrong = text + 'a\t20000\t5\tpredict\n'
        self.assertEqual(fit(text), fit(wrong))


class Output(unittest.TestCase):
    TABLE = 'id\tn\tbytes\n' + ''.join(
        f'site\t{n}\t{16 * n * n}\n' for n in (100, 310, 1000, 3100, 10000))

    def test_json_has_every_key(self):
        one = fit(self.TABLE, '--predict', '20000,90000000', '--budget', '1TB')[0]
        for key in ('id class coarse word law parameters exponent local_slope weights '
                    'stability residual_sd cv flags predictions refusal').split():
            self.assertIn(key, one)
        self.assertEqual(one['class'], 'quadratic')
        self.assertIn(one['class'], CLASSES)
        self.assertAlmostEqual(sum(one['weights'].values()), 1)
        self.assertLessEqual(set(one['weights']), CLASSES)
        self.assertEqual([p['n'] for p in one['predictions']], [20000])
        self.assertIn('90000000', one['refusal'])
        self.assertEqual(set(one['exponent']), {'value', 'low', 'high'})
        self.assertTrue(one['alarm'])
        self.assertIsNone(one['cv'])
        self.assertGreater(one['budget']['n'], 90000)

    def test_text(self):
        done = run('--data', '-', '--predict', '20000', text=self.TABLE)
        self.assertEqual(done.returncode, 0)
        self.assertIn('quadratic', done.stdout)
        self.assertIn('n = 20000:', done.stdout)
        self.assertNotIn('\x1b', done.stdout)
        plain = harness.command('fit', '--data', '-', input=self.TABLE.encode(), check=True)
        plain.stdout.decode('ascii')

    def test_names_that_are_no_text(self):
        with tempfile.NamedTemporaryFile(suffix='.tsv') as file:
            file.write(b'id\tn\tbytes\n\xff\x1b[31m\t5\t6\n')
            file.flush()
            for arguments in ([], ['--json']):
                done = harness.command('fit', '--data', file.name, *arguments, check=True)
                self.assertNotIn(b'\x1b', done.stdout)

    def test_order_of_rows_does_not_matter(self):
        head, *rows = self.TABLE.splitlines(keepends=True)
        self.assertEqual(fit(self.TABLE), fit(head + ''.join(reversed(rows))))

    def test_many_series_are_the_same_as_one(self):
        head, *rows = self.TABLE.splitlines(keepends=True)
        many = head + ''.join(row.replace('site', f's{i}') for i in range(100)
                              for row in rows)
        alone = fit(self.TABLE)[0]
        for i, one in enumerate(fit(many)):
            self.assertEqual(one.pop('id'), f's{i}')
            self.assertEqual(one, {k: v for k, v in alone.items() if k != 'id'})


class Errors(harness.Case):
    def fails(self, status, *words, arguments=('--data', '-'), text=''):
        super().fails(words, 'fit', *arguments, status=status, input=text.encode())

    def test_tables(self):
        self.fails(1, 'empty')
        self.fails(1, 'no column bytes', text='id\tn\n')
        self.fails(1, 'line 3', '"x"', text='id\tn\tbytes\na\t1\t1\na\tx\t1\n')
        self.fails(1, 'line 2', text='id\tn\tbytes\na\t1\n')
        self.fails(1, 'line 2', 'bytes', text='id\tn\tbytes\na\t1\t-1\n')
        self.fails(1, 'no measurements', text='id\tn\tbytes\n')
        self.fails(1, 'No such file', arguments=('--data', '/no/such.tsv'))
        self.fails(1, 'cannot read', arguments=('--data', '/'))

    def test_command_line(self):
        self.fails(2, '--data', arguments=())
        self.fails(2, '--predict', arguments=('--data', '-', '--predict', '1,x'))
        self.fails(2, '--budget', arguments=('--data', '-', '--budget', 'lots'))
        self.fails(2, '--data table.tsv', arguments=('table.tsv',))
        done = run('--help')
        self.assertEqual(done.returncode, 0)
        self.assertIn('--predict', done.stdout)


if __name__ == '__main__':
    harness.main()
