// Layers that read others than the one before: in files and back.
#include <gtest/gtest.h>

#include <string>

#include "host/export/model_code.hpp"
#include "host/model/describe.hpp"
#include "host/model/description.hpp"
#include "host/refusal_check.hpp"

namespace mantissa::host {
namespace {

constexpr const char* kResidual = R"(name = "m"
[input]
steps = 32
channels = 6
[[layer]]
type = "conv1d"
channels = 6
kernel = 3
padding = "same"
[[layer]]
type = "relu"
[[layer]]
type = "conv1d"
channels = 6
kernel = 1
[[layer]]
type = "add"
inputs = ["conv2", "relu1"]
[[layer]]
type = "conv1d"
name = "side"
input = "relu1"
channels = 4
kernel = 1
[[layer]]
type = "concat"
inputs = ["input", "side"]
[[layer]]
type = "concat"
inputs = ["concat1", "add1"]
)";

std::string graph_refusal(const std::string& text) {
  return test::error_of([&] { parse_description(text, "m.toml"); });
}

std::string with(const std::string& layer) { return std::string(kResidual) + "[[layer]]\n" + layer + "\n"; }

TEST(GraphDescription, LayersAreReadByName) {
  const Description d = parse_description(kResidual, "m.toml");
  EXPECT_EQ(d.nodes[2].input, kLayerBefore);
  EXPECT_EQ(d.nodes[3], add({.with = 1}));
  EXPECT_EQ(d.nodes[4].input, 1);
  EXPECT_EQ(d.nodes[5], concat({}).after(kModelInput));
  EXPECT_EQ(d.nodes[6], concat({.with = 3}));
  const Description again = parse_description(write_description(d), "written");
  EXPECT_EQ(again.nodes, d.nodes);
  EXPECT_EQ(again.layer_names, d.layer_names);
}

TEST(GraphDescription, NamesThatAreNotThereAreRefused) {
  EXPECT_EQ(graph_refusal(with("type = \"relu\"\ninput = \"relu3\"")),
            "m.toml, line 33: unknown input 'relu3' in [[layer]] 8 (relu); did you mean 'relu1'?");
  EXPECT_NE(graph_refusal(with("type = \"relu\"\nname = \"later\"\ninput = \"later\"")), "");
  EXPECT_EQ(graph_refusal(with("type = \"add\"\ninputs = [\"add1\"]")),
            "m.toml, line 33: 'inputs' in [[layer]] 8 (add) has 1 entries; it takes two layers, such as "
            "[\"conv2\", "
            "\"relu1\"]");
  EXPECT_NE(graph_refusal(with("type = \"add\"\ninput = \"add1\"")).find("unknown key 'input'"),
            std::string::npos);
  EXPECT_NE(
      graph_refusal(with("type = \"relu\"\ninputs = [\"add1\", \"relu1\"]")).find("unknown key 'inputs'"),
      std::string::npos);
}

TEST(GraphDescription, ExportedCodeNamesLayersByNumber) {
  const std::string code = model_code(parse_description(kResidual, "m.toml"));
  for (const char* part : {"mantissa::add({.with = 1}),", ".after(1),",
                           "mantissa::concat({.with = mantissa::kLayerBefore}).after(mantissa::kModelInput),",
                           "mantissa::concat({.with = 3}));"})
    EXPECT_NE(code.find(part), std::string::npos) << part << " in\n" << code;
}

TEST(GraphDescription, InputsThatDoNotFitAreNamed) {
  const Description d = parse_description(kResidual, "m.toml");
  EXPECT_EQ(describe({.code = ErrorCode::kUnsupported,
                      .detail = Detail::kAddChannels,
                      .layer = 3,
                      .found = 4,
                      .limit = 6},
                     d),
            "layer 4 'add1' (add): 6 channels arrive from its first input, and 4 from the second; both have "
            "equally many channels; a convolution with kernel 1 gives them, or take concat");
  EXPECT_EQ(
      describe({.code = ErrorCode::kUnsupported, .detail = Detail::kUnread, .layer = 2}, d),
      "layer 3 'conv2' (conv1d): no layer reads its outputs; read them with 'input' or 'inputs' of a later "
      "layer, or leave it out");
}

}  // namespace
}  // namespace mantissa::host
