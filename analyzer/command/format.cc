#include "analyzer/command/format.h"

#include <wchar.h>

#include <algorithm>
#include <cmath>
#include <ctime>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"

namespace mallogram {
namespace {

bool use_si = false;  // of the command line

// Three figures: "1.23", "12.3", "123".
std::string ThreeFigures(double value) {
  if (value < 9.995) return absl::StrFormat("%.2f", value);
  if (value < 99.95) return absl::StrFormat("%.1f", value);
  return absl::StrFormat("%.0f", value);
}

// Length of the valid UTF-8 sequence at the start of `text`; 0: none.
size_t SequenceLength(absl::string_view text) {
  const auto byte = [text](size_t i) {
    return static_cast<unsigned char>(text[i]);
  };
  const unsigned char first = byte(0);
  if (first < 0x80) return 1;
  const size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() < length) return 0;
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  // Overlong forms, surrogates, beyond U+10FFFF.
  if (first == 0xe0 && byte(1) < 0xa0) return 0;
  if (first == 0xed && byte(1) > 0x9f) return 0;
  if (first == 0xf0 && byte(1) < 0x90) return 0;
  if (first == 0xf4 && byte(1) > 0x8f) return 0;
  return length;
}

// One code point, or one colour code, which takes no column.
struct Glyph {
  absl::string_view bytes;
  size_t columns = 1;
};

Glyph TakeGlyph(absl::string_view* text) {
  const auto first = static_cast<unsigned char>((*text)[0]);
  size_t bytes = 1, columns = 1;
  if (first == 0x1b && text->size() > 1 && (*text)[1] == '[') {
    bytes = std::min(text->find('m'), text->size() - 1) + 1;
    columns = 0;
  } else if (first >= 0xc0) {
    const size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    wchar_t code = first & (0xff >> (length + 1));
    for (; bytes < length && bytes < text->size() &&
           (static_cast<unsigned char>((*text)[bytes]) & 0xc0) == 0x80;
         ++bytes) {
      code = code << 6 | (static_cast<unsigned char>((*text)[bytes]) & 0x3f);
    }
    // Not known to this locale: one column, as most are.
    const int known = wcwidth(code);
    columns = known < 0 ? 1 : static_cast<size_t>(known);
  }
  const Glyph glyph{text->substr(0, bytes), columns};
  text->remove_prefix(bytes);
  return glyph;
}

// Where a line goes on that is broken: below the text behind its label, number or
// option name; else a little further in than it begins.
size_t HangingIndent(absl::string_view line, size_t width) {
  size_t column = 0, gap = 0, indent = 0, words = 0;
  bool in_gap = true;
  while (!line.empty()) {
    const Glyph glyph = TakeGlyph(&line);
    if (glyph.columns == 0) continue;
    if (glyph.bytes == " ") {
      ++gap;
    } else {
      if (in_gap && words == 0) indent = column;
      if (gap >= 2 && words != 0 && column <= width / 2) return column;
      gap = 0;
      in_gap = false;
      ++words;
    }
    column += glyph.columns;
    if (column > width / 2) break;
  }
  return std::min(indent + 4, width / 2);
}

void WrapLine(absl::string_view line, size_t width, std::string* out) {
  const std::string indent(HangingIndent(line, width), ' ');
  size_t column = 0;
  bool at_start = true;  // of the first line, whose own spaces stay
  while (!line.empty()) {
    // A word with the spaces before it.
    std::string spaces, word;
    size_t space_columns = 0, word_columns = 0;
    absl::string_view rest = line;
    while (!rest.empty() && rest[0] == ' ') {
      spaces.push_back(' ');
      ++space_columns;
      rest.remove_prefix(1);
    }
    while (!rest.empty() && rest[0] != ' ') {
      const Glyph glyph = TakeGlyph(&rest);
      if (word_columns + glyph.columns + indent.size() > width) {
        rest =
            absl::string_view(glyph.bytes.data(), glyph.bytes.size() + rest.size());
        break;
      }
      word.append(glyph.bytes.data(), glyph.bytes.size());
      word_columns += glyph.columns;
    }
    if (column + space_columns + word_columns > width) {
      if (word_columns != 0) {
        absl::StrAppend(out, at_start ? "" : "\n", indent, word);
        column = indent.size() + word_columns;
      } else {
        out->append(word);  // colour codes, and spaces at the end of a line
      }
    } else {
      absl::StrAppend(out, spaces, word);
      column += space_columns + word_columns;
    }
    at_start = false;
    line = rest;
  }
}

}  // namespace

void SetSi(bool si) { use_si = si; }

bool UsesSi() { return use_si; }

std::string FormatBytes(uint64_t bytes) {
  constexpr const char* kBinary[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  constexpr const char* kSi[] = {"kB", "MB", "GB", "TB", "PB", "EB"};
  const uint64_t base = use_si ? 1000 : 1024;
  if (bytes < base) return absl::StrCat(bytes, " B");
  double value = static_cast<double>(bytes) / static_cast<double>(base);
  size_t unit = 0;
  while (value >= 999.5 && unit + 1 < std::size(kSi)) {
    value /= static_cast<double>(base);
    ++unit;
  }
  return absl::StrCat(ThreeFigures(value), " ", (use_si ? kSi : kBinary)[unit]);
}

std::string FormatCount(uint64_t count) {
  const std::string digits = absl::StrCat(count);
  std::string text;
  for (size_t i = 0; i < digits.size(); ++i) {
    if (i != 0 && (digits.size() - i) % 3 == 0) text.push_back(',');
    text.push_back(digits[i]);
  }
  return text;
}

std::string FormatByteRange(uint64_t low, uint64_t high) {
  return absl::StrCat(FormatBytes(low), " to ", FormatBytes(high));
}

std::string FormatCountRange(uint64_t low, uint64_t high) {
  return absl::StrCat(FormatCount(low), " to ", FormatCount(high));
}

std::string FormatPercent(double share) {
  const double percent = share * 100;
  if (percent > 0 && percent < 0.1) return "<0.1 %";
  if (percent < 100 && percent > 99.9) return ">99.9 %";
  return absl::StrFormat("%.1f %%", percent);
}

std::string FormatSeconds(double seconds) {
  if (seconds <= 0) return "0 s";
  if (seconds < 1e-6) return absl::StrCat(ThreeFigures(seconds * 1e9), " ns");
  if (seconds < 1e-3) return absl::StrCat(ThreeFigures(seconds * 1e6), " µs");
  if (seconds < 1) return absl::StrCat(ThreeFigures(seconds * 1e3), " ms");
  if (seconds < 120) return absl::StrCat(ThreeFigures(seconds), " s");
  const uint64_t whole =
      static_cast<uint64_t>(std::llround(std::min(seconds, 1e15)));
  if (whole < 7200) return absl::StrCat(whole / 60, " min ", whole % 60, " s");
  return absl::StrCat(whole / 3600, " h ", whole % 3600 / 60, " min");
}

std::string FormatTime(uint64_t unix_ns) {
  const time_t seconds = static_cast<time_t>(unix_ns / 1'000'000'000);
  struct tm parts;
  if (unix_ns == 0 || localtime_r(&seconds, &parts) == nullptr)
    return "unknown time";
  char text[64];
  const size_t length = strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S %Z", &parts);
  return std::string(text, length);
}

std::string Plural(uint64_t count, absl::string_view noun) {
  const bool hisses = absl::EndsWith(noun, "s") || absl::EndsWith(noun, "ch");
  return absl::StrCat(FormatCount(count), " ", noun,
                      count == 1 ? ""
                      : hisses   ? "es"
                                 : "s");
}

std::string Bar(double share, size_t width, bool utf8) {
  constexpr const char* kEighths[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
  share = std::clamp(share, 0.0, 1.0);
  const size_t eighths =
      static_cast<size_t>(std::lround(share * static_cast<double>(width) * 8));
  std::string bar;
  size_t columns = eighths / 8;
  for (size_t i = 0; i < columns; ++i) absl::StrAppend(&bar, utf8 ? "█" : "#");
  // Something that is not nothing is seen.
  const size_t rest = eighths % 8 != 0            ? eighths % 8
                      : columns == 0 && share > 0 ? 1
                                                  : 0;
  if (rest != 0 && columns < width) {
    absl::StrAppend(&bar, utf8 ? kEighths[rest] : rest >= 4 ? "+" : "-");
    ++columns;
  }
  bar.append(width - columns, ' ');
  return bar;
}

std::string Sparkline(const std::vector<uint64_t>& values, uint64_t max,
                      bool utf8) {
  constexpr const char* kBlocks[] = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  constexpr const char* kLetters[] = {" ", ".", ":", "-", "=", "+", "*", "%", "#"};
  std::string line;
  for (const uint64_t value : values) {
    const double share =
        max == 0 ? 0 : static_cast<double>(value) / static_cast<double>(max);
    size_t level = static_cast<size_t>(std::lround(std::min(share, 1.0) * 8));
    if (level == 0 && value != 0) level = 1;
    absl::StrAppend(&line, utf8 ? kBlocks[level] : kLetters[level]);
  }
  return line;
}

std::string Printable(absl::string_view text, bool utf8) {
  std::string result;
  while (!text.empty()) {
    const size_t length = SequenceLength(text);
    const unsigned char first = static_cast<unsigned char>(text[0]);
    // C1 controls (U+0080…U+009F) start escape sequences on some terminals.
    const bool control = first < 0x20 || first == 0x7f ||
                         (length == 2 && first == 0xc2 &&
                          static_cast<unsigned char>(text[1]) < 0xa0);
    const size_t step = std::max<size_t>(length, 1);
    if (length == 0 || control || (length > 1 && !utf8)) {
      result.push_back('?');
    } else {
      absl::StrAppend(&result, text.substr(0, length));
    }
    text.remove_prefix(step);
  }
  return result;
}

size_t DisplayWidth(absl::string_view text) {
  size_t columns = 0;
  while (!text.empty()) columns += TakeGlyph(&text).columns;
  return columns;
}

std::string WrapLines(absl::string_view text, size_t width) {
  std::string wrapped;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    const absl::string_view line = text.substr(0, end);
    if (DisplayWidth(line) <= width) {
      wrapped.append(line.data(), line.size());
    } else {
      WrapLine(line, width, &wrapped);
    }
    if (end == absl::string_view::npos) break;
    wrapped.push_back('\n');
    text.remove_prefix(end + 1);
  }
  return wrapped;
}

std::string PadLeft(absl::string_view text, size_t width) {
  const size_t columns = DisplayWidth(text);
  return absl::StrCat(std::string(width > columns ? width - columns : 0, ' '),
                      text);
}

std::string PadRight(absl::string_view text, size_t width) {
  const size_t columns = DisplayWidth(text);
  return absl::StrCat(text,
                      std::string(width > columns ? width - columns : 0, ' '));
}

std::string JoinCommand(const std::vector<std::string>& argv) {
  std::string line;
  for (const std::string& argument : argv) {
    if (!line.empty()) line += ' ';
    const bool plain =
        !argument.empty() &&
        std::all_of(argument.begin(), argument.end(), [](char c) {
          return absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
                 static_cast<unsigned char>(c) >= 0x80 ||
                 absl::string_view("-_./=:,+@%").find(c) != absl::string_view::npos;
        });
    if (plain) {
      line += argument;
    } else {
      absl::StrAppend(&line, "'", absl::StrReplaceAll(argument, {{"'", "'\\''"}}),
                      "'");
    }
  }
  return line;
}

}  // namespace mallogram
