// A document as text for terminals and report.txt: aligned tables, paragraphs
// wrapped at 96 columns, no sign that a terminal could take for a command.
#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "analyzer/command/format.h"
#include "analyzer/study/report/describe.h"
#include "analyzer/study/report/render_study.h"

namespace mallogram::study {
namespace {

constexpr size_t kWidth = 96;

class TextRenderer {
 public:
  explicit TextRenderer(const StudyTextStyle& style) : style_(style) {}

  void Write(const Block& block) {
    using What = Block::What;
    switch (block.what) {
      case What::kTitle:
        Line(Colored("1", Safe(block.text)));
        break;
      case What::kSection:
        Line("");
        Line("");
        Line(Colored("1", Safe(block.text)));
        Line(Rule(Safe(block.text)));
        break;
      case What::kHeading:
        Line("");
        Line(Colored("1", Safe(block.text)));
        break;
      case What::kParagraph:
        Wrapped(block.text, "  ", "  ");
        break;
      case What::kItem:
        Wrapped(block.text, style_.utf8 ? "  • " : "  * ", "    ");
        break;
      case What::kCommand:
        Line("");
        Line(absl::StrCat("    ", Safe(block.text)));
        break;
      case What::kGrid:
        WriteGrid(block.grid);
        break;
      case What::kPicture:
        Line(Safe(absl::StrCat("  plot: ", block.text, ", ", block.link)));
        break;
    }
  }

  std::string Take() { return std::move(text_); }

 private:
  // Names come from programs: nothing in them may reach the terminal's controls.
  std::string Safe(absl::string_view text) const {
    if (style_.utf8) return Printable(text, true);
    return Printable(absl::StrReplaceAll(text, {{"·", "*"},
                                                {"√n", "sqrt(n)"},
                                                {"²", "^2"},
                                                {"³", "^3"},
                                                {"⌈", "ceil("},
                                                {"⌉", ")"},
                                                {"×", "x"},
                                                {"…", "..."}}),
                     false);
  }

  void Line(absl::string_view text) { absl::StrAppend(&text_, text, "\n"); }

  std::string Colored(absl::string_view code, absl::string_view text) const {
    if (!style_.color || text.empty()) return std::string(text);
    return absl::StrCat("\x1b[", code, "m", text, "\x1b[0m");
  }

  std::string Rule(absl::string_view below) const {
    std::string rule;
    for (size_t i = 0; i < DisplayWidth(below); ++i)
      rule += style_.utf8 ? "─" : "-";
    return rule;
  }

  void Wrapped(absl::string_view text, absl::string_view first,
               absl::string_view rest) {
    std::string line(first);
    bool empty = true;
    for (absl::string_view word :
         absl::StrSplit(text, absl::ByAnyChar(" \n"), absl::SkipEmpty())) {
      const std::string safe = Safe(word);
      if (!empty && DisplayWidth(line) + 1 + DisplayWidth(safe) > kWidth) {
        Line(line);
        line = std::string(rest);
        empty = true;
      }
      absl::StrAppend(&line, empty ? "" : " ", safe);
      empty = false;
    }
    if (!empty) Line(line);
  }

  void WriteGrid(const Grid& grid) {
    std::vector<size_t> widths;
    for (const Grid::Heading& heading : grid.headings) {
      widths.push_back(DisplayWidth(heading.title));
    }
    for (const std::vector<Cell>& row : grid.rows) {
      for (size_t i = 0; i < row.size(); ++i) {
        widths[i] = std::max(widths[i], DisplayWidth(Safe(row[i].text)));
      }
    }
    std::string head;
    for (size_t i = 0; i < widths.size(); ++i) {
      absl::StrAppend(&head, "  ",
                      Padded(grid.headings[i].title, widths[i], grid.headings[i]));
    }
    Line(Colored("2", Trimmed(head)));
    for (const std::vector<Cell>& row : grid.rows) {
      std::string line;
      for (size_t i = 0; i < row.size(); ++i) {
        absl::StrAppend(
            &line, "  ",
            Moody(row[i].mood, Padded(row[i].text, widths[i], grid.headings[i])));
      }
      Line(Trimmed(line));
    }
  }

  std::string Padded(absl::string_view text, size_t width,
                     const Grid::Heading& heading) const {
    return heading.number ? PadLeft(Safe(text), width)
                          : PadRight(Safe(text), width);
  }

  static absl::string_view Trimmed(absl::string_view line) {
    while (!line.empty() && line.back() == ' ') line.remove_suffix(1);
    return line;
  }

  std::string Moody(Cell::Mood mood, const std::string& text) const {
    switch (mood) {
      case Cell::Mood::kGood:
        return Colored("32", text);
      case Cell::Mood::kBad:
        return Colored("1;31", text);
      case Cell::Mood::kDoubtful:
        return Colored("33", text);
      case Cell::Mood::kPlain:
        break;
    }
    return text;
  }

  const StudyTextStyle style_;
  std::string text_;
};

}  // namespace

std::string RenderDocumentText(const Document& document,
                               const StudyTextStyle& style) {
  TextRenderer renderer(style);
  for (const Block& block : document.blocks) renderer.Write(block);
  return renderer.Take();
}

std::string RenderStudyText(const StudyResult& result,
                            const StudyTextStyle& style) {
  return RenderDocumentText(DescribeStudy(result, {}), style);
}

}  // namespace mallogram::study
