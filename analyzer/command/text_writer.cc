#include "analyzer/command/text_writer.h"

#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "analyzer/stacks/names.h"

namespace mallogram {

std::string TextWriter::FunctionText(const FrameView& frame, size_t width) const {
  if (frame.function.empty()) {
    return frame.module.empty()
               ? absl::StrFormat("0x%x", frame.offset)
               : absl::StrFormat("%s+0x%x", Safe(Basename(frame.module)),
                                 frame.offset);
  }
  if (full_names_ || frame.note) return Safe(frame.function);
  return Safe(ShortName(frame.function, width, style_.utf8));
}

std::string TextWriter::PlaceText(const FrameView& frame, bool any_line) const {
  if (frame.note) return "";
  if (frame.file.empty()) {
    return frame.function.empty() ? "" : Safe(Basename(frame.module));
  }
  const absl::string_view file =
      full_names_ ? absl::string_view(frame.file) : Basename(frame.file);
  if (any_line || frame.line == 0) return Safe(file);
  return Safe(absl::StrCat(file, ":", frame.line));
}

std::string TextWriter::Take() {
  if (style_.utf8) return std::move(text_);
  return absl::StrReplaceAll(text_, {{"µ", "u"}, {"–", "-"}, {"…", ".."}});
}

}  // namespace mallogram
