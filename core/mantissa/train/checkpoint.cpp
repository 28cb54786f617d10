// Streams the state piece by piece between arena and flash: no second copy in RAM.
#include "mantissa/train/checkpoint.hpp"

#include <algorithm>

#include "mantissa/base/crc32.hpp"

namespace mantissa {
namespace {

using namespace checkpoint;

constexpr int32_t kSlots = 2;
constexpr uint32_t kMagic = 0x43544E4D;  // "MNTC" in memory

// Fields as bytes, the lowest first, whatever the machine.
template <class Word>
void put(std::byte* out, Word value) {
  for (size_t i = 0; i < sizeof(Word); ++i) out[i] = std::byte(uint8_t(value >> (8 * i)));
}

template <class Word>
Word get(const std::byte* in) {
  Word value = 0;
  for (size_t i = 0; i < sizeof(Word); ++i) value |= Word(in[i]) << (8 * i);
  return value;
}

uint32_t crc_of(std::span<const std::byte> bytes) {
  Crc32 crc;
  crc.add(bytes);
  return crc.value();
}

/// The first bytes of a slot.  Source: SPEC 11.
struct Header {
  uint64_t fingerprint = 0;
  uint32_t sequence = 0;
  uint32_t body_bytes = 0;
  uint32_t body_crc = 0;

  void write(std::span<std::byte, kHeaderBytes> out) const {
    put(&out[0], kMagic);
    put(&out[4], kVersion);
    put(&out[8], fingerprint);
    put(&out[16], sequence);
    put(&out[20], body_bytes);
    put(&out[24], body_crc);
    put(&out[28], crc_of(out.first<28>()));
  }

  /// False if the bytes are no header of this version.
  bool read(std::span<const std::byte, kHeaderBytes> in) {
    fingerprint = get<uint64_t>(&in[8]);
    sequence = get<uint32_t>(&in[16]);
    body_bytes = get<uint32_t>(&in[20]);
    body_crc = get<uint32_t>(&in[24]);
    return get<uint32_t>(&in[0]) == kMagic && get<uint32_t>(&in[4]) == kVersion &&
           get<uint32_t>(&in[28]) == crc_of(in.first<28>());
  }
};

void write_progress(const Progress& p, std::span<std::byte, kProgressBytes> out) {
  put(&out[0], p.seed);
  put(&out[8], p.step);
  put(&out[12], uint32_t(p.calibrated));
}

Progress read_progress(std::span<const std::byte, kProgressBytes> in) {
  return {get<uint64_t>(&in[0]), get<uint32_t>(&in[8]), get<uint32_t>(&in[12]) != 0};
}

/// Programs bytes from an offset on, in whole units.
class Writer {
 public:
  Writer(const Flash& flash, int32_t slot) : flash_(flash), slot_(slot) {}

  void start_at(uint32_t offset) { offset_ = offset; }

  bool write(std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
      const size_t n = std::min(bytes.size(), sizeof buffer_ - filled_);
      std::copy_n(bytes.begin(), n, buffer_ + filled_);
      filled_ += n;
      bytes = bytes.subspan(n);
      if (filled_ == sizeof buffer_ && !program()) return false;
    }
    return true;
  }

  /// The rest of the last unit stays erased.
  bool finish() {
    while (filled_ % flash_.unit != 0) buffer_[filled_++] = std::byte(0xFF);
    return filled_ == 0 || program();
  }

 private:
  bool program() {
    const bool done = flash_.program(flash_.context, slot_, offset_, std::span(buffer_, filled_));
    offset_ += uint32_t(filled_);
    filled_ = 0;
    return done;
  }

  const Flash& flash_;
  int32_t slot_;
  uint32_t offset_ = 0;
  size_t filled_ = 0;
  std::byte buffer_[kLargestFlashUnit];
};

enum class SlotKind { kDamaged, kOtherPlan, kWhole };

struct Slot {
  SlotKind kind = SlotKind::kDamaged;
  Header header;
};

bool body_is_whole(const Flash& flash, int32_t slot, const Header& header) {
  std::byte buffer[64];
  Crc32 crc;
  uint32_t at = body_offset(flash.unit), left = header.body_bytes;
  while (left > 0) {
    const std::span<std::byte> piece(buffer, std::min(left, uint32_t(sizeof buffer)));
    if (!flash.read(flash.context, slot, at, piece)) return false;
    crc.add(piece);
    at += uint32_t(piece.size());
    left -= uint32_t(piece.size());
  }
  return crc.value() == header.body_crc;
}

Slot look_at(const Flash& flash, int32_t slot, const PlanView& plan) {
  std::byte bytes[kHeaderBytes];
  Slot found;
  if (!flash.read(flash.context, slot, 0, std::span(bytes)) || !found.header.read(bytes)) return found;
  const bool fits = found.header.body_bytes <= flash.slot_bytes - body_offset(flash.unit);
  if (!fits || !body_is_whole(flash, slot, found.header)) return found;
  const bool same =
      found.header.fingerprint == checkpoint_fingerprint(plan) && found.header.body_bytes == body_bytes(plan);
  found.kind = same ? SlotKind::kWhole : SlotKind::kOtherPlan;
  return found;
}

/// What both slots hold, and which of them is the newest whole state of this plan.
struct Slots {
  Slot slot[kSlots];
  int32_t newest = -1;

  Slots(const Flash& flash, const PlanView& plan) {
    for (int32_t i = 0; i < kSlots; ++i) {
      slot[i] = look_at(flash, i, plan);
      if (slot[i].kind != SlotKind::kWhole) continue;
      // The difference is signed, so that the count of saves may wrap.
      const bool newer = newest < 0 || int32_t(slot[i].header.sequence - slot[newest].header.sequence) > 0;
      if (newer) newest = i;
    }
  }
};

Error check(const PlanView& plan, const Flash& flash) {
  const bool power_of_two = flash.unit != 0 && (flash.unit & (flash.unit - 1)) == 0;
  if (!power_of_two || flash.unit > kLargestFlashUnit)
    return {.code = ErrorCode::kBadFlash, .found = flash.unit, .limit = kLargestFlashUnit};
  const uint32_t needed = checkpoint_bytes(plan, flash.unit);
  if (flash.slot_bytes < needed)
    return {.code = ErrorCode::kFlashTooSmall, .found = flash.slot_bytes, .limit = needed};
  return {};
}

Error flash_failed(int32_t slot) { return {.code = ErrorCode::kFlashFailed, .found = slot}; }

Checkpoint checkpoint_in(int32_t slot, const Header& header, const Flash& flash) {
  return {slot, header.sequence, body_offset(flash.unit) + rounded_up(header.body_bytes, flash.unit)};
}

}  // namespace

Result<Checkpoint> save(const Engine& engine, const Flash& flash) {
  const PlanView& plan = engine.plan();
  if (const Error e = check(plan, flash)) return e;
  const Slots slots(flash, plan);
  const int32_t target = slots.newest == 0 ? 1 : 0;
  Header header = {.fingerprint = checkpoint_fingerprint(plan),
                   .sequence = slots.newest < 0 ? 1 : slots.slot[slots.newest].header.sequence + 1,
                   .body_bytes = body_bytes(plan)};
  if (!flash.erase(flash.context, target)) return flash_failed(target);

  Crc32 crc;
  Writer writer(flash, target);
  writer.start_at(body_offset(flash.unit));
  const auto write = [&](std::span<const std::byte> bytes) {
    crc.add(bytes);
    return writer.write(bytes);
  };
  std::byte progress[kProgressBytes];
  write_progress(engine.progress(), progress);
  const bool written = write(progress) &&
                       for_each_tensor(plan, [&](int16_t tensor) { return write(engine.bytes(tensor)); }) &&
                       writer.finish();
  if (!written) return flash_failed(target);

  header.body_crc = crc.value();
  std::byte bytes[kHeaderBytes];
  header.write(bytes);
  writer.start_at(0);
  if (!writer.write(bytes) || !writer.finish()) return flash_failed(target);
  const Slot read_back = look_at(flash, target, plan);
  if (read_back.kind != SlotKind::kWhole || read_back.header.sequence != header.sequence)
    return flash_failed(target);
  return checkpoint_in(target, header, flash);
}

Result<Checkpoint> restore(Engine& engine, const Flash& flash) {
  const PlanView& plan = engine.plan();
  if (const Error e = check(plan, flash)) return e;
  const Slots slots(flash, plan);
  if (slots.newest < 0) {
    const bool other =
        slots.slot[0].kind == SlotKind::kOtherPlan || slots.slot[1].kind == SlotKind::kOtherPlan;
    return Error{.code = other ? ErrorCode::kOtherPlan : ErrorCode::kNoCheckpoint};
  }
  const Header& header = slots.slot[slots.newest].header;
  Crc32 crc;
  uint32_t at = body_offset(flash.unit);
  const auto read = [&](std::span<std::byte> bytes) {
    if (!flash.read(flash.context, slots.newest, at, bytes)) return false;
    crc.add(bytes);
    at += uint32_t(bytes.size());
    return true;
  };
  std::byte progress[kProgressBytes];
  const bool done =
      read(progress) && for_each_tensor(plan, [&](int16_t tensor) { return read(engine.bytes(tensor)); });
  if (!done || crc.value() != header.body_crc) return flash_failed(slots.newest);
  engine.progress() = read_progress(progress);
  return checkpoint_in(slots.newest, header, flash);
}

}  // namespace mantissa
