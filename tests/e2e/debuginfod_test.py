"""Debug files and programs from a debuginfod server, which is Debian's, on loopback."""

import http.server
import os
import pathlib
import shutil
import socket
import subprocess
import threading
import unittest
import urllib.error
import urllib.request

import harness

PROGRAM = r"""
#include <stdlib.h>
__attribute__((noinline)) void* take(int n) { return malloc(n); }
int main(void) { return take(1234) == NULL; }
"""
PLACE = "fetched.c:3"


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Debuginfod(harness.Case):

    def setUp(self):
        super().setUp()
        here = self.dir / "here"
        here.mkdir()
        self.program = pathlib.Path(harness.compile_c(
            here, "fetched", PROGRAM, "-Wl,--build-id=sha1"))
        self.trace = self.dir / "t.mgram"
        self.record([self.program], "-q", "-o", self.trace)
        # The server has the program and its debug information; here is neither.
        self.files = self.dir / "files"
        self.files.mkdir()
        debug = self.files / "fetched.debug"
        harness.run(["objcopy", "--only-keep-debug", self.program, debug], check=True)
        harness.run(["strip", self.program], check=True)
        shutil.copy(self.program, self.files / "fetched")
        notes = harness.run(["readelf", "-n", self.program], check=True).stdout.decode()
        self.build_id = notes.split("Build ID: ")[1].split()[0]
        self.requests = []

    def serve(self):
        """The URL of Debian's server, once it has found the files."""
        if shutil.which("debuginfod") is None:
            self.skipTest("no debuginfod")
        url = f"http://127.0.0.1:{free_port()}"
        server = subprocess.Popen(
            ["debuginfod", "-F", "-p", url.rsplit(":", 1)[1], "-d", ":memory:", self.files],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL,
            env=harness.clean_env())
        self.addCleanup(server.wait)
        self.addCleanup(server.kill)

        def has(what):
            try:
                with urllib.request.urlopen(f"{url}/buildid/{self.build_id}/{what}",
                                            timeout=5):
                    return True
            except (urllib.error.URLError, OSError):
                return False
        harness.wait_for(lambda: has("debuginfo") and has("executable"), "the server")
        return url

    def count(self, answer):
        """The URL of a server that answers by `answer` and keeps the paths asked for."""
        test = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                test.requests.append(self.path)
                self.send_error(answer)

            def log_message(self, *_):
                pass
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{server.server_port}"

    def report(self, url, *options, verb="report", **more):
        env = harness.clean_env(DEBUGINFOD_CACHE_PATH=self.dir / "cache", **more)
        env.pop("DEBUGINFOD_URLS", None)
        if url is not None:
            env["DEBUGINFOD_URLS"] = url
        result = harness.command(verb, *options, self.trace, env=env, check=True)
        return result.stdout.decode() + result.stderr.decode()

    def test_fetches_what_is_not_here(self):
        url = self.serve()
        self.assertNotIn(PLACE, self.report(None))
        self.assertNotIn(PLACE, self.report(url, "--no-debuginfod"))
        self.assertIn(PLACE, self.report(url))
        # From the cache, though the server were gone.
        self.assertIn(PLACE, self.report("http://127.0.0.1:1"))
        # Nor is the program here.
        shutil.rmtree(self.dir / "cache")
        self.program.unlink()
        self.assertIn("cannot be read here", self.report(url, "--no-debuginfod"))
        text = self.report(url)
        self.assertIn(PLACE, text)
        self.assertNotIn("cannot be read here", text)
        for verb in ("leaks", "symbolize"):
            self.report(url, verb=verb)
        # It carries the names now.
        shutil.rmtree(self.dir / "cache")
        self.assertIn(PLACE, self.report(None))

    def test_asks_only_if_told(self):
        url = self.count(404)
        self.report(None)
        self.report(url, "--no-debuginfod")
        self.assertEqual(self.requests, [])
        text = self.report(url)
        self.assertIn(f"/buildid/{self.build_id}/debuginfo", self.requests)
        # A server that has it not is nothing to complain of.
        self.assertNotIn("debuginfod", text)

    def test_dead_servers_cost_their_time_once(self):
        refused = self.report("http://127.0.0.1:1")
        self.assertIn("debuginfod: http://127.0.0.1:1: ", refused)
        self.assertIn("fetched+0x", refused)  # where the name would stand
        with socket.socket() as silent:
            silent.bind(("127.0.0.1", 0))
            silent.listen(64)
            text = self.report(f"http://127.0.0.1:{silent.getsockname()[1]}",
                               DEBUGINFOD_TIMEOUT=1)
            self.assertIn("no answer within 1 s; no more is fetched", text)
            # One module was asked for, not each of three.
            silent.setblocking(False)
            connections = 0
            try:
                while True:
                    silent.accept()[0].close()
                    connections += 1
            except BlockingIOError:
                pass
            self.assertLessEqual(connections, 3)  # the library tries again by itself
            self.assertGreater(connections, 0)


if __name__ == "__main__":
    unittest.main()
