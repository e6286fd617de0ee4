"""Small programs that the plays use, built before the first of them: what leads a
session, the probe (also linked statically), a sandboxed one, a daemon, and a root
directory for chroot."""

import pathlib
import re
import shutil
import subprocess

HERE = pathlib.Path(__file__).resolve().parent
# Name → (source, options of the compiler).
PROGRAMS = {
    "leader": ("leader.c", ()),
    "probe": ("probe.c", ()),
    "probe-static": ("probe.c", ("-static",)),
    "hello": ("hello.c", ("-g", "-O0", "-no-pie")),
    "daemon": ("daemon.c", ()),
    "sandboxed": ("sandboxed.c", ("-pthread", "-lseccomp")),
}
OPTIONAL = ("sandboxed",)  # needs libseccomp-dev


def build(directory):
    """Returns what went wrong, or nothing."""
    directory.mkdir(parents=True)
    directory.chmod(0o755)
    for name, (source, options) in PROGRAMS.items():
        try:
            done = subprocess.run(["gcc", "-O1", "-fno-builtin", "-o", directory / name,
                                   HERE / source, *options],
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                  check=False)
        except FileNotFoundError:
            return "gcc is not installed (--install)"
        if done.returncode != 0 and name not in OPTIONAL:
            return f"{source} cannot be built: {done.stdout.strip()}"
    shutil.copy(HERE / "hello.c", directory)
    _make_root(directory)
    return ""


def _make_root(directory):
    """A root with the probe, a shell and the libraries that they need."""
    root = directory / "root"
    for name in ("bin", "proc", "tmp", "dev"):
        (root / name).mkdir(parents=True, exist_ok=True)
    for program in (directory / "probe", directory / "probe-static",
                    directory / "hello", pathlib.Path("/bin/sh")):
        shutil.copy(program, root / "bin")
        listed = subprocess.run(["ldd", program], stdout=subprocess.PIPE,
                                stderr=subprocess.DEVNULL, text=True, check=False).stdout
        for library in re.findall(r"(/\S+) \(0x", listed):
            target = root / library.lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(library, target)
