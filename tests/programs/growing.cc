// A service in small, each of whose call sites is something else over time:
//
//   growing                      a bounded cache, a list of sessions that are never
//                                removed, a slow leak, tables, a ring buffer, a
//                                queue
//   growing steady               the same without the list and the leak
//
// Runs 60,000 requests. The functions' names are what growth_program_test.py asks
// for.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <list>
#include <random>
#include <unordered_map>
#include <vector>

namespace {

struct Session {
  Session* next;
  char text[56];
};
struct Message {
  char text[96];
};

Session* g_sessions;
// Never destroyed: what they hold is held to the end.
std::vector<char*>& g_tables = *new std::vector<char*>;
std::list<Message*>& g_queue = *new std::list<Message*>;
void* volatile g_hidden;

// Least recently used goes first: 500 entries.
struct Cache {
  std::unordered_map<uint64_t, std::list<std::pair<uint64_t, char*>>::iterator>
      found;
  std::list<std::pair<uint64_t, char*>> order;
};
Cache& g_cache = *new Cache;

char* g_ring[256];

[[gnu::noinline]] char* MakeCacheEntry() { return static_cast<char*>(malloc(200)); }
[[gnu::noinline]] void AskCache(uint64_t key) {
  const auto at = g_cache.found.find(key);
  if (at != g_cache.found.end()) {
    g_cache.order.splice(g_cache.order.begin(), g_cache.order, at->second);
    return;
  }
  if (g_cache.order.size() == 500) {
    free(g_cache.order.back().second);
    g_cache.found.erase(g_cache.order.back().first);
    g_cache.order.pop_back();
  }
  g_cache.order.emplace_front(key, MakeCacheEntry());
  g_cache.found[key] = g_cache.order.begin();
}

[[gnu::noinline]] void AddSession() {
  auto* session = static_cast<Session*>(malloc(sizeof(Session)));
  memset(session->text, 'x', sizeof(session->text));
  session->next = g_sessions;
  g_sessions = session;
}

// Most of what it makes is freed.
[[gnu::noinline]] char* MakeReply() { return static_cast<char*>(malloc(48)); }
[[gnu::noinline]] void Reply(bool forget) {
  char* reply = MakeReply();
  snprintf(reply, 48, "reply");
  if (forget) {
    g_hidden = nullptr;  // as if somebody had it
    return;
  }
  free(reply);
}

[[gnu::noinline]] void MakeTables() {
  for (int i = 0; i < 300; ++i) {
    g_tables.push_back(static_cast<char*>(malloc(1000)));
  }
}

[[gnu::noinline]] void WriteLog(uint64_t i) {
  free(g_ring[i % 256]);
  g_ring[i % 256] = static_cast<char*>(malloc(64));
}

[[gnu::noinline]] void Send() {
  g_queue.push_back(static_cast<Message*>(malloc(sizeof(Message))));
}
[[gnu::noinline]] void Receive() {
  if (g_queue.empty()) return;
  free(g_queue.front());
  g_queue.pop_front();
}

}  // namespace

int main(int argc, char** argv) {
  const bool steady = argc > 1 && strcmp(argv[1], "steady") == 0;
  std::mt19937_64 random(5);
  MakeTables();
  for (uint64_t i = 0; i < 60'000; ++i) {
    AskCache(random() % 4000);
    if (!steady && i % 40 == 7) AddSession();
    Reply(!steady && random() % 1000 == 0);
    WriteLog(i);
    if (random() % 10 < 4) Send();
    if (random() % 2 == 0) Receive();
  }
  return 0;
}
