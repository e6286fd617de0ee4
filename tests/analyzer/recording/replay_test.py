"""The fuzz target over its seeds, and over the seeds damaged at random (with a
fixed seed): a first, quick fuzzing wherever there is no engine.

replay_test.py TRACE_READER_REPLAY
"""

import pathlib
import random
import subprocess
import sys
import tempfile

REPLAY = sys.argv[1]
ROUNDS = 60


def damaged(chance, content):
    content = bytearray(content)
    for _ in range(chance.randint(1, 8)):
        kind = chance.randrange(4)
        at = chance.randrange(1, len(content))
        if kind == 0:
            content[at] = chance.randrange(256)
        elif kind == 1:
            content[at] ^= 1 << chance.randrange(8)
        elif kind == 2:
            del content[at:at + chance.randint(1, 9)]
        else:
            content[at:at] = content[max(1, at - 9):at]
        if len(content) < 2:
            break
    return bytes(content)


with tempfile.TemporaryDirectory() as scratch:
    folder = pathlib.Path(scratch)
    subprocess.run([REPLAY, "--seeds", folder], check=True)
    seeds = sorted(folder.iterdir())
    assert len(seeds) >= 12, seeds
    subprocess.run([REPLAY, *seeds], check=True)
    chance = random.Random(20)
    files = []
    for number in range(ROUNDS):
        for seed in seeds:
            path = folder / f"{seed.name}.{number}"
            path.write_bytes(damaged(chance, seed.read_bytes()))
            files.append(path)
    result = subprocess.run([REPLAY, *files], timeout=100)
    if result.returncode != 0:
        for path in files:  # which one?
            if subprocess.run([REPLAY, path], stdout=subprocess.DEVNULL).returncode != 0:
                sys.exit(f"fails on {path.name}: {path.read_bytes().hex()}")
    sys.exit(result.returncode)
