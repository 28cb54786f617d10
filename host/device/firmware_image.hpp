// A linked program for a board, as its ELF file, with room for changes before it runs.
// One program serves every model: the host writes the job and the size of the stack into a copy of it.
#pragma once
#include <elf.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace mantissa::host {

class FirmwareImage {
 public:
  /// `name` stands for the file in messages. Safe on arbitrary bytes. Throws Error unless this is a linked 32-bit Arm
  /// program with symbols.
  FirmwareImage(std::vector<std::byte> file, std::string name);

  /// Throws Error if the file cannot be read, and as the constructor.
  static FirmwareImage read(const std::filesystem::path& path);

  /// Value of a symbol: an address, or a number that the linker script defines. Throws Error if there is none.
  uint32_t symbol(std::string_view symbol_name) const;

  /// Replaces what will lie at this address. Throws Error unless all of it is in one loaded piece of the file.
  void write(uint32_t address, std::span<const std::byte> bytes);

  /// What lies there; throws as write().
  std::span<const std::byte> at(uint32_t address, size_t count) const;

  std::span<const std::byte> file() const { return file_; }
  const std::string& name() const { return name_; }

 private:
  size_t offset_of(uint32_t address, size_t count) const;
  template <class T>
  T load(size_t offset) const;
  template <class T>
  std::vector<T> load_table(size_t offset, size_t count, size_t entry_bytes) const;
  std::string_view text_at(const Elf32_Shdr& strings, size_t offset) const;
  [[noreturn]] void fail(const std::string& what) const;

  std::vector<std::byte> file_;
  std::string name_;
  std::vector<Elf32_Phdr> segments_;
  std::vector<Elf32_Shdr> sections_;
};

}  // namespace mantissa::host
