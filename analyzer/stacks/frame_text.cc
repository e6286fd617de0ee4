#include "analyzer/stacks/frame_text.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"
#include "analyzer/stacks/names.h"

namespace mallogram {
namespace {

std::string NameText(const TextWriter& out, absl::string_view function,
                     size_t width) {
  if (out.full_names()) return out.Safe(function);
  return out.Safe(ShortName(function, width, out.utf8()));
}

std::string LineText(const TextWriter& out, absl::string_view path, uint32_t line) {
  const absl::string_view file = out.full_names() ? path : Basename(path);
  return out.Safe(line == 0 ? std::string(file) : absl::StrCat(file, ":", line));
}

}  // namespace

std::string FunctionText(const TextWriter& out, const CodeFrame& frame,
                         size_t width) {
  if (frame.function.empty()) {
    return frame.module.empty()
               ? absl::StrFormat("0x%x", frame.offset)
               : absl::StrFormat("%s+0x%x", out.Safe(Basename(frame.module)),
                                 frame.offset);
  }
  if (frame.note) return out.Safe(frame.function);
  return NameText(out, frame.function, width);
}

std::string FunctionText(const TextWriter& out, const StackFrame& frame,
                         size_t width) {
  return NameText(out, frame.function, width);
}

std::string PlaceText(const TextWriter& out, const CodeFrame& frame,
                      bool any_line) {
  if (frame.note) return "";
  if (frame.file.empty()) {
    return frame.function.empty() ? "" : out.Safe(Basename(frame.module));
  }
  return LineText(out, frame.file, any_line ? 0 : frame.line);
}

std::string PlaceText(const TextWriter& out, const StackFrame& frame) {
  return frame.file.empty() ? "" : LineText(out, frame.file, frame.line);
}

}  // namespace mallogram
