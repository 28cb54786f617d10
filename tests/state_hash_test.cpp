// The hash of all parameters, momentum and scales after a short run: the same on every machine, compiler and build type.
// A change of these numbers is a change of SPEC.md.
#include <gtest/gtest.h>

#include <map>

#include "tests/training_run.hpp"

namespace mantissa {
namespace {

using namespace test;

const std::map<std::string, uint64_t> kExpected = {
    {"float32", 18146665534280877604u},
    {"sym12", 3029925631604432383u},
    {"sym8", 12800645040293832394u},
    {"int8", 5776977114190936928u},
    {"int8, 8-bit momentum", 2889146934050997753u},
    {"int8, 8-bit parameters", 12644929565055131990u},
    {"int8, 12-bit parameters", 9387093413017960490u},
    {"int8, 6-bit weights", 2005138071184822866u},
    {"int8, rounding to even", 6742827048023123611u},
    {"int16", 16377069334688736124u},
    {"sym8, 12-bit parameters", 2737758317642860487u},
    {"sym8, stochastic wires", 15816643804591933531u},
    {"sym8, 16-bit errors", 1008908085590466078u},
    {"sym8, float parameters", 10511138292730979710u},
    {"sym8 dynamic", 30054991314071906u},
    {"sym16 dynamic", 16777592446169908087u},
    {"sym12, 14-bit parameters", 2461537206720284299u},
    {"int8, asym wires", 13938622132598939345u},
    {"int8, 16-bit asym wires", 9183080234368769314u},
    {"int8, bfp wires", 1673826706322054498u},
    {"int8, grouped wires", 7128640574061091608u},
    {"int8, packed wires", 121875176965558533u},
    {"sym12, asym activations", 2002021456647880461u},
    {"sym12, bfp wires", 12530967071670322700u},
    {"int8, weights of channels", 11456967333075265100u},
    {"int8, asym weights", 6783910523718415481u},
    {"sym8, bfp weights", 15244111393842993012u},
    {"sym12, 16-bit asym weights of channels", 7730581860297664099u},
};

TEST(StateHash, IsTheSameEverywhere) {
  for (const NamedRecipe& r : all_recipes()) {
    const RunOptions o = {.micro_batch = 2, .kernels = &kernels_hwy, .settings = {.weight_decay = 0x1p-10f}};
    const uint64_t hash = train(small_model(), r.recipe, o).hash;
    const auto expected = kExpected.find(r.name);
    EXPECT_TRUE(expected != kExpected.end() && expected->second == hash)
        << "{\"" << r.name << "\", " << hash << "u},";
  }
}

TEST(StateHash, IsTheSameWhereWiresArePacked) {
  Recipe recipe = int8_recipe();
  recipe.formats.activation = sym_format(5);
  const auto trained = [&](WireMemory memory, int32_t micro_batch) {
    recipe.wire_memory = memory;
    return train(small_model(), recipe, {.micro_batch = micro_batch}).hash;
  };
  const uint64_t expected = trained(WireMemory::kOperands, 4);
  EXPECT_EQ(trained(WireMemory::kPacked, 4), expected);
  EXPECT_EQ(trained(WireMemory::kPacked, 1), expected);
}

}  // namespace
}  // namespace mantissa
