// A document as Markdown: report.md, with plots as links. Names of programs are
// escaped: they may hold any sign.
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "analyzer/command/format.h"
#include "analyzer/study/report/describe.h"
#include "analyzer/study/report/render_study.h"

namespace mallogram::study {
namespace {

// Signs that Markdown would read as its own, and those of no text at all.
std::string Plain(absl::string_view text) {
  return absl::StrReplaceAll(Printable(text, true), {{"|", "\\|"},
                                                     {"<", "&lt;"},
                                                     {">", "&gt;"},
                                                     {"*", "\\*"},
                                                     {"_", "\\_"},
                                                     {"`", "\\`"}});
}

std::string Joined(absl::string_view text) {
  return absl::StrReplaceAll(text, {{"\n", " "}});
}

std::string Moody(const Cell& cell) {
  if (cell.mood == Cell::Mood::kPlain || cell.text.empty()) return Plain(cell.text);
  return absl::StrCat("**", Plain(cell.text), "**");
}

std::string GridText(const Grid& grid) {
  std::string text = "|", rule = "|";
  for (const Grid::Heading& heading : grid.headings) {
    absl::StrAppend(&text, " ", Plain(heading.title), " |");
    absl::StrAppend(&rule, heading.number ? " ---: |" : " --- |");
  }
  absl::StrAppend(&text, "\n", rule, "\n");
  for (const std::vector<Cell>& row : grid.rows) {
    text += "|";
    for (const Cell& cell : row) absl::StrAppend(&text, " ", Moody(cell), " |");
    text += "\n";
  }
  return text;
}

std::string BlockText(const Block& block) {
  using What = Block::What;
  switch (block.what) {
    case What::kTitle:
      return absl::StrCat("# ", Plain(block.text), "\n\n");
    case What::kSection:
      return absl::StrCat("## ", Plain(block.text), "\n\n");
    case What::kHeading:
      return absl::StrCat("### ", Plain(block.text), "\n\n");
    case What::kParagraph:
      return absl::StrCat(Plain(Joined(block.text)), "\n\n");
    case What::kItem:
      return absl::StrCat("- ", Plain(Joined(block.text)), "\n");
    case What::kCommand:
      return absl::StrCat("```sh\n", block.text, "\n```\n\n");
    case What::kGrid:
      return absl::StrCat(GridText(block.grid), "\n");
    case What::kPicture:
      return absl::StrCat("![", Plain(block.text), "](",
                          absl::StrReplaceAll(block.link, {{" ", "%20"}}), ")\n\n");
  }
  return "";
}

}  // namespace

std::string RenderDocumentMarkdown(const Document& document) {
  std::string text;
  bool in_list = false;
  for (const Block& block : document.blocks) {
    const bool item = block.what == Block::What::kItem;
    if (in_list && !item) text += "\n";
    in_list = item;
    text += BlockText(block);
  }
  while (text.size() > 1 && text[text.size() - 2] == '\n') text.pop_back();
  return text;
}

std::string RenderStudyMarkdown(const StudyResult& result,
                                const std::vector<PlotFile>& plots) {
  return RenderDocumentMarkdown(DescribeStudy(result, plots));
}

}  // namespace mallogram::study
