// The program's errno is as it was once this goes: our calls are not the program's.
#pragma once

#include <errno.h>

namespace mallogram {

class KeepErrno {
 public:
  KeepErrno() : saved_(errno) {}
  ~KeepErrno() { errno = saved_; }
  KeepErrno(const KeepErrno&) = delete;
  KeepErrno& operator=(const KeepErrno&) = delete;

 private:
  const int saved_;
};

}  // namespace mallogram
