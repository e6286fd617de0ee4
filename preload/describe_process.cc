#include "preload/describe_process.h"

#include <fcntl.h>

#include "preload/command_line.h"
#include "preload/sys.h"

namespace mallogram {

uint32_t DescribeProcess(ImageHeader* h, char* strings, uint32_t bytes) {
  uint32_t used = 1;  // offset 0: ""
  // Every entry gets its NUL: the strings are zeroed, but Valgrind 3.24 answers for
  // /proc/self/exe after the kernel has, and leaves the end of the longer path
  // behind.
  const long room = static_cast<long>(bytes / 4);
  long n = sys::Call(SYS_readlinkat, AT_FDCWD, sys::Arg("/proc/self/exe"),
                     sys::Arg(strings + used), room);
  if (n > 0 && n < room) {
    h->executable_offset = used;
    used += static_cast<uint32_t>(n);
    strings[used++] = '\0';
  }
  n = sys::Call(SYS_getcwd, sys::Arg(strings + used), room);
  if (n > 1 && strings[used] == '/') {  // else "(unreachable)"
    h->directory_offset = used;
    used += static_cast<uint32_t>(n);
  }
  const uint32_t argument_bytes =
      CommandLine(strings + used, static_cast<uint32_t>(room - 1));
  if (argument_bytes != 0) {
    h->arguments_offset = used;
    h->arguments_bytes = argument_bytes;
    used += argument_bytes;
    strings[used++] = '\0';
  }
  return used;
}

}  // namespace mallogram
