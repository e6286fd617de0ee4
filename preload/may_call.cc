#include "preload/may_call.h"

namespace mallogram {

constinit std::atomic<bool> g_filter_seen{false};
constinit std::atomic<const std::atomic<uint32_t>*> g_filter_found{nullptr};

}  // namespace mallogram
