"""Entries of everyday tools, terminal multiplexers, and stress-ng's stressors."""

from transparency_lib.entries import Entry, script

TAR = r"""
mkdir -p tree/a/b; for i in $(seq 200); do seq $i > tree/a/file$i; done; ln -s a tree/link
ln tree/a/file1 tree/a/b/hard; mkfifo tree/fifo; truncate -s 5M tree/sparse
tar --sort=name --mtime=@0 --owner=0 --group=0 -cf t.tar tree; md5sum < t.tar
tar -tvf t.tar | wc -l; mkdir out; tar -xf t.tar -C out; diff -r --no-dereference tree out/tree 2>&1 | head -3
for c in gzip bzip2 xz zstd; do command -v $c > /dev/null && $c -k t.tar && ls t.tar.*; done
gzip -t t.tar.gz; zcat t.tar.gz | cmp - t.tar; tar --use-compress-program='gzip -9n' -cf u.tar.gz tree
tar -xf t.tar.xz -O tree/a/file3; tar -cf - tree | (cd out && tar -xpf -); echo "${PIPESTATUS[@]}"
tar -xf nothing.tar; echo $?; head -c 10000 t.tar.gz | gzip -dc | wc -c
"""

VIM = r"""
seq 1 500 > file
vim -es -u NONE -i NONE -c '%s/1/one/g | g/7/d | 1,10sort! r | normal Gyyp' -c 'w out | q' file; echo $?
vim -es -u NONE -c 'call setline(1, systemlist($PROBE . " from vim last"))' -c 'w probed | q'; echo $?
cat probed; vim -es -u NONE -c 'put =string(sort(range(5)))' -c '%p | q!'; vim -es -c 'cquit 3'; echo $?
"""

TMUX = r"""
tmux -S $PWD/s -f /dev/null new-session -d -x 90 -y 30 -s one 'sh -c "$PROBE in tmux > probed; sleep 1000"'
tmux -S $PWD/s new-window -t one "cat"; tmux -S $PWD/s split-window -t one "sleep 1000"
for i in $(seq 100); do grep -q '^child' probed 2>/dev/null && break; sleep 0.1; done
tmux -S $PWD/s send-keys -t one:1.0 'some words' Enter; sleep 0.5
tmux -S $PWD/s capture-pane -p -t one:1.0 | head -2; tmux -S $PWD/s list-windows -F '#I #W #P'
cat probed
"""

SCREEN = r"""
screen -c /dev/null -dmS one sh -c '$PROBE in screen > probed; sleep 1000'
for i in $(seq 100); do grep -q '^child' probed 2>/dev/null && break; sleep 0.1; done
cat probed; screen -ls | sed 's/[0-9]*\.one.*/N.one/'
"""


def _multiplexer(text, end):
    def play(on):
        on.run(["sh", "-c", text])
        on.see()
        on.run(["sh", "-c", end], name="end")
        on.until(lambda: not on.programs(), "the server's end")
    return play


# Stressor → options that bound its work; what it does is counted, not timed.
STRESSORS = {
    "malloc": "--malloc-ops 20000", "fork": "--fork-ops 300", "vfork": "--vfork-ops 300",
    "clone": "--clone-ops 100", "mmap": "--mmap-ops 4", "pthread": "--pthread-ops 300",
    "exec": "--exec-ops 60", "sigsegv": "--sigsegv-ops 200", "daemon": "--daemon-ops 50",
    "spawn": "--spawn-ops 60", "context": "--context-ops 2000", "mlock": "--mlock-ops 20",
    "prctl": "--prctl-ops 20", "seccomp": "--seccomp-ops 60", "brk": "--brk-ops 500",
    "kill": "--kill-ops 2000", "ptrace": "--ptrace-ops 500", "dynlib": "--dynlib-ops 100",
    "session": "--session-ops 50", "userfaultfd": "--userfaultfd-ops 200",
    "zombie": "--zombie-ops 200", "wait": "--wait-ops 100",
}
FIRST = ("malloc", "fork", "vfork", "clone", "mmap", "pthread", "exec")


def _stress(names):
    def play(on):
        on.work.chmod(0o777)
        for name in names:
            words = ["stress-ng", f"--{name}", "2", *STRESSORS[name].split(), "--timeout", "15s",
                     "--metrics-brief", "--oomable", "--temp-path", on.work]
            on.run(words, name=name, limit=45)
    return play


STRESS_RULES = (
    (r"^stress-ng: (\w+): *\[\d+\]", r"\1:"), (r"\[\d+\]", "[N]"),
    # Rates and times; the count of what a stressor did may run past its bound.
    (r"^metrc: .*", "METRICS"), (r"(run) completed in .*", r"\1"), (r"in \d+\.\d+ ?s\w*", "in TIME"),
    (r"[\d.]+ (MB|GB|nanosec|secs|second|%).*", "FIGURES"), (r"^(info|debug): .*(cache|using).*", "DROP"))

ENTRIES = [
    script("tar", "and gzip: 200 files, links, a fifo, a sparse file; four compressors; bad input", TAR,
           package="tar", needs=("tar", "gzip"), programs=("tar", "gzip"),
           rules=((r"^.*file changed as we read it$", "DROP"),)),
    script("vim", "-es: edit by commands, read a program's output, exit status", VIM, package="vim",
           needs=("vim",), programs=("vim", "probe"), files=("out",), rules=((r"/tmp/v\w+/", "/tmp/V/"),)),
    script("coreutils", "and findutils: sort, join, comm, split, xargs -P, find -exec, awk, sed",
           "seq 200000 | sort -R --random-source=/etc/passwd | sort -n --parallel=2 -S 1M | md5sum; "
           "seq 1000 | split -l 100 - part; find . -name 'part*' -print0 | sort -z | xargs -0 -P 4 -n 1 wc -l "
           "| sort; find . -type f -exec md5sum {} + | sort; join <(seq 9) <(seq 3 12); comm -12 "
           "<(seq 9 | sort) <(seq 3 12 | sort); awk 'BEGIN { for (i = 0; i < 1e5; ++i) a[i] = i \"x\"; "
           "print length(a) }'; sed -n '5{p;q}' partaa; yes | head -n 100000 | uniq -c; ls -la --time-style=+ "
           "| md5sum; dd if=/dev/zero bs=1M count=8 status=none | sha256sum; tail -f -n 1 --pid=$$ partaa & "
           "sleep 0.3; kill $!; wait $!; echo $?", package="coreutils",
           programs=("sort", "find", "xargs"),
           rules=((r"line \d+: +\d+ ", "line N: PID "),)),
    script("sqlite3", "with jq and openssl: queries, JSON, keys and hashes",
           "sqlite3 d.db 'create table t(a, b); with recursive n(x) as (select 1 union all select x + 1 from n "
           "where x < 20000) insert into t select x, hex(x) from n; select count(*), sum(a) from t; create "
           "index i on t(b); select a from t where b = hex(777); vacuum; select nothing'; echo $?; seq 2000 | jq -s "
           "'map({a: ., b: (. | tostring)}) | group_by(.a % 7) | map(length)' -c; echo '{' | jq .; echo $?; "
           "openssl genpkey -algorithm ed25519 -out k && openssl pkey -in k -check -noout; seq 50000 | "
           "openssl dgst -sha3-256; seq 9 | openssl enc -aes-256-cbc -k x -pbkdf2 -S 00 -nosalt 2>&1 | md5sum; "
           "openssl s_client -connect 127.0.0.1:1 2>&1 | head -1 | cut -d: -f2-3; openssl prime 1234567891",
           package="sqlite3", needs=("sqlite3", "jq", "openssl"),
           programs=("sqlite3", "jq", "openssl"), files=("d.db",),
           rules=((r"^[0-9A-F]{12,}", "THREAD"),)),
    Entry("tmux", "a server with three panes, keys, a captured screen, kill-server",
          _multiplexer(TMUX, "tmux -S $PWD/s kill-server"), needs=("tmux",),
          programs=("tmux", "probe"),
          rules=((r"TMUX=(.*),\d+,", r"TMUX=\1,N,"), (r"/dev/pts/\d+", "TERMINAL"),
                 (r"tmux-(\d+)", r"tmux-\1"))),
    Entry("screen", "a detached session, and its end", _multiplexer(
        SCREEN, "screen -S one -X quit"), needs=("screen",), programs=("screen", "probe"),
          rules=((r"\d+\.one", "N.one"), (r"/dev/pts/\d+", "TERMINAL"))),
    *(Entry(f"stress-ng-{name}", f"two stressors, {STRESSORS[name].replace('--', '')}",
            _stress([name]), package="stress-ng", needs=("stress-ng",), rules=STRESS_RULES,
            programs=("stress-ng",)) for name in FIRST),
    Entry("stress-ng-more", ", ".join(n for n in STRESSORS if n not in FIRST),
          _stress([n for n in STRESSORS if n not in FIRST]), package="stress-ng",
          needs=("stress-ng",), rules=STRESS_RULES, programs=("stress-ng",)),
]
