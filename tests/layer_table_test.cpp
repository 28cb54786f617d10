// docs/layers.md: what each layer can do and what has been shown of it, from the lists that the tests go through. Where the file differs from
// what the code says, the test fails; with MANTISSA_WRITE_LAYERS set it writes the file.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <functional>
#include <iterator>
#include <sstream>

#include "host/model/description_names.hpp"
#include "tests/norm_check.hpp"
#include "tests/torch_models.hpp"
#include "tests/training_run.hpp"

namespace mantissa::test {
namespace {

constexpr char kHead[] = R"(# Layers

Made by `./dev layers --write` from the lists that the tests go through; a test compares. What a layer computes is in [SPEC.md](../SPEC.md), its keys in model files in `host/model/description.hpp`.

* **float32, integers**: networks with the layer that are checked against finite differences of their definition in double, and in integers against a derived bound of their roundings, in every recipe
  and with every kernel variant, micro-batch and number of threads.
* **activations, errors**: formats besides float32 in which the wire behind the layer, and the error it passes back, can wait; b = 2 to 16 bits, groups where they divide the wire.
* **weights**: likewise.
* **gold**: networks whose losses, weights, momentum and scales equal, for ten steps and bit for bit, an independent implementation in exact integers (`tools/gold`): on hosts (reference, vectors, DSP kernels) and on
  emulated Cortex-M0, M3, M4, M7, M33 and M55.
* **PyTorch**: networks whose loss, gradients and step agree with PyTorch's in float64, within a derived bound.

)";

struct Lists {
  std::vector<NamedModel> checked = odd_models(), torch = torch_models();
  std::vector<std::span<const Node>> gold;

  Lists() {
    for (NamedModel& m : batch_norm_models()) checked.push_back(std::move(m));
    const auto add = [this](const auto& networks) {
      for (const ChainNetwork& n : networks) gold.push_back(n.model.nodes);
    };
    add(kNetworks), add(kKeptNetworks), add(kTransposedNetworks), add(kImageNetworks), add(kGraphNetworks),
        add(kPoolNetworks);
    for (const Model& model : kNormModels) gold.push_back(model.nodes);
  }
};

bool has(std::span<const Node> nodes, Op op) {
  return std::ranges::any_of(nodes, [op](const Node& n) { return n.op == op; });
}

template <class Networks, class Nodes>
int64_t count(const Networks& networks, Op op, Nodes nodes) {
  return std::ranges::count_if(networks, [&](const auto& n) { return has(nodes(n), op); });
}

constexpr Format kFormats[] = {sym_format(8), asym_format(8), bfp_format(8, 1), sym_format(8, 1)};
constexpr const char* kFormatNames[] = {"sym", "asym", "bfp", "sym in groups"};

/// Formats that all networks with the layer can be planned with.
std::string formats(const Lists& lists, Op op, const std::function<void(LayerFormats&, Format)>& set) {
  std::string names;
  for (size_t i = 0; i < std::size(kFormats); ++i) {
    bool all = true;
    for (const NamedModel& m : lists.checked) {
      if (!has(m.nodes, op)) continue;
      Recipe recipe = int8_recipe();
      set(recipe.formats, kFormats[i]);
      all = all && !HeapPlan(m.model(), recipe, {.batch = 4, .micro_batch = 4}).error;
    }
    if (all) names += (names.empty() ? "" : ", ") + std::string(kFormatNames[i]);
  }
  return names;
}

std::string table() {
  const Lists lists;
  std::string text = kHead;
  text +=
      "| layer | float32 | integers | activations | errors | weights | gold | PyTorch |\n"
      "|---|---:|---:|---|---|---|---:|---:|\n";
  for (const auto& [name, op] : host::kOps) {
    const auto of_model = [](const NamedModel& m) { return std::span<const Node>(m.nodes); };
    const int64_t checked = count(lists.checked, op, of_model);
    const std::string activations =
        formats(lists, op, [](LayerFormats& f, Format format) { f.activation = format; });
    const std::string errors = formats(lists, op, [](LayerFormats& f, Format format) { f.error = format; });
    const bool has_weights = Node{.op = op}.has_parameters();
    const std::string weights =
        has_weights ? formats(lists, op, [](LayerFormats& f, Format format) { f.parameter = format; }) : "";
    text +=
        fmt::format("| `{}` | {} | {} | {} | {} | {} | {} | {} |\n", name, checked, checked, activations,
                    errors, weights, count(lists.gold, op, [](std::span<const Node> nodes) { return nodes; }),
                    count(lists.torch, op, of_model));
  }
  return text;
}

TEST(Layers, TheTableIsWhatTheTestsGoThrough) {
  const std::string path = MANTISSA_SOURCE_DIR "/docs/layers.md", made = table();
  if (std::getenv("MANTISSA_WRITE_LAYERS") != nullptr) std::ofstream(path) << made;
  std::ifstream file(path);
  const std::string found{std::istreambuf_iterator<char>(file), {}};
  EXPECT_EQ(found, made) << "./dev layers --write makes docs/layers.md anew";
}

/// No layer without its proofs.
TEST(Layers, EachIsInEveryList) {
  const Lists lists;
  for (const auto& [name, op] : host::kOps) {
    const auto of_model = [](const NamedModel& m) { return std::span<const Node>(m.nodes); };
    EXPECT_GT(count(lists.checked, op, of_model), 0) << name;
    EXPECT_GT(count(lists.gold, op, [](std::span<const Node> nodes) { return nodes; }), 0) << name;
    const bool in_torch = op != Op::kQuantize && op != Op::kDropout;  // PyTorch draws other masks
    if (in_torch) {
      EXPECT_GT(count(lists.torch, op, of_model), 0) << name;
    }
  }
}

}  // namespace
}  // namespace mantissa::test
