// Ground truth of the test programs: every function that allocates keeps its own
// account, and the program writes the accounts out when it ends. A test then
// compares them with the report, function by function.
//
// A counted function is noinline, allocates by itself (its frame is on the
// stack of the call) and has a Site of its own; Sites do not nest. Freeing goes
// through Site::Freed before the real free, because a free is recorded before
// it happens.
//
// The accounts go to the file that TRUTH_FILE names, one JSON object a line, with
// plain system calls: nothing here allocates, takes a lock or uses stdio, so it
// may be used in signal handlers, after fork and at the very end of a process.
#pragma once

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <atomic>
#include <initializer_list>

namespace truth {

struct Site {
  const char* const function;
  std::atomic<uint64_t> calls{0}, bytes{0}, moves{0}, frees{0}, freed_bytes{0},
      temporary{0};
  std::atomic<uint64_t> peak_bytes{0};
  Site* next = nullptr;

  explicit Site(const char* name);

  void Allocated(uint64_t size) {
    calls.fetch_add(1, std::memory_order_relaxed);
    bytes.fetch_add(size, std::memory_order_relaxed);
  }
  void Freed(uint64_t size) {
    frees.fetch_add(1, std::memory_order_relaxed);
    freed_bytes.fetch_add(size, std::memory_order_relaxed);
  }
  // realloc of a block of this site by this site: one free, one allocation.
  void Moved(uint64_t from, uint64_t to) {
    Freed(from);
    Allocated(to);
    moves.fetch_add(1, std::memory_order_relaxed);
  }
};

inline Site* first_site = nullptr;

inline Site::Site(const char* name) : function(name), next(first_site) {
  first_site = this;
}

// Forgets what was counted: for the child of a fork, which has a file of its own.
inline void Reset() {
  for (Site* s = first_site; s != nullptr; s = s->next) {
    for (auto* counter : {&s->calls, &s->bytes, &s->moves, &s->frees,
                          &s->freed_bytes, &s->temporary, &s->peak_bytes}) {
      counter->store(0);
    }
  }
}

inline bool peak_noted = false;

// To be called when nothing else runs and the heap is at its highest.
inline void NotePeak() {
  peak_noted = true;
  for (Site* s = first_site; s != nullptr; s = s->next) {
    s->peak_bytes = s->bytes - s->freed_bytes;
  }
}

inline int truth_fd = -1;

// Opens TRUTH_FILE ahead of time, for programs that lose sight of it (chroot,
// RLIMIT_NOFILE). Otherwise Write opens it.
inline void Open() {
  const char* path = getenv("TRUTH_FILE");
  if (path != nullptr) truth_fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
}

inline void Put(char* buffer, size_t room, size_t* at, const char* text) {
  while (*text != 0 && *at + 1 < room) buffer[(*at)++] = *text++;
}

inline void PutNumber(char* buffer, size_t room, size_t* at, uint64_t value) {
  char digits[24];
  int n = sizeof(digits) - 1;
  digits[n] = 0;
  do {
    digits[--n] = static_cast<char>('0' + value % 10);
    value /= 10;
  } while (value != 0);
  Put(buffer, room, at, digits + n);
}

// Appends this process's accounts to TRUTH_FILE. `role` names the process for
// the test ("child", "after exec").
inline void Write(const char* role) {
  if (truth_fd < 0) Open();
  if (truth_fd < 0) return;
  char line[8192];
  size_t at = 0;
  const auto put = [&](const char* text) { Put(line, sizeof(line), &at, text); };
  const auto number = [&](const char* key, uint64_t value) {
    put("\"");
    put(key);
    put("\":");
    PutNumber(line, sizeof(line), &at, value);
  };
  put("{\"role\":\"");
  put(role);
  put("\",");
  number("pid", static_cast<uint64_t>(getpid()));
  put(",\"sites\":{");
  bool comma = false;
  for (Site* s = first_site; s != nullptr; s = s->next) {
    if (s->calls == 0) continue;
    put(comma ? ",\"" : "\"");
    comma = true;
    put(s->function);
    put("\":{");
    number("calls", s->calls);
    put(",");
    number("bytes_allocated", s->bytes);
    put(",");
    number("reallocations", s->moves);
    put(",");
    number("live_blocks", s->calls - s->frees);
    put(",");
    number("live_bytes", s->bytes - s->freed_bytes);
    put(",");
    number("temporary", s->temporary);
    if (peak_noted) {
      put(",");
      number("peak_bytes", s->peak_bytes);
    }
    put("}");
  }
  put("}}\n");
  if (write(truth_fd, line, at) != static_cast<ssize_t>(at)) abort();
}

}  // namespace truth

// Defines the account of a function: SITE(SiteSmall); then SiteSmall_account.
#define SITE(function) static truth::Site function##_account(#function)
// In front of every function that has one.
#define COUNTED [[gnu::noinline]]
// After the allocation, so that it can't become a tail call whatever the flags.
inline void* Keep(void* p) {
  asm volatile("" : "+r"(p) : : "memory");
  return p;
}
// An allocation function's body: allocate, account, return.
#define ALLOCATE(site, expression, size) \
  void* p = Keep(expression);            \
  if (p == nullptr) abort();             \
  site##_account.Allocated(size);        \
  return p
