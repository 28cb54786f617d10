// Program files: symbols, changes, and files that are cut or something else.
#include "host/device/firmware_image.hpp"

#include <gtest/gtest.h>

#include "host/device/small_program.hpp"
#include "host/refusal_check.hpp"

namespace mantissa::host {
namespace {

constexpr uint32_t kAddress = 0x08000000;

std::vector<std::byte> content(std::initializer_list<int> values) {
  std::vector<std::byte> bytes;
  for (const int v : values) bytes.push_back(static_cast<std::byte>(v));
  return bytes;
}

std::vector<std::byte> program() {
  return test::small_program(kAddress, content({1, 2, 3, 4, 5, 6, 7, 8}),
                             {{"one", 1}, {"start", 0x20000010}});
}

using test::expect_error;

TEST(FirmwareImage, FindsSymbols) {
  const FirmwareImage image(program(), "p.elf");
  EXPECT_EQ(image.symbol("one"), 1u);
  EXPECT_EQ(image.symbol("start"), 0x20000010u);
  expect_error([&] { static_cast<void>(image.symbol("on")); }, "p.elf: there is no symbol 'on'");
}

TEST(FirmwareImage, ChangesTheBytesAtAnAddressAndNoOthers) {
  FirmwareImage image(program(), "p.elf");
  const std::vector<std::byte> before(image.file().begin(), image.file().end());
  image.write(kAddress + 2, content({70, 80}));
  const auto now = image.at(kAddress, 8);
  EXPECT_EQ(std::vector<std::byte>(now.begin(), now.end()), content({1, 2, 70, 80, 5, 6, 7, 8}));
  size_t changed = 0;
  for (size_t i = 0; i < before.size(); ++i) changed += before[i] != image.file()[i];
  EXPECT_EQ(changed, 2u);
}

TEST(FirmwareImage, RefusesToWriteWhereNothingIsLoaded) {
  FirmwareImage image(program(), "p.elf");
  EXPECT_NO_THROW(image.write(kAddress, content({1, 2, 3, 4, 5, 6, 7, 8})));
  const auto nine = content({1, 2, 3, 4, 5, 6, 7, 8, 9});
  for (const uint32_t address : {kAddress - 1, kAddress, kAddress + 1, kAddress + 8, 0u, 0xFFFFFFFFu})
    expect_error([&] { image.write(address, nine); }, "are not in the file");
}

TEST(FirmwareImage, RefusesWhatIsNotAProgramForArm) {
  for (const size_t where : {size_t{0}, size_t{EI_CLASS}, size_t{EI_DATA}, offsetof(Elf32_Ehdr, e_machine),
                             offsetof(Elf32_Ehdr, e_type)}) {
    auto bytes = program();
    bytes[where] = std::byte{0x55};
    expect_error([&] { FirmwareImage(bytes, "p.elf"); }, "not a linked program for a 32-bit Arm");
  }
  expect_error([] { FirmwareImage(content({1, 2, 3}), "p.elf"); }, "p.elf: the file is cut");
  expect_error([] { FirmwareImage::read("no/such.elf"); }, "./dev firmware");
}

TEST(FirmwareImage, ACutFileIsAnErrorAtEveryLength) {
  const auto whole = program();
  for (size_t length = 0; length < whole.size(); ++length) {
    const auto use = [&] {
      FirmwareImage image({whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length)}, "p.elf");
      static_cast<void>(image.symbol("start"));
    };
    EXPECT_THROW(use(), Error) << length;
  }
}

TEST(FirmwareImage, NoByteOfItCanDoHarm) {
  const auto whole = program();
  for (size_t at = 0; at < whole.size(); ++at) {
    auto bytes = whole;
    bytes[at] = std::byte{0xFF};
    try {
      FirmwareImage image(bytes, "p.elf");
      static_cast<void>(image.symbol("start"));
      image.write(kAddress, content({1}));
    } catch (const Error&) {
    }
  }
}

}  // namespace
}  // namespace mantissa::host
