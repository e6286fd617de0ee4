#include "workloads/chunk_store/sqlite_store.h"

#include <sqlite3.h>

#include <algorithm>
#include <utility>

#include "workloads/chunk_store/sqlite_memory.h"

namespace workloads::chunks {
namespace {

constexpr const char* kSchema =
    "CREATE TABLE chunks(id TEXT PRIMARY KEY, path TEXT NOT NULL, name TEXT NOT "
    "NULL,"
    " signature TEXT NOT NULL, docstring TEXT NOT NULL, dependencies BLOB NOT NULL,"
    " metadata BLOB NOT NULL, first_line INT NOT NULL, last_line INT NOT NULL,"
    " level REAL NOT NULL DEFAULT 0, at REAL NOT NULL DEFAULT 0,"
    " uses INT NOT NULL DEFAULT 0) WITHOUT ROWID;"
    "CREATE INDEX by_name ON chunks(name);"
    "CREATE INDEX by_path ON chunks(path);";

constexpr const char* kPutSql =
    "INSERT INTO chunks(id, path, name, signature, docstring, dependencies,"
    " metadata, first_line, last_line) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)"
    " ON CONFLICT(id) DO UPDATE SET path = ?2, name = ?3, signature = ?4,"
    " docstring = ?5, dependencies = ?6, metadata = ?7, first_line = ?8,"
    " last_line = ?9";
constexpr const char* kGetSql =
    "SELECT path, name, signature, docstring, dependencies, metadata, first_line,"
    " last_line FROM chunks WHERE id = ?1";

// In the order of SqliteStore::Query.
constexpr const char* kSql[] = {
    kPutSql,
    kGetSql,
    "DELETE FROM chunks WHERE id = ?1",
    "SELECT level, at, uses FROM chunks WHERE id = ?1",
    "UPDATE chunks SET level = ?2, at = ?3, uses = ?4 WHERE id = ?1",
    "SELECT id FROM chunks WHERE name = ?1 ORDER BY id",
    "SELECT id FROM chunks WHERE path = ?1 ORDER BY id",
    "SELECT id, level, at FROM chunks",
    "SELECT count(*) FROM chunks",
    "BEGIN",
    "COMMIT",
};

}  // namespace

// Results of Column() are valid until the next Row().
class SqliteStore::Cursor {
 public:
  Cursor(SqliteStore* store, Query query)
      : store_(store), statement_(store->statements_[query]) {}
  ~Cursor() {
    sqlite3_reset(statement_);
    sqlite3_clear_bindings(statement_);
  }
  Cursor(const Cursor&) = delete;
  Cursor& operator=(const Cursor&) = delete;

  // Bound texts are not copied: they must outlive the last Row().
  void Bind(int place, std::string_view text) {
    sqlite3_bind_text64(statement_, place, text.empty() ? "" : text.data(),
                        text.size(), SQLITE_STATIC, SQLITE_UTF8);
  }
  void BindBlob(int place, std::string_view bytes) {
    sqlite3_bind_blob64(statement_, place, bytes.empty() ? "" : bytes.data(),
                        bytes.size(), SQLITE_STATIC);
  }
  void Bind(int place, double value) {
    sqlite3_bind_double(statement_, place, value);
  }
  void Bind(int place, int64_t value) {
    sqlite3_bind_int64(statement_, place, value);
  }

  // Steps to the next row; false at the end, or when it failed (see error()).
  bool Row() {
    const int status = sqlite3_step(statement_);
    if (status == SQLITE_ROW) return true;
    done_ = status == SQLITE_DONE;
    if (!done_) store_->Fail(sqlite3_sql(statement_));
    return false;
  }
  // Runs a statement without rows.
  bool Done() {
    while (Row()) {
    }
    return done_;
  }

  std::string_view Column(int place) {
    const void* bytes = sqlite3_column_blob(statement_, place);
    const int size = sqlite3_column_bytes(statement_, place);
    return {static_cast<const char*>(bytes), static_cast<size_t>(size)};
  }
  double Real(int place) { return sqlite3_column_double(statement_, place); }
  int64_t Integer(int place) { return sqlite3_column_int64(statement_, place); }

 private:
  SqliteStore* store_;
  sqlite3_stmt* statement_;
  bool done_ = false;
};

bool SqliteStore::Fail(const char* doing) {
  if (error_.empty()) {
    error_ =
        std::string("SQLite: ") + sqlite3_errmsg(database_) + " (" + doing + ")";
  }
  return false;
}

bool SqliteStore::Execute(const char* sql) {
  const int status = sqlite3_exec(database_, sql, nullptr, nullptr, nullptr);
  return status == SQLITE_OK || Fail(sql);
}

bool SqliteStore::Prepare() {
  for (size_t i = 0; i < statements_.size(); ++i) {
    // Persistent: not out of the lookaside memory, which is for the short-lived.
    if (sqlite3_prepare_v3(database_, kSql[i], -1, SQLITE_PREPARE_PERSISTENT,
                           &statements_[i], nullptr) != SQLITE_OK) {
      return Fail(kSql[i]);
    }
  }
  return true;
}

std::unique_ptr<SqliteStore> SqliteStore::Open(const std::string& path,
                                               int64_t cache_kib,
                                               std::string* error) {
  static_assert(std::size(kSql) == kQueries);
  if (!InstallSqliteMemory()) {
    *error = "SQLite: its memory hooks cannot be set, another store is open";
    return nullptr;
  }
  std::unique_ptr<SqliteStore> store(new SqliteStore);
  if (sqlite3_open(path.c_str(), &store->database_) != SQLITE_OK) {
    store->Fail(path.c_str());
  } else {
    sqlite3_stmt* mode = nullptr;
    if (sqlite3_prepare_v2(store->database_, "PRAGMA journal_mode=WAL", -1, &mode,
                           nullptr) == SQLITE_OK &&
        sqlite3_step(mode) == SQLITE_ROW) {
      store->journal_mode_ =
          reinterpret_cast<const char*>(sqlite3_column_text(mode, 0));
    }
    sqlite3_finalize(mode);
    const std::string cache = "PRAGMA cache_size=-" + std::to_string(cache_kib);
    if (store->journal_mode_ != "wal") {
      store->Fail("no WAL mode at that place");
    } else if (store->Execute("PRAGMA synchronous=NORMAL") &&
               store->Execute(cache.c_str()) && store->Execute(kSchema)) {
      store->Prepare();
    }
  }
  if (store->error_.empty()) return store;
  *error = store->error_;
  return nullptr;
}

SqliteStore::~SqliteStore() { Close(); }

bool SqliteStore::BeforeWrite() {
  if (uncommitted_ == kBatch && !Flush()) return false;
  if (uncommitted_++ > 0) return true;
  return Cursor(this, kBegin).Done();
}

bool SqliteStore::Flush() {
  if (uncommitted_ == 0) return true;
  uncommitted_ = 0;
  return Cursor(this, kCommit).Done();
}

bool SqliteStore::Put(const ChunkRef& chunk) {
  if (!BeforeWrite()) return false;
  const Blob dependencies = EncodeList(chunk->dependencies);
  const Blob metadata = EncodeMetadata(chunk->metadata);
  Cursor put(this, kPut);
  put.Bind(1, std::string_view(chunk->id));
  put.Bind(2, std::string_view(chunk->path));
  put.Bind(3, std::string_view(chunk->name));
  put.Bind(4, std::string_view(chunk->signature));
  put.Bind(5, std::string_view(chunk->docstring));
  put.BindBlob(6, dependencies);
  put.BindBlob(7, metadata);
  put.Bind(8, chunk->first_line);
  put.Bind(9, chunk->last_line);
  return put.Done();
}

bool SqliteStore::Get(std::string_view id, Chunk* chunk) {
  Cursor get(this, kGet);
  get.Bind(1, id);
  if (!get.Row()) return false;
  Chunk found;
  found.id = id;
  found.path = get.Column(0);
  found.name = get.Column(1);
  found.signature = get.Column(2);
  found.docstring = get.Column(3);
  if (!DecodeList(get.Column(4), &found.dependencies) ||
      !DecodeMetadata(get.Column(5), &found.metadata)) {
    return Fail("a list in the database is damaged");
  }
  found.first_line = get.Integer(6);
  found.last_line = get.Integer(7);
  *chunk = std::move(found);
  return true;
}

bool SqliteStore::Remove(std::string_view id) {
  if (!BeforeWrite()) return false;
  Cursor remove(this, kRemove);
  remove.Bind(1, id);
  return remove.Done() && sqlite3_changes(database_) == 1;
}

bool SqliteStore::GetActivation(std::string_view id, Activation* activation) {
  Cursor get(this, kGetActivation);
  get.Bind(1, id);
  if (!get.Row()) return false;
  *activation = {get.Real(0), get.Real(1), get.Integer(2)};
  return true;
}

bool SqliteStore::Use(std::string_view id, double now) {
  Activation activation;
  if (!GetActivation(id, &activation) || !BeforeWrite()) return false;
  activation.Use(now);
  Cursor set(this, kSetActivation);
  set.Bind(1, id);
  set.Bind(2, activation.level);
  set.Bind(3, activation.at);
  set.Bind(4, activation.uses);
  return set.Done();
}

Ids SqliteStore::FindBy(Query query, std::string_view key) {
  Ids ids;
  Cursor find(this, query);
  find.Bind(1, key);
  while (find.Row()) ids.emplace_back(find.Column(0));
  return ids;
}

Ids SqliteStore::FindByName(std::string_view name) { return FindBy(kByName, name); }
Ids SqliteStore::FindByPath(std::string_view path) { return FindBy(kByPath, path); }

Ranking SqliteStore::MostActive(size_t count, double now) {
  Ranking ranking;
  Cursor levels(this, kLevels);
  while (levels.Row()) {
    const Activation activation = {levels.Real(1), levels.Real(2), 0};
    Consider({activation.LevelAt(now), Text<Results>(levels.Column(0))}, count,
             &ranking);
  }
  std::sort_heap(ranking.begin(), ranking.end());
  return ranking;
}

int64_t SqliteStore::size() {
  Cursor count(this, kCount);
  return count.Row() ? count.Integer(0) : 0;
}

bool SqliteStore::Close() {
  if (database_ == nullptr) return error_.empty();
  if (statements_[kCommit] != nullptr) Flush();
  for (sqlite3_stmt*& statement : statements_) {
    sqlite3_finalize(statement);
    statement = nullptr;
  }
  if (sqlite3_close(database_) != SQLITE_OK) Fail("closing");
  database_ = nullptr;
  sqlite3_shutdown();
  return error_.empty();
}

}  // namespace workloads::chunks
