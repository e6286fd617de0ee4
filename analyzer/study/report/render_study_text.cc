// A document as text for terminals and report.txt: paragraphs wrapped at 96 columns
// at most, no sign that a terminal could take for a command. Tables are aligned;
// one that is wider than the terminal keeps all its figures (WriteGrid).
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

// Longer lines are hard to read, however wide the terminal.
constexpr size_t kMostText = 96;
constexpr size_t kGap = 2;  // before each column of a table

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

  // What no layout could make fit, as a long name or command, is broken.
  std::string Take() { return WrapLines(text_, style_.width); }

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
      if (!empty && DisplayWidth(line) + 1 + DisplayWidth(safe) >
                        std::min(kMostText, style_.width)) {
        Line(line);
        line = std::string(rest);
        empty = true;
      }
      absl::StrAppend(&line, empty ? "" : " ", safe);
      empty = false;
    }
    if (!empty) Line(line);
  }

  // As one table if it fits. Else a name gets a line of its own above its figures;
  // where those are too wide as well, each has a line, with its heading. A table of
  // figures alone is folded: the first column is repeated.
  void WriteGrid(const Grid& grid) {
    const std::vector<size_t> widths = Widths(grid);
    if (Fits(widths, 0, widths.size(), 0)) {
      WriteColumns(grid, widths, 0, widths.size());
    } else if (grid.headings[0].number) {
      WriteFolded(grid, widths);
    } else {
      WriteBelowNames(grid, widths);
    }
  }

  std::vector<size_t> Widths(const Grid& grid) const {
    std::vector<size_t> widths;
    for (const Grid::Heading& heading : grid.headings) {
      widths.push_back(DisplayWidth(Safe(heading.title)));
    }
    for (const std::vector<Cell>& row : grid.rows) {
      for (size_t i = 0; i < row.size(); ++i) {
        widths[i] = std::max(widths[i], DisplayWidth(Safe(row[i].text)));
      }
    }
    return widths;
  }

  // Whether columns [begin, end) fit behind `taken` columns.
  bool Fits(const std::vector<size_t>& widths, size_t begin, size_t end,
            size_t taken) const {
    for (size_t i = begin; i < end; ++i) taken += kGap + widths[i];
    return taken <= style_.width;
  }

  void WriteFolded(const Grid& grid, const std::vector<size_t>& widths) {
    const size_t key = kGap + widths[0];
    for (size_t begin = 1; begin < widths.size();) {
      size_t end = begin + 1;
      while (end < widths.size() && Fits(widths, begin, end + 1, key)) ++end;
      if (begin > 1) Line("");
      WriteColumns(grid, widths, begin, end, /*with_key=*/true);
      begin = end;
    }
  }

  void WriteBelowNames(const Grid& grid, const std::vector<size_t>& widths) {
    const bool aligned = Fits(widths, 1, widths.size(), kGap);
    Line(Colored("2", absl::StrCat("  ", Safe(grid.headings[0].title))));
    if (aligned)
      Line(Colored(
          "2", Trimmed(absl::StrCat("  ", Head(grid, widths, 1, widths.size())))));
    for (const std::vector<Cell>& row : grid.rows) {
      Line(absl::StrCat("  ", Moody(row[0].mood, Safe(row[0].text))));
      if (aligned) {
        Line(Trimmed(absl::StrCat("  ", Cells(grid, row, widths, 1, row.size()))));
        continue;
      }
      for (size_t i = 1; i < row.size(); ++i) {
        if (row[i].text.empty()) continue;
        Line(absl::StrCat(
            "    ", Colored("2", absl::StrCat(Safe(grid.headings[i].title), ": ")),
            Moody(row[i].mood, Safe(row[i].text))));
      }
    }
  }

  // Columns [begin, end), behind the first one if `with_key`.
  void WriteColumns(const Grid& grid, const std::vector<size_t>& widths,
                    size_t begin, size_t end, bool with_key = false) {
    Line(Colored("2", Trimmed(absl::StrCat(with_key ? Head(grid, widths, 0, 1) : "",
                                           Head(grid, widths, begin, end)))));
    for (const std::vector<Cell>& row : grid.rows) {
      Line(Trimmed(absl::StrCat(with_key ? Cells(grid, row, widths, 0, 1) : "",
                                Cells(grid, row, widths, begin, end))));
    }
  }

  std::string Head(const Grid& grid, const std::vector<size_t>& widths,
                   size_t begin, size_t end) const {
    std::string head;
    for (size_t i = begin; i < end; ++i) {
      absl::StrAppend(&head, "  ",
                      Padded(grid.headings[i].title, widths[i], grid.headings[i]));
    }
    return head;
  }

  std::string Cells(const Grid& grid, const std::vector<Cell>& row,
                    const std::vector<size_t>& widths, size_t begin,
                    size_t end) const {
    std::string line;
    for (size_t i = begin; i < end; ++i) {
      absl::StrAppend(
          &line, "  ",
          Moody(row[i].mood, Padded(row[i].text, widths[i], grid.headings[i])));
    }
    return line;
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
