"""Verifies tests/preload/ring.pml with spin, then that each planted bug fails.

check_model.py ring.pml [BUG]: with a bug, shows what spin says of that one alone.
Time and memory are bounded; running into a bound is a failure, not a pass.
"""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

MEMORY_MIB = 1500
SECONDS = 240
DEPTH = 2_000_000

# All of them break a safety claim (assertion or deadlock).
BUGS = {
    'EARLY_PUBLISH': 'head is stored before the words',
    'PUBLISH_HALF': 'head is stored between two words of a record',
    'OVERWRITE': 'the producer believes in one word too much',
    'NO_WAITS_FENCE': 'producer_waits is a plain store',
    'NO_TAIL_RECHECK': 'tail is not read again after producer_waits',
    'NO_TAIL_FENCE': 'no fence between tail and the look at producer_waits',
    'NO_BELL': 'a half full ring rings no bell',
    'NO_BELL_FENCE': 'no fence between head and the look at collector_sleeps',
    'NO_SLEEP_FENCE': 'collector_sleeps is a plain store',
    'NO_HEAD_RECHECK': 'the collector does not look again before it sleeps',
}


def verify(model, bug=None, liveness=False):
    """Returns (errors, states, text); raises if spin could not finish."""
    with tempfile.TemporaryDirectory() as directory:
        def run(*command, seconds=SECONDS):
            done = subprocess.run(command, cwd=directory, text=True,
                                  stdin=subprocess.DEVNULL, timeout=seconds,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            return done.returncode, done.stdout

        defines = [f'-D{bug}'] if bug else []
        # A death cannot keep a run from going on; without it the search is a
        # tenth as large.
        defines += ['-DNOBODY_DIES'] if liveness else []
        status, text = run('spin', *defines, '-a', str(model))
        if status != 0 or not (Path(directory) / 'pan.c').exists():
            raise RuntimeError(f'spin -a failed:\n{text}')
        mode = ['-DNP', '-DNFAIR=3'] if liveness else ['-DSAFETY']
        status, text = run('gcc', '-O2', '-w', f'-DMEMLIM={MEMORY_MIB}', '-DCOLLAPSE',
                           *mode, '-o', 'pan', 'pan.c')
        if status != 0:
            raise RuntimeError(f'compiling the verifier failed:\n{text}')
        arguments = ['-l', '-f'] if liveness else []
        status, text = run('./pan', f'-m{DEPTH}', *arguments)
        found = re.search(r'errors: (\d+)', text)
        # With an error found, where the search stopped does not matter.
        if not found or found.group(1) == '0' and (
                'max search depth too small' in text or 'out of memory' in text):
            raise RuntimeError(f'the verification did not finish:\n{text}')
        states = int(re.search(r'(\d+) states, stored', text).group(1))
        return int(found.group(1)), states, text


def main():
    model = Path(sys.argv[1]).resolve()
    if len(sys.argv) > 2:
        print(verify(model, sys.argv[2])[2])
        return 0
    failed = False
    for name, liveness in (('safety', False), ('progress', True)):
        errors, states, text = verify(model, liveness=liveness)
        print(f'{"FAILED" if errors else "ok":8}{name}: {states} states', flush=True)
        # An unexpectedly small model proves nothing.
        if errors or states < 10_000:
            print(text)
            failed = True
    for bug, what in BUGS.items():
        errors, _, _ = verify(model, bug)
        print(f'{"ok" if errors else "FAILED":8}planted {bug}: {what}', flush=True)
        failed |= not errors
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
