// What is seen of programs before they run: real ones, made ones, damaged ones.
#include "preload/program_file.h"

#include <elf.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <random>
#include <sstream>
#include <string>
#include <vector>

namespace mallogram {
namespace {

class Directory {
 public:
  Directory() {
    char path[] = "/tmp/mallogram-program-XXXXXX";
    path_ = mkdtemp(path);
  }
  ~Directory() {
    const std::string command = "rm -rf " + path_;
    if (std::system(command.c_str()) != 0) ADD_FAILURE() << command;
  }
  std::string Write(const std::string& name, const std::string& bytes) const {
    std::string path = path_ + "/" + name;
    std::ofstream(path, std::ios::binary) << bytes;
    chmod(path.c_str(), 0755);
    return path;
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

std::string Read(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

FileLook Look(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  const FileLook look = LookAtFile(fd);
  close(fd);
  return look;
}

Unrecordable Judge(const std::string& path, const char* search = nullptr,
                   bool shell = false) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  const Unrecordable why = JudgeProgram(fd, path.c_str(), search, shell);
  close(fd);
  return why;
}

// The same of bytes that never were on a disk.
Unrecordable JudgeBytes(const std::string& bytes) {
  const int fd = memfd_create("program", MFD_CLOEXEC);
  EXPECT_EQ(write(fd, bytes.data(), bytes.size()),
            static_cast<ssize_t>(bytes.size()));
  const Unrecordable why = JudgeProgram(fd, "/p", nullptr, false);
  close(fd);
  return why;
}

// An ELF executable for this machine with one loaded segment: PT_INTERP, DT_NEEDED
// and defined symbols as given.
std::string MakeElf(const std::string& loader, const std::string& needed,
                    const std::vector<std::string>& symbols, bool gnu_hash) {
  std::string strings(1, '\0');
  const auto add = [&strings](const std::string& text) {
    const size_t at = strings.size();
    strings += text + '\0';
    return at;
  };
  std::vector<Elf64_Dyn> dynamic;
  if (!needed.empty()) {
    dynamic.push_back({DT_NEEDED, {add(needed)}});
  }
  std::vector<Elf64_Sym> table(1);
  for (const std::string& symbol : symbols) {
    Elf64_Sym entry{};
    entry.st_name = static_cast<uint32_t>(add(symbol));
    entry.st_shndx = 1;
    table.push_back(entry);
  }
  std::vector<uint32_t> hash;
  if (gnu_hash) {  // one bucket, so one chain; a bloom filter that lets all pass
    hash = {1, 1, 1, 0, ~0u, ~0u, symbols.empty() ? 0u : 1u};
    for (size_t i = 0; i < symbols.size(); ++i) {
      uint32_t h = 5381;
      for (const char c : symbols[i]) h = h * 33 + static_cast<unsigned char>(c);
      hash.push_back((h & ~1u) | (i + 1 == symbols.size() ? 1 : 0));
    }
  } else {
    const auto count = static_cast<uint32_t>(table.size());
    hash = {1, count, count - 1};
    for (uint32_t i = 0; i < count; ++i) hash.push_back(i == 0 ? 0 : i - 1);
  }
  std::string out(sizeof(Elf64_Ehdr) + 3 * sizeof(Elf64_Phdr), '\0');
  constexpr uint64_t kBase = 0x400000;
  const auto append = [&out](const void* data, size_t bytes) {
    out.resize((out.size() + 7) & ~size_t{7});
    const size_t at = out.size();
    out.append(static_cast<const char*>(data), bytes);
    return at;
  };
  const size_t loader_at = append(loader.c_str(), loader.size() + 1);
  dynamic.push_back({DT_STRTAB, {kBase + append(strings.data(), strings.size())}});
  dynamic.push_back(
      {DT_SYMTAB, {kBase + append(table.data(), table.size() * sizeof(table[0]))}});
  dynamic.push_back({gnu_hash ? DT_GNU_HASH : DT_HASH,
                     {kBase + append(hash.data(), hash.size() * sizeof(hash[0]))}});
  dynamic.push_back({DT_NULL, {0}});
  const size_t dynamic_bytes = dynamic.size() * sizeof(dynamic[0]);
  const size_t dynamic_at = append(dynamic.data(), dynamic_bytes);
  Elf64_Ehdr header{};
  memcpy(header.e_ident, ELFMAG, SELFMAG);
  header.e_ident[EI_CLASS] = ELFCLASS64;
  header.e_ident[EI_DATA] = ELFDATA2LSB;
  header.e_type = ET_EXEC;
  header.e_machine = EM_X86_64;
  header.e_phoff = sizeof(header);
  header.e_phentsize = sizeof(Elf64_Phdr);
  header.e_phnum = 3;
  Elf64_Phdr parts[3] = {};
  parts[0] = {PT_LOAD, PF_R, 0, kBase, kBase, out.size(), out.size(), 4096};
  parts[1] = {PT_DYNAMIC, PF_R,          dynamic_at,    kBase + dynamic_at,
              0,          dynamic_bytes, dynamic_bytes, 8};
  parts[2] = {static_cast<uint32_t>(loader.empty() ? PT_NULL : PT_INTERP),
              PF_R,
              loader_at,
              0,
              0,
              loader.size() + 1,
              loader.size() + 1,
              1};
  memcpy(out.data(), &header, sizeof(header));
  memcpy(out.data() + sizeof(header), parts, sizeof(parts));
  return out;
}

constexpr char kGlibc[] = "/lib64/ld-linux-x86-64.so.2";

TEST(ProgramFile, ThisSystemsProgramsCanBeRecorded) {
  const FileLook look = Look("/bin/true");
  EXPECT_EQ(look.format, FileLook::kElf);
  EXPECT_STREQ(look.loader, kGlibc);
  for (const char* path :
       {"/bin/true", "/bin/sh", "/usr/bin/env", "/usr/bin/python3"}) {
    EXPECT_EQ(Judge(path), Unrecordable::kNot) << path;
  }
  EXPECT_EQ(Judge(kGlibc), Unrecordable::kNot);  // as a command
  EXPECT_TRUE(LoaderFits(kGlibc));
  EXPECT_FALSE(LoaderFits("/bin/true"));
}

TEST(ProgramFile, Loaders) {
  const Directory dir;
  const std::string other =
      dir.Write("ld-odd.so", MakeElf("", "", {"other"}, true));
  const std::string new_one =
      dir.Write("ld.so", MakeElf("", "", {"other", "__rseq_offset"}, false));
  struct {
    std::string loader;
    Unrecordable why;
  } const cases[] = {
      {"", Unrecordable::kStatic},
      {"/lib/ld-musl-x86_64.so.1", Unrecordable::kMusl},
      {"/opt/musl/ld-musl-x86_64.so.1", Unrecordable::kMusl},
      {other, Unrecordable::kOtherLibc},
      {new_one, Unrecordable::kNot},
      {kGlibc, Unrecordable::kNot},
      {"/no/such/loader", Unrecordable::kNot},  // exec will say
  };
  for (const auto& c : cases) {
    EXPECT_EQ(Judge(dir.Write("p", MakeElf(c.loader, "", {}, true))), c.why)
        << c.loader;
  }
}

TEST(ProgramFile, SanitizersInside) {
  const Directory dir;
  struct {
    std::vector<std::string> symbols;
    Unrecordable why;
  } const cases[] = {
      {{"malloc", "__asan_init"}, Unrecordable::kAddressSanitizer},
      {{"__hwasan_init", "malloc"}, Unrecordable::kHwAddressSanitizer},
      {{"malloc", "x", "__tsan_init"}, Unrecordable::kThreadSanitizer},
      {{"malloc", "__msan_init"}, Unrecordable::kMemorySanitizer},
      {{"malloc", "__lsan_init"}, Unrecordable::kLeakSanitizer},
      {{"malloc", "__memprof_init"}, Unrecordable::kOtherSanitizer},
      {{"malloc", "__tls_get_addr", "__longjmp_chk"},
       Unrecordable::kAddressSanitizer},
      {{"malloc", "__tls_get_addr", "__res_iclose", "__longjmp_chk"},
       Unrecordable::kThreadSanitizer},
      {{"malloc", "mprobe", "mcheck_pedantic"}, Unrecordable::kLeakSanitizer},
      {{"malloc", "free"}, Unrecordable::kNot},  // an allocator
      {{"__asan_init"}, Unrecordable::kNot},     // a stub
      {{"malloc", "__ubsan_handle"}, Unrecordable::kNot},
      {{}, Unrecordable::kNot},
  };
  for (const bool gnu_hash : {false, true}) {
    for (const auto& c : cases) {
      const std::string first = c.symbols.empty() ? "" : c.symbols.back();
      EXPECT_EQ(Judge(dir.Write("p", MakeElf(kGlibc, "", c.symbols, gnu_hash))),
                c.why)
          << first << gnu_hash;
    }
  }
}

TEST(ProgramFile, SanitizersNeeded) {
  const Directory dir;
  struct {
    const char* needed;
    Unrecordable why;
  } const cases[] = {
      {"libasan.so.8", Unrecordable::kAddressSanitizer},
      {"libtsan.so.2", Unrecordable::kThreadSanitizer},
      {"libhwasan.so.0", Unrecordable::kHwAddressSanitizer},
      {"libclang_rt.asan-x86_64.so", Unrecordable::kAddressSanitizer},
      {"/usr/lib/clang/libclang_rt.tsan.so", Unrecordable::kThreadSanitizer},
      {"libubsan.so.1", Unrecordable::kNot},
      {"liblsan.so.0", Unrecordable::kNot},
      {"libasan", Unrecordable::kNot},
      {"libc.so.6", Unrecordable::kNot},
  };
  for (const auto& c : cases) {
    const std::string path = dir.Write("p", MakeElf(kGlibc, c.needed, {}, true));
    EXPECT_EQ(Judge(path), c.why) << c.needed;
    EXPECT_EQ(Look(path).needs_leak_sanitizer,
              std::string(c.needed) == "liblsan.so.0");
  }
}

TEST(ProgramFile, OtherMachines) {
  const Directory dir;
  std::string elf = MakeElf(kGlibc, "", {}, true);
  elf[18] = EM_386;
  EXPECT_EQ(Judge(dir.Write("p", elf)), Unrecordable::kOtherMachine);
  elf[18] = EM_X86_64;
  elf[EI_CLASS] = ELFCLASS32;  // x32
  EXPECT_EQ(Judge(dir.Write("p", elf)), Unrecordable::kOtherMachine);
}

TEST(ProgramFile, Scripts) {
  const Directory dir;
  const std::string musl =
      dir.Write("musl", MakeElf("/lib/ld-musl-x86_64.so.1", "", {}, true));
  const std::string one = dir.Write("one", "#!" + musl + "\n");
  const std::string two = dir.Write("two", "#! \t" + one + " -x  y \nrest");
  EXPECT_EQ(Judge(one), Unrecordable::kMusl);
  EXPECT_EQ(Judge(two), Unrecordable::kMusl);
  EXPECT_STREQ(Look(two).loader, one.c_str());
  EXPECT_STREQ(Look(two).argument, "-x  y");
  EXPECT_EQ(Judge(dir.Write("loop", "#!" + dir.path() + "/loop\n")),
            Unrecordable::kNot);
  const std::string search = "/bin:" + dir.path();
  for (const char* line : {"#!/usr/bin/env musl", "#!/usr/bin/env -S A=b musl -v",
                           "#!/usr/bin/env one"}) {
    EXPECT_EQ(Judge(dir.Write("env", std::string(line) + "\n"), search.c_str()),
              Unrecordable::kMusl)
        << line;
  }
  for (const char* line : {"#!", "#!\n", "#! \n", "#!/usr/bin/env",
                           "#!/usr/bin/env  -S", "#!/usr/bin/env nothing-there",
                           "#!/no/such", "text", "", "#!/bin/sh\n", "#"}) {
    const std::string path = dir.Write("odd", line);
    EXPECT_EQ(Judge(path, search.c_str()), Unrecordable::kNot) << line;
    EXPECT_EQ(Judge(path, search.c_str(), true), Unrecordable::kNot) << line;
  }
}

TEST(ProgramFile, SearchesAsExecvpDoes) {
  const Directory dir;
  for (const char* name : {"a", "b", "c"}) {
    mkdir((dir.path() + "/" + name).c_str(), 0755);
  }
  mkdir((dir.path() + "/a/prog").c_str(), 0755);    // a directory is no program
  chmod(dir.Write("b/prog", "not").c_str(), 0644);  // nor is this
  dir.Write("c/prog", "yes");
  const auto found = [&](const char* file, const std::string& path) {
    const long fd = OpenInPath(AT_FDCWD, file, path.c_str());
    if (fd < 0) return std::string("-");
    char text[8] = {};
    EXPECT_GE(pread(static_cast<int>(fd), text, sizeof(text) - 1, 0), 0);
    close(static_cast<int>(fd));
    return std::string(text);
  };
  const std::string& d = dir.path();
  EXPECT_EQ(found("prog", d + "/a:" + d + "/b:" + d + "/c"), "yes");
  EXPECT_EQ(found("prog", d + "/none:" + d + "/c"), "yes");
  EXPECT_EQ(found("prog", d + "/none"), "-");
  EXPECT_EQ(found("prog", ""), "-");
  EXPECT_EQ(found("", d + "/c"), "-");
  EXPECT_EQ(found((d + "/c/prog").c_str(), "/none"), "yes");
  EXPECT_EQ(found(std::string(300, 'x').c_str(), d), "-");
  EXPECT_EQ(found("prog", std::string(10000, 'y') + ":" + d + "/c"), "yes");
  ASSERT_EQ(chdir((d + "/c").c_str()), 0);
  EXPECT_EQ(found("prog", ":/none"), "yes");
  EXPECT_EQ(found("prog", "/none:"), "yes");
  ASSERT_EQ(chdir("/"), 0);
  const long fd = OpenInPath(AT_FDCWD, "true", nullptr);
  EXPECT_GE(fd, 0);
  close(static_cast<int>(fd));
}

TEST(ProgramFile, OpensRegularFilesAlone) {
  const Directory dir;
  const std::string fifo = dir.path() + "/fifo";
  ASSERT_EQ(mkfifo(fifo.c_str(), 0700), 0);
  EXPECT_LT(OpenProgram(AT_FDCWD, fifo.c_str()), 0);  // and does not wait
  EXPECT_LT(OpenProgram(AT_FDCWD, dir.path().c_str()), 0);
  EXPECT_LT(OpenProgram(AT_FDCWD, "/no/such"), 0);
  EXPECT_LT(OpenProgram(AT_FDCWD, nullptr), 0);
  EXPECT_LT(OpenProgram(AT_FDCWD, reinterpret_cast<const char*>(8)), 0);
}

TEST(ProgramFile, KeepsErrnoAndPosition) {
  const int fd = open("/bin/true", O_RDONLY | O_CLOEXEC);
  errno = EXDEV;
  LookAtFile(fd);
  LookAtFile(-1);
  EXPECT_EQ(errno, EXDEV);
  EXPECT_EQ(lseek(fd, 0, SEEK_CUR), 0);
  close(fd);
}

// Any answer will do, as long as there is one.
TEST(ProgramFile, Truncated) {
  const std::string elf =
      MakeElf(kGlibc, "libasan.so.8", {"malloc", "__asan_init"}, true);
  for (size_t bytes = 0; bytes < elf.size(); ++bytes) {
    JudgeBytes(elf.substr(0, bytes));
  }
  const std::string real = Read("/bin/sh");
  for (size_t bytes = 0; bytes < real.size(); bytes = bytes * 5 / 4 + 1) {
    JudgeBytes(real.substr(0, bytes));
  }
}

TEST(ProgramFile, Mutated) {
  std::mt19937 random(1);
  const std::string sources[] = {
      MakeElf(kGlibc, "libasan.so.8", {"malloc", "__asan_init"}, true),
      MakeElf(kGlibc, "libc.so.6", {"malloc", "__asan_init"}, false),
      Read("/bin/true").substr(0, 20000)};
  for (int i = 0; i < 6000; ++i) {
    std::string elf = sources[i % 3];
    const int changes = 1 + static_cast<int>(random() % 8);
    for (int n = 0; n < changes; ++n) {
      // Mostly in the headers and tables.
      const size_t at = random() % std::min<size_t>(elf.size(), 2000);
      constexpr unsigned char kOdd[] = {0, 1, 0x7f, 0x80, 0xff};
      const uint32_t pick = random();
      elf[at] = static_cast<char>(pick % 2 != 0 ? kOdd[pick / 2 % 5] : pick >> 8);
      if (pick % 16 == 0 && at + 8 < elf.size()) memset(&elf[at], 0xff, 8);
    }
    JudgeBytes(elf);
  }
}

}  // namespace
}  // namespace mallogram
