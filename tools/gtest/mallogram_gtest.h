// GoogleTest under Mallogram: leaks get the names of their tests.
//
//   #include "mallogram_gtest.h"   // in one file of the test program; that is all
//
//   mallogram check --max-leak 0 -- ./my_test
//   mallogram: leak  FAILED  96 B lost in 1 block, limit: at most 0 B
//   mallogram:   MyTest.Case leaks 96 B: 1 block of MakeNode (node.cc:12)
//
// The listener marks in the recording where each test begins and ends, constructor
// and destructor of the fixture included; `mallogram check` does the rest. In a
// program that is not recorded it does nothing but look for the recorder once.
//
// Needs nothing but GoogleTest 1.10 and a C library with dlsym (-ldl before glibc
// 2.34). How marks are written: analyzer/check/test_spans.h.
#pragma once

#include <dlfcn.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <string>

namespace mallogram_gtest {

class Listener : public ::testing::EmptyTestEventListener {
 public:
  void OnTestStart(const ::testing::TestInfo& test) override {
    const std::string name =
        std::string(test.test_suite_name()) + "." + test.name();
    // A mark has 24 bytes.
    constexpr size_t kPiece = 22;
    Mark("T{" + name.substr(0, kPiece));
    for (size_t at = kPiece; at < name.size(); at += kPiece) {
      Mark("T+" + name.substr(at, kPiece));
    }
  }
  void OnTestEnd(const ::testing::TestInfo&) override { Mark("T}"); }

 private:
  // The begin of what the recording exports for programs (mallogram.h has all).
  struct Client {
    size_t size;
    void (*mark)(const char* name, uint64_t scale_bits);
  };

  static void Mark(const std::string& name) {
    static const auto* client =
        static_cast<const Client*>(dlsym(RTLD_DEFAULT, "mallogram_client_v1"));
    if (client != nullptr) client->mark(name.c_str(), 0);
  }
};

// GoogleTest takes listeners before main, and owns them.
inline const bool kListens = [] {
  ::testing::UnitTest::GetInstance()->listeners().Append(new Listener);
  return true;
}();

}  // namespace mallogram_gtest
