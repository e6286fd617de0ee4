// The verb `study`: runs a study file and reports on it; compares two studies.
#pragma once

namespace mallogram {

extern const char kStudyHelp[];

// argv[0] is the verb. Prints results on standard output and errors on standard
// error. 0; 1: something could not be read, run or written; 2: a mistake in the
// command line; 3: something that --fail-on names.
int RunStudyVerb(int argc, char** argv);

}  // namespace mallogram
