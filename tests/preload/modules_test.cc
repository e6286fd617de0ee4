// preload/modules.h: which module a pc lies in, and that a module which was
// unloaded is never mistaken for the one that came to its address.

#include "preload/modules.h"

#include <dlfcn.h>
#include <gtest/gtest.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "preload/image.h"

namespace mallogram {

// The image's, which is not linked here: all chunks are there.
bool MakeModule(ImageTables*, uint32_t) { return true; }
bool MakeString(ImageTables*, uint32_t) { return true; }

namespace {
std::vector<std::pair<uint64_t, uint64_t>> forgotten;

// In the unwinder's place, which is not linked here.
void Forget(uint64_t start, uint64_t end) { forgotten.emplace_back(start, end); }

uint64_t AddressOfThisFunction() {
  return reinterpret_cast<uint64_t>(&AddressOfThisFunction);
}

std::string OwnDirectory() {
  char path[PATH_MAX];
  const ssize_t n = readlink("/proc/self/exe", path, sizeof(path));
  const std::string text(path, n > 0 ? static_cast<size_t>(n) : 0);
  return text.substr(0, text.rfind('/'));
}

class ModulesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    strings_[0] = 0;
    header_.max_modules = kSlots;
    header_.strings_bytes = sizeof(strings_);
    // The program's own path comes with the image.
    const ssize_t self = readlink("/proc/self/exe", strings_ + 1, PATH_MAX);
    ASSERT_GT(self, 0);
    header_.executable_offset = 1;
    header_.strings_used.store(static_cast<uint32_t>(self) + 2);
    forgotten.clear();
    tables_.header = &header_;
    tables_.modules.SetWhole(slots_);
    tables_.strings.SetWhole(strings_);
    InitModules(&tables_, Forget);
    // Rules carry module numbers: with the table begun anew all of them are void.
    ASSERT_EQ(forgotten.size(), 1u);
    EXPECT_EQ(forgotten[0], std::make_pair(uint64_t{0}, ~uint64_t{0}));
    forgotten.clear();
  }

  uint64_t LoadPlugin(const char* name) {
    const std::string path = OwnDirectory() + "/" + name;
    handle_ = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (handle_ == nullptr) ADD_FAILURE() << dlerror();
    return reinterpret_cast<uint64_t>(dlsym(handle_, "PluginFunction"));
  }

  std::string PathOf(uint32_t index) {
    return std::string(strings_ + slots_[index].path_offset);
  }

  static constexpr uint32_t kSlots = 8;
  ImageTables tables_;
  ImageHeader header_{};
  ModuleSlot slots_[kSlots]{};
  char strings_[65536]{};
  void* handle_ = nullptr;
};

TEST_F(ModulesTest, FindsTheProgramItself) {
  CodeModule module{};
  const uint64_t pc = AddressOfThisFunction();
  ASSERT_TRUE(FindModule(pc, &module));
  EXPECT_LE(module.start, pc);
  EXPECT_GT(module.end, pc);
  EXPECT_NE(module.eh_frame_hdr, nullptr);
  ASSERT_LT(module.index, kSlots);
  const ModuleSlot& slot = slots_[module.index];
  EXPECT_EQ(slot.state.load(), ModuleSlot::kReady);
  EXPECT_EQ(slot.unload_tsc.load(), 0u);
  char self[PATH_MAX] = {};
  ASSERT_GT(readlink("/proc/self/exe", self, sizeof(self) - 1), 0);
  EXPECT_EQ(PathOf(module.index), self) << "the loader calls the program \"\"";
}

TEST_F(ModulesTest, RegistersAModuleOnce) {
  CodeModule first{}, second{}, libc{};
  ASSERT_TRUE(FindModule(AddressOfThisFunction(), &first));
  ASSERT_TRUE(FindModule(AddressOfThisFunction() + 1, &second));
  EXPECT_EQ(first.index, second.index);
  ASSERT_TRUE(FindModule(reinterpret_cast<uint64_t>(&::getenv), &libc));
  EXPECT_NE(libc.index, first.index);
  EXPECT_NE(PathOf(libc.index).find("libc.so.6"), std::string::npos);
  EXPECT_GT(slots_[libc.index].build_id_bytes, 0);
  EXPECT_EQ(header_.module_count.load(), 2u);
}

TEST_F(ModulesTest, GeneratedCodeHasNoModule) {
  void* code = mmap(nullptr, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
                    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(code, MAP_FAILED);
  CodeModule module{};
  EXPECT_FALSE(FindModule(reinterpret_cast<uint64_t>(code) + 16, &module));
  EXPECT_FALSE(FindModule(8, &module));
  munmap(code, 4096);
}

TEST_F(ModulesTest, UnloadEndsTheGeneration) {
  const uint64_t pc = LoadPlugin("libring_plugin_a.so");
  CodeModule a{};
  ASSERT_TRUE(FindModule(pc, &a));
  ASSERT_EQ(dlclose(handle_), 0);
  SweepModules();
  EXPECT_NE(slots_[a.index].unload_tsc.load(), 0u);
  ASSERT_EQ(forgotten.size(), 1u) << "the unwinder keeps rules of unmapped code";
  EXPECT_EQ(forgotten[0], std::make_pair(a.start, a.end));

  // The twin has the same layout and, as a rule, gets the same address.
  const uint64_t pc_b = LoadPlugin("libring_plugin_b.so");
  CodeModule b{};
  ASSERT_TRUE(FindModule(pc_b, &b));
  EXPECT_NE(b.index, a.index);
  EXPECT_NE(PathOf(b.index).find("plugin_b"), std::string::npos);
  EXPECT_EQ(slots_[b.index].unload_tsc.load(), 0u);
  ASSERT_EQ(dlclose(handle_), 0);
}

// As above, but nobody looked between the two: a lookup or the sweep must see
// that the name is another one.
TEST_F(ModulesTest, TwinAtTheSameAddressIsAnotherModule) {
  const uint64_t pc = LoadPlugin("libring_plugin_a.so");
  CodeModule a{};
  ASSERT_TRUE(FindModule(pc, &a));
  ASSERT_EQ(dlclose(handle_), 0);
  const uint64_t pc_b = LoadPlugin("libring_plugin_b.so");
  if (pc_b != pc) GTEST_SKIP() << "the loader chose another address";
  SweepModules();  // the dlclose wrapper calls it; here late on purpose
  CodeModule b{};
  ASSERT_TRUE(FindModule(pc_b, &b));
  EXPECT_NE(b.index, a.index);
  EXPECT_NE(PathOf(b.index).find("plugin_b"), std::string::npos);
  ASSERT_EQ(dlclose(handle_), 0);
}

TEST_F(ModulesTest, SweepKeepsWhatIsStillLoaded) {
  CodeModule self{}, libc{};
  ASSERT_TRUE(FindModule(AddressOfThisFunction(), &self));
  ASSERT_TRUE(FindModule(reinterpret_cast<uint64_t>(&::getenv), &libc));
  SweepModules();
  EXPECT_TRUE(forgotten.empty());
  EXPECT_EQ(slots_[self.index].unload_tsc.load(), 0u);
}

TEST_F(ModulesTest, FullTableStillUnwinds) {
  header_.max_modules = 0;
  CodeModule module{};
  ASSERT_TRUE(FindModule(AddressOfThisFunction(), &module));
  EXPECT_EQ(module.index, kNoModule);
  EXPECT_NE(module.eh_frame_hdr, nullptr);
}

TEST_F(ModulesTest, FullStringAreaLosesOnlyTheName) {
  header_.strings_bytes = 4;
  CodeModule module{};
  ASSERT_TRUE(FindModule(reinterpret_cast<uint64_t>(&::getenv), &module));
  ASSERT_LT(module.index, kSlots);
  EXPECT_EQ(PathOf(module.index), "");
}

}  // namespace
}  // namespace mallogram
