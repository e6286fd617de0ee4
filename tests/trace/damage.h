// Damage done to bytes in every small way; for codecs that must survive it.
#pragma once

#include <string>

namespace mallogram {

// f(bytes) for every proper prefix, and for every byte replaced by each of a few
// values (complement, lowest bit, all ones, zero).
template <typename F>
void ForEachDamage(const std::string& bytes, F f) {
  for (size_t keep = 0; keep < bytes.size(); ++keep) f(bytes.substr(0, keep));
  for (size_t i = 0; i < bytes.size(); ++i) {
    const char original = bytes[i];
    for (const int value : {original ^ 0xff, original ^ 1, 0xff, 0x00}) {
      if (static_cast<char>(value) == original) continue;
      std::string damaged = bytes;
      damaged[i] = static_cast<char>(value);
      f(damaged);
    }
  }
}

}  // namespace mallogram
