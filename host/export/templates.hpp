// The texts of exported files, with places to fill: @NAME@. Between lines @IF(X) and @END: only where X holds.
#pragma once
#include <map>
#include <set>
#include <string>
#include <string_view>

namespace mantissa::host {

extern const std::string_view kHeaderTemplate;
extern const std::string_view kSourceTemplate;

/// Requires a value for each place.
std::string fill_template(std::string_view text, const std::map<std::string, std::string>& values,
                          const std::set<std::string>& conditions);

}  // namespace mantissa::host
