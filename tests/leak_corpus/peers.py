"""Memcheck and LeakSanitizer as witnesses: runs a program of the corpus under them and
brings what they found into corpus.Founds.

Memcheck's own kinds are the corpus's. LeakSanitizer has two: what nothing reaches and
no lost block points to ("direct"), and what only lost blocks reach ("indirect");
everything that an interior pointer reaches is none of its business.
"""

import pathlib
import re
import resource
import subprocess
import tempfile
import xml.etree.ElementTree

import corpus

MEMCHECK = ["valgrind", "--leak-check=full", "--show-leak-kinds=all", "--xml=yes",
            "--keep-debuginfo=yes", "--num-callers=40", "--child-silent-after-fork=no",
            "-q"]
MEMCHECK_KINDS = {"Leak_DefinitelyLost": "definite", "Leak_IndirectlyLost": "indirect",
                  "Leak_PossiblyLost": "possible", "Leak_StillReachable": "reachable"}
LSAN_KINDS = {"Direct": "definite", "Indirect": "indirect"}
LSAN_LIBRARY = "/usr/lib/x86_64-linux-gnu/liblsan.so.0"
LIMIT = 300


def memcheck_program():
    import shutil  # pylint: disable=import-outside-toplevel
    return shutil.which("valgrind")


def run_to_end(argv, directory, env):
    """Exit status, -N for a signal."""
    return subprocess.run(
        argv, cwd=directory, env=env, stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=LIMIT,
        # Programs of the corpus die on purpose.
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CORE, (0, 0)),
        check=False).returncode


def by_process(directory, pattern):
    """The tool's files, in the order of their processes' births."""
    files = [(int(re.search(r"(\d+)$", path.stem if path.suffix == ".xml"
                            else path.name)[1]), path)
             for path in pathlib.Path(directory).glob(pattern)]
    return [path for _, path in sorted(files)]


def read_memcheck(path):
    """[(kind, blocks, bytes, [(file, line, function)])]. A process that was killed from
    outside leaves a torn file."""
    text = pathlib.Path(path).read_text(encoding="utf-8", errors="replace")
    result = []
    for error in re.findall(r"<error>.*?</error>", text, re.S):
        tree = xml.etree.ElementTree.fromstring(error)
        kind = MEMCHECK_KINDS.get(tree.findtext("kind"))
        if kind is None:
            continue
        # leakedbytes of a definite loss has the indirect ones in it.
        message = tree.findtext("xwhat/text").replace(",", "")
        direct = re.match(r"\d+ \((\d+) direct", message) or re.match(r"(\d+)", message)
        result.append((kind, int(tree.findtext("xwhat/leakedblocks")), int(direct[1]),
                       [(f.findtext("file"), int(f.findtext("line") or 0),
                         f.findtext("fn")) for f in tree.findall("stack/frame")]))
    return result


def read_lsan(path):
    """The same of LeakSanitizer's report."""
    result = []
    for line in pathlib.Path(path).read_text(encoding="utf-8",
                                             errors="replace").splitlines():
        head = re.match(r"(Direct|Indirect) leak of (\d+) byte\(s\) in (\d+) object", line)
        if head:
            result.append((LSAN_KINDS[head[1]], int(head[3]), int(head[2]), []))
        frame = re.match(r"\s+#\d+ 0x[0-9a-f]+ in (.+?) (\S+?)(?::(\d+))?(?::\d+)?$", line)
        if frame and result:
            result[-1][3].append((frame[2], int(frame[3] or 0), frame[1]))
    return result


def found(program, read, files):
    return [corpus.Found(process, kind, blocks, size,
                         *corpus.place(program, [f[:2] for f in frames]))
            for process, path in enumerate(files)
            for kind, blocks, size, frames in read(path)]


def memcheck(program, level, run, env):
    """(exit status, Founds)."""
    with tempfile.TemporaryDirectory(prefix="corpus-") as directory:
        status = run_to_end([*MEMCHECK, "--xml-file=" + directory + "/memcheck.%p.xml",
                             program.path(level), *run.arguments], directory, env)
        return status, found(program, read_memcheck,
                             by_process(directory, "memcheck.*.xml"))


def lsan(program, level, run, env):
    """(exit status, Founds), with complete stacks. It reports from an exit handler."""
    with tempfile.TemporaryDirectory(prefix="corpus-") as directory:
        status = run_to_end(
            [program.path(level), *run.arguments], directory,
            {**env, "LD_PRELOAD": LSAN_LIBRARY,
             "LSAN_OPTIONS": "fast_unwind_on_malloc=0:exitcode=0:malloc_context_size=40:"
                             f"max_leaks=0:log_path={directory}/lsan"})
        return status, found(program, read_lsan, by_process(directory, "lsan.*"))
