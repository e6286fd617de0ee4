// A session over an image made by the test, and its file.
#pragma once

#include <gtest/gtest.h>
#include <time.h>
#include <unistd.h>

#include <memory>

#include "absl/strings/str_cat.h"
#include "preload/collector/session.h"
#include "tests/collector/read_trace.h"
#include "tests/collector/test_image.h"

namespace mallogram {

inline constexpr uint64_t kSecond = 1'000'000'000;

inline uint64_t Monotonic() {
  timespec t{};
  clock_gettime(CLOCK_MONOTONIC, &t);
  return static_cast<uint64_t>(t.tv_sec) * kSecond +
         static_cast<uint64_t>(t.tv_nsec);
}

class SessionTest : public testing::Test {
 protected:
  SessionTest() {
    options_.path = absl::StrCat(testing::TempDir(), "/s.", getpid());
  }
  ~SessionTest() override { unlink(options_.path.c_str()); }

  std::unique_ptr<Session> Open(TestImage* image, pid_t pid = getpid()) {
    unlink(options_.path.c_str());
    auto session = Session::Open(image->DupFd(), pid, options_);
    EXPECT_TRUE(session.ok()) << session.status();
    return *std::move(session);
  }
  ReadTrace Read() { return ParseTrace(FileBytes(options_.path)); }

  SessionOptions options_;
};

}  // namespace mallogram
