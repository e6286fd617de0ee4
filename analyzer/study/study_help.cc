// The help text, apart from the verb for its length.
#include "analyzer/study/study_command.h"

namespace mallogram {

const char kStudyHead[] =
    R"(Usage: mallogram study FILE.toml [OPTIONS]
       mallogram study --check FILE.toml
       mallogram study --compare OLD NEW [--json]

Runs a program at several input sizes, each in a fresh process, as a study file
says, and reports: tables, growth laws of the program and of its call sites, with
intervals; which criteria hold; plots. What cannot be said from the data is
refused, with the reason.

Options:
)";

const char kStudyTail[] = R"(
DIR then holds report.txt, report.md, summary.json, plots/ (SVG, and PNG at 300
dpi), and runs/: a recording and a measures.json of every run.

--check reads the file and says what is wrong with it. --compare sets two such
directories side by side, in bytes and percent with intervals, and names the call
sites that shrank, grew, or follow another law than before.

A study file:
  title = "How many messages fit?"
  program = "server"         # beside this file, in --program-dir, or in PATH

  [[group]]                  # call sites whose stack has a function like this (RE2)
  name = "messages"
  match = "Message::"

  [[table]]
  id = "load"
  arguments = ["--messages", "{n}"]
  parameter = "messages"
  n = [1000, 3160, 10000, 31600, 100000, 316000]
  reps = 3                   # warm-up = true: a run before that does not count
  value = "at.loaded - at.start"     # what is fitted; default "peak"
  value-title = "heap bytes of the messages"
  unit = "message"           # units = "truth.count": if they are not n
  columns = [{title = "messages alone", value = "group.messages.at.loaded"}]
  ratios = [{title = "heap over text", value = "peak / truth.text_bytes"}]
  predict = [1000000]
  budget = "1GB"             # also unit-budget, estimate: bytes a unit
  residual = {before = "at.start", high = "at.loaded", after = "at.end"}
  variants = [{name = "map", arguments = []}, {name = "tree", arguments = ["-t"]}]
  baseline = "map"
  published = {text = "their report", rows = [{n = 10000, value = "1.2MB"}]}

  [[criterion]]              # or law = true, cv = true, residual = true
  name = "ten thousand messages within 20 MB"
  table = "load"             # variant = "map"; else all of them
  value = "peak"
  n = 10000                  # not measured: judged by its prediction's interval
  target = "< 20MB"          # law: "<= linear"; cv, residual: "< 1%"

prepare = ["COMMAND", "{n}"] in a table makes an input file of each size once, from
the command's standard output; {input} in the arguments is that file. Programs run
in the study file's directory.

Quantities are numbers, + - * / ( ) and names:
  n                              the input size
  peak live allocated calls rss  of the program: bytes at the heap's peak, at the
                                 end, in all; allocations; resident set
  at.PHASE                       heap bytes when the program had printed
                                 "phase PHASE SECONDS" (CLOCK_MONOTONIC) on stderr
  group.NAME                     of a group: at the peak; also group.NAME.live,
                                 .allocated, .calls, .at.PHASE
  truth.KEY.KEY                  a number in the JSON object the program prints
"-" in names is written "_". Bytes are SI: 1 MB = 10^6; KiB and MiB as 2^10, 2^20.

Examples:
  mallogram study --check workloads/session/study.toml
  mallogram study workloads/session/study.toml --fail-on 'criteria,law>linear'
  mallogram study --compare before-study after-study
)";

}  // namespace mallogram
