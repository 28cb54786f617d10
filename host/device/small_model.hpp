// The model that tests of boards train.
#pragma once

namespace mantissa::host::test {

inline constexpr char kSmallModel[] = R"(name = "small"
input = { steps = 16, channels = 2 }
layer = [ { type = "conv1d", channels = 4, kernel = 3 }, { type = "flatten" }, { type = "linear", features = 3 } ]
)";

}  // namespace mantissa::host::test
