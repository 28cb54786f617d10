// The text header of a .npy file, read by recursive descent.
// Every step looks at the text through accept() and peek(), which know where it ends.
#include "host/data/npy_header.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "host/error.hpp"

namespace mantissa::host {
namespace {

constexpr size_t kMaxDimensions = 32;  // NumPy's own limit
constexpr size_t kMaxStringLength = 64;

class HeaderReader {
 public:
  HeaderReader(std::string_view text, const std::string& name) : text_(text), name_(name) {}

  NpyHeader read() {
    NpyHeader header;
    expect('{');
    while (!accept('}')) {
      read_entry(header);
      if (!accept(',')) {
        expect('}');
        break;
      }
    }
    if (peek() != '\0' || at_ < text_.size()) fail("text after the closing brace");
    for (const auto& [key, seen] : {std::pair{"descr", seen_descr_}, std::pair{"fortran_order", seen_order_},
                                    std::pair{"shape", seen_shape_}}) {
      if (!seen) fail(fmt::format("no key '{}'", key));
    }
    return header;
  }

 private:
  void read_entry(NpyHeader& header) {
    const std::string key = string();
    expect(':');
    if (key == "descr") {
      once(seen_descr_, key);
      if (peek() == '[') fail("a structured type, where one plain number type is needed");
      header.descr = string();
    } else if (key == "fortran_order") {
      once(seen_order_, key);
      header.fortran_order = boolean();
    } else if (key == "shape") {
      once(seen_shape_, key);
      header.shape = tuple();
    } else {
      fail(fmt::format("unknown key '{}'", key));
    }
  }

  void once(bool& seen, const std::string& key) {
    if (seen) fail(fmt::format("key '{}' twice", key));
    seen = true;
  }

  std::string string() {
    const char quote = peek();
    if (quote != '\'' && quote != '"') fail("no quoted string where one is needed");
    const size_t begin = ++at_;
    const size_t end = text_.find(quote, begin);
    if (end == std::string_view::npos || end - begin > kMaxStringLength) fail("a string without end");
    at_ = end + 1;
    const std::string_view content = text_.substr(begin, end - begin);
    const auto printable = [](char c) { return c >= ' ' && c <= '~' && c != '\\'; };
    if (!std::all_of(content.begin(), content.end(), printable)) fail("a string that is not plain text");
    return std::string(content);
  }

  bool boolean() {
    peek();
    for (const auto& [word, value] : {std::pair<std::string_view, bool>{"True", true}, {"False", false}}) {
      if (text_.substr(at_, word.size()) == word) {
        at_ += word.size();
        return value;
      }
    }
    fail("fortran_order is neither True nor False");
  }

  // (), (3,), (3, 4) and (3, 4,); but (3) is a number in Python, not a tuple.
  std::vector<size_t> tuple() {
    std::vector<size_t> dimensions;
    expect('(');
    while (!accept(')')) {
      if (dimensions.size() == kMaxDimensions) fail("more than 32 dimensions");
      dimensions.push_back(number());
      if (!accept(',')) {
        if (dimensions.size() == 1) fail("a shape that is not a tuple");
        expect(')');
        break;
      }
    }
    return dimensions;
  }

  size_t number() {
    const auto digit = [&] { return at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9'; };
    peek();
    if (!digit()) fail("a dimension that is not a number");
    size_t value = 0;
    for (; digit(); ++at_) {
      const size_t unit = static_cast<size_t>(text_[at_] - '0');
      if (__builtin_mul_overflow(value, size_t{10}, &value) || __builtin_add_overflow(value, unit, &value)) {
        fail("a dimension that exceeds 64 bits");
      }
    }
    return value;
  }

  // The next character that is not white space; '\0' at the end.
  char peek() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n')) ++at_;
    return at_ < text_.size() ? text_[at_] : '\0';
  }

  bool accept(char wanted) {
    if (peek() != wanted) return false;
    ++at_;
    return true;
  }

  void expect(char wanted) {
    if (!accept(wanted)) fail(fmt::format("no '{}' where one is needed", wanted));
  }

  [[noreturn]] void fail(const std::string& what) const {
    throw Error(
        fmt::format("{}: damaged .npy header: {} (at character {}); save the array again with np.save", name_,
                    what, at_));
  }

  std::string_view text_;
  const std::string& name_;
  size_t at_ = 0;
  bool seen_descr_ = false;
  bool seen_order_ = false;
  bool seen_shape_ = false;
};

}  // namespace

NpyHeader parse_npy_header(std::string_view text, const std::string& name) {
  return HeaderReader(text, name).read();
}

}  // namespace mantissa::host
