// Lists and metadata as bytes of one SQL column.
#include <cstring>
#include <utility>

#include "workloads/chunk_store/sqlite_store.h"

namespace workloads::chunks {
namespace {

void PutText(std::string_view text, Blob* out) {
  const auto size = static_cast<uint32_t>(text.size());
  out->append(reinterpret_cast<const char*>(&size), sizeof size);
  out->append(text);
}

bool TakeText(std::string_view* bytes, String* text) {
  uint32_t size = 0;
  if (bytes->size() < sizeof size) return false;
  std::memcpy(&size, bytes->data(), sizeof size);
  bytes->remove_prefix(sizeof size);
  if (bytes->size() < size) return false;
  text->assign(bytes->data(), size);
  bytes->remove_prefix(size);
  return true;
}

}  // namespace

Blob EncodeList(const Array<String, ChunkLists>& list) {
  Blob bytes;
  for (const String& text : list) PutText(text, &bytes);
  return bytes;
}

Blob EncodeMetadata(const Metadata& metadata) {
  Blob bytes;
  for (const auto& [key, value] : metadata) {
    PutText(key, &bytes);
    PutText(value, &bytes);
  }
  return bytes;
}

bool DecodeList(std::string_view bytes, Array<String, ChunkLists>* list) {
  list->clear();
  while (!bytes.empty()) {
    String text;
    if (!TakeText(&bytes, &text)) return false;
    list->push_back(std::move(text));
  }
  return true;
}

bool DecodeMetadata(std::string_view bytes, Metadata* metadata) {
  metadata->clear();
  while (!bytes.empty()) {
    std::pair<String, String> item;
    if (!TakeText(&bytes, &item.first) || !TakeText(&bytes, &item.second))
      return false;
    metadata->push_back(std::move(item));
  }
  return true;
}

}  // namespace workloads::chunks
