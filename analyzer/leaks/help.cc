#include "analyzer/leaks/options.h"

namespace mallogram {

const char kLeaksHelp[] = R"(Usage: mallogram leaks [OPTIONS] FILE...
       mallogram leaks [OPTIONS] [--] PROGRAM [ARGUMENTS...]
       mallogram leaks [OPTIONS] --pid PID

Shows what a program lost: blocks that it did not free, what still points to them,
and the call stacks that allocated them. FILEs are recordings (or directories of
them); a PROGRAM is recorded first; --pid looks into a process that is being
recorded, which goes on afterwards.

Kinds, as in Valgrind's Memcheck:
  definite      no pointer to the block is left
  indirect      only lost blocks point to it; counted with the one at their head
  possible      only pointers into its middle are left
  reachable     something still points to it
  growth        reachable, but its call site keeps growing
  unclassified  alive at the end of a process that nobody could look into
  ignored       the program said that it is not to be reported

Options:
  --kinds KIND,...      kinds to show, or all (default: definite,possible,growth,
                        unclassified; with --json and --sarif: see below)
  --fail-on KIND,...    exit with status 23 if any of these is found; also: mismatch
                        (freed by the wrong function), all, none (default)
  --check N             use the Nth leak check of a recording (default: the last)
  --since N             show what changed since the Nth check
  --top N               show N records of a process (default 20; JSON: all; 0: all)
  --depth N             show N callers of each (default 12; 0: all)
  --full-names          functions with all arguments, files with directories
  --debug-dir DIR       look for separate debug files in DIR/.build-id as well

  --suppressions FILE   do not report what FILE describes, in LeakSanitizer's
                        or Valgrind's syntax; can be given several times
  --gen-suppressions    instead of the report, print suppressions for what is found
  --print-suppressions  print the built-in suppressions
  --no-builtin-suppressions
                        report also what the C and C++ libraries keep for good

  --output FILE         write the report to FILE
  --json                report as one JSON object, described by leaks.schema.json:
                        all kinds; what is suppressed is marked, and not counted
  --json=FILE           write that to FILE, besides the report
  --junit FILE          write JUnit XML: records of --fail-on (or of --kinds) fail
  --sarif FILE          write SARIF 2.1.0 for code scanning (kinds as in text)

Of a PROGRAM, whose input, output and signals are its own:
  -o, --trace FILE      keep its recording in FILE (default: removed)
  --leak-check MODE     when it is looked into: at its end (exit), or also when a
                        signal kills it (full; default)

The report goes to standard output, that of a PROGRAM to standard error. --json
prints on standard output even then, after what the program has printed; --json=FILE
or --output keep them apart. A program's own __lsan_default_suppressions() is
honoured if it returns a constant.

Exit status:
  0     nothing of --fail-on was found
  23    something was
  3     --fail-on cannot be judged: a process was not looked into, and has blocks
  2     a mistake in the command line, or a file that cannot be used
  1     another error
Of a PROGRAM, instead of 0: its own (128 + N if signal N killed it); 125 to 127 as
`mallogram record` if it cannot be run.

Examples:
  mallogram leaks ./server --port 8080
  mallogram leaks --fail-on definite,possible --junit leaks.xml ./unit_tests
  mallogram leaks --kinds all run.mgram
  mallogram leaks --since 1 run.mgram
  mallogram leaks --gen-suppressions run.mgram > known.supp
  mallogram leaks --json run.mgram | jq '.summary.definite.bytes'
)";

}  // namespace mallogram
