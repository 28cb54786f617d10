// Formats as values: sizes, ranges, what is refused; and which sizes of a group would do.
#include "mantissa/tensor/format.hpp"

#include <gtest/gtest.h>

namespace mantissa {
namespace {

TEST(Format, SizesAndRanges) {
  static_assert(Stored<Sym<12>>::bytes(3) == 5);
  static_assert(Stored<Float32>::bytes(3) == 12);
  static_assert(Stored<Bool>::bytes(9) == 2);
  static_assert(!kStorable<SymInt32>);
  for (int bits = 2; bits <= 16; ++bits) {
    const int32_t half = 1 << (bits - 1);
    EXPECT_EQ(sym_format(bits).max_code(), half - 1);
    EXPECT_EQ(code_range(sym_format(bits)).low, 1 - half);
    EXPECT_EQ(code_range(bfp_format(bits)).low, 1 - half);
    EXPECT_EQ(code_range(asym_format(bits)).low, -half);
    EXPECT_EQ(code_range(asym_format(bits)).high, half - 1);
  }
  EXPECT_FALSE(sym_int32_format().is_float());
}

TEST(Format, TypesAreValues) {
  static_assert(Sym<8>::kFormat == sym_format(8));
  static_assert(Sym<8, PerChannel>::kFormat.granularity() == Granularity::kChannel);
  static_assert(Asym<4, PerGroup<16>>::kFormat == asym_format(4, 16));
  static_assert(Bfp<8>::kFormat == Format{FormatKind::kBfp, 8, 32});
  static_assert(Bfp<8>::kFormat.granularity() == Granularity::kGroup);
  static_assert(Format{FormatKind::kSym, 8}.granularity() == Granularity::kTensor);
}

TEST(Format, MetadataIsCounted) {
  EXPECT_EQ(metadata_bytes(sym_format(8), 96), 8u);
  EXPECT_EQ(metadata_bytes(sym_format(8, kPerChannel), 96, 12), 96u);
  EXPECT_EQ(metadata_bytes(asym_format(8, 32), 96), 30u);
  EXPECT_EQ(metadata_bytes(bfp_format(8), 96), 3u);
  EXPECT_EQ(metadata_bytes(float32_format(), 96), 0u);
  EXPECT_EQ(metadata_bytes(sym_format(8, kPerChannel), 0, 12), 0u);
  EXPECT_EQ(stored_bytes(bfp_format(8), 96), 99u);
  EXPECT_EQ(stored_bytes(asym_format(3), 5), 12u);
  EXPECT_EQ(stored_bytes(int32_format(), 5), 20u);
}

TEST(Format, WhatDoesNotFitIsRefused) {
  EXPECT_FALSE(check_format(sym_format(8, kPerChannel), 96, 12));
  EXPECT_FALSE(check_format(bfp_format(16, 1), 96));
  for (Format f : {sym_format(1), sym_format(17), asym_format(1), bfp_format(17),
                   Format{FormatKind::kBool, 8}, Format{FormatKind::kInt32, 16}})
    EXPECT_EQ(check_format(f, 96).code, ErrorCode::kBadBits) << int(f.kind) << " " << int(f.bits);
  const Error group = check_format(asym_format(8, 32), 72);
  EXPECT_EQ(group.code, ErrorCode::kBadGroupSize);
  EXPECT_EQ(group.found, 32);
  EXPECT_EQ(group.limit, 72);
  for (Format f : {bfp_format(8, 0), bfp_format(8, kPerChannel), Format{FormatKind::kFloat32, 32, 8},
                   Format{FormatKind::kSymInt32, 32, kPerChannel}})
    EXPECT_EQ(check_format(f, 96).code, ErrorCode::kBadGroupSize) << int(f.kind) << " " << f.group;
  EXPECT_EQ(check_format(sym_format(8), 96, 7).code, ErrorCode::kBadShape);
  EXPECT_EQ(check_format(sym_format(8), 96, 0).code, ErrorCode::kBadShape);
}

TEST(Format, DivisorsNearAreTheNearest) {
  for (size_t elements = 1; elements <= 200; ++elements)
    for (size_t wanted = 1; wanted <= 220; ++wanted) {
      const Divisors d = divisors_near(elements, wanted);
      const size_t within = std::min(elements, wanted);
      ASSERT_TRUE(elements % d.below == 0 && elements % d.above == 0);
      ASSERT_TRUE(d.below <= within && within <= d.above);
      for (size_t n = d.below + 1; n < d.above; ++n) ASSERT_NE(elements % n, 0u) << elements << " " << wanted;
    }
}

}  // namespace
}  // namespace mantissa
