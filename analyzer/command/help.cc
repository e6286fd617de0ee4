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
  mallogram symbolize FILE...

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
  symbolize write names into recordings, for other machines
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

}  // namespace mallogram
