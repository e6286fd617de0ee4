// Lines of a text report: colours, padding, safe names. Private to the text
// renderers.
#pragma once

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "analyzer/command/format.h"
#include "analyzer/command/terminal.h"

namespace mallogram {

// Below kRoomyWidth columns tables leave out what is nice to have; below
// kNarrowWidth what can be done without.
inline constexpr size_t kRoomyWidth = 100, kNarrowWidth = 72;
constexpr size_t BarWidth(const Style& style) {
  return style.width >= kRoomyWidth ? 20 : style.width >= kNarrowWidth ? 12 : 0;
}

class TextWriter {
 public:
  TextWriter(const Style& style, bool full_names)
      : style_(style), full_names_(full_names) {}

  const Style& style() const { return style_; }
  bool utf8() const { return style_.utf8; }
  bool full_names() const { return full_names_; }

  template <typename... Parts>
  void Line(const Parts&... parts) {
    absl::StrAppend(&text_, parts..., "\n");
  }
  void Heading(absl::string_view title, absl::string_view rest = "") {
    Line();
    Line(Bold(title), rest);
  }

  std::string Bold(absl::string_view text) const { return Colored("1", text); }
  std::string Dim(absl::string_view text) const { return Colored("2", text); }
  std::string Red(absl::string_view text) const { return Colored("1;31", text); }
  std::string Yellow(absl::string_view text) const { return Colored("33", text); }
  std::string Green(absl::string_view text) const { return Colored("32", text); }
  std::string Cyan(absl::string_view text) const { return Colored("36", text); }

  std::string Safe(absl::string_view text) const {
    return Printable(text, style_.utf8);
  }
  // What is neither ASCII nor a name: see Take().
  absl::string_view Glyph(absl::string_view utf8, absl::string_view ascii) const {
    return style_.utf8 ? utf8 : ascii;
  }

  // The text, with the signs that FormatSeconds and the like use made ASCII if
  // they must be.
  std::string Take();

 private:
  std::string Colored(absl::string_view code, absl::string_view text) const {
    if (!style_.color || text.empty()) return std::string(text);
    return absl::StrCat("\x1b[", code, "m", text, "\x1b[0m");
  }

  const Style style_;
  const bool full_names_;
  std::string text_;
};

}  // namespace mallogram
