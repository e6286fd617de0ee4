// SQLite's allocation hooks, booked to the account "sqlite".

#ifndef WORKLOADS_CHUNK_STORE_SQLITE_MEMORY_H_
#define WORKLOADS_CHUNK_STORE_SQLITE_MEMORY_H_

namespace workloads::chunks {

// REQUIRES: SQLite is not initialised (or was shut down). False: it refused.
bool InstallSqliteMemory();

}  // namespace workloads::chunks

#endif  // WORKLOADS_CHUNK_STORE_SQLITE_MEMORY_H_
