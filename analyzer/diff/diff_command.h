// The verb `diff`: two recordings, or two moments of one.
#pragma once

namespace mallogram {

// argv[0] is the verb. Returns the exit status; prints result and errors.
int RunDiff(int argc, char** argv);
extern const char kDiffHelp[];

}  // namespace mallogram
