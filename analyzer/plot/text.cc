#include "analyzer/plot/text.h"

#include <algorithm>
#include <cctype>
#include <iterator>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "analyzer/command/format.h"

namespace mallogram::plot {
namespace {

// Of DejaVu Sans, mixed text: 0.58 of the size a letter.
constexpr double kLetterWidth = 0.6;
constexpr absl::string_view kEllipsis = "…";

// The first `letters` code points.
absl::string_view Head(absl::string_view text, size_t letters) {
  size_t at = 0;
  while (at < text.size()) {
    size_t next = at + 1;
    while (next < text.size() && (text[next] & 0xc0) == 0x80) ++next;
    if (letters-- == 0) break;
    at = next;
  }
  return text.substr(0, at);
}

absl::string_view Tail(absl::string_view text, size_t letters) {
  const size_t all = DisplayWidth(text);
  const size_t cut = all > letters ? all - letters : 0;
  return text.substr(Head(text, cut).size());
}

// Of one letter in UTF-8.
char32_t CodePoint(absl::string_view letter) {
  const unsigned char first = static_cast<unsigned char>(letter[0]);
  if (letter.size() == 1) return first;
  char32_t point = first & (0x7f >> letter.size());
  for (char next : letter.substr(1)) {
    point = point << 6 | (static_cast<unsigned char>(next) & 0x3f);
  }
  return point;
}

// What DejaVu Sans has: Latin, Greek, Cyrillic, punctuation, mathematical signs.
// For a letter that no installed font has, gnuplot 5.4 paints a box as large as the
// PNG.
bool HasGlyph(char32_t point) {
  constexpr std::pair<char32_t, char32_t> kRanges[] = {
      {0x20, 0x24f},    {0x384, 0x3ff},   {0x400, 0x52f},   {0x1e00, 0x1eff},
      {0x2010, 0x2027}, {0x2030, 0x205e}, {0x2070, 0x2094}, {0x20a0, 0x20b5},
      {0x2100, 0x214f}, {0x2153, 0x2184}, {0x2190, 0x22ff},
  };
  return std::any_of(
      std::begin(kRanges), std::end(kRanges),
      [point](const auto& r) { return r.first <= point && point <= r.second; });
}

bool IsNameLetter(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_';
}

// Where the bracket that opens at `open` is closed; npos: nowhere.
size_t Closing(absl::string_view name, size_t open, char opening, char closing) {
  int depth = 0;
  for (size_t at = open; at < name.size(); ++at) {
    const bool arrow = name[at] == '>' && at > 0 && name[at - 1] == '-';
    if (name[at] == opening) ++depth;
    if (name[at] == closing && !arrow && --depth == 0) return at;
  }
  return absl::string_view::npos;
}

// "a<…>::b" of "a<b, c<d> >::b". Operators keep their signs.
std::string WithoutTemplateArguments(absl::string_view name) {
  std::string result;
  for (size_t at = 0; at < name.size(); ++at) {
    const bool arguments = name[at] == '<' && at > 0 &&
                           IsNameLetter(name[at - 1]) &&
                           !absl::EndsWith(name.substr(0, at), "operator");
    const size_t end =
        arguments ? Closing(name, at, '<', '>') : absl::string_view::npos;
    if (end == absl::string_view::npos) {
      result.push_back(name[at]);
      continue;
    }
    absl::StrAppend(&result, "<", kEllipsis, ">");
    at = end;
  }
  return result;
}

// "f(…)" of "f(int, char)"; an empty list and "operator()" and "(anonymous
// namespace)::" are kept.
std::string WithoutParameters(absl::string_view name) {
  std::string result;
  for (size_t at = 0; at < name.size(); ++at) {
    const bool list = name[at] == '(' && at > 0 &&
                      (IsNameLetter(name[at - 1]) || name[at - 1] == '>' ||
                       name[at - 1] == ')') &&
                      !absl::EndsWith(name.substr(0, at), "operator");
    const size_t end = list ? Closing(name, at, '(', ')') : absl::string_view::npos;
    if (end == absl::string_view::npos || end == at + 1) {
      result.push_back(name[at]);
      continue;
    }
    absl::StrAppend(&result, "(", kEllipsis, ")");
    at = end;
  }
  return result;
}

}  // namespace

std::string CleanText(absl::string_view text) {
  const std::string printable = Printable(text, true);
  std::string clean;
  for (absl::string_view rest = printable; !rest.empty();) {
    const absl::string_view letter = Head(rest, 1);
    clean.append(HasGlyph(CodePoint(letter)) ? std::string(letter) : "?");
    rest.remove_prefix(letter.size());
  }
  return clean;
}

size_t LettersIn(double pixels, double size) {
  return static_cast<size_t>(std::max(1.0, pixels / (kLetterWidth * size)));
}

double TextWidth(absl::string_view text, double size) {
  return static_cast<double>(DisplayWidth(text)) * kLetterWidth * size;
}

std::string CutText(absl::string_view text, size_t letters) {
  if (DisplayWidth(text) <= letters) return std::string(text);
  return absl::StrCat(Head(text, std::max<size_t>(letters, 1) - 1), kEllipsis);
}

std::string NameInLetters(absl::string_view name, size_t letters) {
  std::string shorter(name);
  if (DisplayWidth(shorter) > letters) shorter = WithoutTemplateArguments(shorter);
  if (DisplayWidth(shorter) > letters) shorter = WithoutParameters(shorter);
  if (DisplayWidth(shorter) <= letters || letters < 4) {
    return CutText(shorter, letters);
  }
  // The end tells more: the function, and of which class.
  const size_t head = letters / 3;
  return absl::StrCat(Head(shorter, head), kEllipsis,
                      Tail(shorter, letters - 1 - head));
}

}  // namespace mallogram::plot
