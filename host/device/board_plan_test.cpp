// RAM on a board to the byte, jobs as the board will read them, and what is said when there is no room.
#include "host/device/board_plan.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstring>

#include "host/device/job_image.hpp"
#include "host/device/memory_text.hpp"
#include "host/device/refusal.hpp"
#include "host/device/small_program.hpp"
#include "host/refusal_check.hpp"

namespace mantissa::host {
namespace {

constexpr char kModel[] = R"(name = "small"
input = { steps = 32, channels = 3 }
layer = [ { type = "conv1d", channels = 8, kernel = 5 }, { type = "relu" }, { type = "flatten" },
          { type = "linear", features = 4 } ]
)";

using test::error_of;

bool contains(const std::string& text, const std::string& part) { return text.find(part) != text.npos; }

class BoardPlans : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::path(testing::TempDir()) / "mantissa_board_plan" /
              testing::UnitTest::GetInstance()->current_test_info()->name();
    std::filesystem::remove_all(folder_);
    for (const Board& board : boards()) {
      const BoardTarget target = on(board.name);
      test::write_file(target.program_path(),
                       test::small_board_program(board.ram_bytes, firmware::kJobBytes));
    }
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  BoardTarget on(std::string_view name) const { return {find_board(name), BoardKernels::kFast, folder_}; }
  BoardPlan plan(const std::string& recipe, std::string_view board, const BoardOptions& options = {}) const {
    return {description_, find_recipe(recipe, description_), on(board), options};
  }
  uint64_t total(const std::string& recipe, const BoardOptions& options) const {
    return plan(recipe, "microbit", options).memory().total();
  }

  std::filesystem::path folder_;
  Description description_ = parse_description(kModel, "small.toml");
};

TEST_F(BoardPlans, CountAllOfTheRam) {
  const BoardPlan p = plan("int8", "microbit");
  const BoardMemory& m = p.memory();
  EXPECT_EQ(m.static_bytes, 64u);
  EXPECT_EQ(p.view().tensors[size_t(p.view().summary.sample_tensor)].bytes, 32u * 3u * 4u);
  EXPECT_EQ(m.arena_bytes, p.view().summary.arena_bytes);
  EXPECT_EQ(m.total(), m.static_bytes + m.arena_bytes + m.stack_bytes);
  EXPECT_EQ(m.total() % 8, 0u);
  EXPECT_EQ(p.view().summary.micro_batch, 1);
  EXPECT_TRUE(p.fits());
  EXPECT_TRUE(contains(memory_text(p, description_), "linear1 weights"));
  EXPECT_TRUE(contains(memory_text(p, description_, 123), "123 used"));
}

TEST_F(BoardPlans, NameTheProgramThatIsMissingOrOfAnotherBoard) {
  const BoardTarget target = on("microbit");
  test::write_file(target.program_path(), test::small_board_program(8192, 64));
  EXPECT_TRUE(contains(error_of([&] { plan("int8", "microbit"); }), "linked for 8192 bytes of RAM"));
  std::filesystem::remove(target.program_path());
  const std::string missing = error_of([&] { plan("int8", "microbit"); });
  EXPECT_TRUE(contains(missing, (folder_ / "cm0" / "runner_microbit.elf").string())) << missing;
  EXPECT_TRUE(contains(missing, "'./dev firmware' makes it")) << missing;
  EXPECT_TRUE(contains(error_of([] { find_board("microbits"); }), "did you mean 'microbit'?"));
}

TEST_F(BoardPlans, AJobHoldsThePlanAndTheRun) {
  const BoardPlan p = plan("int8", "microbit", {.batch = 4});
  TrainingDefaults training;
  training.epochs = 3;
  training.lr = 0.125;
  training.momentum = 0.5;
  training.weight_decay = 0.25;
  training.schedule = Schedule::kLinear;
  training.seed = 77;
  const FirmwareImage image = image_with_job(p, {training, 50, 1.5f});

  firmware::Job job;
  std::memcpy(&job, image.at(256, sizeof job).data(), sizeof job);
  EXPECT_STREQ(job.magic, firmware::kJobMagic);
  EXPECT_TRUE(job.layout == firmware::job_layout());
  EXPECT_EQ(job.epochs, 3u);
  EXPECT_EQ(job.samples, 50u);
  EXPECT_EQ(job.seed, 77u);
  EXPECT_EQ(job.lr, 0.125f);
  EXPECT_EQ(job.momentum, 0.5f);
  EXPECT_EQ(job.weight_decay, 0.25f);
  EXPECT_EQ(job.input_range, 1.5f);
  EXPECT_EQ(job.schedule, Schedule::kLinear);
  EXPECT_EQ(job.summary.batch, 4);
  EXPECT_EQ(job.arena_bytes, p.memory().arena_bytes);
  EXPECT_EQ(job.stack_bytes, p.memory().stack_bytes);
  const auto expect_array = [&](uint32_t at, auto array) {
    EXPECT_EQ(at % 8, 0u);
    EXPECT_EQ(std::memcmp(image.at(256 + at, array.size_bytes()).data(), array.data(), array.size_bytes()),
              0);
  };
  expect_array(job.layers_at, p.view().layers);
  expect_array(job.tensors_at, p.view().tensors);
  expect_array(job.steps_at, p.view().steps);

  uint32_t stack_top = 0;
  std::memcpy(&stack_top, image.at(0, 4).data(), 4);
  EXPECT_EQ(stack_top, 0x20000000u + p.memory().total());
}

TEST_F(BoardPlans, AJobsArraysAreAligned) {
  for (const int layers : {1, 2, 3, 4}) {
    for (const std::string_view recipe : builtin_recipe_names()) {
      const BoardPlan p = plan(std::string(recipe), "mps2-an385");
      const auto bytes = make_job(p.view(), p.memory(), {});
      firmware::Job job;
      std::memcpy(&job, bytes.data(), sizeof job);
      for (const uint32_t at : {job.layers_at, job.tensors_at, job.steps_at}) EXPECT_EQ(at % 8, 0u) << layers;
      EXPECT_GE(job.steps_at, job.tensors_at + p.view().tensors.size_bytes());
    }
    description_.nodes.push_back(linear({.features = 4}));
    description_.layer_names.push_back("more" + std::to_string(layers));
  }
}

TEST_F(BoardPlans, RefuseAModelOfMoreLayersThanAJobHolds) {
  description_ = parse_description(
      "name = \"deep\"\ninput = { channels = 4 }\nlayer = [ { type = \"linear\", features = 4 } ]",
      "deep.toml");
  for (int i = 0; i < 199; ++i) {
    description_.nodes.push_back(linear({.features = 4}));
    description_.layer_names.push_back(fmt::format("deep{}", i));
  }
  const BoardPlan p = plan("int8", "mps2-an385");
  EXPECT_TRUE(contains(error_of([&] { image_with_job(p, {}); }), "the plan of 200 layers"));
}

TEST_F(BoardPlans, ARefusalSaysHowManyBytesAndOnlyWhatHelps) {
  description_.nodes[0].outputs = 80;
  const BoardOptions options{.batch = 8};
  const BoardPlan p = plan("sym8", "microbit", options);
  ASSERT_FALSE(p.fits());
  const std::string text = error_of(
      [&] { require_fit(p, description_, find_recipe("sym8", description_), on("microbit"), options); });
  const auto grouped_bytes = [](uint64_t n) {
    std::string digits = std::to_string(n);
    if (digits.size() > 3) digits.insert(digits.size() - 3, ",");
    return digits;
  };
  EXPECT_TRUE(contains(text, "takes " + grouped_bytes(p.memory().total()) + " bytes of RAM")) << text;
  EXPECT_TRUE(contains(text, grouped_bytes(p.memory().total() - 16384) + " more than microbit has")) << text;
  EXPECT_TRUE(contains(text, "--batch 1 (no gradient is stored then): " +
                                 grouped_bytes(total("sym8", {.batch = 1})) + " bytes"))
      << text;
  EXPECT_TRUE(contains(text, "--recipe int8: " + grouped_bytes(total("int8", options)) + " bytes")) << text;
  EXPECT_TRUE(contains(text, "--momentum 0: " + grouped_bytes(total("sym8", {8, false})) + " bytes")) << text;
  EXPECT_TRUE(contains(text, "--batch 1, --recipe int8 and --momentum 0 together: " +
                                 grouped_bytes(total("int8", {1, false})) + " bytes"))
      << text;
  EXPECT_TRUE(contains(text, "--board netduinoplus2, which has 196,608")) << text;
  EXPECT_FALSE(contains(text, "momentum = \"sym8\"")) << "sym8 keeps its momentum in float32: " << text;
  EXPECT_FALSE(contains(text, "--recipe sym8")) << text;

  const BoardPlan bare = plan("int8", "microbit", {1, false});
  const std::string left =
      refusal(bare, description_, find_recipe("int8", description_), on("microbit"), {1, false});
  EXPECT_FALSE(contains(left, "--batch 1 (")) << left;
  EXPECT_FALSE(contains(left, "--momentum 0")) << left;
  EXPECT_FALSE(contains(left, "--recipe")) << left;
}

TEST_F(BoardPlans, TheReferenceIsOfferedWhereFastKernelsTakeMore) {
  description_.nodes[0].outputs = 80;
  BoardTarget reference = on("microbit");
  reference.kernels = BoardKernels::kReference;
  test::write_file(reference.program_path(), test::small_board_program(16384, firmware::kJobBytes));
  const NamedRecipe recipe = find_recipe("int8", description_);
  const BoardPlan fast(description_, recipe, on("microbit"), {}), slow(description_, recipe, reference, {});
  ASSERT_LT(slow.memory().total(), fast.memory().total());
  const std::string number =
      fmt::format("{},{:03}", slow.memory().total() / 1000, slow.memory().total() % 1000);
  const std::string text = refusal(fast, description_, recipe, on("microbit"), {});
  EXPECT_TRUE(contains(text, "--kernels ref (slower): " + number + " bytes")) << text;
  EXPECT_FALSE(contains(refusal(slow, description_, recipe, reference, {}), "--kernels"));
}

TEST_F(BoardPlans, NarrowMomentumIsOfferedWhereItIsWide) {
  description_.nodes[0].outputs = 80;
  NamedRecipe wide = find_recipe("int8", description_);
  wide.overrides = {{3, wide.settings.formats}};  // a layer of its own, as a recipe file may have it
  const BoardPlan p(description_, wide, on("microbit"), {});
  NamedRecipe narrow = wide;
  narrow.settings.formats.momentum = narrow.overrides[0].formats.momentum = sym_format(8);
  const uint64_t bytes = BoardPlan(description_, narrow, on("microbit"), {}).memory().total();
  const std::string text = refusal(p, description_, wide, on("microbit"), {});
  const std::string number = fmt::format("{},{:03}", bytes / 1000, bytes % 1000);
  EXPECT_TRUE(contains(text, "a recipe file with momentum = \"sym8\": " + number + " bytes")) << text;
}

}  // namespace
}  // namespace mantissa::host
