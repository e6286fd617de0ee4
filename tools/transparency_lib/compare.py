"""Facts of two runs, set side by side.

A run's facts are a flat dict: what was looked at → a number or word, a text (several
lines) or a list of lines. Facts that only one run has differ, too.
"""

import collections
import dataclasses
import re
import signal

STOPPED = "play"  # the fact of why a play could not go on
SHORT = 72  # characters of a value that a difference quotes


@dataclasses.dataclass(frozen=True)
class Difference:
    key: str
    text: str

    def __str__(self):
        return f"{self.key}: {self.text}"


def normalised(value, rules):
    """Applies (pattern, replacement) rules to a fact's text or lines. A line that
    becomes the word DROP goes."""
    if isinstance(value, list):
        lines = [_apply(line, rules) for line in value]
        return [line for line in lines if line != "DROP"]
    if isinstance(value, str):
        lines = [_apply(line, rules) for line in value.split("\n")]
        return "\n".join(line for line in lines if line != "DROP")
    return value


def _apply(line, rules):
    for pattern, replacement in rules:
        line = re.sub(pattern, replacement, line)
    return line


def differences(plain, other):
    """Of the facts of a run, from those of the plain run."""
    found = []
    if STOPPED in other and STOPPED not in plain:
        # What was not reached says nothing more.
        plain = {key: value for key, value in plain.items() if key in other}
    for key in [*plain, *(k for k in other if k not in plain)]:
        if key not in other:
            found.append(Difference(key, "not there when recorded"))
        elif key not in plain:
            found.append(Difference(key, f"only when recorded: {_short(other[key])}"))
        elif plain[key] != other[key]:
            found.append(Difference(key, _explain(key, plain[key], other[key])))
    return found


def _explain(key, plain, other):
    if key == "status":
        return f"{status_text(other)} instead of {status_text(plain)}"
    if isinstance(plain, list) and isinstance(other, list):
        return _lists(plain, other)
    if isinstance(plain, str) and isinstance(other, str) and "\n" in plain + other:
        return _texts(plain.split("\n"), other.split("\n"))
    return f"{_short(other)} instead of {_short(plain)}"


def _lists(plain, other):
    """What is missing and what is more; or else the order."""
    missing = collections.Counter(plain) - collections.Counter(other)
    more = collections.Counter(other) - collections.Counter(plain)
    parts = [f"{sign} {_short(line)}" + (f" ({count} times)" if count > 1 else "")
             for sign, of in (("without", missing), ("with", more))
             for line, count in list(of.items())[:2]]
    left = len(missing) + len(more) - len(parts)
    if not parts:
        return "in another order"
    return ", ".join(parts) + (f", {left} more" if left > 0 else "")


def _texts(plain, other):
    changed = [number for number, (a, b) in enumerate(zip(plain, other)) if a != b]
    if len(plain) == len(other) and len(changed) == 1:
        number = changed[0]
        return f"line {number + 1} is {_short(other[number])} instead of {_short(plain[number])}"
    return _lists(plain, other)


def _short(value):
    if isinstance(value, list):
        return _short(value[0]) + (f" and {len(value) - 1} more" if value[1:] else "") \
            if value else "nothing"
    if isinstance(value, str):
        first = value.strip("\n").split("\n")[0]
        return f'"{first[:SHORT]}{"…" if len(first) > SHORT else ""}"'
    return str(value)


def status_text(status):
    """Of a status as subprocess has it: negative for a signal."""
    if isinstance(status, int) and status < 0:
        try:
            return signal.Signals(-status).name
        except ValueError:
            return f"signal {-status}"
    return f"status {status}" if isinstance(status, int) else str(status)
