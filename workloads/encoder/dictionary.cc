#include "workloads/encoder/dictionary.h"

#include <algorithm>

#include "workloads/common/random.h"

namespace workloads::encoder {

template <typename Same, typename Fill>
std::pair<uint32_t, bool> Dictionary::Find(uint64_t hash, Same same, Fill fill) {
  if (glyphs_.size() * 2 >= slots_.size()) Grow();
  const size_t mask = slots_.size() - 1;
  size_t slot = hash & mask;
  for (; slots_[slot] != kNoGlyph; slot = (slot + 1) & mask) {
    const Glyph& glyph = glyphs_[slots_[slot]];
    if (glyph.hash == hash && same(glyph)) return {slots_[slot], false};
  }
  const uint32_t id = size();
  Glyph& glyph = glyphs_.emplace_back();
  glyph.hash = hash;
  fill(&glyph);
  slots_[slot] = id;
  return {id, true};
}

std::pair<uint32_t, bool> Dictionary::Token(std::string_view text) {
  uint64_t hash = 0xcbf29ce484222325u;
  for (const char c : text)
    hash = (hash ^ static_cast<uint8_t>(c)) * 0x100000001b3u;
  return Find(
      Random::Mix(hash),
      [&](const Glyph& glyph) {
        return glyph.kind == NodeKind::kToken && glyph.text == text;
      },
      [&](Glyph* glyph) {
        glyph->text = text;
        glyph->bytes = text.size();
      });
}

std::pair<uint32_t, bool> Dictionary::Composite(NodeKind kind,
                                                const uint32_t* children,
                                                size_t count) {
  uint64_t hash = static_cast<uint64_t>(kind) + 1;
  for (size_t i = 0; i < count; ++i) hash = Random::Mix(hash + children[i]);
  return Find(
      hash,
      [&](const Glyph& glyph) {
        return glyph.kind == kind &&
               std::equal(glyph.children.begin(), glyph.children.end(), children,
                          children + count);
      },
      [&](Glyph* glyph) {
        glyph->kind = kind;
        glyph->children.assign(children, children + count);
        for (size_t i = 0; i < count; ++i) {
          const Glyph& child = glyphs_[children[i]];
          glyph->bytes += child.bytes;
          glyph->depth = std::max(glyph->depth, child.depth + 1);
        }
      });
}

void Dictionary::Grow() {
  const size_t size = std::max<size_t>(64, slots_.size() * 2);
  decltype(slots_)(size, kNoGlyph).swap(slots_);
  for (uint32_t id = 0; id < glyphs_.size(); ++id) {
    size_t slot = glyphs_[id].hash & (size - 1);
    while (slots_[slot] != kNoGlyph) slot = (slot + 1) & (size - 1);
    slots_[slot] = id;
  }
}

int64_t Dictionary::PayloadBytes() const {
  size_t bytes = 0;
  for (const Glyph& glyph : glyphs_) {
    bytes += glyph.text.size() + glyph.children.size() * sizeof(uint32_t);
  }
  return static_cast<int64_t>(bytes);
}

void Dictionary::Reset() {
  decltype(glyphs_)().swap(glyphs_);
  decltype(slots_)().swap(slots_);
}

}  // namespace workloads::encoder
