// A fitted series as a JSON value, for renderers that print series among other
// things. Apart from render.h, because the library's header is a large one.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>

#include "analyzer/scaling/render_fit.h"

namespace mallogram::fit {

// Of all that prints series: fit.schema.json.
inline constexpr int kSchemaVersion = 1;

// ordered: the verdict first, as people read it.
nlohmann::ordered_json SeriesJson(const NamedFit& named,
                                  std::optional<double> budget);

}  // namespace mallogram::fit
