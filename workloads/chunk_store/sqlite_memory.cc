#include "workloads/chunk_store/sqlite_memory.h"

#include <sqlite3.h>

#include <cstdint>
#include <cstdlib>

#include "workloads/chunk_store/sqlite_store.h"
#include "workloads/common/account.h"

namespace workloads::chunks {
namespace {

// SQLite asks for alignment to 8, and malloc gives 16: 8 bytes in front keep it.
constexpr size_t kHead = 8;

Account& account = account_of<Sqlite>;

int64_t* HeadOf(void* block) { return static_cast<int64_t*>(block) - 1; }

}  // namespace

// In no anonymous namespace, so that stacks show their whole names.
struct SqliteHooks {
  static void* Malloc(int size) {
    const size_t bytes = static_cast<size_t>(size) + kHead;
    auto* head = static_cast<int64_t*>(std::malloc(bytes));
    if (head == nullptr) return nullptr;
    *head = size;
    account.Add(bytes);
    return head + 1;
  }
  static void Free(void* block) {
    if (block == nullptr) return;
    account.Remove(static_cast<size_t>(*HeadOf(block)) + kHead);
    std::free(HeadOf(block));
  }
  static void* Realloc(void* block, int size) {
    const size_t before = static_cast<size_t>(*HeadOf(block)) + kHead;
    const size_t bytes = static_cast<size_t>(size) + kHead;
    auto* head = static_cast<int64_t*>(std::realloc(HeadOf(block), bytes));
    if (head == nullptr) return nullptr;
    *head = size;
    account.Remove(before);
    account.Add(bytes);
    return head + 1;
  }
  static int Size(void* block) {
    return block == nullptr ? 0 : static_cast<int>(*HeadOf(block));
  }
  static int RoundUp(int size) { return (size + 7) & ~7; }
  static int Init(void*) { return SQLITE_OK; }
  static void Shutdown(void*) {}
};

bool InstallSqliteMemory() {
  const sqlite3_mem_methods methods = {SqliteHooks::Malloc,   SqliteHooks::Free,
                                       SqliteHooks::Realloc,  SqliteHooks::Size,
                                       SqliteHooks::RoundUp,  SqliteHooks::Init,
                                       SqliteHooks::Shutdown, nullptr};
  return sqlite3_config(SQLITE_CONFIG_MALLOC, &methods) == SQLITE_OK;
}

}  // namespace workloads::chunks
