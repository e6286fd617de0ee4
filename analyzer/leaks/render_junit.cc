// JUnit's XML, as Jenkins and GitLab read it: a suite each process, a failed case
// each record.
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "analyzer/command/format.h"
#include "analyzer/command/xml.h"
#include "analyzer/leaks/render_leaks.h"
#include "analyzer/leaks/why.h"
#include "analyzer/stacks/names.h"

namespace mallogram {
namespace {

std::string XmlLines(absl::string_view text) {
  std::string result;
  for (const absl::string_view line : absl::StrSplit(text, '\n', absl::SkipEmpty()))
    absl::StrAppend(&result, Xml(line), "\n");
  return result;
}

std::string SecondsText(uint64_t ns) {
  return absl::StrFormat("%.3f", Seconds(ns));
}

}  // namespace

std::string RenderJunit(const LeakDocument& document, const StackBook& book,
                        KindSet kinds) {
  std::string suites;
  size_t tests = 0, failures = 0, errors = 0;
  for (size_t i = 0; i < document.processes.size(); ++i) {
    const LeakProcess& process = document.processes[i];
    const std::string name = ProcessName(process);
    std::string cases;
    size_t failed = 0;
    const auto add = [&](const std::string& title, const std::string& type,
                         const std::string& message, const std::string& body) {
      absl::StrAppend(&cases, "    <testcase classname=\"mallogram.",
                      Xml(process.program), "\" name=\"", Xml(title),
                      "\">\n      <failure type=\"", type, "\" message=\"",
                      Xml(message), "\">", XmlLines(body),
                      "</failure>\n    </testcase>\n");
      ++failed;
    };
    for (const LeakRecord& record : document.records) {
      if (record.process != i || record.suppressed() ||
          record.change == Change::kGone || record.change == Change::kSame ||
          record.change == Change::kShrunk || !Has(kinds, record.kind)) {
        continue;
      }
      const std::string kind(KindName(record.kind));
      const std::string place = PlaceOf(book, record.node);
      add(absl::StrCat(kind, ": ", place.empty() ? "call stack not known" : place),
          kind, AmountText(record),
          absl::StrCat(WhyText(document, book, record, " → "), "\n",
                       StackLines(book, record.node)));
    }
    for (const MismatchView& mismatch : document.mismatches) {
      if (mismatch.process != i || mismatch.suppression != kNoSuppression) continue;
      add(absl::StrCat("mismatch: ", PlaceOf(book, mismatch.freed)), "mismatch",
          absl::StrCat(MismatchText(mismatch.mismatch), ", ",
                       Plural(mismatch.mismatch.count, "time")),
          absl::StrCat("freed by\n", StackLines(book, mismatch.freed),
                       "allocated by\n", StackLines(book, mismatch.allocated)));
    }
    size_t count = failed, broken = 0;
    if (failed == 0) {
      ++count;
      absl::StrAppend(&cases, "    <testcase classname=\"mallogram.",
                      Xml(process.program), "\" name=\"leak check\"");
      // What could not be looked at has not passed.
      if (!process.classified && process.end != EndReason::kExeced) {
        ++broken;
        absl::StrAppend(&cases, ">\n      <error type=\"unclassified\" message=\"",
                        Xml(process.reason), "\"/>\n    </testcase>\n");
      } else {
        absl::StrAppend(&cases, "/>\n");
      }
    }
    absl::StrAppend(&suites, "  <testsuite name=\"", Xml(name), "\" tests=\"",
                    count, "\" failures=\"", failed, "\" errors=\"", broken,
                    "\" skipped=\"0\" time=\"", SecondsText(process.duration_ns),
                    "\">\n", cases, "  </testsuite>\n");
    tests += count;
    failures += failed;
    errors += broken;
  }
  return absl::StrCat("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n",
                      "<testsuites name=\"mallogram leaks\" tests=\"", tests,
                      "\" failures=\"", failures, "\" errors=\"", errors, "\">\n",
                      suites, "</testsuites>\n");
}

}  // namespace mallogram
