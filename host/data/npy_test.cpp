// .npy arrays: files as NumPy 1.24 wrote them, and every way in which a file can be wrong.
// The bytes are spelled out here, so that reader and writer can not agree on a mistake.
#include "host/data/npy.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

#include "host/refusal_check.hpp"

namespace mantissa::host {
namespace {

using namespace std::string_literals;

/// A .npy file in memory, aligned as a mapped one.
struct Bytes {
  explicit Bytes(const std::string& text) : copy(text.begin(), text.end()) {}
  std::span<const std::byte> span() const { return std::as_bytes(std::span(copy)); }

  std::vector<char> copy;  // of exact size, so that a sanitizer sees a read behind the end
};

/// Format 1.0: signature, version, length of `header`, `header`, `payload`.
std::string file_v1(const std::string& header, const std::string& payload) {
  const std::string length = {static_cast<char>(header.size() % 256), static_cast<char>(header.size() / 256)};
  return "\x93NUMPY\x01\x00"s + length + header + payload;
}

std::string error_of(const std::string& file) {
  const Bytes bytes(file);
  return test::error_of([&] { parse_npy(bytes.span(), "x.npy"); });
}

void expect_error(const std::string& file, const std::string& part) {
  const std::string message = error_of(file);
  EXPECT_NE(message.find(part), std::string::npos) << "wanted: " << part << "\nfound:  " << message;
  EXPECT_EQ(message.rfind("x.npy: ", 0), 0u) << message;
}

template <class T>
std::vector<T> values_of(const NpyView& view) {
  const std::span<const T> values = view.values<T>();
  return {values.begin(), values.end()};
}

// Written by NumPy 1.24.2.
const std::string kNumpyInt16 =
    "\x93NUMPY\x01\x00v\x00{'descr': '<i2', 'fortran_order': False, 'shape': (2, 2), }"s +
    std::string(58, ' ') + "\n\x01\x00\xfe\xff\x03\x00\x90\x01"s;
const std::string kNumpyFloat32V2 =
    "\x93NUMPY\x02\x00t\x00\x00\x00{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }"s +
    std::string(58, ' ') + "\n\x00\x00\xc0?\x00\x00\x80\xbe"s;
const std::string kNumpyUint8V3 =
    "\x93NUMPY\x03\x00t\x00\x00\x00{'descr': '|u1', 'fortran_order': False, 'shape': (2,), }"s +
    std::string(58, ' ') + "\n\x07\xff"s;
const std::string kNumpyScalar =
    "\x93NUMPY\x01\x00v\x00{'descr': '<i8', 'fortran_order': False, 'shape': (), }"s + std::string(62, ' ') +
    "\n\xfb\xff\xff\xff\xff\xff\xff\xff"s;

TEST(ParseNpy, ReadsWhatNumpyWrites) {
  const Bytes int16(kNumpyInt16), float32(kNumpyFloat32V2), uint8(kNumpyUint8V3), scalar(kNumpyScalar);
  const NpyView a = parse_npy(int16.span(), "a");
  EXPECT_EQ(a.shape, (std::vector<size_t>{2, 2}));
  EXPECT_EQ(values_of<int16_t>(a), (std::vector<int16_t>{1, -2, 3, 400}));
  const NpyView b = parse_npy(float32.span(), "b");
  EXPECT_EQ(b.shape, (std::vector<size_t>{2}));
  EXPECT_EQ(values_of<float>(b), (std::vector<float>{1.5f, -0.25f}));
  const NpyView c = parse_npy(uint8.span(), "c");
  EXPECT_EQ(values_of<uint8_t>(c), (std::vector<uint8_t>{7, 255}));
  const NpyView d = parse_npy(scalar.span(), "d");
  EXPECT_TRUE(d.shape.empty());
  EXPECT_EQ(values_of<int64_t>(d), (std::vector<int64_t>{-5}));
}

TEST(ParseNpy, KnowsEveryType) {
  struct Case {
    const char* descr;
    NpyType type;
    const char* name;
    size_t bytes;
  };
  const Case cases[] = {{"<f4", NpyType::kFloat32, "float32", 4}, {"|u1", NpyType::kUint8, "uint8", 1},
                        {"|i1", NpyType::kInt8, "int8", 1},       {"<u2", NpyType::kUint16, "uint16", 2},
                        {"<i2", NpyType::kInt16, "int16", 2},     {"<u4", NpyType::kUint32, "uint32", 4},
                        {"<i4", NpyType::kInt32, "int32", 4},     {"<u8", NpyType::kUint64, "uint64", 8},
                        {"<i8", NpyType::kInt64, "int64", 8},     {"<f8", NpyType::kFloat64, "float64", 8},
                        {"<f2", NpyType::kFloat16, "float16", 2}};
  for (const Case& c : cases) {
    const std::string header = "{'descr': '"s + c.descr + "', 'fortran_order': False, 'shape': (3,)}";
    const Bytes bytes(
        file_v1(header + std::string(118 - header.size(), ' '), std::string(3 * c.bytes, '\1')));
    const NpyView view = parse_npy(bytes.span(), "x.npy");
    EXPECT_EQ(view.type, c.type) << c.descr;
    EXPECT_STREQ(to_string(view.type), c.name);
    EXPECT_EQ(element_bytes(view.type), c.bytes);
  }
}

TEST(ParseNpy, AcceptsAnyOrderQuotesAndSpaces) {
  const Bytes bytes(file_v1(R"( {"shape":(  2 ,1,) , 'fortran_order':False,"descr":"|u1"})", "ab"));
  EXPECT_EQ(parse_npy(bytes.span(), "x").shape, (std::vector<size_t>{2, 1}));
  const Bytes wide(
      file_v1("{'descr': '|u1', 'fortran_order': False, 'shape': (2,)}" + std::string(1000, ' '), "ab"));
  EXPECT_EQ(values_of<uint8_t>(parse_npy(wide.span(), "x")), (std::vector<uint8_t>{'a', 'b'}));
}

TEST(ParseNpy, EveryCutAndEveryExtraByteIsAnError) {
  for (const std::string& file : {kNumpyInt16, kNumpyFloat32V2, kNumpyUint8V3, kNumpyScalar}) {
    for (size_t size = 0; size < file.size(); ++size) EXPECT_NE(error_of(file.substr(0, size)), "") << size;
    expect_error(file + "\0"s, "bytes after the end");
  }
  expect_error(kNumpyInt16.substr(0, 131),
               "truncated: shape [2, 2] of int16 takes 8 bytes after the header, found 3");
  expect_error(kNumpyInt16.substr(0, 60), "truncated: the header ends at byte 128, the file has 60");
  expect_error(kNumpyUint8V3.substr(0, 11), "truncated: 11 bytes end in the header");
}

TEST(ParseNpy, RefusesOtherFilesAndVersions) {
  expect_error("", "not a .npy file (0 bytes");
  expect_error("\x93NUMPY\x01\x00v"s, "not a .npy file (9 bytes");
  expect_error("PK\x03\x04 an archive", "not a .npy file");
  expect_error("\x93NUMPY\x04\x00v\x00"s + std::string(200, ' '), ".npy format 4.0 is unknown");
  expect_error("\x93NUMPY\x01\x01v\x00"s + std::string(200, ' '), ".npy format 1.1 is unknown");
}

TEST(ParseNpy, RefusesOtherTypesAndOrders) {
  const auto file = [](const std::string& descr, const std::string& order) {
    return file_v1("{'descr': " + descr + ", 'fortran_order': " + order + ", 'shape': (2,)}",
                   std::string(16, '\0'));
  };
  expect_error(file("'<c8'", "False"), "elements of type '<c8'; floats and integers");
  expect_error(file("'|b1'", "False"), "elements of type '|b1'");
  expect_error(file("'|i2'", "False"), "elements of type '|i2'");
  expect_error(file("'i2'", "False"), "elements of type 'i2'");
  expect_error(file("''", "False"), "elements of type ''");
  expect_error(file("'>i2'", "False"),
               "big-endian elements ('>i2'); save x.astype(x.dtype.newbyteorder('<'))");
  expect_error(file("[('a', '<f4')]", "False"), "a structured type");
  expect_error(file("'<i8'", "True"), "Fortran order (columns first); save np.ascontiguousarray(x)");
}

TEST(ParseNpy, RefusesDamagedHeaders) {
  const auto with = [](const std::string& header) { return file_v1(header, "ab"); };
  const auto shape = [&](const std::string& text) {
    return with("{'descr': '|u1', 'fortran_order': False, 'shape': " + text + "}");
  };
  expect_error(with(""), "no '{'");
  expect_error(with("{'descr': '|u1', 'fortran_order': False}"), "no key 'shape'");
  expect_error(with("{'fortran_order': False, 'shape': (2,)}"), "no key 'descr'");
  expect_error(with("{'descr': '|u1', 'shape': (2,)}"), "no key 'fortran_order'");
  expect_error(with("{'descr': '|u1', 'descr': '|u1', 'shape': (2,)}"), "key 'descr' twice");
  expect_error(with("{'descr': '|u1', 'fortran_order': False, 'shape': (2,), 'x': 1}"), "unknown key 'x'");
  expect_error(with("{'descr': '|u1', 'fortran_order': 0, 'shape': (2,)}"), "neither True nor False");
  expect_error(with("{'descr': '|u1"), "a string without end");
  expect_error(with("{'descr': '|u\x1b[1m'}"), "not plain text");
  expect_error(with("{'descr': '|u1' 'shape': (2,)}"), "no '}'");
  expect_error(with("{'descr': '|u1', 'fortran_order': False, 'shape': (2,)} x"),
               "text after the closing brace");
  expect_error(with("{'descr': '|u1', 'fortran_order': False, 'shape': (2,)}\0"s),
               "text after the closing brace");
  expect_error(shape("(2)"), "not a tuple");
  expect_error(shape("2"), "no '('");
  expect_error(shape("(-2,)"), "a dimension that is not a number");
  expect_error(shape("(2, 1"), "no ')'");
  expect_error(shape("(18446744073709551616,)"), "exceeds 64 bits");
  expect_error(shape("(4294967296, 4294967296)"), "more bytes than any memory");
  std::string many = "(2";
  for (int i = 0; i < 32; ++i) many += ", 1";
  expect_error(shape(many + ")"), "more than 32 dimensions");
}

TEST(ParseNpy, RefusesUnalignedElements) {
  expect_error(file_v1("{'descr': '<i2', 'fortran_order': False, 'shape': (1,)}", "ab"),
               "elements start at byte 65, not at a multiple of 2");
}

class NpyFiles : public testing::Test {
 protected:
  void SetUp() override {
    folder_ =
        testing::TempDir() + "/mantissa_npy_" + testing::UnitTest::GetInstance()->current_test_info()->name();
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::filesystem::path file(const std::string& content, const char* name = "x.npy") const {
    std::ofstream(folder_ / name, std::ios::binary) << content;
    return folder_ / name;
  }

  static std::string open_error(const std::filesystem::path& path) {
    return test::error_of([&] { NpyFile{path}; });
  }

  std::filesystem::path folder_;
};

TEST_F(NpyFiles, StayMappedWhenMoved) {
  NpyFile first(file(kNumpyInt16));
  const std::byte* address = first.view().bytes.data();
  NpyFile second(std::move(first));
  NpyFile third(file(kNumpyFloat32V2, "other.npy"));
  third = std::move(second);
  EXPECT_EQ(third.view().bytes.data(), address);
  EXPECT_EQ(values_of<int16_t>(third.view()), (std::vector<int16_t>{1, -2, 3, 400}));
}

TEST_F(NpyFiles, SayWhyTheyCanNotBeRead) {
  EXPECT_NE(open_error(folder_ / "none.npy").find("none.npy: can not open: No such file"), std::string::npos);
  EXPECT_NE(open_error(folder_).find("not a regular file"), std::string::npos);
  EXPECT_NE(open_error(file("")).find("x.npy: an empty file (0 bytes)"), std::string::npos);
  EXPECT_NE(open_error(file("text")).find("x.npy: not a .npy file (4 bytes"), std::string::npos);
}

TEST_F(NpyFiles, AreWrittenAsTheFormatSays) {
  const std::vector<float> floats = {1.5f, -0.25f};
  const std::vector<uint8_t> bytes = {'a', 'b', 'c'};
  const std::vector<size_t> column = {2, 1}, row = {3};
  const auto content = [&](const char* name) {
    std::ifstream in(folder_ / name, std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(in), {});
  };
  write_npy(folder_ / "f.npy", floats, column);
  const std::string dictionary = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 1), }";
  EXPECT_EQ(content("f.npy"), file_v1(dictionary + std::string(117 - dictionary.size(), ' ') + "\n",
                                      "\x00\x00\xc0?\x00\x00\x80\xbe"s));
  write_npy(folder_ / "f.npy", bytes, row);  // replaces
  const std::string other = "{'descr': '|u1', 'fortran_order': False, 'shape': (3,), }";
  EXPECT_EQ(content("f.npy"), file_v1(other + std::string(117 - other.size(), ' ') + "\n", "abc"));
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_), {}), 1) << "a temporary file is left";
}

TEST_F(NpyFiles, AreWrittenWholeOrNotAtAll) {
  const std::vector<float> floats = {1, 2, 3};
  const std::vector<size_t> four = {2, 2}, three = {3};
  EXPECT_THROW(write_npy(folder_ / "f.npy", floats, four), Error);
  EXPECT_THROW(write_npy(folder_ / "none" / "f.npy", floats, three), Error);
  std::filesystem::create_directories(folder_ / "taken.npy" / "inside");
  EXPECT_THROW(write_npy(folder_ / "taken.npy", floats, three), Error);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_), {}), 1) << "a temporary file is left";
}

}  // namespace
}  // namespace mantissa::host
