// A frame in a line of a text report.
#pragma once

#include <cstddef>
#include <string>

#include "analyzer/command/text_writer.h"
#include "analyzer/stacks/site_book.h"
#include "analyzer/stacks/stack_book.h"

namespace mallogram {

// The frame's function, or its module and offset; at most `width` columns, unless
// the writer shows full names.
std::string FunctionText(const TextWriter& out, const CodeFrame& frame,
                         size_t width);
std::string FunctionText(const TextWriter& out, const StackFrame& frame,
                         size_t width);
// "file:line", or the module if that is not known. `any_line`: no line.
std::string PlaceText(const TextWriter& out, const CodeFrame& frame, bool any_line);
// "file:line"; empty if not known.
std::string PlaceText(const TextWriter& out, const StackFrame& frame);

}  // namespace mallogram
