// The verb `leaks`: what a program lost.
#pragma once

namespace mallogram {

// argv[0] is the verb. Returns the exit status; prints result and errors.
int RunLeaks(int argc, char** argv);
extern const char kLeaksHelp[];

}  // namespace mallogram
