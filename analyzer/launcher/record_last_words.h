// What the launcher learns of a collector that died: how it ended, and what it said
// on stderr last (an assertion's text, the C library's, an uncaught exception's).
//
// The words are kept in memory that both share, of a fixed size: nobody has to read
// while the collector runs, and one that never stops talking fills nothing.
#pragma once

#include <sys/types.h>

#include <string>

namespace mallogram {

// In the launcher, before the fork: the place for the words; -1: there is none, and
// they are lost.
int OpenLastWords();
// In the collector: what goes to stderr from now on is kept in `fd`.
void KeepLastWords(int fd);

// In the launcher: the collector's wait status, if it ends within a second; else
// -1.
int AwaitCollectorsEnd(pid_t collector);
// "the collector died of SIGABRT: an assertion's text", one line without a full
// stop. `wait_status` -1: it lives. `fd` from OpenLastWords.
std::string DescribeCollectorsEnd(int wait_status, int fd);

}  // namespace mallogram
