// The store on disk: an SQLite database in WAL mode, with prepared statements that
// are reused, writes in transactions of kBatch, and a page cache of bounded size.
//
// All of SQLite's memory is booked to the account "sqlite": its allocation hooks go
// to malloc with a header of 8 bytes that holds the size, and that header is
// counted.
//
// One store at a time may be open (the hooks are process-wide, and Close() shuts
// the library down so that nothing of it stays).

#ifndef WORKLOADS_CHUNK_STORE_SQLITE_STORE_H_
#define WORKLOADS_CHUNK_STORE_SQLITE_STORE_H_

#include <array>
#include <memory>
#include <string>

#include "workloads/chunk_store/store.h"

struct sqlite3;
struct sqlite3_stmt;

namespace workloads::chunks {

struct Sqlite {
  static constexpr const char* kName = "sqlite";
};
struct Encoded {
  static constexpr const char* kName = "encoded_columns";
};

using Blob = Text<Encoded>;

// Lists as columns: u32 size and bytes, one after the other. Decode: false when the
// bytes are no such list.
Blob EncodeList(const Array<String, ChunkLists>& list);
Blob EncodeMetadata(const Metadata& metadata);
bool DecodeList(std::string_view bytes, Array<String, ChunkLists>* list);
bool DecodeMetadata(std::string_view bytes, Metadata* metadata);

class SqliteStore : public Store {
 public:
  static constexpr int64_t kBatch = 500;

  // Creates the database at `path`; what is there must be an empty or no file.
  // Null and *error when SQLite refuses.
  static std::unique_ptr<SqliteStore> Open(const std::string& path,
                                           int64_t cache_kib, std::string* error);
  ~SqliteStore() override;

  bool Put(const ChunkRef& chunk) override;
  bool Get(std::string_view id, Chunk* chunk) override;
  bool Remove(std::string_view id) override;
  bool Use(std::string_view id, double now) override;
  bool GetActivation(std::string_view id, Activation* activation) override;
  Ids FindByName(std::string_view name) override;
  Ids FindByPath(std::string_view path) override;
  Ranking MostActive(size_t count, double now) override;
  int64_t size() override;
  bool Flush() override;
  bool Close() override;

  // "wal" when the mode was taken.
  const std::string& journal_mode() const { return journal_mode_; }

 private:
  enum Query {
    kPut,
    kGet,
    kRemove,
    kGetActivation,
    kSetActivation,
    kByName,
    kByPath,
    kLevels,
    kCount,
    kBegin,
    kCommit,
    kQueries
  };
  class Cursor;  // a statement in use: reset and unbound when it goes

  SqliteStore() = default;
  bool Prepare();
  bool Execute(const char* sql);
  bool BeforeWrite();
  bool Fail(const char* doing);
  Ids FindBy(Query query, std::string_view key);

  sqlite3* database_ = nullptr;
  std::array<sqlite3_stmt*, kQueries> statements_ = {};
  int64_t uncommitted_ = 0;
  std::string journal_mode_;
};

}  // namespace workloads::chunks

#endif  // WORKLOADS_CHUNK_STORE_SQLITE_STORE_H_
