#include "analyzer/check/render_check.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "analyzer/command/format.h"
#include "analyzer/command/text_writer.h"
#include "analyzer/command/xml.h"

namespace mallogram {
namespace {

constexpr size_t kMostCulprits = 20;

}  // namespace

std::string RenderFindings(const std::vector<Finding>& findings,
                           const Style& style) {
  TextWriter out(style, /*full_names=*/false);
  size_t width = 0;
  for (const Finding& finding : findings) {
    width = std::max(width, finding.name.size());
  }
  for (const Finding& finding : findings) {
    out.Line("mallogram: ", PadRight(finding.name, width), "  ",
             finding.kept ? out.Green("ok    ") : out.Red("FAILED"), "  ",
             Printable(finding.measured, true), ", limit: ", finding.limit);
    if (finding.kept) continue;
    const size_t shown = std::min(kMostCulprits, finding.culprits.size());
    for (size_t i = 0; i < shown; ++i) {
      out.Line("mallogram:   ", Printable(finding.culprits[i], true));
    }
    if (shown < finding.culprits.size()) {
      out.Line("mallogram:   and ", finding.culprits.size() - shown, " more");
    }
  }
  return out.Take();
}

std::string RenderFindingsJunit(const std::vector<Finding>& findings,
                                absl::string_view program) {
  std::string cases;
  size_t failures = 0;
  for (const Finding& finding : findings) {
    absl::StrAppend(&cases, "    <testcase classname=\"mallogram.", Xml(program),
                    "\" name=\"", finding.name, "\"");
    if (finding.kept) {
      absl::StrAppend(&cases, "/>\n");
      continue;
    }
    ++failures;
    std::vector<std::string> lines;
    for (const std::string& culprit : finding.culprits)
      lines.push_back(Xml(culprit));
    absl::StrAppend(&cases, ">\n      <failure type=\"", finding.name,
                    "\" message=\"", Xml(finding.measured),
                    ", limit: ", Xml(finding.limit), "\">",
                    absl::StrJoin(lines, "\n"), "</failure>\n    </testcase>\n");
  }
  const std::string counts = absl::StrCat(
      "tests=\"", findings.size(), "\" failures=\"", failures, "\" errors=\"0\"");
  return absl::StrCat(
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"mallogram ",
      "check\" ", counts, ">\n  <testsuite name=\"", Xml(program), "\" ", counts,
      " skipped=\"0\">\n", cases, "  </testsuite>\n</testsuites>\n");
}

}  // namespace mallogram
