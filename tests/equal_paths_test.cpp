// Ways through the engine that round the same numbers once give the same bits: fused and apart, in any order of samples.
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <numeric>

#include "tests/training_run.hpp"

namespace mantissa::test {
namespace {

/// What training has made: the loss of each batch, the bytes of all parameters and their momentum, and the hash of all state.
struct Trained {
  std::vector<int64_t> losses;
  std::vector<std::vector<std::byte>> parameters;
  uint64_t hash = 0;
};

/// An engine in memory of its own.
class Trainer {
 public:
  Trainer(const NamedModel& m, const Recipe& recipe, const RunOptions& options)
      : options_(options),
        plan_(m.model(), recipe, options.plan_options()),
        arena_(plan_.summary.arena_bytes) {
    RC_ASSERT(!plan_.error);
    engine_ = Engine::bind(plan_.view(), arena_.bytes(), *options.kernels).value;
    engine_.initialize(options.seed);
    engine_.set_input_range(1.5f);
  }
  void train(const Toy& toy, int32_t first) {
    trained_.losses.push_back(train_batch(engine_, options_, toy, first, options_.batch).loss_q24);
  }
  Trained result() {
    for (const LayerPlan& l : plan_.layers)
      for (const int16_t tensor : {l.weight, l.bias, l.weight_momentum, l.bias_momentum}) {
        if (tensor < 0) continue;
        const auto bytes = engine_.bytes(tensor);
        trained_.parameters.emplace_back(bytes.begin(), bytes.end());
      }
    trained_.hash = engine_.state_hash();
    return trained_;
  }

 private:
  RunOptions options_;
  HeapPlan plan_;
  GuardedArena arena_;
  Engine engine_;
  Trained trained_;
};

RunOptions any_options() {
  RunOptions o;
  o.batch = 6;
  o.micro_batch = *rc::gen::inRange(1, 7);
  o.seed = *rc::gen::arbitrary<uint32_t>();
  o.settings.weight_decay = *rc::gen::element(0.0f, 0.015625f);
  return o;
}

void swap_samples(Toy& toy, int32_t size, int32_t a, int32_t b) {
  std::swap(toy.labels[size_t(a)], toy.labels[size_t(b)]);
  std::swap_ranges(toy.x.begin() + a * size, toy.x.begin() + (a + 1) * size, toy.x.begin() + b * size);
}

/// Scales are constant over a batch and sums exact, so nothing knows which sample came first; but for the first of all, which
/// sets every scale.
TEST(EqualPaths, SamplesOfABatchMayComeInAnyOrder) {
  std::vector<NamedModel> models = odd_models();
  std::erase_if(models, draws_by_place);
  EXPECT_TRUE(rc::check([&models] {
    const NamedModel& m = models[*rc::gen::inRange<size_t>(0, models.size())];
    RC_LOG() << m.name;
    RunOptions o = any_options();
    constexpr int32_t kBatches = 4;
    const Recipe recipe = *rc::gen::element(0, 1) == 0 ? int8_recipe() : sym8_recipe();
    Trainer expected(m, recipe, o);
    o.micro_batch = *rc::gen::inRange(1, 7);
    Trainer found(m, recipe, o);
    const HeapPlan plan(m.model(), recipe, o.plan_options());
    Toy toy(m.input, plan.summary.classes, o.batch * kBatches, *rc::gen::arbitrary<uint32_t>());
    for (int32_t b = 0; b < kBatches; ++b) expected.train(toy, b * o.batch);
    for (int32_t first = o.batch; first < kBatches * o.batch; first += o.batch)
      for (int32_t i = o.batch - 1; i > 0; --i)
        swap_samples(toy, m.input.size(), first + i, first + *rc::gen::inRange(0, i + 1));
    for (int32_t b = 0; b < kBatches; ++b) found.train(toy, b * o.batch);
    const Trained a = expected.result(), b = found.result();
    RC_ASSERT(a.losses == b.losses);
    RC_ASSERT(a.hash == b.hash);
  }));
}

/// Both models have their parameters in the layers of the same numbers, so they begin and draw alike.
void expect_same_training(const NamedModel& a, const NamedModel& b, Recipe recipe, const RunOptions& o) {
  Trainer one(a, recipe, o), other(b, recipe, o);
  const Toy toy(a.input, 3, 4 * o.batch, o.seed);
  for (int32_t first = 0; first < 4 * o.batch; first += o.batch) {
    one.train(toy, first);
    other.train(toy, first);
  }
  const Trained x = one.result(), y = other.result();
  const bool has_same_parameters = x.parameters == y.parameters;
  RC_ASSERT(x.losses == y.losses);
  RC_ASSERT(has_same_parameters);
}

Recipe any_recipe() {
  Recipe recipe = *rc::gen::element(0, 1) == 0 ? int8_recipe() : sym8_recipe();
  recipe.formats.activation_rounding = recipe.formats.error_rounding =
      *rc::gen::element(Rounding::kHalfAway, Rounding::kHalfEven, Rounding::kFloor);
  return recipe;
}

/// A fixed scale for values about one and for their errors.
Node any_quantize() {
  const auto scale = [](int least) { return std::ldexp(float(*rc::gen::inRange(128, 256)), -least); };
  return quantize({{.bits = 8, .scale = scale(*rc::gen::inRange(12, 15))},
                   {.bits = 8, .scale = scale(*rc::gen::inRange(14, 20))}});
}

const Node kFirst = conv1d({.channels = 5, .kernel = 3}), kLast = linear({.features = 3});

/// Codes that have the format and the scale already stay as they are, forward and backward. (Each Quantize has a layer behind it
/// that takes its errors as they are, since what lies between would have a scale of its own.)
TEST(EqualPaths, AQuantizeIntoTheSameScaleChangesNothing) {
  EXPECT_TRUE(rc::check([] {
    const Node same = any_quantize();
    const Node pool = max_pool1d({.kernel = 14});
    const NamedModel once = {"once", {16, 3}, {kFirst, same, pool, flatten(), same, kLast}};
    const NamedModel twice = {"twice", {16, 3}, {kFirst, same, pool, same, same, kLast}};
    expect_same_training(once, twice, any_recipe(), any_options());
  }));
}

/// Behind sums a Quantize is the rounding that is there anyway.
TEST(EqualPaths, AQuantizeBehindSumsIsTheirOneRounding) {
  EXPECT_TRUE(rc::check([] {
    const Node hidden = linear({.features = 7}), as_the_recipe = quantize({{.bits = 8}, {.bits = 8}});
    const NamedModel without = {"without", {1, 12}, {hidden, flatten(), kLast}};
    const NamedModel with = {"with", {1, 12}, {hidden, as_the_recipe, kLast}};
    expect_same_training(without, with, any_recipe(), any_options());
  }));
}

/// Windows that are equal have one divisor, whatever says where they are.
TEST(EqualPaths, EqualWindowsAreThoseOfAnAveragePool) {
  constexpr Divisor kInside = Divisor::kInside;
  const Node square = conv2d({.channels = 4, .kernel = {2, 2}});
  const std::vector<NamedModel> pairs[] = {
      {{"average", {14, 3}, {kFirst, avg_pool1d({.kernel = 3}), relu(), flatten(), kLast}},
       {"adaptive", {14, 3}, {kFirst, adaptive_avg_pool1d({.steps = 4}), relu(), flatten(), kLast}}},
      {{"average of all", {14, 3}, {kFirst, relu(), global_avg_pool1d(), kLast}},
       {"adaptive to one", {14, 3}, {kFirst, relu(), adaptive_avg_pool1d({.steps = 1}), kLast}}},
      {{"average of an image",
        image_shape(7, 5, 2),
        {square, avg_pool2d({.kernel = {2, 4}}), flatten(), kLast}},
       {"adaptive image",
        image_shape(7, 5, 2),
        {square, adaptive_avg_pool2d({.size = {3, 1}}), flatten(), kLast}}},
      {{"no padding", {14, 3}, {kFirst, relu(), avg_pool1d({.kernel = 4, .stride = 3}), flatten(), kLast}},
       {"of which none counts", {14, 3}, {kFirst, relu(), avg_pool1d({4, 3, 0, kInside}), flatten(), kLast}}},
      {{"the whole signal", {14, 3}, {kFirst, avg_pool1d({.kernel = 12}), kLast}},
       {"and padding", {14, 3}, {kFirst, avg_pool1d({14, 0, 1, kInside}), kLast}}}};
  for (const std::vector<NamedModel>& pair : pairs)
    for (const NamedRecipe& r : all_recipes()) {
      const RunOptions o = {.batch = 6, .micro_batch = 2};
      Trainer one(pair[0], r.recipe, o), other(pair[1], r.recipe, o);
      const Toy toy(pair[0].input, 3, 4 * o.batch, 5);
      for (int32_t first = 0; first < 4 * o.batch; first += o.batch) {
        one.train(toy, first);
        other.train(toy, first);
      }
      const Trained x = one.result(), y = other.result();
      EXPECT_EQ(x.losses, y.losses) << pair[1].name << ", " << r.name;
      EXPECT_EQ(x.parameters == y.parameters, true) << pair[1].name << ", " << r.name;
      EXPECT_EQ(x.hash, y.hash) << pair[1].name << ", " << r.name;
    }
}

/// A ReLU of sums before their rounding, and one of the codes of a pool: rounding keeps order and sign, and so does a maximum.
TEST(EqualPaths, AReluFusedIntoSumsEqualsOneOfCodes) {
  EXPECT_TRUE(rc::check([] {
    const Node wire = any_quantize();
    const Node pool = max_pool1d({.kernel = *rc::gen::inRange(1, 5)});
    Recipe recipe = any_recipe();
    recipe.formats.activation_rounding = recipe.formats.error_rounding =
        *rc::gen::element(Rounding::kHalfAway, Rounding::kHalfEven);  // floors -1/2 to -1
    const NamedModel fused = {"fused", {16, 3}, {kFirst, relu(), wire, pool, flatten(), wire, kLast}};
    const NamedModel apart = {"apart", {16, 3}, {kFirst, wire, pool, relu(), flatten(), wire, kLast}};
    expect_same_training(fused, apart, recipe, any_options());
  }));
}

}  // namespace
}  // namespace mantissa::test
