// Prints workloads/PUBLISHED.md. A tool of this tree, never installed: users of
// Mallogram have no use for four foreign reports.
#include <cstdio>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "analyzer/command/format.h"
#include "analyzer/study/report/document.h"
#include "analyzer/study/report/render_study.h"
#include "workloads/published/published.h"

int main(int argc, char** argv) {
  const std::vector<std::string> directories(argv + 1, argv + argc);
  for (const std::string& directory : directories) {
    if (!absl::StartsWith(directory, "-")) continue;
    fprintf(
        stderr,
        "Usage: published_page [DIR]...\n"
        "Prints workloads/PUBLISHED.md; each DIR was filled by mallogram study.\n");
    return directory == "--help" ? 0 : 2;
  }
  // The reports have their figures in kB and MB, and so do the studies' files.
  mallogram::SetSi();
  const absl::StatusOr<mallogram::study::Document> document =
      mallogram::published::DescribePublished(directories);
  if (!document.ok()) {
    fprintf(stderr, "published_page: %s\n",
            std::string(document.status().message()).c_str());
    return 1;
  }
  const std::string page = mallogram::study::RenderDocumentMarkdown(*document);
  return fwrite(page.data(), 1, page.size(), stdout) == page.size() &&
                 fflush(stdout) == 0
             ? 0
             : 1;
}
