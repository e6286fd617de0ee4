"""Entries that change who and where a program is: user, root, namespaces, session."""

from transparency_lib.entries import Entry, program, script
from transparency_lib.stage import TRAVELLER

USER = TRAVELLER[0]
# All that a probe says, from a shell that the entry's program starts.
PROBES = "$PROBE; $KIT/probe-static; $KIT/hello; echo $?"


def _odd_start(on):
    """The probe, started as no shell starts a program: odd mask, limits, descriptors,
    signals, priority, directory."""
    odd = ("import os, resource as r, signal as s, sys; os.umask(0o31); os.nice(3); "
           "r.setrlimit(r.RLIMIT_NOFILE, (200, 300)); r.setrlimit(r.RLIMIT_CORE, (0, 0)); "
           "r.setrlimit(r.RLIMIT_STACK, (1 << 22, 1 << 23)); "
           "s.signal(s.SIGUSR1, s.SIG_IGN); s.signal(s.SIGHUP, s.SIG_IGN); "
           "s.signal(s.SIGPIPE, s.SIG_IGN); s.signal(s.SIGCHLD, s.SIG_DFL); "
           "s.pthread_sigmask(s.SIG_BLOCK, [s.SIGUSR2, s.SIGTERM, 40]); "
           "os.dup2(os.open('/dev/zero', os.O_RDWR), 9); os.set_inheritable(9, True); "
           "p = os.pipe(); os.dup2(p[0], 77); os.dup2(p[1], 78); os.chdir('/usr'); "
           "os.environ['ODD'] = 'a=b\\n c'; os.execv(sys.argv[1], sys.argv[1:])")
    words = ["python3", "-S", "-c", odd]
    recorder = on.recorder
    # The odd state is what the launcher starts with, not what it gives.
    on.recorder = [*words, *recorder] if recorder else words
    try:
        on.run([on.kit / "probe", "a word", ""])
    finally:
        on.recorder = recorder


def _streams(on):
    """Standard descriptors that are closed."""
    for label, closed in (("in", "<&-"), ("out", ">&-"), ("err", "2>&-"), ("all", "<&- >&- 2>&-")):
        words = ["sh", "-c", f'exec "$@" {closed}', "sh"]
        recorder = on.recorder
        on.recorder = [*words, *recorder] if recorder else words
        try:
            on.run([on.kit / "probe", "one", label], name=label)
        finally:
            on.recorder = recorder


def _daemon(on):
    report = on.work / "report"
    on.run([on.kit / "daemon", report, on.kit / "probe"])
    on.until(lambda: report.exists() and "again" in report.read_text(), "the daemon")
    on.fact("daemon", report.read_text())


ENTRIES = [
    Entry("probe", "a program that prints all it sees of itself; child, exec", _odd_start,
          needs=("python3",), programs=("probe",), modes=("record", "leaks")),
    Entry("streams", "the same without standard input, output, error", _streams,
          programs=("probe",), outputs=("probed",)),
    program("su", f"`su {USER} -c …`: dynamic and static program, their descriptors, limits, "
            "environment", ["su", USER, "-s", "/bin/sh", "-c", PROBES], package="util-linux",
            needs=("su",), root=True, programs=("su", "probe", "hello"),
            modes=("record", "leaks")),
    program("su-login", f"`su - {USER} -c …`: a login, with another environment and session",
            ["su", "-", USER, "-c", "{kit}/probe; {kit}/hello; echo $?"],
            package="util-linux", needs=("su",), root=True, programs=("su", "probe", "hello")),
    program("runuser", f"`runuser -u {USER} -- sh -c …`",
            ["runuser", "-u", USER, "--", "sh", "-c", PROBES], package="util-linux",
            needs=("runuser",), root=True, programs=("runuser", "probe", "hello")),
    program("setpriv", "other user and groups, no capabilities, no new privileges",
            ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--init-groups",
             "--inh-caps=-all", "--bounding-set=-all", "--no-new-privs", "sh", "-c", PROBES],
            package="util-linux", needs=("setpriv",), root=True,
            programs=("setpriv", "probe", "hello")),
    program("chroot", "a root with its own libraries, in which nothing of Mallogram is",
            ["chroot", "{kit}/root", "/bin/sh", "-c",
             "/bin/probe; /bin/probe-static; /bin/hello; echo $?"],
            package="coreutils", needs=("chroot",), root=True, programs=("chroot",)),
    program("chroot-user", "the same root directory, another user",
            ["chroot", f"--userspec={USER}:{USER}", "/", "sh", "-c", PROBES],
            package="coreutils", needs=("chroot",), root=True,
            programs=("chroot", "probe", "hello")),
    program("unshare-user", "user and mount namespace, mapped to root",
            ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c",
             "mount -t tmpfs none /tmp && echo mounted; " + PROBES],
            package="util-linux", needs=("unshare",), programs=("unshare", "probe", "hello")),
    program("unshare-pid", "pid namespace with its own /proc, and a program in it that "
            "outlives its parent",
            ["unshare", "--pid", "--fork", "--mount-proc", "sh", "-c",
             "$PROBE; ls /proc | grep -c '^[0-9]'; (sleep 0.2; $KIT/hello) & wait"],
            package="util-linux", needs=("unshare",), root=True,
            programs=("unshare", "probe", "hello")),
    program("unshare-net", "network, ipc, uts and cgroup namespaces",
            ["unshare", "--net", "--ipc", "--uts", "--cgroup", "sh", "-c",
             "hostname inside; hostname; cat /proc/net/dev | tr -s ' '; " + PROBES],
            package="util-linux", needs=("unshare",), root=True,
            programs=("unshare", "probe", "hello")),
    script("env", "env -i, empty environment; env -u, env -C", "env -i $PROBE; env -u HOME $PROBE; "
           "env -C / A=1 $PROBE; env -i $KIT/hello", package="coreutils", needs=("env",),
           programs=("probe",)),
    script("nohup", "with setsid, timeout, nice: as cron starts programs: own session, SIGHUP ignored, "
           "killed after a time", "nohup $PROBE; setsid -w $PROBE; setsid -w nohup $KIT/hello; "
           "timeout 60 $PROBE; timeout -s KILL 0.2 sleep 60; echo $?; timeout 0.2 sleep 60; "
           "echo $?; nice -n 5 $PROBE; stdbuf -oL $KIT/hello; ionice -c 3 $PROBE",
           package="coreutils", programs=("probe", "hello", "timeout"),
           rules=((r"line (\d+): +\d+ ", r"line \1: PID "),)),
    Entry("daemon", "forks twice, new session, closes all descriptors", _daemon,
          programs=("daemon", "probe")),
    script("start-stop-daemon", "in the background, with a pid file, and stopped",
           "start-stop-daemon --start --background --make-pidfile --pidfile $PWD/pid "
           "--startas /bin/sleep -- 1000; sleep 0.3; "
           "start-stop-daemon --status --pidfile $PWD/pid; echo $?; "
           "start-stop-daemon --stop --retry 20 --pidfile $PWD/pid; echo $?; ls",
           package="dpkg", needs=("start-stop-daemon",), rules=((r"pid \d+", "pid N"),)),
]
