// A model: an input shape, an array of layers, and a loss.
#pragma once
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>

#include "mantissa/model/nodes.hpp"

namespace mantissa {

enum class Loss : uint8_t { kCrossEntropy, kMse, kL1, kHuber, kBce };
/// What the losses of a batch add up to; with kMean also what those of a sample's outputs do, where it has more than one.
enum class LossReduction : uint8_t { kMean, kSum };

/// Floats that lie elsewhere. As large on every machine, since a plan is copied to boards as it lies in memory.
struct FloatsElsewhere {
  struct alignas(8) Pointer {
    const float* data = nullptr;
  } first;
  uint64_t count = 0;

  constexpr FloatsElsewhere() = default;
  template <class Floats>
  requires std::is_convertible_v<const Floats&, std::span<const float>>
  constexpr FloatsElsewhere(const Floats& floats)
      : first{std::span<const float>(floats).data()}, count(std::span<const float>(floats).size()) {}
  constexpr operator std::span<const float>() const { return {first.data, size_t(count)}; }
  constexpr bool empty() const { return count == 0; }
  constexpr size_t size() const { return size_t(count); }
  constexpr const float* data() const { return first.data; }
  constexpr float operator[](size_t i) const { return first.data[i]; }
  constexpr const float* begin() const { return first.data; }
  constexpr const float* end() const { return first.data + count; }
};

/// Attributes of a loss. Those that it does not have are as they are here.  Source: PyTorch's losses of these names.
struct LossSettings {
  LossReduction reduction = LossReduction::kMean;
  float smoothing = 0.0f;              ///< CrossEntropy: share of the target that all classes get alike
  FloatsElsewhere class_weights = {};  ///< CrossEntropy: none, or one each
  float delta = 1.0f;                  ///< Huber: where squares end

  /// Of a CrossEntropy. By its bits, so that cores without floats need no library for it.
  constexpr bool is_soft() const { return std::bit_cast<uint32_t>(smoothing) != 0 || !class_weights.empty(); }
};

/// A model as the planner reads it: a graph whose layers read earlier ones, by default a chain. Where several read the outputs of one, its error
/// is the sum of theirs. The loss reads the last layer's outputs: CrossEntropy after a Softmax of its own, or one that
/// compares each with its target.
struct Model {
  Shape input;
  std::span<const Node> nodes;
  Loss loss = Loss::kCrossEntropy;
  LossSettings loss_settings = {};
};

/// A model of known length, for constant expressions: make_model(Shape{128, 9}, conv1d({...}), relu(), ...).
template <size_t kLayers>
struct StaticModel {
  Shape input;
  Node nodes[kLayers];
  Loss loss = Loss::kCrossEntropy;
  LossSettings loss_settings = {};
  constexpr operator Model() const {
    return {input, std::span<const Node>(nodes, kLayers), loss, loss_settings};
  }
};

template <class... Nodes>
constexpr StaticModel<sizeof...(Nodes)> make_model(Shape input, Nodes... nodes) {
  return {input, {nodes...}};
}
template <class... Nodes>
constexpr StaticModel<sizeof...(Nodes)> make_model(Shape input, Loss loss, Nodes... nodes) {
  return {input, {nodes...}, loss};
}
template <class... Nodes>
constexpr StaticModel<sizeof...(Nodes)> make_model(Shape input, Loss loss, const LossSettings& settings,
                                                   Nodes... nodes) {
  return {input, {nodes...}, loss, settings};
}

}  // namespace mantissa
