"""The workloads' own truth against what was recorded of them, entity by entity.

Every block that a workload accounts for is made in a function that names the
entity's tag (workloads/common/account.h), so the call sites through it are the
entity's. Compared, to the byte and the block: every entity at the phase where the
truth was taken, in all, and at the end; and at every phase the sum of all entities
with the program's own balance.

What the program allocates outside its accounts (stdio's buffers, libstdc++'s pool
for exceptions, the text of the truth itself) is subtracted by call site, and each
of those call sites must be one that this test knows. WORKLOADS=all takes more
sets of flags.
"""

import json
import os
import pathlib
import re

import harness

ROOT = pathlib.Path(__file__).resolve().parents[2]
ALL = os.environ.get("WORKLOADS") == "all"

# The entities are as they were at this phase.
TAKEN_AT = {"session": "filled", "chunk-store": "stored", "agent": "full",
            "encoder": "full"}
# C libraries' hooks book what they give out (sqlite_memory.cc, history.cc).
HOOKS = {"SqliteHooks": "sqlite", "ZlibHooks": "zlib_state"}
# Who may allocate outside the accounts: the innermost function that is not the
# standard library's.
PLUMBING = re.compile(r"^(std|__gnu_cxx)::|^operator new|^decltype")
OUTSIDE = re.compile(
    r".*libstdc\+\+\.so|"                 # its pool for exceptions, at start
    r"(__GI_)?_IO_|fdopen$|"             # stdio's buffers and streams
    r"workloads::(Flags|Json|LeakPlan)::|workloads::AppMain$|main$|"  # flags, truth
    r"workloads::chunks::|workloads::encoder::Run$")  # a path, a line of error


def tag_names():
    """{tag type: name of the account}, as the sources say."""
    names = {}
    for path in sorted((ROOT / "workloads").rglob("*.h")):
        names.update(re.findall(r"struct (\w+) \{\s*static constexpr const char\* kName "
                                r"= \"(\w+)\"", path.read_text()))
    return names


TAGS = tag_names()
NAMED = re.compile(r"EntityAllocator<.*?(\w+)>::allocate\b|"
                   r"Accounted<.*?(\w+)>::operator new\b")


def entity_of(stack):
    """The account that a call site belongs to; None: outside of them."""
    for frame in stack:
        function = frame["function"] or ""
        found = NAMED.search(function)
        if found:
            return TAGS[found[1] or found[2]]
        for hooks, name in HOOKS.items():
            if re.search(rf"\b{hooks}::(Malloc|Realloc|Allocate)\b", function):
                return name
    return None


def bare_name(frame):
    """`std::string ns::f<int>[abi:cxx11](long) const` → `ns::f`."""
    name = (frame["function"] or frame.get("module") or "?")
    name = name.replace("(anonymous namespace)::", "").replace("[abi:cxx11]", "")
    while re.search(r"<[^<>]*>", name):
        name = re.sub(r"<[^<>]*>", "", name)
    return name.split("(")[0].split(" [clone")[0].removeprefix("void ").split("& ")[-1]


def who_allocates(stack):
    for name in map(bare_name, stack):
        if not PLUMBING.search(name) and not PLUMBING.search(name.split(" ")[-1]):
            return name
    return "nobody"


class Sums(dict):
    """{entity: {field: sum}} over call sites."""

    def add(self, entity, **fields):
        sums = self.setdefault(entity, dict.fromkeys(fields, 0))
        for field, value in fields.items():
            sums[field] += value

    def get_field(self, entity, field):
        return self.get(entity, {}).get(field, 0)


class Workloads(harness.Case):
    def check(self, name, *flags):
        program = harness.workload(name)
        directory = self.dir / f"{name}-{len(list(self.dir.iterdir()))}"
        directory.mkdir()
        result = self.record([program, *flags, "--phase-marks"], cwd=directory)
        truth = json.loads(result.stdout)
        marks = directory / "stderr.txt"
        marks.write_bytes(result.stderr)
        trace = self.trace(directory)
        found = self.compare_totals(truth, trace)
        for phase in truth["phases"]:
            found += self.compare_phase(truth, phase, trace, marks, TAKEN_AT[name])
        self.assertEqual(found, [], f"{name} {' '.join(flags)}")

    def compare_totals(self, truth, trace):
        """All that was allocated, and what is left at the end."""
        report = harness.report(trace)
        found = []
        sums = Sums()
        for site in report["sites"]:
            entity = entity_of(site["stack"])
            if entity is None and not OUTSIDE.match(who_allocates(site["stack"])):
                found.append(f"{who_allocates(site['stack'])} allocates "
                             f"{site['bytes_allocated']} B: who is this?")
            sums.add(entity, allocated_bytes=site["bytes_allocated"],
                     allocations=site["calls"], end_bytes=site["live_bytes"],
                     end_blocks=site["live_blocks"])
        leaked = truth["leaked_blocks"], truth["leaked_bytes"]
        recorded = (sums.get_field("planted_leaks", "end_blocks"),
                    sums.get_field("planted_leaks", "end_bytes"))
        if leaked != recorded:
            found.append(f"leaked (blocks, bytes) {leaked}, recorded {recorded}")
        for entity, account in truth["entities"].items():
            for field in ("allocated_bytes", "allocations", "end_bytes", "end_blocks"):
                if account[field] != sums.get_field(entity, field):
                    found.append(f"{entity}: {field} is {account[field]}, recorded "
                                 f"{sums.get_field(entity, field)}")
        for entity in set(sums) - set(truth["entities"]) - {None, "planted_leaks"}:
            found.append(f"{entity}: recorded, but not in the truth")
        return found

    def compare_phase(self, truth, phase, trace, marks, taken_at):
        """The heap when the phase was marked."""
        result = harness.command("diff", "--json", "--to", phase["name"], "--marks",
                                 marks, trace, check=True)
        heap = json.loads(result.stdout)
        found = [f"{phase['name']}: {w}" for w in heap["warnings"]
                 if "debug" not in w]
        sums, inside = Sums(), Sums()
        for site in heap["sites"]:
            entity = entity_of(site["stack"])
            fields = {"live_bytes": site["live"]["after"],
                      "live_blocks": site["blocks"]["after"]}
            sums.add(entity, **fields)
            if entity is not None:
                inside.add("all", **fields)
        for field in ("live_bytes", "live_blocks"):
            if phase[field] != inside.get_field("all", field):
                found.append(f"{phase['name']}: {field} is {phase[field]}, recorded "
                             f"{inside.get_field('all', field)}")
        # And nothing but the known rest makes up the difference to the whole heap.
        rest = heap["totals"]["live"]["after"] - phase["live_bytes"]
        if rest != sums.get_field(None, "live_bytes"):
            found.append(f"{phase['name']}: {rest} B outside of the accounts, of call "
                         f"sites {sums.get_field(None, 'live_bytes')}")
        if phase["name"] == taken_at:
            for entity, account in truth["entities"].items():
                for field in ("live_bytes", "live_blocks"):
                    if account[field] != sums.get_field(entity, field):
                        found.append(f"{phase['name']}: {entity}: {field} is "
                                     f"{account[field]}, recorded "
                                     f"{sums.get_field(entity, field)}")
        return found

    def test_session(self):
        self.check("session", "--sessions", "7", "--messages", "30")
        self.check("session", "--transport", "socket", "--leak", "evicted-message:0.3",
                   "--messages", "50")
        if ALL:
            self.check("session", "--sessions", "50", "--window", "100")
            self.check("session", "--crisis-states", "2000")

    def test_chunk_store(self):
        self.check("chunk-store", "--chunks", "200")
        self.check("chunk-store", "--chunks", "100", "--store", "sqlite")
        if ALL:
            self.check("chunk-store", "--chunks", "3000", "--leak", "fetched-chunk:0.1")
            self.check("chunk-store", "--chunks", "2000", "--store", "sqlite")

    def test_agent(self):
        self.check("agent", "--agents", "2", "--steps", "20", "--history", "zlib")
        self.check("agent", "--agents", "3", "--steps", "10", "--belief", "sparse",
                   "--leak", "observation:0.5")
        if ALL:
            self.check("agent", "--belief", "lazy", "--history", "ring")
            self.check("agent", "--belief", "dense", "--share-transitions")

    def test_encoder(self):
        self.check("encoder", "--bytes", "20000")
        self.check("encoder", "--bytes", "30000", "--streaming",
                   "--leak", "subtree:0.2")
        if ALL:
            self.check("encoder", "--bytes", "1000000", "--no-pool")
            self.check("encoder", "--bytes", "500000", "--rounds", "3")


if __name__ == "__main__":
    harness.main()
