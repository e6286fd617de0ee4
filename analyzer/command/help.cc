#include "analyzer/command/help.h"

namespace mallogram {

const char kHelpMain[] =
    R"(Mallogram records every heap allocation of a program, with its call stack, and
tells where the memory is.

Usage:
  mallogram [record] [OPTIONS] [--] PROGRAM [ARGUMENTS...]
  mallogram report [OPTIONS] FILE...
  mallogram info FILE...
  mallogram leaks FILE... | PROGRAM [ARGUMENTS...] | --pid PID
  mallogram diff OLD NEW
  mallogram fit FILE... | --data FILE.tsv
  mallogram sweep --param n=SIZES [OPTIONS] [--] PROGRAM [ARGUMENTS...]
  mallogram study FILE.toml

Verbs:
  record    run a program and record its allocations (default)
  report    totals, timeline and call sites of a recording
  info      what is in a recording: host, command, modules, threads, chunks
  leaks     what a program lost: blocks that nothing points to, and why
  check     run a program and fail if it breaks a limit: leaks, peak, growth
  diff      what changed between two recordings, or two moments of one
  fit       growth laws over input sizes, of a program and of its call sites
  sweep     run a program at several input sizes: how does its memory grow?
  study     run a program as a study file says, judge its criteria; compare two
  help      this text, or `mallogram help VERB`
  version   the version

Examples:
  mallogram xmllint --noout big.xml
  mallogram report xmllint.*.mgram
  mallogram report --by live --top 3 xmllint.*.mgram
  mallogram leaks xmllint --noout big.xml

Exit status: of the program when recording; else 0, 1 for an error, 2 for a
mistake in the command line.
)";

const char kHelpReport[] = R"(Usage: mallogram report [OPTIONS] FILE...

Shows what a recording holds: totals, heap and RSS over time, the call sites that
matter most, sizes of blocks, and what the recording cost. Several FILEs, or a
directory, are merged. A recording that is still going on can be looked at.

Options:
  --by MEASURE          rank call sites by
                          peak       bytes held when the heap was largest (default)
                          live       bytes alive at the end
                          allocated  bytes allocated in all
                          calls      calls of allocation functions
                          temporary  blocks freed before their thread's next
                                     allocation
  --top N               show N call sites (default 10; JSON: all)
  --depth N             show N callers of each (default 8; 0: all)
  --tree                show a call tree from main() inwards instead; branches
                        below 1 % are cut
  --full-names          functions with all arguments, files with directories
  --json                one JSON object, described by report.schema.json
  --debug-dir DIR       look for separate debug files in DIR/.build-id as well
                        (always: /usr/lib/debug)

Functions of the allocator and of the standard library at the inner end of a
stack are folded into the line "through ...", so that the first function shown is
your own.

Examples:
  mallogram report xmllint.4711.mgram
  mallogram report --by live --depth 20 server.*.mgram
  mallogram report --tree --by calls run.mgram
  mallogram report --json run.mgram | jq '.frames[.sites[0].stack[0]]'
)";

const char kHelpInfo[] = R"(Usage: mallogram info [--json] [--check] FILE...

Shows what a recording is: host, command, time and end of the program, its
modules and threads, and the parts of the file.

Options:
  --check     read the whole file and verify every checksum
  --json      one JSON object

Example:
  mallogram info --check xmllint.4711.mgram
)";

}  // namespace mallogram
