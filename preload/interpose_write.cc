// write(2), for the sake of one thing: a line
//
//   phase NAME SECONDS
//
// on standard error is put into the recording as a mark, after the thread's last
// event and before its next. Its time alone would not do: a phase may end some tens
// of nanoseconds after an allocation, and most events have no stamp of their own.
//
// Programs that print such lines by write(2) need know nothing of us, and so do
// those whose language or library ends in it (Python, Perl, Rust). What C's stdio
// prints never passes here; such marks have their time alone
// (analyzer/recording/phase_marks.h).
#include <errno.h>
#include <unistd.h>

#include "preload/caller_state.h"
#include "preload/errno_guard.h"
#include "preload/real.h"
#include "preload/recorder_parts.h"

namespace mallogram {
namespace {

constexpr char kWord[] = "phase ";
constexpr size_t kWordBytes = sizeof(kWord) - 1;
constexpr size_t kNameWords = kMaxRecordWords - 1;
constexpr size_t kNameBytes = kNameWords * sizeof(uint64_t);

// The length of the name at `text`, 0 if this is no mark: a space and a digit must
// follow, or every "phase two failed" would be one.
size_t NameLength(const char* text, size_t bytes) {
  size_t length = 0;
  while (length < bytes && text[length] > ' ' && text[length] <= '~') ++length;
  const bool number = length + 1 < bytes && text[length] == ' ' &&
                      text[length + 1] >= '0' && text[length + 1] <= '9';
  return number ? length : 0;
}

[[gnu::noinline]] void RecordMark(const char* line, size_t bytes) {
  if (__builtin_memcmp(line, kWord, kWordBytes) != 0) return;
  const size_t length = NameLength(line + kWordBytes, bytes - kWordBytes);
  if (length == 0) return;
  uint64_t name[kNameWords] = {};
  __builtin_memcpy(name, line + kWordBytes,
                   length < kNameBytes ? length : kNameBytes);
  ThreadState* s = Enter();
  if (s == nullptr) return;
  RecordExtended(s, /*stamp=*/true, PackExtended(Extended::kMark), name[0], name[1],
                 name[2]);
  Leave(s);
}

}  // namespace
}  // namespace mallogram

// The real one first: what it has written can be read, whatever the program passed.
// It may be cancelled there, and then never returns. Added: three compares a call.
MALLOGRAM_EXPORT ssize_t write(int file, const void* data, size_t bytes) {
  if (!mallogram::Resolved(mallogram::g_real.write)) {
    errno = ENOSYS;
    return -1;
  }
  const ssize_t written = mallogram::g_real.write(file, data, bytes);
  if (file == STDERR_FILENO &&
      written > static_cast<ssize_t>(mallogram::kWordBytes)) [[unlikely]] {
    const mallogram::KeepErrno keep;
    mallogram::RecordMark(static_cast<const char*>(data),
                          static_cast<size_t>(written));
  }
  return written;
}
