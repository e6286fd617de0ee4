// Names and numbers for people.
#include "analyzer/stacks/names.h"

#include <gtest/gtest.h>

#include <string>

#include "analyzer/command/format.h"
#include "analyzer/stacks/demangle.h"

namespace mallogram {
namespace {

TEST(Names, Demangle) {
  EXPECT_EQ(Demangle("_ZN3foo3barEi"), "foo::bar(int)");
  EXPECT_EQ(Demangle("_ZN3foo3barEi.part.0"), "foo::bar(int)");
  EXPECT_EQ(Demangle("main"), "main");
  EXPECT_EQ(Demangle("parse.isra.3"), "parse");
  EXPECT_EQ(Demangle("malloc@@GLIBC_2.2.5"), "malloc");
  EXPECT_EQ(Demangle("_Znothing"), "_Znothing");
  EXPECT_EQ(Demangle(""), "");
  // Rust, both schemes; the hash is no part of the name.
  EXPECT_EQ(Demangle("_RNvCs1234_7mycrate3foo"), "mycrate::foo");
  EXPECT_EQ(Demangle("_ZN7mycrate3foo17h0123456789abcdefE"), "mycrate::foo");
  EXPECT_EQ(Demangle("_D8demangle4testFZv"), "demangle.test()");
  EXPECT_EQ(Demangle("__depot_MOD_fill"), "depot::fill");
  EXPECT_EQ(Demangle("__libc_malloc"), "__libc_malloc");
}

TEST(Names, Bare) {
  const std::pair<const char*, const char*> kCases[] = {
      {"main", "main"},
      {"foo::bar(int)", "foo::bar"},
      {"void std::vector<int, std::allocator<int> >::push_back(int const&)",
       "std::vector::push_back"},
      {"void* shapes::Walker::Of<int, char*>(int, char*)", "shapes::Walker::Of"},
      {"operator new(unsigned long)", "operator new"},
      {"operator new[](unsigned long)", "operator new[]"},
      {"bool ns::operator< <int>(ns::A<int> const&)", "ns::operator<"},
      {"ns::A<B>::operator->() const", "ns::A::operator->"},
      {"ns::A<(ns::E)3>::operator()(int) const", "ns::A::operator()"},
      {"ns::A::operator bool() const", "ns::A::operator bool"},
      {"(anonymous namespace)::f(int)", "(anonymous namespace)::f"},
      {"ns::(anonymous namespace)::A<int>::g()", "ns::(anonymous namespace)::A::g"},
      {"main::{lambda(int)#1}::operator()(int) const",
       "main::{lambda#1}::operator()"},
      {"f(int)::{lambda()#2}::operator()() const", "f::{lambda#2}::operator()"},
      {"decltype(auto) ns::h<int>(int)", "ns::h"},
      {"ns::k[abi:cxx11](int)", "ns::k"},
      {"Tagged[abi:v2]::grab()", "Tagged::grab"},
      {"ns::k(int) [clone .cold]", "ns::k"},
      {"lit::operator\"\" _km(unsigned long long)", "lit::operator\"\" _km"},
      {"A::operator unsigned long() const", "A::operator unsigned long"},
      {"A::operator std::function<void (int)>() const",
       "A::operator std::function"},
      {"A::operator int*()", "A::operator int*"},
      {"A::operator,(int)", "A::operator,"},
      {"void (*picker<int>(int))(int)", "picker"},
      {"decltype ({parm#1}+(1)) trailing<int>(int)", "trailing"},
      {"decltype (::new ((void*)(0)) int((declval<int>)())) std::construct_at<int, "
       "int>(int*, int&&)",
       "std::construct_at"},
      {"f()::{unnamed type#1}::go()", "f::{unnamed type#1}::go"},
      {"rust::fill::<u8>", "rust::fill"},
      {"<depot::Crate<u32> as depot::Box2>::pack", "depot::Crate::pack"},
      {"rust::main::{closure#0}", "rust::main::{closure#0}"},
      {"", ""},
      {"<<<", ""},
      {"f(((", "f"},
  };
  for (const auto& [name, bare] : kCases) EXPECT_EQ(BareName(name), bare) << name;
}

TEST(Names, Short) {
  const char* const kLong =
      "void ns::Index<std::__cxx11::basic_string<char, std::char_traits<char>, "
      "std::allocator<char> >, std::vector<int, std::allocator<int> > "
      ">::Insert(int)";
  EXPECT_EQ(ShortName(kLong, 60, true),
            "ns::Index<std::string, std::vector<int>>::Insert");
  EXPECT_EQ(ShortName(kLong, 30, true), "ns::Index<…>::Insert");
  EXPECT_EQ(ShortName(kLong, 30, false), "ns::Index<..>::Insert");
  EXPECT_EQ(ShortName(kLong, 12, true), "…::Insert");
  EXPECT_EQ(ShortName("(anonymous namespace)::f(int)", 40, true), "(anon)::f");
  EXPECT_EQ(ShortName("xmlParseDocument", 40, true), "xmlParseDocument");
}

TEST(Names, Plumbing) {
  for (const char* name :
       {"malloc", "operator new(unsigned long)", "operator new[](unsigned long)",
        "__gnu_cxx::new_allocator<int>::allocate(unsigned long, void const*)",
        "std::allocator_traits<std::allocator<int> "
        ">::allocate(std::allocator<int>&, "
        "unsigned long)",
        "app::PoolAllocator<int>::allocate(unsigned long)",
        "void std::vector<int>::_M_realloc_insert<int>(int*)",
        "std::__cxx11::basic_string<char>::_M_create(unsigned long&, unsigned "
        "long)",
        "std::_MakeUniq<A>::__single_object std::make_unique<A>()"}) {
    EXPECT_TRUE(IsPlumbing(name)) << name;
  }
  for (const char* name :
       {"main", "my_malloc", "xmlMalloc", "foo::std_like()", "mystd::f()", "",
        "app::Pool::allocate(unsigned long)", "app::PoolAllocator<int>::Grow()",
        "void app::Sort<std::vector<int> >(std::vector<int>&)",
        "std::vector<int> app::Make()"}) {
    EXPECT_FALSE(IsPlumbing(name)) << name;
  }
}

TEST(Names, PlumbingOfRust) {
  for (const char* name :
       {"alloc::alloc::alloc_zeroed", "core::ops::function::FnOnce::call_once",
        "<alloc::vec::Vec<u8> as core::clone::Clone>::clone", "<[u8]>::to_vec",
        "hashbrown::raw::RawTable<T>::reserve"}) {
    EXPECT_TRUE(IsPlumbing(name, "_RNvX")) << name;
    EXPECT_FALSE(IsPlumbing(name)) << name;  // C++ may call its own so
  }
  EXPECT_TRUE(IsPlumbing("__rustc::__rust_alloc"));
  EXPECT_FALSE(IsPlumbing("depot::fill", "_RNvX"));
  EXPECT_FALSE(IsPlumbing("<depot::Crate<u32> as depot::Box2>::pack", "_RNvX"));
}

TEST(Format, Numbers) {
  EXPECT_EQ(FormatBytes(0), "0 B");
  EXPECT_EQ(FormatBytes(1023), "1023 B");
  EXPECT_EQ(FormatBytes(1024), "1.00 KiB");
  EXPECT_EQ(FormatBytes(1023 * 1024), "1.00 MiB");
  EXPECT_EQ(FormatBytes(~uint64_t{0}), "16.0 EiB");
  EXPECT_EQ(FormatCount(0), "0");
  EXPECT_EQ(FormatCount(999), "999");
  EXPECT_EQ(FormatCount(1234567), "1,234,567");
  EXPECT_EQ(FormatPercent(0), "0.0 %");
  EXPECT_EQ(FormatPercent(1e-9), "<0.1 %");
  EXPECT_EQ(FormatPercent(0.9999999), ">99.9 %");
  EXPECT_EQ(FormatPercent(1), "100.0 %");
  EXPECT_EQ(FormatSeconds(0.00123), "1.23 ms");
  EXPECT_EQ(FormatSeconds(200), "3 min 20 s");
  EXPECT_EQ(FormatSeconds(9000), "2 h 30 min");
  EXPECT_EQ(Plural(1, "branch"), "1 branch");
  EXPECT_EQ(Plural(2, "branch"), "2 branches");
}

TEST(Format, BarsAndLines) {
  EXPECT_EQ(Bar(0, 4, true), "    ");
  EXPECT_EQ(Bar(0.5, 4, true), "██  ");
  EXPECT_EQ(Bar(1e-9, 4, true), "▏   ");
  EXPECT_EQ(Bar(1, 4, false), "####");
  EXPECT_EQ(Bar(7, 4, false), "####");
  EXPECT_EQ(Sparkline({0, 1, 50, 100}, 100, true), " ▁▄█");
  EXPECT_EQ(Sparkline({0, 1, 50, 100}, 100, false), " .=#");
  EXPECT_EQ(Sparkline({0, 0}, 0, true), "  ");
}

// A trace from elsewhere must not drive the terminal.
TEST(Format, PrintableIsSafe) {
  EXPECT_EQ(Printable("a\x1b[31mb", true), "a?[31mb");
  EXPECT_EQ(Printable("line\nbreak\x7f", true), "line?break?");
  EXPECT_EQ(Printable("caf\xc3\xa9", true), "caf\xc3\xa9");
  EXPECT_EQ(Printable("caf\xc3\xa9", false), "caf?");
  EXPECT_EQ(Printable("\xc2\x9b"
                      "31m",
                      true),
            "?31m");  // C1 control
  EXPECT_EQ(Printable("\xff\xc0\x80\xed\xa0\x80", true), "??????");
  EXPECT_EQ(Printable("cut \xe2\x82", true), "cut ??");
}

TEST(Format, Command) {
  EXPECT_EQ(JoinCommand({"a", "b c", "", "it's", "x=1"}),
            "a 'b c' '' 'it'\\''s' x=1");
}

}  // namespace
}  // namespace mallogram
