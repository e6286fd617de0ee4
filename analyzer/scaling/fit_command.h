// The verb `fit`: growth laws of a table of measurements.
#pragma once

namespace mallogram {

extern const char kFitHelp[];

// argv[0] is the verb. Prints results on standard output and errors on standard
// error. 0; 1: the table could not be read; 2: a mistake in the command line.
int RunFit(int argc, char** argv);

}  // namespace mallogram
