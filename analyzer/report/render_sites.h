// The part of a text report that differs: call sites, or the call tree.
#pragma once

#include "analyzer/command/text_writer.h"
#include "analyzer/report/render.h"

namespace mallogram {

void WriteTopSites(const TextInput& input, const TextOptions& options,
                   TextWriter* out);
void WriteTree(const TextInput& input, const TextOptions& options, TextWriter* out);

}  // namespace mallogram
