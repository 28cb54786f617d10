// A small linked program for tests, made byte by byte: one loaded piece, some symbols.
// Independent of the linker, so that what is read is known.
#pragma once
#include <elf.h>

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace mantissa::host::test {

using Symbols = std::vector<std::pair<std::string, uint32_t>>;

template <class T>
void append(std::vector<std::byte>& bytes, std::span<const T> values) {
  const auto added = std::as_bytes(values);
  bytes.insert(bytes.end(), added.begin(), added.end());
}

/// `content` is loaded at `address`.
inline std::vector<std::byte> small_program(uint32_t address, std::vector<std::byte> content,
                                            const Symbols& symbols) {
  const auto size = static_cast<uint32_t>(content.size());
  std::vector<Elf32_Sym> table(1);
  std::string names(1, '\0');
  for (const auto& [name, value] : symbols) {
    table.push_back({.st_name = static_cast<Elf32_Word>(names.size()),
                     .st_value = value,
                     .st_size = 0,
                     .st_info = 0,
                     .st_other = 0,
                     .st_shndx = SHN_ABS});
    names += name + '\0';
  }
  const auto table_bytes = static_cast<uint32_t>(table.size() * sizeof(Elf32_Sym));
  const uint32_t content_at = sizeof(Elf32_Ehdr) + sizeof(Elf32_Phdr), table_at = content_at + size,
                 names_at = table_at + table_bytes;
  Elf32_Ehdr header = {};
  std::memcpy(header.e_ident, ELFMAG, SELFMAG);
  header.e_ident[EI_CLASS] = ELFCLASS32;
  header.e_ident[EI_DATA] = ELFDATA2LSB;
  header.e_type = ET_EXEC;
  header.e_machine = EM_ARM;
  header.e_phoff = sizeof(Elf32_Ehdr);
  header.e_phentsize = sizeof(Elf32_Phdr);
  header.e_phnum = 1;
  header.e_shoff = names_at + static_cast<uint32_t>(names.size());
  header.e_shentsize = sizeof(Elf32_Shdr);
  header.e_shnum = 3;
  Elf32_Phdr segment = {};
  segment.p_type = PT_LOAD;
  segment.p_offset = content_at;
  segment.p_vaddr = address;
  segment.p_filesz = segment.p_memsz = size;
  Elf32_Shdr sections[3] = {};
  sections[1].sh_type = SHT_SYMTAB;
  sections[1].sh_offset = table_at;
  sections[1].sh_size = table_bytes;
  sections[1].sh_entsize = sizeof(Elf32_Sym);
  sections[1].sh_link = 2;
  sections[2].sh_type = SHT_STRTAB;
  sections[2].sh_offset = names_at;
  sections[2].sh_size = static_cast<uint32_t>(names.size());

  std::vector<std::byte> file;
  append<Elf32_Ehdr>(file, {&header, 1});
  append<Elf32_Phdr>(file, {&segment, 1});
  append<std::byte>(file, content);
  append<Elf32_Sym>(file, table);
  append<char>(file, names);
  append<Elf32_Shdr>(file, sections);
  return file;
}

/// What the host needs to know of a board's program: room for a job at 256, 64 bytes of static data.
inline std::vector<std::byte> small_board_program(uint32_t ram_bytes, uint32_t job_room) {
  constexpr uint32_t kRam = 0x20000000;
  return small_program(0, std::vector<std::byte>(256 + job_room),
                       {{"__vectors_start", 0},
                        {"__job_start", 256},
                        {"__job_end", 256 + job_room},
                        {"__ram_start", kRam},
                        {"__ram_bytes", ram_bytes},
                        {"__static_end", kRam + 64}});
}

inline void write_file(const std::filesystem::path& path, std::span<const std::byte> bytes) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
}

}  // namespace mantissa::host::test
