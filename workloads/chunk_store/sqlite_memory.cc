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

void* SqliteMalloc(int size) {
  const size_t bytes = static_cast<size_t>(size) + kHead;
  auto* head = static_cast<int64_t*>(std::malloc(bytes));
  if (head == nullptr) return nullptr;
  *head = size;
  account.Add(bytes);
  return head + 1;
}

void SqliteFree(void* block) {
  if (block == nullptr) return;
  account.Remove(static_cast<size_t>(*HeadOf(block)) + kHead);
  std::free(HeadOf(block));
}

void* SqliteRealloc(void* block, int size) {
  const size_t before = static_cast<size_t>(*HeadOf(block)) + kHead;
  const size_t bytes = static_cast<size_t>(size) + kHead;
  auto* head = static_cast<int64_t*>(std::realloc(HeadOf(block), bytes));
  if (head == nullptr) return nullptr;
  *head = size;
  account.Remove(before);
  account.Add(bytes);
  return head + 1;
}

int SqliteSize(void* block) {
  return block == nullptr ? 0 : static_cast<int>(*HeadOf(block));
}

int SqliteRoundUp(int size) { return (size + 7) & ~7; }
int SqliteInit(void*) { return SQLITE_OK; }
void SqliteShutdown(void*) {}

}  // namespace

bool InstallSqliteMemory() {
  const sqlite3_mem_methods methods = {SqliteMalloc,   SqliteFree,    SqliteRealloc,
                                       SqliteSize,     SqliteRoundUp, SqliteInit,
                                       SqliteShutdown, nullptr};
  return sqlite3_config(SQLITE_CONFIG_MALLOC, &methods) == SQLITE_OK;
}

}  // namespace workloads::chunks
