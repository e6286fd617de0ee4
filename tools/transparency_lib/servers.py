"""Servers on the loopback, with configurations of their own: started, used by clients,
looked at while they run, and stopped as their manuals say."""

import os
import re
import signal
import socket
import urllib.error
import urllib.request

from bench_lib import services
import processes
from transparency_lib.entries import Entry
from transparency_lib.stage import TRAVELLER

_ports = {}  # of each entry, kept for all its runs


def _port(name):
    if name not in _ports:
        _ports[name] = services.free_port()
    return _ports[name]


def _answers(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
        return True
    except OSError:
        return False


def _ready(on, running, condition, what):
    def up():
        if running.process.poll() is not None:
            raise services.runners.Failure(
                f"{what} ended at its start with status {running.process.returncode}")
        return condition()
    on.until(up, what)


def _main_of(on, needle):
    """The oldest process of the play whose command has `needle`."""
    found = [pid for pid in on.programs() if needle in processes.name(pid)]
    if not found:
        raise services.runners.Failure(f"{needle} does not run")
    return found[0]


def _stop(on, running, pid, number, limit=60):
    os.kill(pid, number)
    on.finished(running, limit)


def _redis(on):
    port = _port("redis")
    running = on.start(["redis-server", "--port", port, "--bind", "127.0.0.1", "--dir", on.work,
                        "--save", "", "--appendonly", "no"])
    _ready(on, running, lambda: _answers(port), "redis-server")
    client = ["redis-cli", "-h", "127.0.0.1", "-p", port]
    on.fact("set", on.help([*client, "SET", "key", "value"]))
    on.help(["redis-benchmark", "-h", "127.0.0.1", "-p", port, "-q", "-n", "20000", "-c", "20",
             "-t", "set,get,lpush,lrange_100,hset,zadd"])
    on.fact("script", on.help([*client, "EVAL", "return {KEYS[1], redis.call('GET', 'key')}", "1",
                               "a"]))
    on.fact("size", on.help([*client, "DBSIZE"]))
    on.fact("save", on.help([*client, "BGSAVE"]))
    on.until(lambda: "rdb_bgsave_in_progress:0" in on.help([*client, "INFO", "persistence"]),
             "the background save")
    on.fact("saved", re.findall(r"rdb_last_bgsave_status:\w+",
                                on.help([*client, "INFO", "persistence"])))
    on.see()
    on.help([*client, "SHUTDOWN", "SAVE"], check=False)
    on.finished(running)


def _redis_clients(on):
    """The clients under the recorder, the server plain."""
    port = _port("redis")
    on.started.append(server := on.start(
        ["redis-server", "--port", port, "--bind", "127.0.0.1", "--dir", on.work, "--save", ""],
        recorded=False, name="server"))
    _ready(on, server, lambda: _answers(port), "redis-server")
    for name, words in (("cli", ["redis-cli", "-p", port, "SET", "a", "b"]),
                        ("benchmark", ["redis-benchmark", "-p", port, "-n", "20000", "-c", "20",
                                       "--threads", "2", "-t", "set,get", "-q"]),
                        ("pipe", ["redis-cli", "-p", port, "--no-raw", "INCR", "n"])):
        on.run(words, name=name)
    on.help(["redis-cli", "-p", port, "SHUTDOWN", "NOSAVE"], check=False)
    on.finished(server, output=False)


def _nginx(on):
    port = _port("nginx")
    www = on.work / "www"
    www.mkdir()
    (www / "index.html").write_text("a line of text\n" * 137)
    configuration = on.write("nginx.conf", services.NGINX.format(d=on.work, port=port).replace(
        "worker_processes 1", "worker_processes 2"))
    running = on.start(["nginx", "-p", on.work, "-c", configuration])
    _ready(on, running, lambda: _answers(port), "nginx")

    def ask(path):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=20) as got:
                return f"{got.status} {len(got.read())}"
        except urllib.error.HTTPError as error:
            return str(error.code)
    on.fact("answers", sorted(ask("/index.html") for _ in range(200)) + [ask("/nothing")])
    master = int((on.work / "nginx.pid").read_text())
    on.see()
    os.kill(master, signal.SIGHUP)  # new workers, the old ones end
    on.until(lambda: sum("shutting down" in processes.name(p) for p in on.programs()) == 0 and
             sum("worker" in processes.name(p) for p in on.programs()) == 2, "the new workers")
    on.fact("after a reload", [ask("/index.html") for _ in range(20)])
    on.see(" reloaded")
    _stop(on, running, master, signal.SIGQUIT)


def _postgres_bin():
    base = "/usr/lib/postgresql"
    found = sorted((v for v in os.listdir(base) if os.path.exists(f"{base}/{v}/bin/postgres")),
                   key=float) if os.path.isdir(base) else []
    return f"{base}/{found[-1]}/bin" if found else ""


def _postgres_missing():
    return "" if _postgres_bin() else "postgresql is not installed (--install)"


AS_POSTGRES = {
    "su": lambda command: ["su", "postgres", "-s", "/bin/sh", "-c", command],
    "runuser": lambda command: ["runuser", "-u", "postgres", "--", "sh", "-c", command],
    "setpriv": lambda command: ["setpriv", "--reuid=postgres", "--regid=postgres",
                                "--init-groups", "sh", "-c", command],
}


def _postgres(how):
    def play(on):
        binaries, port, data = _postgres_bin(), _port("postgres"), on.work / "data"
        on.work.chmod(0o777)
        user = AS_POSTGRES[how]
        on.help(user(f"{binaries}/initdb -D {data} -A trust --no-sync -E UTF8 --locale=C"),
                limit=120)
        running = on.start(user(
            f"exec {binaries}/postgres -D {data} -p {port} -c unix_socket_directories={on.work} "
            "-c listen_addresses=127.0.0.1 -c fsync=off -c max_connections=20 "
            "-c shared_buffers=16MB -c jit=off -c autovacuum_naptime=1d"))
        client = f"-h {on.work} -p {port} -U postgres"
        _ready(on, running, lambda: "accepting" in on.help(
            user(f"{binaries}/pg_isready {client}"), check=False), "postgres")
        on.help(user(f"{binaries}/pgbench {client} -i -s 1 -q postgres"))
        text = on.help(user(f"{binaries}/pgbench {client} -n -c 4 -j 2 -t 100 postgres"),
                       limit=180)
        on.fact("transactions", re.findall(r"number of .*", text))
        on.fact("query", on.help(user(
            f'{binaries}/psql {client} -At -c "select count(*), sum(bid) from pgbench_accounts" '
            f'-c "select max(length(repeat(md5(x::text), 100))) from generate_series(1, 20000) x" '
            f'-c "set max_parallel_workers_per_gather = 2; set parallel_setup_cost = 0; '
            f'set min_parallel_table_scan_size = 0; select count(*) from pgbench_accounts '
            f'where abalance is not null" postgres')))
        on.see()
        postmaster = int((data / "postmaster.pid").read_text().split()[0])
        _stop(on, running, postmaster, signal.SIGINT)
    return play


POSTGRES_RULES = ((r"^\\(un)?restrict .*", "TOKEN"), (r"^\d{4}-\S+ \S+ UTC \[\d+\]", "TIME"),
                  (r"shut down at .*", "shut down"), (r"PID \d+", "PID"),
                  (r".*is starting up$", "DROP"),
                  # Checkpoints and recycled files come when they come.
                  (r"^.*(checkpoint|pg_wal/|pgsql_tmp|pg_stat|base/\d|pg_xact|pg_subtrans"
                   r"|pg_multixact|global/|PG_VERSION).*$", "DROP"))


def _pgbench(on):
    """The clients under the recorder: psql and pgbench with threads."""
    binaries, port, data = _postgres_bin(), _port("postgres"), on.work / "data"
    on.work.chmod(0o777)
    user = AS_POSTGRES["setpriv"]
    on.help(user(f"{binaries}/initdb -D {data} -A trust --no-sync -E UTF8 --locale=C"), limit=120)
    server = on.start(user(f"exec {binaries}/postgres -D {data} -p {port} "
                           f"-c unix_socket_directories={on.work} -c fsync=off"),
                      recorded=False, name="server")
    client = ["-h", on.work, "-p", port, "-U", "postgres"]
    _ready(on, server, lambda: "accepting" in on.help(
        [f"{binaries}/pg_isready", *client], check=False), "postgres")
    on.help([f"{binaries}/pgbench", *client, "-i", "-q", "postgres"])
    on.run([f"{binaries}/pgbench", *client, "-n", "-c", "4", "-j", "2", "-t", "100",
            "postgres"], name="pgbench")
    on.run([f"{binaries}/psql", *client, "-c", "\\d pgbench_accounts", "-c",
            "select sum(bid) from pgbench_accounts", "postgres"], name="psql")
    on.run([f"{binaries}/pg_dump", *client, "-s", "postgres"], name="pg_dump")
    _stop_helper(on, server, int((data / "postmaster.pid").read_text().split()[0]))


def _stop_helper(on, running, pid):
    os.kill(pid, signal.SIGINT)
    running.wait(60)


SSHD = """
Port {port}
ListenAddress 127.0.0.1
HostKey {d}/host
PidFile {d}/sshd.pid
AuthorizedKeysFile {d}/keys/%u
StrictModes no
UsePAM {pam}
PasswordAuthentication no
PermitRootLogin prohibit-password
AcceptEnv ODD
Subsystem sftp internal-sftp
LogLevel INFO
"""


def _sshd(pam):
    def play(on):
        port, d = _port("sshd"), on.work
        for name in ("host", "user"):
            on.help(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", d / name])
        for user in ("root", TRAVELLER[0]):
            on.write(f"keys/{user}", (d / "user.pub").read_text())
        on.write("config", SSHD.format(port=port, d=d, pam=pam))
        running = on.start(["/usr/sbin/sshd", "-D", "-e", "-f", d / "config"])
        _ready(on, running, lambda: (d / "sshd.pid").exists() and _answers(port), "sshd")

        def ssh(user, *words, **more):
            return on.help(["ssh", "-F", "none", "-p", port, "-i", d / "user", "-o", "BatchMode=yes", "-o",
                            "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null",
                            "-o", "LogLevel=ERROR", "-o", "SendEnv=ODD", f"{user}@127.0.0.1",
                            *words], check=False, **more)
        for user in ("root", TRAVELLER[0]):
            on.fact(f"login of {user}", ssh(user, "echo hi; id -un; exit 3; "))
            on.fact(f"probe of {user}", ssh(user, f"{on.kit}/probe; {on.kit}/hello; echo $?",
                                            env={"ODD": "x"}))
        on.fact("a terminal", ssh(TRAVELLER[0], "-tt", "tty | sed 's/[0-9]*$//'; stty size; "
                                  f"{on.kit}/hello"))
        on.fact("refused", on.help(["ssh", "-F", "none", "-p", port, "-o", "BatchMode=yes", "-o",
                                    "StrictHostKeyChecking=no", "-o",
                                    "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR",
                                    "nobody@127.0.0.1", "true"], check=False))
        on.write("commands", f"put {d}/config copied\nls -1\n")
        on.fact("sftp", on.help(["sftp", "-F", "none", "-q", "-b", d / "commands", "-P", port, "-i",
                                 d / "user", "-o", "StrictHostKeyChecking=no", "-o",
                                 "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR",
                                 f"{TRAVELLER[0]}@127.0.0.1"], check=False))
        on.see()
        _stop(on, running, int((d / "sshd.pid").read_text()), signal.SIGTERM)
        # Sessions end beside each other, and say so in no order.
        on.fact("errors", sorted(on.errors(running).split("\n")))
    return play


SSHD_RULES = ((r"SHA256:\S+", "KEY"), (r"port \d+", "port N"), (r"SSH_CLIENT=.*", "CLIENT"),
              (r"SSH_CONNECTION=.*", "CONNECTION"), (r"(pid|process) \d+", "pid N"))


def _chronyd(level):
    def play(on):
        socket_path = on.directory / "run" / "chrony" / "chronyd.sock"
        socket_path.parent.mkdir()
        os.chmod(socket_path.parent, 0o750)
        on.help(["chown", "_chrony:_chrony", socket_path.parent])
        # Paths as the program would use them: /run is the stage's.
        on.write("chrony.conf", f"local stratum 10\ncmdport 0\nport {_port('chrony')}\n"
                 "bindaddress 127.0.0.1\nallow 127.0.0.1\n"
                 "pidfile /run/chrony/chronyd.pid\nbindcmdaddress /run/chrony/chronyd.sock\n")
        running = on.start(["chronyd", "-x", "-d", "-F", level, "-f", on.work / "chrony.conf"])
        _ready(on, running, socket_path.exists, "chronyd")
        ask = ["chronyc", "-h", "/run/chrony/chronyd.sock", "-c"]
        on.fact("tracking", on.help([*ask, "tracking"], check=False).split(",")[:3])
        on.fact("clients", on.help([*ask, "-n", "sources"], check=False))
        on.see()
        _stop(on, running, _main_of(on, "chronyd"), signal.SIGTERM)
    return play


CHRONY_RULES = ((r"^\d{4}-\d\d-\d\dT\S+ ", ""), (r"(Frequency|frequency) .*", "FREQUENCY"))
POSTGRES = dict(package="postgresql-[0-9][0-9]", root=True, here=_postgres_missing, rules=POSTGRES_RULES)

ENTRIES = [
    Entry("redis-server", "20,000 requests of six kinds, a script, a background save; shutdown",
          _redis, needs=("redis-server", "redis-benchmark"), programs=("redis-check-rdb",),
          modes=("record", "leaks"),
          rules=((r"\d+:([A-Z]) \d+ \w+ \d{4} \S+", r"\1"), (r"pid[= ]\d+", "pid N"),
                 (r"PID: \d+", "PID"),
                 (r"(RDB:|Fork CoW|DB saved on|.*seconds|Background saving started).*", "TIME"))),
    Entry("redis-clients", "redis-cli, redis-benchmark with two threads", _redis_clients,
          package="redis-tools", needs=("redis-server", "redis-benchmark"),
          programs=("redis-cli", "redis-benchmark"),
          rules=((r"[\d.]+ requests per second.*", "RATE"), (r"^.*rps=.*", "DROP"), (r"^ *$", "DROP"))),
    Entry("nginx", "master and two workers; 200 requests, a reload, 20 more; SIGQUIT", _nginx,
          needs=("nginx",), programs=("nginx",)),
    *(Entry(f"postgres-{how}", f"server started by {how} as user postgres; pgbench with 4 "
            "clients, parallel query; fast shutdown", _postgres(how), needs=(how,),
            programs=("postgres",), **POSTGRES) for how in AS_POSTGRES),
    Entry("pgbench", "with psql and pg_dump, clients of a plain server: 400 transactions, queries, pg_dump",
          _pgbench, package="postgresql-client-[0-9][0-9]", root=True, here=_postgres_missing,
          programs=("pgbench", "psql", "pg_dump"),
          rules=((r"(tps|latency|initial connection time).*", "TIME"), *POSTGRES_RULES)),
    Entry("sshd", "logins by key as root and as a user: commands, a terminal, sftp, a refusal",
          _sshd("no"), package="openssh-server", needs=("sshd", "ssh"), root=True,
          programs=("sshd", "probe", "hello"), modes=("record", "leaks"), rules=SSHD_RULES),
    Entry("sshd-pam", "the same with PAM", _sshd("yes"), package="openssh-server",
          needs=("sshd", "ssh"), root=True, programs=("sshd", "probe", "hello"),
          rules=SSHD_RULES),
    *(Entry(f"chronyd-{kind}", f"-F {level}, seccomp filter ({text}), clock untouched; chronyc; SIGTERM",
            _chronyd(level), package="chrony", needs=("chronyd", "chronyc"), root=True,
            programs=("chronyd",), rules=CHRONY_RULES)
      for level, kind, text in (("1", "kill", "kills"), ("-1", "trap", "forgives"),
                                ("2", "strict", "kills, stricter"))),
]
