#include "preload/command_line.h"

#include <fcntl.h>

#include "preload/sys.h"

namespace mallogram {
namespace {

char g_command[4096];
uint32_t g_command_bytes;
bool g_asked;

}  // namespace

uint32_t CommandLine(char* out, uint32_t room) {
  if (g_command_bytes != 0 && g_command_bytes <= room) {
    __builtin_memcpy(out, g_command, g_command_bytes);
    return g_command_bytes;
  }
  const bool first = !g_asked;
  g_asked = true;
  const long fd = sys::Call(SYS_openat, AT_FDCWD, sys::Arg("/proc/self/cmdline"),
                            O_RDONLY | O_CLOEXEC);
  if (sys::IsError(fd)) return 0;
  const long read = sys::Call(SYS_read, fd, sys::Arg(out), static_cast<long>(room));
  sys::Call(SYS_close, fd);
  if (read <= 0) return 0;
  auto bytes = static_cast<uint32_t>(read);
  if (first && bytes <= sizeof(g_command)) {
    __builtin_memcpy(g_command, out, bytes);
    g_command_bytes = bytes;
  }
  // A title fills what was the arguments' room with NULs.
  while (!first && bytes > 1 && out[bytes - 1] == 0 && out[bytes - 2] == 0) --bytes;
  return bytes;
}

}  // namespace mallogram
