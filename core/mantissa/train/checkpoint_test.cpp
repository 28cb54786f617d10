#include "mantissa/train/checkpoint.hpp"

#include <gtest/gtest.h>

#include "mantissa/base/crc32.hpp"
#include "tests/training_run.hpp"

namespace mantissa {
namespace {

using namespace test;

struct PowerFailed {};

/// Two slots of NOR flash: erasing sets bits, programming clears them, and power may fail after any byte of either.
class SimulatedFlash {
 public:
  SimulatedFlash(uint32_t slot_bytes, uint32_t unit) : slot_bytes_(slot_bytes), unit_(unit) {
    for (std::vector<uint8_t>& slot : slots_)
      slot.assign(slot_bytes, 0x5A);  // as left by whoever had it before
  }

  Flash interface() {
    return {this,
            slot_bytes_,
            unit_,
            [](void* self, int32_t slot) { return static_cast<SimulatedFlash*>(self)->erase(slot); },
            [](void* self, int32_t slot, uint32_t offset, std::span<const std::byte> bytes) {
              return static_cast<SimulatedFlash*>(self)->program(slot, offset, bytes);
            },
            [](void* self, int32_t slot, uint32_t offset, std::span<std::byte> bytes) {
              return static_cast<SimulatedFlash*>(self)->read(slot, offset, bytes);
            }};
  }

  /// Power fails in the middle of byte `bytes` from now on.
  void fail_power_after(int64_t bytes) { bytes_left_ = bytes; }
  void restore_power() { bytes_left_ = INT64_MAX; }
  std::vector<uint8_t>& slot(int32_t i) { return slots_[size_t(i)]; }

  bool erases_backwards = false;
  int32_t broken_slot = -1;      ///< its erase or program says that it failed
  int32_t deaf_slot = -1;        ///< it is programmed in vain
  int32_t unreadable_slot = -1;  ///< from this offset on, as after a programming that did not end
  uint32_t unreadable_offset = 0;

 private:
  uint8_t& at(int32_t slot, uint32_t offset) { return slots_[size_t(slot)].at(offset); }

  void change(uint8_t& byte, uint8_t to) {
    if (bytes_left_-- > 0) {
      byte = to;
      return;
    }
    byte = uint8_t((byte & 0x0F) | (to & 0xF0));  // half of its bits made it
    throw PowerFailed{};
  }

  bool erase(int32_t slot) {
    for (uint32_t i = 0; i < slot_bytes_; ++i)
      change(at(slot, erases_backwards ? slot_bytes_ - 1 - i : i), 0xFF);
    return slot != broken_slot;
  }

  bool program(int32_t slot, uint32_t offset, std::span<const std::byte> bytes) {
    EXPECT_EQ(offset % unit_, 0u);
    EXPECT_EQ(bytes.size() % unit_, 0u);
    for (size_t i = 0; i < bytes.size(); ++i) {
      uint8_t& byte = at(slot, offset + uint32_t(i));
      EXPECT_EQ(byte, 0xFF) << "programmed twice";
      if (slot != deaf_slot) change(byte, uint8_t(byte & uint8_t(bytes[i])));
    }
    return slot != broken_slot;
  }

  bool read(int32_t slot, uint32_t offset, std::span<std::byte> bytes) {
    for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = std::byte(at(slot, offset + uint32_t(i)));
    return slot != unreadable_slot || offset + bytes.size() <= unreadable_offset;
  }

  uint32_t slot_bytes_, unit_;
  std::vector<uint8_t> slots_[2];
  int64_t bytes_left_ = INT64_MAX;
};

NamedModel tiny_model() {
  return {"tiny", {6, 2}, {conv1d({.channels = 2, .kernel = 3}), relu(), flatten(), linear({.features = 3})}};
}

/// A device: plan and data in flash, an engine whose memory a reset loses.
struct Device {
  static constexpr int32_t kBatch = 4;

  explicit Device(const NamedModel& m, const Recipe& recipe, PlanOptions options = {.batch = kBatch})
      : model(m),
        plan(model.model(), recipe, options),
        toy(model.input, plan.summary.classes, 8 * kBatch, 3),
        arena(plan.summary.arena_bytes) {
    EXPECT_FALSE(bool(plan.error));
    reset();
    engine.initialize(5);
    engine.set_input_range(1.5f);
  }

  void reset() {
    const Result<Engine> bound = Engine::bind(plan.view(), arena.bytes(), kernels_ref);
    EXPECT_TRUE(bound.ok());
    engine = bound.value;
  }

  /// The batches up to `step`, from where the engine is; returns the hash.
  uint64_t train_to(uint32_t step) {
    while (engine.progress().step < step) {
      const int32_t first = int32_t(engine.progress().step % 8) * kBatch;
      const float* x = toy.x.data() + ptrdiff_t(first) * model.input.size();
      engine.begin_batch(kBatch, {.lr = 0.05f, .momentum = 0.9f}, x, toy.labels[size_t(first)]);
      for (int32_t s = 0; s < kBatch; ++s)
        engine.accumulate(x + ptrdiff_t(s) * model.input.size(), &toy.labels[size_t(first + s)], 1);
      engine.end_batch();
    }
    return engine.state_hash();
  }

  uint32_t bytes(uint32_t unit) const { return checkpoint_bytes(plan.view(), unit); }

  NamedModel model;
  HeapPlan plan;
  Toy toy;
  GuardedArena arena;
  Engine engine;
};

class EveryRecipe : public testing::TestWithParam<NamedRecipe> {};
INSTANTIATE_TEST_SUITE_P(Checkpoint, EveryRecipe, testing::ValuesIn(all_recipes()), [](const auto& named) {
  std::string name;
  for (char c : named.param.name) name += isalnum(static_cast<unsigned char>(c)) ? c : '_';
  return name;
});

TEST_P(EveryRecipe, TrainingGoesOnWithTheSameBits) {
  for (const NamedModel& model : {small_model(), tiny_model()}) {
    Device device(model, GetParam().recipe);
    SimulatedFlash flash(device.bytes(8), 8);
    device.train_to(3);
    ASSERT_TRUE(save(device.engine, flash.interface()).ok());
    const uint64_t saturated = device.engine.saturated();
    const uint64_t uninterrupted = device.train_to(7);

    device.reset();
    const Result<Checkpoint> found = restore(device.engine, flash.interface());
    ASSERT_TRUE(found.ok());
    EXPECT_EQ(device.engine.progress().step, 3u);
    EXPECT_EQ(device.engine.progress().seed, 5u);
    EXPECT_EQ(device.engine.saturated(), saturated);
    EXPECT_EQ(device.train_to(7), uninterrupted);
    EXPECT_TRUE(device.arena.guards_intact());
  }
}

/// Power fails at each byte that a save erases or programs. A reset, and training goes on from one of the two states.
void cut_power_everywhere(const Recipe& recipe, uint32_t unit, bool erases_backwards) {
  constexpr uint32_t kOlder = 2, kNewer = 3, kEnd = 4;
  Device device(tiny_model(), recipe);
  const uint32_t slot_bytes = device.bytes(unit) + 2 * unit;  // more than needed, as whole pages are
  SimulatedFlash before(slot_bytes, unit);
  before.erases_backwards = erases_backwards;
  device.train_to(kOlder - 1);
  ASSERT_TRUE(save(device.engine, before.interface()).ok());
  device.train_to(kOlder);
  ASSERT_TRUE(save(device.engine, before.interface()).ok());

  Device reference(tiny_model(), recipe);
  const uint64_t older = reference.train_to(kOlder), newer = reference.train_to(kNewer),
                 end = reference.train_to(kEnd);
  int64_t cuts = 0, newer_found = 0;
  for (bool saved = false; !saved; ++cuts) {
    SimulatedFlash flash = before;
    device.reset();
    ASSERT_TRUE(restore(device.engine, flash.interface()).ok());
    device.train_to(kNewer);
    flash.fail_power_after(cuts);
    try {
      ASSERT_TRUE(save(device.engine, flash.interface()).ok());
      saved = true;
    } catch (const PowerFailed&) {
    }
    flash.restore_power();
    device.reset();
    ASSERT_TRUE(restore(device.engine, flash.interface()).ok()) << "cut at byte " << cuts;
    const bool is_newer = device.engine.progress().step == kNewer;
    ASSERT_EQ(device.engine.state_hash(), is_newer ? newer : older) << "cut at byte " << cuts;
    ASSERT_EQ(device.engine.progress().step, is_newer ? kNewer : kOlder);
    ASSERT_EQ(device.train_to(kEnd), end) << "cut at byte " << cuts;
    newer_found += is_newer ? 1 : 0;
    // The next save must work, whatever the interrupted one left.
    ASSERT_TRUE(save(device.engine, flash.interface()).ok());
    device.reset();
    ASSERT_TRUE(restore(device.engine, flash.interface()).ok());
    ASSERT_EQ(device.engine.state_hash(), end);
  }
  EXPECT_GE(newer_found, 1);
  EXPECT_GT(cuts, int64_t(slot_bytes) + device.bytes(unit) - 2 * unit);
}

TEST_P(EveryRecipe, PowerMayFailAtAnyByteOfASave) {
  cut_power_everywhere(GetParam().recipe, 4, false);
  cut_power_everywhere(GetParam().recipe, 8, true);
}

TEST(Checkpoint, PowerMayFailWithFlashOfEveryUnit) {
  for (uint32_t unit = 1; unit <= kLargestFlashUnit; unit *= 2)
    cut_power_everywhere(int8_recipe(), unit, false);
}

TEST(Checkpoint, PowerMayFailAtAnyByteOfTheFirstSave) {
  Device device(tiny_model(), int8_recipe());
  device.train_to(1);
  const uint64_t first = device.engine.state_hash();
  for (int64_t cut = 0;; ++cut) {
    SimulatedFlash flash(device.bytes(4), 4);
    flash.fail_power_after(cut);
    bool saved = false;
    try {
      ASSERT_TRUE(save(device.engine, flash.interface()).ok());
      saved = true;
    } catch (const PowerFailed&) {
    }
    flash.restore_power();
    Device again(tiny_model(), int8_recipe());
    const Result<Checkpoint> found = restore(again.engine, flash.interface());
    ASSERT_EQ(found.error.code, found.ok() ? ErrorCode::kNone : ErrorCode::kNoCheckpoint);
    if (found.ok()) {
      ASSERT_EQ(again.engine.state_hash(), first);
    }
    if (saved) break;
  }
}

/// Flash with two saves: at step 1 in slot 0, and at step 2 in slot 1.
struct SavedTwice : testing::Test {
  SavedTwice() : device(tiny_model(), int8_recipe()), flash(device.bytes(4), 4) {
    older = device.train_to(1);
    EXPECT_EQ(save(device.engine, flash.interface()).value.slot, 0);
    newer = device.train_to(2);
    EXPECT_EQ(save(device.engine, flash.interface()).value.slot, 1);
  }
  uint64_t restored() {
    device.reset();
    EXPECT_TRUE(restore(device.engine, flash.interface()).ok());
    return device.engine.state_hash();
  }

  Device device;
  SimulatedFlash flash;
  uint64_t older = 0, newer = 0;
};

TEST_F(SavedTwice, TheNewerIsTaken) {
  EXPECT_EQ(restored(), newer);
  const Result<Checkpoint> found = restore(device.engine, flash.interface());
  EXPECT_EQ(found.value.slot, 1);
  EXPECT_EQ(found.value.sequence, 2u);
  EXPECT_EQ(found.value.bytes, device.bytes(4));
}

TEST_F(SavedTwice, EachFlippedBitOfTheNewerGivesTheOlder) {
  for (size_t bit = 0; bit < 8 * size_t(device.bytes(4)); ++bit) {
    uint8_t& byte = flash.slot(1)[bit / 8];
    byte = uint8_t(byte ^ (1u << bit % 8));
    const bool is_padding = bit / 8 >= 32 + checkpoint::body_bytes(device.plan.view());
    ASSERT_EQ(restored(), is_padding ? newer : older) << "bit " << bit;
    byte = uint8_t(byte ^ (1u << bit % 8));
  }
}

TEST_F(SavedTwice, BytesOverwrittenAtRandomGiveTheOlder) {
  const std::vector<uint8_t> whole = flash.slot(1);
  for (uint32_t trial = 0; trial < 2000; ++trial) {
    const RandomKey key = random_key(11, trial, 0);
    for (uint32_t i = 0; i <= trial % 16; ++i)
      flash.slot(1)[random_below(key, 2 * i, uint32_t(whole.size()))] =
          uint8_t(random_below(key, 2 * i + 1, 256));
    ASSERT_EQ(restored(), flash.slot(1) == whole ? newer : older) << "trial " << trial;
    flash.slot(1) = whole;
  }
}

TEST_F(SavedTwice, ADamagedNewerIsTheOneOverwritten) {
  flash.slot(1)[40] ^= 1;
  EXPECT_EQ(restored(), older);
  EXPECT_EQ(save(device.engine, flash.interface()).value.slot, 1);
  EXPECT_EQ(save(device.engine, flash.interface()).value.slot, 0);
}

TEST_F(SavedTwice, ASlotThatCannotBeReadIsDamaged) {
  flash.unreadable_slot = 1;
  for (uint32_t offset : {0u, 32u, 60u}) {
    flash.unreadable_offset = offset;
    EXPECT_EQ(restored(), older);
  }
}

TEST_F(SavedTwice, NothingIsTakenFromTwoDamagedSlots) {
  flash.slot(0)[3] ^= 1;
  flash.slot(1)[50] ^= 1;
  EXPECT_EQ(restore(device.engine, flash.interface()).error.code, ErrorCode::kNoCheckpoint);
  EXPECT_EQ(device.engine.state_hash(), newer) << "the engine must stay as it is";
}

TEST_F(SavedTwice, AFailingFlashIsReported) {
  device.train_to(3);
  flash.broken_slot = 0;
  Result<Checkpoint> saved = save(device.engine, flash.interface());
  EXPECT_EQ(saved.error.code, ErrorCode::kFlashFailed);
  EXPECT_EQ(saved.error.found, 0);
  flash.broken_slot = -1;
  flash.deaf_slot = 0;
  saved = save(device.engine, flash.interface());
  EXPECT_EQ(saved.error.code, ErrorCode::kFlashFailed);
  EXPECT_EQ(restored(), newer);
}

TEST_F(SavedTwice, AStateOfAnotherPlanIsRefused) {
  NamedModel other_layer = tiny_model();
  other_layer.nodes[1] = flatten();  // as many parameters
  Recipe other_margin = int8_recipe();
  other_margin.margin = 3.0f;
  Recipe other_error = int8_recipe();
  other_error.formats.error = sym_format(7);
  const auto expect_refusal = [this](Device&& other) {
    const uint64_t fresh = other.engine.state_hash();
    for (int32_t i = 0; i < 2; ++i) flash.slot(i).resize(other.bytes(4) + device.bytes(4), 0xFF);
    Flash large = flash.interface();
    large.slot_bytes = other.bytes(4) + device.bytes(4);
    EXPECT_EQ(restore(other.engine, large).error.code, ErrorCode::kOtherPlan);
    EXPECT_EQ(other.engine.state_hash(), fresh);
  };
  expect_refusal(Device(other_layer, int8_recipe()));
  expect_refusal(Device(tiny_model(), other_margin));
  expect_refusal(Device(tiny_model(), other_error));
  expect_refusal(Device(tiny_model(), sym8_recipe()));
  expect_refusal(Device(tiny_model(), int8_recipe(), {.batch = 4, .momentum = false}));
}

TEST_F(SavedTwice, BatchAndMemoryMayDiffer) {
  Device other(tiny_model(), int8_recipe(),
               {.batch = 8, .micro_batch = 2, .tile_bytes = 64, .alignment = 16});
  ASSERT_TRUE(restore(other.engine, flash.interface()).ok());
  EXPECT_EQ(other.engine.state_hash(), newer);
}

TEST(Checkpoint, TheCountOfSavesMayWrap) {
  Device device(tiny_model(), int8_recipe());
  SimulatedFlash flash(device.bytes(4), 4);
  ASSERT_TRUE(save(device.engine, flash.interface()).ok());
  // As after 2^32 - 1 saves.
  std::vector<uint8_t>& slot = flash.slot(0);
  for (size_t i = 16; i < 20; ++i) slot[i] = 0xFF;
  Crc32 crc;
  crc.add(std::as_bytes(std::span(slot).first(28)));
  for (size_t i = 0; i < 4; ++i) slot[28 + i] = uint8_t(crc.value() >> 8 * i);
  device.train_to(1);
  const Result<Checkpoint> wrapped = save(device.engine, flash.interface());
  EXPECT_EQ(wrapped.value.sequence, 0u);
  EXPECT_EQ(wrapped.value.slot, 1);
  EXPECT_EQ(restore(device.engine, flash.interface()).value.slot, 1);
}

TEST(Checkpoint, FlashThatDoesNotFitIsRefused) {
  Device device(tiny_model(), int8_recipe());
  SimulatedFlash flash(device.bytes(4), 4);
  Flash small = flash.interface();
  small.slot_bytes = device.bytes(4) - 1;
  const Error too_small = save(device.engine, small).error;
  EXPECT_EQ(too_small.code, ErrorCode::kFlashTooSmall);
  EXPECT_EQ(too_small.found, small.slot_bytes);
  EXPECT_EQ(too_small.limit, device.bytes(4));
  EXPECT_EQ(restore(device.engine, small).error.code, ErrorCode::kFlashTooSmall);
  for (uint32_t unit : {0u, 3u, 512u}) {
    Flash odd = flash.interface();
    odd.unit = unit;
    EXPECT_EQ(save(device.engine, odd).error.code, ErrorCode::kBadFlash);
  }
  EXPECT_EQ(flash.slot(0)[0], 0x5A) << "nothing must be erased";
}

/// The number that firmware tests with static_assert.
TEST(Checkpoint, BytesAreAConstant) {
  static constexpr auto kPlan = plan(make_model(Shape{6, 2}, conv1d({.channels = 2, .kernel = 3}), relu(),
                                                flatten(), linear({.features = 3})),
                                     float32_recipe());
  // Conv1d 12 + 2, Linear 24 + 3: 41 parameters and as much momentum, 4 bytes each, behind 32 + 16 bytes.
  constexpr uint32_t kStates = uint32_t(sizeof(ScaleState)) * uint32_t(kPlan.value.summary.slots);
  static_assert(checkpoint_bytes(kPlan.value.view(), 4) == 32 + 16 + 2 * 41 * 4 + kStates);
  static_assert(checkpoint_bytes(kPlan.value.view(), 256) ==
                256 + (16 + 2 * 41 * 4 + kStates + 255) / 256 * 256);
}

}  // namespace
}  // namespace mantissa
