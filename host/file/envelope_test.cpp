// The outer bytes of a saved model: as documented, and each way in which they can be wrong.
// The bytes are spelled out here, so that writer and reader cannot agree on a mistake.
#include "host/file/envelope.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

#include "host/refusal_check.hpp"

namespace mantissa::host {
namespace {

using test::expect_error;

// The checksum comes from another FNV-1a, written in Python.
TEST(Envelope, HasTheDocumentedBytes) {
  const std::string payload = "mantissa";
  const std::vector<std::byte> file = seal(std::as_bytes(std::span(payload)), 2);
  const std::vector<uint8_t> wanted = {0x89, 'M',  'N', 'T', 0x0D, 0x0A, 0x1A, 0x0A, 2,    0,    0,
                                       0,    8,    0,   0,   0,    0xEC, 0xD4, 0xAE, 0x61, 0x8D, 0xE5,
                                       0x1F, 0x94, 'm', 'a', 'n',  't',  'i',  's',  's',  'a'};
  ASSERT_EQ(file.size(), wanted.size());
  for (size_t i = 0; i < file.size(); ++i)
    EXPECT_EQ(std::to_integer<int>(file[i]), wanted[i]) << "byte " << i;
  EXPECT_TRUE(std::ranges::equal(unseal(file, "x.mnt"), std::as_bytes(std::span(payload))));
}

TEST(Envelope, SaysWhatIsWrong) {
  const std::string payload = "mantissa";
  const auto file = seal(std::as_bytes(std::span(payload)));
  const auto changed = [&file](size_t at, int value) {
    std::vector<std::byte> copy = file;
    copy[at] = std::byte(value);
    return copy;
  };
  expect_error([&] { unseal(changed(0, 0x88), "x.mnt"); }, "x.mnt: not a saved model");
  expect_error([&] { unseal(std::span(file).first(0), "x.mnt"); }, "x.mnt: not a saved model (0 bytes");
  expect_error([&] { unseal(std::span(file).first(20), "x.mnt"); },
               "x.mnt: cut: 20 bytes, and the header alone has 24");
  expect_error([&] { unseal(std::span(file).first(30), "x.mnt"); },
               "x.mnt: cut: 6 bytes follow the header, which says 8");
  expect_error([&] { unseal(changed(12, 7), "x.mnt"); }, "x.mnt: bytes after the end: 8 bytes follow");
  expect_error([&] { unseal(changed(31, 0), "x.mnt"); }, "x.mnt: damaged: the checksum does not match");
  expect_error([&] { unseal(seal(std::as_bytes(std::span(payload)), 3), "x.mnt"); },
               "x.mnt: format version 3, and this program reads version 2; use a newer mantissa");
  expect_error([&] { unseal(seal(std::as_bytes(std::span(payload)), 0), "x.mnt"); }, "format version 0");
}

}  // namespace
}  // namespace mantissa::host
