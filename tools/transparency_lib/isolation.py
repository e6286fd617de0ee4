"""The tool's own surroundings: subreaper, and under root a mount namespace with a /tmp,
/dev/shm, /run, /var/log and users of its own. Nothing of it outlives the tool."""

import ctypes
import os

from transparency_lib import stage

CLONE_NEWNS = 0x20000
MS_BIND, MS_REC, MS_PRIVATE = 0x1000, 0x4000, 0x40000
PR_SET_CHILD_SUBREAPER = 36
MOUNTED = {"tmp": "/tmp", "shm": "/dev/shm", "run": "/run", "log": "/var/log"}

_libc = ctypes.CDLL(None, use_errno=True)


def _call(function, *arguments):
    if function(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def become_subreaper():
    _call(_libc.prctl, PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def separate(directory):
    """Returns why that was not possible, or nothing."""
    if os.getuid() != 0:
        return "not root: /tmp, /dev/shm and /run are shared with others, and not looked at"
    try:
        _call(_libc.unshare, CLONE_NEWNS)
        _mount(None, "/", MS_REC | MS_PRIVATE)
        for name, place in MOUNTED.items():
            (directory / name).mkdir(exist_ok=True)
            _mount(directory / name, place, MS_BIND)
        for name, text in users(directory / "home").items():
            own = directory / name
            with open(f"/etc/{name}", encoding="utf-8") as f:
                # Logins of root find a home of the stage, too.
                lines = f.read().rstrip("\n").replace(":/root:", f":{directory}/home:")
            own.write_text(f"{lines}\n{text}")
            own.chmod(0o640 if name == "shadow" else 0o644)
            _mount(own, f"/etc/{name}", MS_BIND)
    except OSError as error:
        return f"no mount namespace of our own ({error}): /tmp is shared with others"
    return ""


def _mount(source, target, flags):
    _call(_libc.mount, os.fsencode(source) if source else None, os.fsencode(target), None,
          flags, None)


def users(home):
    """Lines for /etc/passwd and so on: a user with a shell."""
    name, number = stage.TRAVELLER
    return {"passwd": f"{name}:x:{number}:{number}::{home}:/bin/sh\n",
            "group": f"{name}:x:{number}:\n",
            "shadow": f"{name}:*:19000:0:99999:7:::\n"}
