#include "analyzer/command/json_text.h"

namespace mallogram {

std::string Dump(const nlohmann::ordered_json& json, int indent) {
  return json.dump(indent, ' ', false,
                   nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace mallogram
