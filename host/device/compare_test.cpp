// Two engines that differ in one element, in one scale, or not at all.
#include "host/device/compare.hpp"

#include <gtest/gtest.h>

#include <cstring>

#include "host/device/small_model.hpp"
#include "host/train/host_engine.hpp"

namespace mantissa::host {
namespace {

const EngineNames kNames = {"the board", "the host"};

/// The same model planned for two micro-batches, with the same initial state.
class Pair {
 public:
  explicit Pair(const char* recipe)
      : description(parse_description(test::kSmallModel, "small.toml")),
        first_(description, find_recipe(recipe, description), {.batch = 8, .micro_batch = 1}, kernels_ref),
        second_(description, find_recipe(recipe, description), {.batch = 8, .micro_batch = 8}, kernels_ref) {
    for (Engine* engine : {&a(), &b()}) engine->initialize(3);
  }
  Engine& a() { return first_.engine(); }
  Engine& b() { return second_.engine(); }
  std::string difference() { return first_difference(a(), b(), kNames, description).value_or("none"); }
  const LayerPlan& layer(size_t i) { return b().plan().layers[i]; }

  Description description;

 private:
  HostEngine first_, second_;
};

template <class T>
void put(Engine& engine, int16_t tensor, size_t i, T value) {
  std::memcpy(engine.bytes(tensor).data() + i * sizeof value, &value, sizeof value);
}

TEST(Compare, EqualStateHasNoDifference) {
  for (const char* recipe : {"float32", "sym12", "sym8", "int8"})
    EXPECT_EQ(Pair(recipe).difference(), "none");
}

TEST(Compare, NamesTheFirstElementWithBothValues) {
  Pair p("float32");
  put(p.a(), p.a().plan().layers[2].weight, 7, 0.25f);
  put(p.b(), p.layer(2).weight, 7, 0.5f);
  put(p.b(), p.layer(2).bias, 0, 100.0f);
  EXPECT_EQ(p.difference(),
            "element 7 of the weight of layer 'linear1' is 0.25 on the board and 0.5 on the host");
}

TEST(Compare, ShowsIntegersAsValues) {
  Pair p("int8");
  const int16_t slot = p.layer(0).bias_momentum_slot;
  for (Engine* engine : {&p.a(), &p.b()}) engine->state(slot).scale = Scale::from_float(0.5f);
  put<int16_t>(p.a(), p.a().plan().layers[0].bias_momentum, 2, 3);
  put<int16_t>(p.b(), p.layer(0).bias_momentum, 2, -4);
  EXPECT_EQ(p.difference(),
            "element 2 of the bias momentum of layer 'conv1' is 1.5 on the board and -2 on the host");
}

TEST(Compare, FindsAnyByteOfAnyTensor) {
  for (const char* recipe : {"float32", "sym12", "sym8", "int8"}) {
    Pair p(recipe);
    for (const size_t layer : {size_t{0}, size_t{2}}) {
      const LayerPlan& l = p.layer(layer);
      for (const int16_t tensor : {l.weight, l.bias, l.weight_momentum, l.bias_momentum})
        for (std::byte& byte : p.b().bytes(tensor)) {
          byte ^= std::byte{1};
          EXPECT_NE(p.difference(), "none") << recipe;
          byte ^= std::byte{1};
        }
    }
    EXPECT_EQ(p.difference(), "none");
  }
}

TEST(Compare, FindsAScale) {
  Pair p("int8");
  p.a().state(p.a().plan().layers[0].y.slot).scale = Scale{1u << 30, -3};
  p.b().state(p.layer(0).y.slot).scale = Scale{(1u << 30) + 1, -3};
  EXPECT_EQ(p.difference(),
            "the scale of the activation of layer 'conv1' is 1073741824 * 2^-3 on the board and 1073741825 * "
            "2^-3 on the "
            "host");
}

}  // namespace
}  // namespace mantissa::host
