// Reads the tables of an ELF file with every offset checked: a program file may be half written.
// Source: Tool Interface Standard, "Executable and Linking Format", 1.2.
#include "host/device/firmware_image.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <type_traits>
#include <utility>

#include "host/error.hpp"
#include "host/model/nearest.hpp"

namespace mantissa::host {

void FirmwareImage::fail(const std::string& what) const {
  throw Error(fmt::format("{}: {}; './dev firmware' makes the programs anew", name_, what));
}

template <class T>
T FirmwareImage::load(size_t offset) const {
  static_assert(std::is_trivially_copyable_v<T>);
  if (offset > file_.size() || sizeof(T) > file_.size() - offset) fail("the file is cut");
  T value;
  std::memcpy(&value, file_.data() + offset, sizeof value);
  return value;
}

template <class T>
std::vector<T> FirmwareImage::load_table(size_t offset, size_t count, size_t entry_bytes) const {
  if (count > 0 && entry_bytes != sizeof(T)) fail("its tables are not those of a 32-bit program");
  std::vector<T> table;
  for (size_t i = 0; i < count; ++i) table.push_back(load<T>(offset + i * entry_bytes));
  return table;
}

FirmwareImage::FirmwareImage(std::vector<std::byte> file, std::string name)
    : file_(std::move(file)), name_(std::move(name)) {
  const auto header = load<Elf32_Ehdr>(0);
  const bool is_elf = std::memcmp(header.e_ident, ELFMAG, SELFMAG) == 0;
  const bool is_arm = header.e_ident[EI_CLASS] == ELFCLASS32 && header.e_ident[EI_DATA] == ELFDATA2LSB &&
                      header.e_machine == EM_ARM && header.e_type == ET_EXEC;
  if (!is_elf || !is_arm) fail("this is not a linked program for a 32-bit Arm processor");
  segments_ = load_table<Elf32_Phdr>(header.e_phoff, header.e_phnum, header.e_phentsize);
  sections_ = load_table<Elf32_Shdr>(header.e_shoff, header.e_shnum, header.e_shentsize);
}

FirmwareImage FirmwareImage::read(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file)
    throw Error(
        fmt::format("{}: the board's program cannot be read: {}; './dev firmware' makes it, --firmware "
                    "says where it is",
                    path.string(), std::strerror(errno)));
  const std::vector<char> bytes{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  const auto* first = reinterpret_cast<const std::byte*>(bytes.data());
  return {std::vector<std::byte>(first, first + bytes.size()), path.string()};
}

std::string_view FirmwareImage::text_at(const Elf32_Shdr& strings, size_t offset) const {
  const size_t begin = size_t{strings.sh_offset} + offset, end = size_t{strings.sh_offset} + strings.sh_size;
  if (begin >= end || end > file_.size()) fail("the names of its symbols are cut");
  const std::string_view rest(reinterpret_cast<const char*>(file_.data() + begin), end - begin);
  return rest.substr(0, rest.find('\0'));
}

uint32_t FirmwareImage::symbol(std::string_view symbol_name) const {
  for (const Elf32_Shdr& section : sections_) {
    if (section.sh_type != SHT_SYMTAB) continue;
    if (section.sh_link >= sections_.size()) fail("its symbols have no names");
    const size_t count = section.sh_size / sizeof(Elf32_Sym);
    for (const auto& s : load_table<Elf32_Sym>(section.sh_offset, count, section.sh_entsize))
      if (text_at(sections_[section.sh_link], s.st_name) == symbol_name) return s.st_value;
  }
  fail(fmt::format("there is no symbol {}", in_quotes(symbol_name)));
}

size_t FirmwareImage::offset_of(uint32_t address, size_t count) const {
  for (const Elf32_Phdr& s : segments_) {
    const uint32_t within = address - s.p_vaddr;  // huge where the address lies before
    if (s.p_type != PT_LOAD || within > s.p_filesz) continue;
    const size_t offset = size_t{s.p_offset} + within;
    if (count > s.p_filesz - within || offset + count > file_.size()) continue;
    return offset;
  }
  fail(fmt::format("{} bytes at {:#010x} are not in the file", count, address));
}

void FirmwareImage::write(uint32_t address, std::span<const std::byte> bytes) {
  std::ranges::copy(bytes, file_.begin() + static_cast<std::ptrdiff_t>(offset_of(address, bytes.size())));
}

std::span<const std::byte> FirmwareImage::at(uint32_t address, size_t count) const {
  return std::span(file_).subspan(offset_of(address, count), count);
}

}  // namespace mantissa::host
