// What the command's exit statuses mean, the same in every verb.
#pragma once

namespace mallogram {

inline constexpr int kFailure = 1;    // the work could not be done
inline constexpr int kUsage = 2;      // the command line or an input is wrong
inline constexpr int kNotJudged = 3;  // nothing to judge by; study: a table failed
inline constexpr int kFound = 23;     // leaks --fail-on, check: something was found
// Of the verbs that run a program, as a shell has them.
inline constexpr int kOwnFailure = 125;     // the program cannot be recorded
inline constexpr int kNotExecutable = 126;  // it cannot be executed
inline constexpr int kNotFound = 127;       // there is no such program

}  // namespace mallogram
