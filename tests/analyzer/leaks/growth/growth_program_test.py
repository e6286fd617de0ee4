"""Growth of a real program's call sites, end to end: every label right, the list of
sessions that nobody removes reported as growth, the slow leak found and labelled, and
without the two nothing at all."""

import json
import os
import pathlib

import harness

PROGRAM = str(pathlib.Path(os.environ["MALLOGRAM_PROGRAMS"]) / "growing")


def place(record):
    """The function of the program's that called malloc."""
    name = record["stack"][0]["function"] or "" if record["stack"] else ""
    return name.rpartition("::")[2]


class Growth(harness.Case):

    def leaks(self, *args):
        trace = self.dir / "t.mgram"
        self.record([PROGRAM, *args], "-q", "-o", trace)
        result = harness.command("leaks", "--json", "--fail-on", "growth", trace)
        return result.returncode, harness.whole_leaks(result.stdout)

    def test_labels(self):
        status, found = self.leaks()
        self.assertEqual(status, 23)
        labels = {}
        for record in found["records"]:
            name = place(record)
            if name and record["growth"]:
                # The most bytes come first; what else that line allocates is less.
                labels.setdefault(name, (record["kind"], record["growth"]))
        self.assertEqual(labels["AddSession"][0], "growth")
        self.assertEqual(labels["AddSession"][1]["label"], "growing")
        self.assertEqual(labels["MakeReply"][0], "definite")
        self.assertEqual(labels["MakeReply"][1]["label"], "growing")
        self.assertEqual(labels["MakeTables"], ("reachable", labels["MakeTables"][1]))
        self.assertEqual(labels["MakeTables"][1]["label"], "one-time")
        self.assertEqual(labels["MakeCacheEntry"][1]["label"], "plateau")
        self.assertEqual(labels["WriteLog"][1]["label"], "plateau")
        self.assertNotEqual(labels.get("Send", ("", {"label": ""}))[1]["label"],
                            "growing")
        growing = labels["AddSession"][1]
        self.assertAlmostEqual(growing["figures"]["rate_per_allocation"], 64, delta=0.1)
        self.assertLess(growing["figures"]["p_value"], 1e-3)
        self.assertLessEqual(growing["figures"]["low"],
                             growing["figures"]["rate_per_hour"])
        self.assertGreaterEqual(growing["figures"]["high"],
                                growing["figures"]["rate_per_hour"])
        # Bytes a reply: 48 in a thousand.
        reply = labels["MakeReply"][1]["figures"]
        self.assertAlmostEqual(reply["rate_per_allocation"], 0.048, delta=0.024)
        # The text says it, too.
        text = harness.command("leaks", self.dir / "t.mgram").stdout.decode()
        self.assertIn("an hour", text)

    def test_nothing_grows(self):
        status, found = self.leaks("steady")
        self.assertEqual(status, 0)
        for record in found["records"]:
            self.assertNotIn(record["kind"], ("growth", "definite"), record)
            self.assertNotEqual((record["growth"] or {}).get("label"), "growing")


if __name__ == "__main__":
    harness.main()
