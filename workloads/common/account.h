// Accounts: what a workload knows of its own memory, to the byte.
//
// Every kind of thing that a workload keeps on the heap (an entity: message texts,
// hash nodes, belief rows, …) is a tag type with a name:
//
//   struct MessageText { static constexpr const char* kName = "message_text"; };
//   Text<MessageText> content;          // a string
//   Array<Message, MessageSlots> ring;  // a vector
//   Owned<Session, SessionObject> s = Make<Session, SessionObject>(…);
//
// EntityAllocator counts what is *asked of* operator new: no rounding, no headers
// of the allocator below. Its allocate() is never inlined, so that a stack through
// it names the entity. C libraries with allocation hooks (SQLite, zlib) book theirs
// through Account::Add and Remove.
//
// Not thread-safe: the workloads have one thread.

#ifndef WORKLOADS_COMMON_ACCOUNT_H_
#define WORKLOADS_COMMON_ACCOUNT_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace workloads {

struct Balance {
  int64_t live_bytes = 0;
  int64_t live_blocks = 0;
  int64_t peak_bytes = 0;
  int64_t allocated_bytes = 0;
  int64_t allocations = 0;

  void Add(size_t bytes) {
    live_bytes += static_cast<int64_t>(bytes);
    live_blocks += 1;
    allocated_bytes += static_cast<int64_t>(bytes);
    allocations += 1;
    if (live_bytes > peak_bytes) peak_bytes = live_bytes;
  }
  void Remove(size_t bytes) {
    live_bytes -= static_cast<int64_t>(bytes);
    live_blocks -= 1;
  }
};

// The sum over all accounts; its peak is the peak of the sum.
inline constinit Balance total_balance;

class Account {
 public:
  explicit constexpr Account(const char* name) : name_(name) {}
  Account(const Account&) = delete;
  Account& operator=(const Account&) = delete;

  void Add(size_t bytes) {
    balance_.Add(bytes);
    total_balance.Add(bytes);
  }
  void Remove(size_t bytes) {
    balance_.Remove(bytes);
    total_balance.Remove(bytes);
  }

  const char* name() const { return name_; }
  const Balance& balance() const { return balance_; }

 private:
  const char* name_;
  Balance balance_;
};

template <typename Tag>
inline constinit Account account_of{Tag::kName};

template <typename T, typename Tag>
class EntityAllocator {
 public:
  using value_type = T;
  static_assert(alignof(T) <= __STDCPP_DEFAULT_NEW_ALIGNMENT__);

  EntityAllocator() = default;
  template <typename U>
  // NOLINTNEXTLINE(google-explicit-constructor): allocators convert implicitly.
  EntityAllocator(const EntityAllocator<U, Tag>&) {}

  [[gnu::noinline]] T* allocate(size_t n) {
    const size_t bytes = n * sizeof(T);
    void* block = ::operator new(bytes);
    account_of<Tag>.Add(bytes);
    return static_cast<T*>(block);
  }
  void deallocate(T* block, size_t n) {
    account_of<Tag>.Remove(n * sizeof(T));
    ::operator delete(block);
  }

  friend bool operator==(EntityAllocator, EntityAllocator) { return true; }
};

template <typename Tag>
using Text =
    std::basic_string<char, std::char_traits<char>, EntityAllocator<char, Tag>>;

template <typename T, typename Tag>
using Array = std::vector<T, EntityAllocator<T, Tag>>;

template <typename Key, typename Value, typename Tag,
          typename Hash = std::hash<Key>, typename Equal = std::equal_to<Key>>
using HashMap =
    std::unordered_map<Key, Value, Hash, Equal,
                       EntityAllocator<std::pair<const Key, Value>, Tag>>;

template <typename T, typename Tag>
struct EntityDelete {
  void operator()(T* object) const {
    object->~T();
    EntityAllocator<T, Tag>().deallocate(object, 1);
  }
};

template <typename T, typename Tag>
using Owned = std::unique_ptr<T, EntityDelete<T, Tag>>;

template <typename T, typename Tag, typename... Args>
Owned<T, Tag> Make(Args&&... args) {
  T* block = EntityAllocator<T, Tag>().allocate(1);
  return Owned<T, Tag>(new (block) T(std::forward<Args>(args)...));
}

// A base for classes that are created with new, by whatever factory, and destroyed
// through a virtual destructor: the objects are booked to the tag.
template <typename Tag>
class Accounted {
 public:
  [[gnu::noinline]] static void* operator new(size_t bytes) {
    void* block = ::operator new(bytes);
    account_of<Tag>.Add(bytes);
    return block;
  }
  [[gnu::noinline]] static void operator delete(void* block, size_t bytes) {
    account_of<Tag>.Remove(bytes);
    ::operator delete(block);
  }

 protected:
  ~Accounted() = default;
};

}  // namespace workloads

#endif  // WORKLOADS_COMMON_ACCOUNT_H_
