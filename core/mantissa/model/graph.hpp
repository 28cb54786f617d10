// Which layer reads which: a model is a graph whose layers read earlier ones.
#pragma once
#include "mantissa/base/result.hpp"
#include "mantissa/model/model.hpp"

namespace mantissa::planning {

/// The layer that a number in a node means; -1: the model's input.
constexpr int32_t layer_read(int32_t i, int32_t wanted) {
  return wanted == kLayerBefore ? i - 1 : wanted == kModelInput ? -1 : wanted;
}
constexpr int32_t source_of(const Model& m, int32_t i) { return layer_read(i, m.nodes[size_t(i)].input); }
/// Of a layer that takes two.
constexpr int32_t other_of(const Model& m, int32_t i) { return layer_read(i, m.nodes[size_t(i)].other); }

/// How often the outputs of a layer, or the model's input, are read: by one layer twice, too.
constexpr int32_t readers(const Model& m, int32_t layer) {
  int32_t count = 0;
  for (int32_t i = layer + 1; i < int32_t(m.nodes.size()); ++i) {
    count += source_of(m, i) == layer ? 1 : 0;
    count += m.nodes[size_t(i)].takes_two() && other_of(m, i) == layer ? 1 : 0;
  }
  return count;
}

/// The one that reads the outputs of a layer, -1 if there is none or there are several.
constexpr int32_t only_reader(const Model& m, int32_t layer) {
  if (readers(m, layer) != 1) return -1;
  int32_t i = layer + 1;
  while (source_of(m, i) != layer && !(m.nodes[size_t(i)].takes_two() && other_of(m, i) == layer)) ++i;
  return i;
}

/// Layers read earlier ones, and everything but the last layer is read.
constexpr Error check_graph(const Model& m) {
  const int32_t count = int32_t(m.nodes.size());
  for (int32_t i = 0; i < count; ++i) {
    const Node& node = m.nodes[size_t(i)];
    for (const int32_t wanted : {node.input, node.takes_two() ? node.other : kLayerBefore})
      if (wanted < kModelInput || wanted >= i)
        return {.code = ErrorCode::kUnsupported,
                .detail = Detail::kNotEarlier,
                .layer = int16_t(i),
                .found = wanted};
  }
  if (readers(m, -1) == 0) return {.code = ErrorCode::kUnsupported, .detail = Detail::kInputUnread};
  for (int32_t i = 0; i + 1 < count; ++i)
    if (readers(m, i) == 0)
      return {.code = ErrorCode::kUnsupported, .detail = Detail::kUnread, .layer = int16_t(i)};
  return {};
}

}  // namespace mantissa::planning
