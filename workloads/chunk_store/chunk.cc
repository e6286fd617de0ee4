#include "workloads/chunk_store/chunk.h"

#include <string>

namespace workloads::chunks {
namespace {

constexpr uint64_t kChunksPerFile = 12;

// Text that is kept: without the growth reserve of `text`.
String Exact(const String& text) { return String(std::string_view(text)); }

String Digits(uint64_t number, size_t width) {
  std::string digits = std::to_string(number);
  String padded;
  if (digits.size() < width) padded.assign(width - digits.size(), '0');
  padded += digits;
  return padded;
}

String Prose(Random& random, size_t size) {
  String text;
  while (text.size() < size) {
    if (!text.empty()) text += ' ';
    text += AnyWord(random);
  }
  text += '.';
  return Exact(text);
}

}  // namespace

int64_t Chunk::PayloadBytes() const {
  size_t bytes =
      id.size() + path.size() + name.size() + signature.size() + docstring.size();
  for (const String& dependency : dependencies) bytes += dependency.size();
  for (const auto& [key, value] : metadata) bytes += key.size() + value.size();
  return static_cast<int64_t>(bytes);
}

ChunkRef Share(Chunk chunk) {
  return std::allocate_shared<const Chunk>(EntityAllocator<Chunk, ChunkObjects>(),
                                           std::move(chunk));
}

String Project::Path(uint64_t number) const {
  const uint64_t file = number / kChunksPerFile;
  Random random = random_.Split(file * 2);
  String path("src/");
  path += Word(random.Below(24));
  path += '/';
  path += Word(random.Below(kWords));
  path += "/module_" + Digits(file, 5) + ".py";
  return Exact(path);
}

String Project::Name(uint64_t number) const {
  // Few words: some functions of different files share their names.
  Random random = random_.Split(number * 2 + 1);
  String name(Word(random.Below(48)));
  name += '_';
  name += Word(random.Below(48));
  name += random.Chance(0.5) ? "_for_request" : "_from_cached_state";
  return Exact(name);
}

String Project::Id(uint64_t number) const {
  String id("code:");
  id += Path(number);
  id += ':' + Name(number) + '#' + Digits(number, 7);
  return Exact(id);
}

Chunk Project::Make(uint64_t number, uint64_t version) const {
  Random random = random_.Split((number << 20) + version);
  Chunk chunk;
  chunk.id = Id(number);
  chunk.path = Path(number);
  chunk.name = Name(number);

  String signature("def ");
  signature += chunk.name + '(';
  const uint64_t arguments = 1 + random.Below(4);
  for (uint64_t i = 0; i < arguments; ++i) {
    if (i > 0) signature += ", ";
    signature += AnyWord(random);
    signature += random.Chance(0.5) ? ": str" : ": list[int]";
  }
  signature += ") -> bool:";
  chunk.signature = Exact(signature);
  chunk.docstring = Prose(random, 100 + random.Below(200));

  const uint64_t dependencies = random.Below(5);
  chunk.dependencies.reserve(dependencies);
  for (uint64_t i = 0; i < dependencies; ++i) {
    chunk.dependencies.push_back(Id(random.Below(number + 1)));
  }
  chunk.metadata.reserve(3);
  chunk.metadata.emplace_back("language", "python");
  chunk.metadata.emplace_back("complexity", Digits(1 + random.Below(30), 2));
  chunk.metadata.emplace_back("last_author_address", Prose(random, 24));

  chunk.first_line = static_cast<int64_t>(number % kChunksPerFile * 40 + 1);
  chunk.last_line = chunk.first_line + random.Between(3, 38);
  return chunk;
}

}  // namespace workloads::chunks
