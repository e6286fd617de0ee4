// The symbolizer on modules with known truth: inlined frames, lines, templates,
// separate debug files, other builds, PIE and not.
//
// Arguments: libinlined.so, PIE executable, other executable.
#include "analyzer/stacks/symbolizer.h"

#include <dlfcn.h>
#include <gtest/gtest.h>
#include <link.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace mallogram {
namespace {

std::string library_path, pie_path, fixed_path;

uint64_t OffsetOf(void* pc) {
  Dl_info info;
  EXPECT_NE(dladdr(pc, &info), 0);
  return reinterpret_cast<uint64_t>(pc) -
         reinterpret_cast<uint64_t>(info.dli_fbase);
}

struct Loaded {
  uint64_t outer = 0, of_template = 0;
  uint32_t inner_line = 0, middle_line = 0, outer_line = 0, template_line = 0;
};

const Loaded& Library() {
  static const Loaded loaded = [] {
    Loaded result;
    void* handle = dlopen(library_path.c_str(), RTLD_NOW);
    if (handle == nullptr) return result;
    const auto call = [handle](const char* name) {
      return OffsetOf(reinterpret_cast<void* (*)()>(dlsym(handle, name))());
    };
    const auto line = [handle](const char* name) {
      return *static_cast<uint32_t*>(dlsym(handle, name));
    };
    result.outer = call("OuterPc");
    result.of_template = call("TemplatePc");
    result.inner_line = line("inner_line");
    result.middle_line = line("middle_line");
    result.outer_line = line("outer_line");
    result.template_line = line("template_line");
    return result;
  }();
  return loaded;
}

std::string Output(const std::string& command) {
  FILE* pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) return "";
  char buffer[4096];
  std::string text;
  for (size_t got; (got = fread(buffer, 1, sizeof buffer, pipe)) > 0;) {
    text.append(buffer, got);
  }
  EXPECT_EQ(pclose(pipe), 0) << command;
  return text;
}

// Raw bytes, as a trace has it; readelf is not us.
std::string BuildIdOf(const std::string& path) {
  const std::string text = Output(absl::StrCat("readelf -n '", path, "'"));
  const size_t at = text.find("Build ID: ");
  if (at == std::string::npos) return "";
  std::string bytes;
  for (size_t i = at + 10; isxdigit(text[i]) && isxdigit(text[i + 1]); i += 2) {
    bytes.push_back(static_cast<char>(std::stoi(text.substr(i, 2), nullptr, 16)));
  }
  return bytes;
}

Module ModuleAt(const std::string& path, const std::string& build_id) {
  Module module;
  module.id = 1;
  module.path = path;
  module.build_id = build_id;
  return module;
}

void ExpectWhole(const std::vector<Frame>& frames) {
  ASSERT_EQ(frames.size(), 3u);
  EXPECT_EQ(frames[0].function, "shapes::Walker::Inner(int)");
  EXPECT_EQ(frames[1].function, "shapes::Walker::Middle(int)");
  EXPECT_EQ(frames[2].function, "shapes::Walker::Outer()");
  EXPECT_EQ(frames[0].line, Library().inner_line);
  EXPECT_EQ(frames[1].line, Library().middle_line);
  EXPECT_EQ(frames[2].line, Library().outer_line);
  EXPECT_TRUE(frames[0].inlined);
  EXPECT_TRUE(frames[1].inlined);
  EXPECT_FALSE(frames[2].inlined);
  for (const Frame& frame : frames) {
    EXPECT_TRUE(absl::EndsWith(frame.file, "tests/analyzer/stacks/inlined_lib.cc"))
        << frame.file;
  }
}

class Scratch {
 public:
  Scratch() {
    char name[] = "/tmp/mallogram-symbolizer-test.XXXXXX";
    path_ = mkdtemp(name);
  }
  ~Scratch() { std::filesystem::remove_all(path_); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

TEST(Symbolizer, InlinedFramesAndLines) {
  Symbolizer symbolizer;
  const Module module = ModuleAt(library_path, BuildIdOf(library_path));
  ASSERT_EQ(module.build_id.size(), 20u);
  ExpectWhole(symbolizer.Resolve(module, Library().outer));
  EXPECT_TRUE(symbolizer.notes().empty());
}

TEST(Symbolizer, Templates) {
  Symbolizer symbolizer;
  const std::vector<Frame> frames =
      symbolizer.Resolve(ModuleAt(library_path, ""), Library().of_template);
  ASSERT_EQ(frames.size(), 1u);
  EXPECT_EQ(frames[0].function, "void* shapes::Walker::Of<int, char*>(int, char*)");
  EXPECT_EQ(frames[0].line, Library().template_line);
}

TEST(Symbolizer, AnotherBuildIsSaidAndNotUsed) {
  Symbolizer symbolizer;
  const Module module = ModuleAt(library_path, std::string(20, '\x11'));
  for (int i = 0; i < 2; ++i) {
    const std::vector<Frame> frames = symbolizer.Resolve(module, Library().outer);
    ASSERT_EQ(frames.size(), 1u);
    EXPECT_EQ(frames[0].function, "");
    ASSERT_EQ(symbolizer.notes().size(), 1u);  // said once
    EXPECT_TRUE(absl::StrContains(symbolizer.notes()[0], "another build"));
  }
}

TEST(Symbolizer, MissingFileIsSaid) {
  Symbolizer symbolizer;
  const auto frames = symbolizer.Resolve(ModuleAt("/nonexistent.so", "ab"), 0x1234);
  ASSERT_EQ(frames.size(), 1u);
  EXPECT_EQ(frames[0].function, "");
  ASSERT_EQ(symbolizer.notes().size(), 1u);
  EXPECT_TRUE(absl::StrContains(symbolizer.notes()[0], "cannot be read"));
  // No file by nature: nothing to say.
  symbolizer.Resolve(ModuleAt("[vdso]", ""), 0x1234);
  EXPECT_EQ(symbolizer.notes().size(), 1u);
}

TEST(Symbolizer, SeparateDebugFileByBuildId) {
  const Scratch scratch;
  const std::string stripped = scratch.path() + "/libinlined.so";
  const std::string id = BuildIdOf(library_path), hex = BuildIdText(id);
  const std::string dir = absl::StrCat(scratch.path(), "/debug");
  const std::string by_id = absl::StrCat(dir, "/.build-id/", hex.substr(0, 2));
  Output(absl::StrCat("mkdir -p ", by_id, " && objcopy --only-keep-debug ",
                      library_path, " ", by_id, "/", hex.substr(2),
                      ".debug && objcopy --strip-all ", library_path, " ",
                      stripped));
  Symbolizer without;
  const auto bare = without.Resolve(ModuleAt(stripped, id), Library().outer);
  ASSERT_EQ(bare.size(), 1u);
  EXPECT_EQ(bare[0].line, 0u);

  Symbolizer with(dir);
  ExpectWhole(with.Resolve(ModuleAt(stripped, id), Library().outer));
  // The module itself is gone or replaced: the debug file alone will do.
  Symbolizer alone(dir);
  ExpectWhole(
      alone.Resolve(ModuleAt("/nonexistent/libinlined.so", id), Library().outer));
  EXPECT_TRUE(alone.notes().empty());
}

TEST(Symbolizer, SeparateDebugFileByDebugLink) {
  const Scratch scratch;
  const std::string stripped = scratch.path() + "/libinlined.so";
  const std::string debug = scratch.path() + "/libinlined.debug";
  Output(absl::StrCat("cd ", scratch.path(), " && objcopy --only-keep-debug ",
                      library_path, " ", debug,
                      " && objcopy --strip-all "
                      "--remove-section=.note.gnu.build-id --add-gnu-debuglink=",
                      debug, " ", library_path, " ", stripped));
  Symbolizer symbolizer;
  ExpectWhole(symbolizer.Resolve(ModuleAt(stripped, ""), Library().outer));
}

TEST(Symbolizer, SymbolTableAlone) {
  const Scratch scratch;
  const std::string stripped = scratch.path() + "/libinlined.so";
  Output(absl::StrCat("objcopy --strip-debug ", library_path, " ", stripped));
  Symbolizer symbolizer;
  const auto frames =
      symbolizer.Resolve(ModuleAt(stripped, ""), Library().of_template);
  ASSERT_EQ(frames.size(), 1u);
  EXPECT_EQ(frames[0].function, "void* shapes::Walker::Of<int, char*>(int, char*)");
  EXPECT_EQ(frames[0].file, "");
}

TEST(Symbolizer, ExecutablesPieOrNot) {
  for (const std::string& path : {pie_path, fixed_path}) {
    unsigned long pc = 0, bias = 0;
    ASSERT_EQ(sscanf(Output(path).c_str(), "%lx %lx", &pc, &bias), 2);
    EXPECT_EQ(bias == 0, path == fixed_path);
    Symbolizer symbolizer;
    const auto frames =
        symbolizer.Resolve(ModuleAt(path, BuildIdOf(path)), pc - bias);
    ASSERT_EQ(frames.size(), 1u) << path;
    EXPECT_TRUE(absl::StartsWith(frames[0].function, "Marked("))
        << frames[0].function;
    EXPECT_EQ(frames[0].line, 10u);
  }
}

// Offsets that lie nowhere, in damaged files too.
TEST(Symbolizer, AnyOffsetAndAnyFile) {
  Symbolizer symbolizer;
  for (const uint64_t offset :
       {uint64_t{0}, uint64_t{1}, ~uint64_t{0}, uint64_t{1} << 40}) {
    EXPECT_FALSE(symbolizer.Resolve(ModuleAt(library_path, ""), offset).empty());
  }
  const Scratch scratch;
  const std::string damaged = scratch.path() + "/damaged.so";
  for (int i = 0; i < 40; ++i) {
    std::filesystem::copy_file(library_path, damaged,
                               std::filesystem::copy_options::overwrite_existing);
    FILE* file = fopen(damaged.c_str(), "r+b");
    ASSERT_NE(file, nullptr);
    fseek(file, 0, SEEK_END);
    const long size = ftell(file);
    for (int k = 0; k < 50; ++k) {
      fseek(file, (i * 7919L + k * 104729L) % size, SEEK_SET);
      fputc(i * 31 + k, file);
    }
    fclose(file);
    Symbolizer fresh;
    fresh.Resolve(ModuleAt(damaged, ""), Library().outer);
    fresh.Resolve(ModuleAt(damaged, ""), Library().of_template);
  }
}

}  // namespace
}  // namespace mallogram

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  if (argc != 4) return 2;
  mallogram::library_path = std::filesystem::canonical(argv[1]);
  mallogram::pie_path = std::filesystem::canonical(argv[2]);
  mallogram::fixed_path = std::filesystem::canonical(argv[3]);
  return RUN_ALL_TESTS();
}
