#include "analyzer/command/text_writer.h"

#include "absl/strings/str_replace.h"

namespace mallogram {

std::string TextWriter::Take() {
  if (style_.utf8) return std::move(text_);
  return absl::StrReplaceAll(text_, {{"µ", "u"}, {"–", "-"}, {"…", ".."}});
}

}  // namespace mallogram
