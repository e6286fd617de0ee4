"""Servers under load (goal S5): requests a second and the 99th percentile of latency.

  redis   redis-server, keys and values in memory; redis-benchmark -t set, a fixed
          number of requests by 50 connections, 100,000 different keys (which of them
          is redis-benchmark's choice: it takes no seed)
  nginx   master and one worker, which it forks; wrk, 32 connections, a fixed time,
          a file of 2 KB

Client, server and collector share the machine. heaptrack does not follow forks, so
nginx has no figure of it.
"""

import os
import shutil
import signal
import socket
import subprocess
import time

from bench_lib import runners

PATIENCE = 30  # seconds until a server must answer, and until it must have ended

NGINX = """
daemon off;
pid {d}/nginx.pid;
error_log stderr crit;
worker_processes 1;
events {{ worker_connections 256; }}
http {{
  access_log off;
  client_body_temp_path {d}/body; proxy_temp_path {d}/proxy; fastcgi_temp_path {d}/fastcgi;
  uwsgi_temp_path {d}/uwsgi; scgi_temp_path {d}/scgi;
  keepalive_requests 1000;
  server {{ listen 127.0.0.1:{port}; location / {{ root {d}/www; }} }}
}}
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until_up(process, port):
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise runners.Failure(f"ended at its start with status {process.returncode}")
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.01)
    raise runners.Failure(f"did not answer within {PATIENCE} s")


class Redis:
    name = "redis"
    needs = ("redis-server", "redis-benchmark", "redis-cli")
    tools = ("plain", "heaptrack", "mallogram")

    def __init__(self, context, quick):
        self.context, self.requests = context, 5_000 if quick else 150_000

    def server(self, port):
        return ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "",
                "--appendonly", "no", "--daemonize", "no", "--loglevel", "warning",
                "--dir", str(self.context.directory)]

    def load(self, port):
        text = self.client("redis-benchmark", port, "-t", "set", "-n", str(self.requests),
                           "-c", "50", "-r", "100000", "-d", "100", "--csv")
        head, values = ([cell.strip('"') for cell in line.split(",")]
                        for line in text.strip().splitlines()[-2:])
        row = dict(zip(head, values))
        return {"throughput": float(row["rps"]), "p99_ms": float(row["p99_latency_ms"])}

    def stop(self, port, _process):
        self.client("redis-cli", port, "shutdown", "nosave")

    def client(self, program, port, *arguments):
        return subprocess.run([program, "-h", "127.0.0.1", "-p", str(port), *arguments],
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                              check=False, timeout=runners.LIMIT, env=self.context.env).stdout


class Nginx:
    name = "nginx"
    needs = ("nginx", "wrk")
    tools = ("plain", "mallogram")

    def __init__(self, context, quick):
        self.context, self.seconds = context, 1 if quick else 3
        www = context.directory / "www"
        www.mkdir(exist_ok=True)
        (www / "index.html").write_text("a line of text\n" * 137)
        # The worker gives up root's rights, if it is root that runs this.
        for path in (context.directory, www):
            path.chmod(0o755)

    def server(self, port):
        directory = self.context.directory
        (directory / "nginx.conf").write_text(NGINX.format(d=directory, port=port))
        return ["nginx", "-p", str(directory), "-c", str(directory / "nginx.conf")]

    def load(self, port):
        text = subprocess.run(["wrk", "-t1", "-c32", f"-d{self.seconds}s", "--latency",
                               f"http://127.0.0.1:{port}/"], stdout=subprocess.PIPE, text=True,
                              check=True, timeout=runners.LIMIT, env=self.context.env).stdout
        if "Non-2xx" in text:
            raise runners.Failure("answered with errors")
        words = text.split()
        return {"throughput": float(words[words.index("Requests/sec:") + 1]),
                "p99_ms": milliseconds(words[words.index("99%") + 1])}

    def stop(self, _port, _process):
        pid = int((self.context.directory / "nginx.pid").read_text())
        os.kill(pid, signal.SIGQUIT)


def milliseconds(text):
    """Of wrk's "1.23ms", "870.00us", "1.2s"."""
    for unit, factor in (("us", 1e-3), ("ms", 1.0), ("s", 1e3)):
        if text.endswith(unit):
            return float(text[:-len(unit)]) * factor
    raise ValueError(text)


def run(context, service, tool):
    """One server, started, loaded and stopped under `tool`."""
    port = free_port()
    command, env, sink = service.server(port), dict(context.env), None
    fifo, traces = context.directory / "fifo", context.directory / "serving"
    if tool == "mallogram":
        shutil.rmtree(traces, ignore_errors=True)
        traces.mkdir()
        command = [context.mallogram, "record", "-q", "-o", f"{traces}/", "--", *command]
    if tool == "heaptrack":
        os.mkfifo(fifo)
        sink = subprocess.Popen(["sh", "-c", 'exec zstd -q -c < "$0"', fifo],
                                stdout=subprocess.DEVNULL)
        env.update(LD_PRELOAD=runners.HEAPTRACK, DUMP_HEAPTRACK_OUTPUT=str(fifo))
    # A group of its own, so that what hangs can be ended as a whole.
    process = subprocess.Popen(command, cwd=context.directory, env=env,
                               stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        wait_until_up(process, port)
        sample = service.load(port)
        service.stop(port, process)
        process.wait(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        raise runners.Failure(f"did not end within {PATIENCE} s") from None
    except (OSError, KeyError, ValueError, subprocess.SubprocessError) as error:
        raise runners.Failure(f"could not be measured ({error!r})") from error
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        if sink:
            if process.returncode != 0:
                sink.kill()
            sink.wait()
        fifo.unlink(missing_ok=True)
    if process.returncode != 0:
        raise runners.Failure(f"ended with status {process.returncode}")
    if tool == "mallogram":
        sample.update(runners.figures_of_report(context.mallogram,
                                                sorted(traces.glob("*.mgram"))))
    return sample
