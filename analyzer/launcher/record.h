// The verbs that record. `mallogram record` is the launcher: parent of the program
// and of the collector. `mallogram collect` is what the library starts when it was
// preloaded without a launcher; users never type it.
#pragma once

namespace mallogram {

// argv[0] is the verb (or the command's name, record being the default verb), the
// options follow. Both print their own errors. Returns the exit status; does not
// return at all if the program was killed by a signal, since this process then dies
// by the same one.
int RunRecord(int argc, char** argv);
int RunCollect(int argc, char** argv);

}  // namespace mallogram
