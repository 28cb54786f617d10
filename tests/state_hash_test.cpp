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
    {"sym8", 15719478643390630396u},
    {"int8", 298998918146442495u},
    {"int8, 8-bit momentum", 9849725322288951098u},
    {"int8, 8-bit parameters", 7434029965535272344u},
    {"int8, 12-bit parameters", 16544094016685332599u},
    {"int8, 6-bit weights", 9460631459483421501u},
    {"int8, rounding to even", 17929134113153912986u},
    {"int16", 4361454591881888636u},
    {"sym8, 12-bit parameters", 2737758317642860487u},
    {"sym8, stochastic wires", 8344104152159896953u},
    {"sym8, 16-bit errors", 11172727221206590574u},
    {"sym8, float parameters", 10511138292730979710u},
    {"sym8 dynamic", 1167717144705603302u},
    {"sym16 dynamic", 16777592446169908087u},
    {"sym12, 14-bit parameters", 2461537206720284299u},
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

}  // namespace
}  // namespace mantissa
