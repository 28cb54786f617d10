// .npz archives as NumPy writes them, and what is wrong with others.
#include "host/data/npz.hpp"

#include <gtest/gtest.h>

#include <array>

#include "host/refusal_check.hpp"

namespace mantissa::host {
namespace {

// numpy.savez_compressed(f, a=numpy.array([1, 2, 3], numpy.int16), b=numpy.float32([[0.5]])), and savez of b alone.
constexpr unsigned char kArchive[] = {
#include "host/data/npz_example.inc"
};
constexpr unsigned char kStored[] = {
#include "host/data/npz_stored.inc"
};

std::vector<std::byte> bytes_of(std::span<const unsigned char> bytes) {
  const auto view = std::as_bytes(bytes);
  return {view.begin(), view.end()};
}

void expect_error(const std::vector<std::byte>& file, const std::string& array, const std::string& text) {
  test::expect_error([&] { Npz(file, "x.npz").read(array); }, text);
}

TEST(Npz, ReadsWhatNumPyWrites) {
  const std::vector<std::byte> file = bytes_of(kArchive);
  const Npz archive(file, "x.npz");
  EXPECT_EQ(archive.names(), (std::vector<std::string>{"a", "b"}));
  EXPECT_TRUE(archive.has("a"));
  EXPECT_FALSE(archive.has("c"));
  const NpzArray a = archive.read("a"), b = archive.read("b");
  EXPECT_TRUE(std::ranges::equal(a.view.values<int16_t>(), std::array<int16_t, 3>{1, 2, 3}));
  EXPECT_EQ(b.view.shape, (std::vector<size_t>{1, 1}));
  EXPECT_EQ(b.view.values<float>()[0], 0.5f);
  const std::vector<std::byte> stored = bytes_of(kStored);
  EXPECT_EQ(Npz(stored, "y.npz").read("b").view.values<float>()[0], 0.5f);
}

TEST(Npz, SaysWhatIsWrong) {
  const std::vector<std::byte> good = bytes_of(kArchive);
  expect_error({}, "a", "not a .npz file (0 bytes");
  expect_error(good, "c", "x.npz: no array 'c'; did you mean 'a'?");
  std::vector<std::byte> cut(good.begin(), good.end() - 30);
  expect_error(cut, "a", "no directory at its end");
  for (size_t i = 0; i < good.size(); ++i) {  // any bit: an error or the same array, never anything else
    std::vector<std::byte> changed = good;
    changed[i] ^= std::byte{16};
    try {
      const NpzArray a = Npz(changed, "x.npz").read("a");
      EXPECT_TRUE(std::ranges::equal(a.view.values<int16_t>(), std::array<int16_t, 3>{1, 2, 3})) << i;
    } catch (const Error&) {
    }
  }
}

}  // namespace
}  // namespace mantissa::host
