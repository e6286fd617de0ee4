"""What an entry is: a real program and a play in which it shows what it does.

An entry's play gets a stage (stage.py), starts its program there, and notes facts. It
is played plain and recorded, each time on a fresh stage of the same directories.
"""

import dataclasses
import os
import shutil
import typing

from transparency_lib import stage


@dataclasses.dataclass
class Entry:
    """`what` is the table's text of what was run, `play` a function of a stage, `needs`
    the programs without which it cannot run, `programs` those whose recordings must be
    there, `rules` what to rewrite in texts before they are compared, `files` and
    `outputs` globs of what it writes (compared by content; outputs as text)."""
    name: str
    what: str
    play: typing.Callable
    package: str = ""            # whose version the table shows; default: the name
    needs: tuple = ()
    programs: tuple = ()
    rules: tuple = ()
    files: tuple = ()
    outputs: tuple = ()
    modes: tuple = ("record",)
    root: bool = False           # only root can run it
    here: typing.Callable = lambda: ""   # why it cannot run on this machine

    def missing(self):
        """Why the entry cannot run here, or nothing."""
        for program in self.needs:
            if not shutil.which(program, path=stage.PATH):
                return f"{program} is not installed (--install)"
        if self.root and os.getuid() != 0:
            return "only root can run this"
        return self.here()


def program(name, what, argv, files=(), rules=(), prepare=None, limit=120, **more):
    """An entry that runs one command to its end."""
    def play(on):
        if prepare:
            prepare(on)
        on.run([word.replace("{kit}", str(on.kit)) for word in argv], limit)
    return Entry(name, what, play, files=tuple(files), rules=tuple(rules), **more)


def script(name, what, text, shell="bash", prepare=None, limit=120, **more):
    """An entry that runs a shell script to its end; `text` may use $PROBE and $KIT."""
    def play(on):
        if prepare:
            prepare(on)
        on.run([shell, "-c", text], limit)
    return Entry(name, what, play, **more)
