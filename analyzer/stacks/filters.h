// What the user asks to see of recordings: of which blocks, of which call stacks.
// Every verb that shows call sites has the same options for it.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
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

// The names of the options of blocks (--thread, --from, --to, --marks, --size,
// --lifetime) and of stacks (--focus, --ignore, --hide, --show, --module, --rules).
inline constexpr absl::string_view kFilterOptions[] = {
    "--focus",  "--ignore", "--hide", "--show",  "--module", "--rules",
    "--thread", "--from",   "--to",   "--marks", "--size",   "--lifetime"};

// Takes an option of the above. An error is one of usage.
absl::Status AddFilter(absl::string_view option, absl::string_view value,
                       Filters* filters);

// For help texts, a paragraph an option.
extern const char kFilterHelp[];

}  // namespace mallogram
