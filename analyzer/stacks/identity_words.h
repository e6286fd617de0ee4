// What --sites takes, in the order of SiteIdentity.
#pragma once

#include "absl/strings/string_view.h"

namespace mallogram {

inline constexpr absl::string_view kIdentityWords[] = {"stack", "names", "line",
                                                       "function"};

}  // namespace mallogram
