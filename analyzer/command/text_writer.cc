#include "analyzer/command/text_writer.h"

#include "absl/strings/str_replace.h"

namespace mallogram {

std::string TextWriter::Take() {
  if (style_.utf8) return WrapLines(text_, style_.width);
  return WrapLines(
      absl::StrReplaceAll(text_, {{"µ", "u"}, {"–", "-"}, {"…", ".."}}),
      style_.width);
}

}  // namespace mallogram
