// What comes back from a board, whole or not, and how it is compared with the host's run.
#include "host/device/board_training.hpp"

#include <gtest/gtest.h>

#include <cstring>

#include "host/device/small_model.hpp"
#include "host/refusal_check.hpp"
#include "host/train/host_engine.hpp"

namespace mantissa::host {
namespace {

/// What a board would send that has just initialised its engine.
class Returned : public testing::Test {
 protected:
  void SetUp() override {
    host.engine().initialize(5);
    result.epochs = {{1000, 3, 5 << 15}, {900, 4, 5 << 15}};
    std::memcpy(result.run.magic, firmware::kJobMagic, sizeof result.run.magic);
    result.run.state_hash = host.engine().state_hash();
    result.run.steps = 12;
    const auto bytes = host.arena().bytes();
    result.arena.assign(bytes.begin(), bytes.end());
    EpochResult epoch;
    epoch.loss_q24 = 1000;
    epoch.correct = 3;
    epoch.weight = 5 << 15;
    epochs.push_back(epoch);
    epoch.loss_q24 = 900;
    epoch.correct = 4;
    epochs.push_back(epoch);
  }

  std::vector<std::byte> file() const {
    std::vector<std::byte> bytes;
    for (const auto part : {std::as_bytes(std::span(&result.run, 1)), std::as_bytes(std::span(result.epochs)),
                            std::span<const std::byte>(result.arena)})
      bytes.insert(bytes.end(), part.begin(), part.end());
    return bytes;
  }
  std::string difference() {
    ReturnedEngine board(host.plan(), result, 5);
    return first_difference(result, board.engine(), epochs, host.engine(), description).value_or("none");
  }

  Description description = parse_description(test::kSmallModel, "small.toml");
  HostEngine host{description, find_recipe("int8", description), {.batch = 4}, kernels_ref};
  BoardResult result;
  std::vector<EpochResult> epochs;
};

using test::expect_error;

TEST_F(Returned, AResultFileIsReadBack) {
  const BoardResult read = parse_result(file(), 2, result.arena.size(), "result.bin");
  EXPECT_EQ(read.run.state_hash, result.run.state_hash);
  EXPECT_EQ(read.run.steps, 12u);
  ASSERT_EQ(read.epochs.size(), 2u);
  EXPECT_EQ(read.epochs[1].loss_q24, 900);
  EXPECT_EQ(read.epochs[1].correct, 4);
  EXPECT_EQ(read.epochs[1].weight, 5 << 15);
  EXPECT_EQ(read.arena, result.arena);
}

TEST_F(Returned, AnUnfinishedResultIsRefused) {
  auto bytes = file();
  bytes.pop_back();
  expect_error([&] { parse_result(bytes, 2, result.arena.size(), "result.bin"); }, "bytes came back");
  expect_error([&] { parse_result(file(), 3, result.arena.size(), "result.bin"); }, "bytes came back");
  expect_error([&] { parse_result({}, 2, result.arena.size(), "result.bin"); },
               "result.bin: 0 bytes came back");
  result.run.magic[0] = '\0';
  expect_error([&] { parse_result(file(), 2, result.arena.size(), "result.bin"); }, "did not finish");
}

TEST_F(Returned, MemoryThatIsNotWhatItsHashSaysIsRefused) {
  result.run.state_hash ^= 1;
  expect_error([&] { ReturnedEngine(host.plan(), result, 5); }, "the transfer is damaged");
}

TEST_F(Returned, EqualRunsAreIdentical) { EXPECT_EQ(difference(), "none"); }

TEST_F(Returned, AnEpochThatDiffersIsNamed) {
  epochs[1].loss_q24 = 901;
  EXPECT_EQ(difference(),
            "the sums of epoch 2 are 900 (loss, 2^-24) and 4 correct on the board, 901 and 4 on the host");
  epochs[1].loss_q24 = 900;
  epochs[0].correct = 2;
  EXPECT_EQ(difference(),
            "the sums of epoch 1 are 1000 (loss, 2^-24) and 3 correct on the board, 1000 and 2 on the host");
  epochs[0].weight = 7;
  EXPECT_EQ(difference(), "the samples of epoch 1 weigh 163840 (2^-15) on the board and 7 on the host");
}

TEST_F(Returned, AWeightAndACountThatDifferAreNamed) {
  result.run.saturated = 2;
  EXPECT_EQ(difference(), "2 codes did not fit on the board, and 0 on the host");
  host.engine().bytes(host.plan().layers[2].weight)[9] ^= std::byte{0x40};
  EXPECT_NE(difference().find("of the weight of layer 'linear1'"), std::string::npos) << difference();
}

}  // namespace
}  // namespace mantissa::host
