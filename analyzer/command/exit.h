// How the command ends: what its exit statuses mean, the same in every verb, and
// how an error carries one to main.cc, which prints it.
//
// A verb is `absl::StatusOr<int> RunVerb(Arguments)`: the exit status, or the error
// that kept it from its work. UsageError (cli.h) is a mistake in the command line:
// kUsage, and the message names the verb's help. Any other error is kFailure,
// unless WithExit says otherwise.
#pragma once

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace mallogram {

inline constexpr int kFailure = 1;    // the work could not be done
inline constexpr int kUsage = 2;      // the command line or an input is wrong
inline constexpr int kNotJudged = 3;  // nothing to judge by; study: a table failed
inline constexpr int kFound = 23;     // leaks --fail-on, check: something was found
// Of the verbs that run a program, as a shell has them.
inline constexpr int kOwnFailure = 125;     // the program cannot be recorded
inline constexpr int kNotExecutable = 126;  // it cannot be executed
inline constexpr int kNotFound = 127;       // there is no such program

// What a verb returns whose last act this was: 0 or the error.
absl::StatusOr<int> ExitAfter(const absl::Status& last);

// The error with this exit status.
absl::Status WithExit(absl::Status error, int exit_status);

// A mistake in a file that the user gave: kUsage, but no help helps.
absl::Status InputError(const absl::Status& error);

int ExitOf(const absl::Status& error);

// Not an error: --help was among the options. main.cc prints the verb's.
absl::Status HelpAsked();
bool IsHelpAsked(const absl::Status& status);

// A signal interrupted the work: main.cc prints the message and dies of the signal,
// so that a shell's loop ends too.
absl::Status Interrupted(int signal, absl::string_view message);
int InterruptingSignal(const absl::Status& status);  // 0: none

}  // namespace mallogram
