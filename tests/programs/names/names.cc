// clang-format off
#include <cstdlib>
#include <functional>
#define NI __attribute__((noinline))
void* volatile sink;
struct [[gnu::abi_tag("v2")]] Tagged { NI void grab() { sink = malloc(101); asm volatile(""); } };
[[gnu::abi_tag("fast")]] NI void* freeTagged() { auto l = [](int n) NI { sink = malloc(n); asm volatile(""); return sink; }; return l(102); }
template <class T> NI void (*picker(T))(int) { sink = malloc(103); asm volatile(""); return nullptr; }
NI void templateLambda() { auto l = []<class T>(T n) NI { sink = malloc(n); asm volatile(""); }; l(104); }
NI void autoLambda() { auto l = [](auto n) NI { sink = malloc(n); asm volatile(""); }; l(105); }
struct Len { unsigned long long v; };
namespace lit { NI Len operator""_km(unsigned long long n) { sink = malloc(n); asm volatile(""); return {n}; } }
struct Conv { NI operator std::function<void(int)>() const { sink = malloc(107); asm volatile(""); return {}; }
  NI operator int*() { sink = malloc(113); asm volatile(""); return nullptr; } };
template <int (*F)(int)> struct Wrap { NI void run() { sink = malloc(108); asm volatile(""); } };
NI int twice(int x) { return 2 * x; }
struct Op { NI bool operator<(const Op&) const { sink = malloc(109); asm volatile(""); return true; }
  NI void operator()(int) { sink = malloc(110); asm volatile(""); }
  template <class T> NI bool operator>(T) { sink = malloc(111); asm volatile(""); return true; }
  NI Op* operator->() { sink = malloc(114); asm volatile(""); return this; }
  NI void operator,(int) { sink = malloc(115); asm volatile(""); } };
template <bool (Op::*M)(const Op&) const> NI void viaMember() { sink = malloc(112); asm volatile(""); }
template <class T> NI auto trailing(T t) -> decltype(t + 1) { sink = malloc(116); asm volatile(""); return t; }
template <class T> NI decltype(auto) deduced(T t) { sink = malloc(117); asm volatile(""); return t; }
NI void localClass() { struct In { NI void go() { sink = malloc(118); asm volatile(""); } }; In().go(); asm volatile(""); }
struct { NI void go() { sink = malloc(119); asm volatile(""); } } unnamed;
int main() {
  Tagged().grab(); freeTagged(); picker(1); templateLambda(); autoLambda();
  using namespace lit; (void)106_km; (void)(std::function<void(int)>)Conv(); { Conv c; (void)(int*)c; }
  Wrap<twice>().run(); Op o; (void)(o < o); o(1); (void)(o > 3); viaMember<&Op::operator< >(); o.operator->(); (o, 2);
  trailing(1); deduced(1L); localClass(); unnamed.go();
}
