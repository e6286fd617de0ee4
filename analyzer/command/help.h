// The text of --help without a verb; those of the verbs are beside their options.
#pragma once

namespace mallogram {

extern const char kHelpMain[];

}  // namespace mallogram
