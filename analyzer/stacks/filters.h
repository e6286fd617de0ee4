// What the user asks to see of recordings: of which blocks, of which call stacks.
// Every verb that shows call sites has the same options for it.
#pragma once

#include <string>
#include <vector>

#include "analyzer/command/options.h"
#include "analyzer/recording/block_filter.h"
#include "analyzer/stacks/stack_filter.h"

namespace mallogram {

struct Filters {
  StackFilter stacks;
  BlockFilter blocks;
  std::vector<std::string> words;  // all of them, as options

  bool active() const { return stacks.active() || blocks.active(); }
  std::string Text() const;  // the words as a shell takes them
};

// Option rows: of call stacks (--focus, --ignore, --hide, --show, --module,
// --rules) and of blocks (--thread, --from, --to, --marks, --size, --lifetime); or
// all but those of moments, for the verb that has a use of its own for them.
std::vector<Option> FilterRows(Filters* filters, bool with_moments = true);

// The help of these rows, with a heading.
std::string FilterHelp(bool with_moments = true);

}  // namespace mallogram
