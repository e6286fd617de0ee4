"""Entries of language runtimes: CPython's own tests, node, Java, perl, shells."""

import os
import re

from transparency_lib.entries import Entry, program, script

# Of Debian's python3 (python3-full brings them): what is about memory, and what is about
# processes, threads and the system. Left out: what takes half a minute, or the network.
MODULES = {
    "language and data": """
abc argparse array base64 binascii binop bisect bool bytes calendar call codecs collections compile
complex configparser contextlib copy coroutines csv ctypes datetime deque difflib dynamic enum
exceptions extcall float format frame functools gc generators getopt grammar graphlib hash heapq
hmac html int isinstance iter json keyword list listcomps math memoryview minidom operator
ordered_dict property queue raise re richcmp scope slice sort sqlite3 string struct super textwrap
traceback tuple types unpack urlparse userdict with xml_etree zlib""",
    "processes, threads, system": """
asyncgen atexit contextvars eof errno fcntl file fileinput fileio fnmatch fork1 getpass glob grp
gzip import kqueue largefile locale mmap netrc os pathlib pipes platform poll popen posix posixpath
pty pwd resource sched select selectors shlex shutil site stat sys sys_setprofile sysconfig tempfile
thread threadedtempfile threading threadsignals time uuid wait3 wait4 zipimport subprocess""",
}
PYTHON = "/usr/bin/python3"
RESULT = re.compile(r"^(test\w+ \([\w.]+\))(?:\n.*?)? \.\.\. .*?(ok|FAIL|ERROR|skipped.*|"
                    r"expected failure|unexpected success)$", re.M)


def _modules(part):
    version = os.path.basename(os.path.realpath(PYTHON))
    directory = f"/usr/lib/{version}/test"
    names = [f"test_{name}" for name in MODULES[part].split()]
    return [n for n in names if os.path.exists(f"{directory}/{n}.py") or
            os.path.isdir(f"{directory}/{n}")]


def _no_tests():
    return "" if sum(map(len, map(_modules, MODULES))) >= 60 else "CPython's tests are not installed (--install)"


def _cpython(part):
    def play(on):
        chosen = _modules(part)
        running = on.start([PYTHON, "-m", "test", "-v", "--timeout", "400", *chosen])
        on.fact("status", running.wait(600))
        text = on.output(running) + on.errors(running)
        on.fact("modules", len(chosen))
        on.fact("tests", [f"{name}: {result}" for name, result in RESULT.findall(text)])
        # What the tests say of warnings and resources has times and addresses in it.
        on.fact("summary", re.findall(
            r"^(\d+ tests? (?:OK|failed|skipped|altered).*|Tests? result: .*|"
            r"Result: .*|    test_[\w ]+)$", text, re.M))
    return play


NODE = r"""
const {Worker, isMainThread, parentPort} = require('worker_threads');
const {execFileSync, spawn} = require('child_process');
const http = require('http'), zlib = require('zlib'), crypto = require('crypto');
const fs = require('fs');
if (!isMainThread) {
  let sum = 0;
  for (let i = 0; i < 3e5; ++i) sum += ('x' + i).length;
  parentPort.postMessage(sum);
} else {
  process.on('exit', code => console.log('exit', code));
  process.on('SIGUSR2', () => console.log('signal'));
  console.log(execFileSync(process.env.PROBE, ['from node', 'last']).toString());
  const data = Buffer.alloc(1 << 20, 'some text ');
  console.log(crypto.createHash('sha256').update(zlib.gunzipSync(zlib.gzipSync(data)))
      .digest('hex'));
  fs.writeFileSync('written', JSON.stringify({a: [1, 2, 3]}));
  const child = spawn('sh', ['-c', 'cat; exit 4']);
  child.stdout.on('data', d => console.log('child says', d.toString()));
  child.on('exit', code => {
    console.log('child', code);
    process.kill(process.pid, 'SIGUSR2');
    const server = http.createServer((q, r) => r.end('body ' + q.url)).listen(0, '127.0.0.1', () =>
      http.get({port: server.address().port, path: '/p'}, r => {
        r.on('data', d => console.log(d.toString()));
        r.on('end', () => { server.close();
          const w = new Worker(__filename);
          w.on('message', m => { console.log('worker', m); process.exitCode = 6; });
        });
      }));
  });
  child.stdin.end('hello');
}
"""

JAVA = r"""
import java.util.*;
import java.util.concurrent.*;
public class Hello {
  static int depth(int n) { return depth(n + 1) + 1; }
  public static void main(String[] args) throws Exception {
    Map<String, List<Integer>> map = new TreeMap<>();
    for (int i = 0; i < 200000; ++i)
      map.computeIfAbsent("k" + i % 100, k -> new ArrayList<>()).add(i);
    System.out.println(map.values().stream().mapToInt(List::size).sum());
    ExecutorService pool = Executors.newFixedThreadPool(4);
    List<Future<Integer>> results = new ArrayList<>();
    for (int i = 0; i < 20; ++i) { final int n = i; results.add(pool.submit(() -> n * n)); }
    int sum = 0;
    for (Future<Integer> f : results) sum += f.get();
    System.out.println(sum);
    pool.shutdown();
    try { depth(0); } catch (StackOverflowError e) { System.out.println("overflow"); }
    try { Object o = null; o.toString(); } catch (NullPointerException e) { System.out.println("null"); }
    try { List<byte[]> all = new ArrayList<>(); while (true) all.add(new byte[1 << 20]); }
    catch (OutOfMemoryError e) { System.out.println("memory"); }
    Process p = new ProcessBuilder(System.getenv("PROBE"), "from java", "last").start();
    System.out.println(new String(p.getInputStream().readAllBytes()));
    System.out.println(p.waitFor());
    java.nio.ByteBuffer direct = java.nio.ByteBuffer.allocateDirect(1 << 22);
    System.out.println(direct.capacity());
    Runtime.getRuntime().addShutdownHook(new Thread(() -> System.out.println("hook")));
    System.exit(5);
  }
}
"""

PERL = r"""
use strict; use warnings; use Socket; use POSIX ":sys_wait_h";
my %h; $h{"key $_"} = [1 .. $_ % 10] for 1 .. 50000;
print scalar(keys %h), "\n";
socketpair(my $a, my $b, AF_UNIX, SOCK_STREAM, PF_UNSPEC) or die;
my $pid = fork // die;
if (!$pid) { close $a; while (<$b>) { print {*STDOUT} "child got $_"; } exit 3 }
close $b; print {$a} "line $_\n" for 1 .. 3; close $a; waitpid $pid, 0; print $? >> 8, "\n";
local $SIG{ALRM} = sub { print "alarm\n" }; alarm 1; select undef, undef, undef, 5;
local $SIG{__DIE__} = sub { print "dying: @_" }; eval { die "on purpose\n" }; print "lives\n";
open my $p, "-|", $ENV{PROBE}, "from perl", "last" or die; print while <$p>; close $p;
print join(",", sort { $a <=> $b } map { $_ * 7 % 11 } 1 .. 10), "\n";
system "sh", "-c", "exit 9"; print $? >> 8, "\n"; kill "TERM", $$; sleep 5;
"""

BASH = r"""
set -u; trap 'echo leaving' EXIT; trap 'echo usr1' USR1
coproc { while read -r l; do echo "<$l>"; done; }
echo one >&"${COPROC[1]}"; read -r a <&"${COPROC[0]}"; echo "$a"
eval "exec ${COPROC[1]}>&-"; wait "$COPROC_PID"; echo "coproc $?"
diff <(seq 5) <(seq 2 6); echo "diff $?"
seq 1 100000 | sort -rn | head -2; echo "${PIPESTATUS[@]}"
kill -USR1 $$; (exit 7); echo "sub $?"
sleep 100 & kill -TERM $!; wait $!; echo "killed $?"
exec 7<>file; echo text >&7; exec 7>&-; cat file
for i in {1..50}; do echo "$(echo $i)"; done | md5sum
$PROBE from bash; ulimit -n 64; umask 077; (trap '' INT; $PROBE ignoring)
printf '%s\n' {a..c}{1..2} | xargs -P 3 -n 2 echo | sort
mapfile -t lines < <(printf 'x\ny\n'); echo "${#lines[@]}"
sh -c 'kill -SEGV $$'; echo "segv $?"
wait; exec $PROBE "the last" word
"""

ENTRIES = [
    *(Entry(f"python3-{number}", f"CPython's own tests: {len(_modules(part))} modules of {part}",
            _cpython(part), package="python3.[0-9][0-9]", here=_no_tests, programs=("python3",))
      for number, part in enumerate(MODULES, 1)),
    Entry("node", "workers, children, HTTP, compression, signals",
          lambda on: on.run(["node", on.write("main.js", NODE)]), package="nodejs",
          needs=("node",), programs=("node", "probe"), outputs=("written",)),
    Entry("java", "javac, java: compile and run: threads, stack overflow, no memory, child, hook",
          lambda on: (on.write("Hello.java", JAVA),
                      on.run(["javac", "-J-Xmx256m", "Hello.java"], name="javac"),
                      on.run(["java", "-Xmx64m", "-XX:+UseSerialGC", "Hello"], name="java"))[-1],
          package="openjdk-*-jdk-headless", needs=("java", "javac"),
          programs=("java", "javac", "probe"), files=("*.class",)),
    Entry("java-g1", "the same with two collecting threads, 128 MB",
          lambda on: (on.write("Hello.java", JAVA), on.help(["javac", "Hello.java"]),
                      on.run(["java", "-Xmx128m", "-XX:+UseG1GC", "-XX:ParallelGCThreads=2",
                              "Hello"]))[-1],
          package="openjdk-*-jre-headless", needs=("java", "javac"), programs=("java",)),
    program("perl", "hashes, sockets, fork, signals, a pipe; killed by itself",
            ["perl", "-e", PERL], needs=("perl",), programs=("perl", "probe"),
            modes=("record", "leaks")),
    script("bash", "coprocess, traps, pipes, jobs, limits, exec", BASH, needs=("bash",),
           programs=("bash", "sort", "probe"), modes=("record", "leaks"),
           rules=((r"line (\d+): +\d+ ", r"line \1: PID "), (r".*wait_for: No record.*", "DROP"))),
    script("dash", "the same kind in sh", "trap 'echo bye' EXIT; $PROBE from sh; echo $(seq 9); "
           "(exit 4); echo $?; sh -c 'kill -ABRT $$'; echo $?; seq 100000 | wc -l; exec $PROBE",
           shell="dash", programs=("dash", "probe")),
]
