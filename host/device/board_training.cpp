// Files in a temporary folder are the wire between host and board.
#include "host/device/board_training.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <limits>
#include <span>

#include "host/device/compare.hpp"
#include "host/device/emulator.hpp"
#include "host/device/temporary_folder.hpp"
#include "host/error.hpp"
#include "mantissa/train/shuffle.hpp"

namespace mantissa::host {
namespace {

namespace fs = std::filesystem;
using firmware::Job;

/// A file that is written piece by piece.
class Writer {
 public:
  explicit Writer(const fs::path& path) : path_(path), file_(path, std::ios::binary) {}

  template <class T>
  void add(std::span<const T> values) {
    const auto bytes = std::as_bytes(values);
    file_.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  }
  void close() {
    file_.close();
    if (!file_)
      throw Error(fmt::format("{}: cannot be written: {}; TMPDIR names another place", path_.string(),
                              std::strerror(errno)));
  }

 private:
  fs::path path_;
  std::ofstream file_;
};

void write_samples(const fs::path& folder, const Split& train, const JobSettings& settings,
                   size_t sample_size) {
  Writer samples(folder / Job{}.samples_file), labels(folder / Job{}.labels_file),
      order(folder / Job{}.order_file);
  std::vector<float> x(sample_size);
  for (uint32_t i = 0; i < settings.samples; ++i) {
    train.read(i, x.data());
    samples.add<float>(x);
    const int32_t label = train.label(i);
    labels.add<int32_t>({&label, 1});
  }
  std::vector<int32_t> places(settings.samples);
  for (int epoch = 0; epoch < settings.training.epochs; ++epoch) {
    shuffle(places, settings.training.seed, static_cast<uint32_t>(epoch));
    order.add<int32_t>(places);
  }
  for (Writer* writer : {&samples, &labels, &order}) writer->close();
}

/// The arena as it is before the first batch, made here by the board's own plan.
void write_start(const fs::path& folder, const PlanView& plan, const JobSettings& settings) {
  Arena arena(plan);
  Result<Engine> bound = Engine::bind(plan, arena.bytes(), kernels_ref);
  if (!bound.ok()) throw Error("the board's plan does not bind on the host");
  adopt(*settings.start, bound.value, settings.training.seed);
  Writer start(folder / Job{}.start_file);
  start.add<std::byte>(arena.bytes().first(plan.summary.arena_bytes));
  start.close();
}

/// A board counts bytes in 32 bits.
void check_sizes(const JobSettings& settings, size_t sample_size) {
  const uint64_t samples = uint64_t{settings.samples} * sample_size * sizeof(float);
  const uint64_t order =
      uint64_t{settings.samples} * static_cast<uint64_t>(settings.training.epochs) * sizeof(int32_t);
  if (std::max(samples, order) > std::numeric_limits<uint32_t>::max())
    throw Error(
        fmt::format("{} samples of {} values in {} epochs are more than a board can address; fewer --samples "
                    "or --epochs would do",
                    settings.samples, sample_size, settings.training.epochs));
}

std::vector<std::byte> read_bytes(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  const std::vector<char> text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  const auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

constexpr char kCountsFile[] = "counts.json";

std::string plugin_argument(const fs::path& counter) {
  return counter.empty() ? std::string() : fmt::format("{},out={}", counter.string(), kCountsFile);
}

InstructionCounts read_counts(const fs::path& folder) {
  const std::vector<std::byte> bytes = read_bytes(folder / kCountsFile);
  return parse_counts({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, kCountsFile);
}

}  // namespace

BoardResult parse_result(std::span<const std::byte> file, size_t epochs, size_t arena_bytes,
                         const std::string& name) {
  BoardResult result;
  result.epochs.resize(epochs);
  result.arena.resize(arena_bytes);
  const std::span<std::byte> parts[] = {std::as_writable_bytes(std::span(&result.run, 1)),
                                        std::as_writable_bytes(std::span(result.epochs)), result.arena};
  size_t wanted = 0;
  for (const auto& part : parts) wanted += part.size();
  if (file.size() != wanted)
    throw Error(fmt::format("{}: {} bytes came back from the board, where a finished run has {}", name,
                            file.size(), wanted));
  for (const auto& part : parts) {
    std::ranges::copy(file.first(part.size()), part.begin());
    file = file.subspan(part.size());
  }
  if (std::memcmp(result.run.magic, firmware::kJobMagic, sizeof result.run.magic) != 0)
    throw Error(fmt::format("{}: the board did not finish its run", name));
  return result;
}

std::optional<BoardResult> train_on_board(const BoardPlan& plan, const Split& train,
                                          const JobSettings& settings, const BoardHooks& hooks) {
  const auto sample_size = static_cast<size_t>(plan.view().summary.input.size());
  check_sizes(settings, sample_size);
  const TemporaryFolder folder;
  write_samples(folder.path(), train, settings, sample_size);
  if (settings.start != nullptr) write_start(folder.path(), plan.view(), settings);
  const fs::path program = folder.path() / "program.elf";
  Writer writer(program);
  JobSettings job = settings;
  if (!hooks.counter.empty()) job.task = firmware::JobTask::kCount;
  const FirmwareImage image = image_with_job(plan, job);
  writer.add<std::byte>(image.file());
  writer.close();

  const EmulatorEnd end = run_emulator({.board = plan.board(),
                                        .program = program,
                                        .folder = folder.path(),
                                        .progress = folder.path() / Job{}.order_file,
                                        .plugin = plugin_argument(hooks.counter),
                                        .stop = hooks.stop,
                                        .on_line = hooks.on_line});
  if (end == EmulatorEnd::kStopped) return std::nullopt;
  const fs::path file = folder.path() / Job{}.result_file;
  BoardResult result = parse_result(read_bytes(file), static_cast<size_t>(settings.training.epochs),
                                    plan.memory().arena_bytes, Job{}.result_file);
  if (result.run.static_bytes != plan.memory().static_bytes)
    throw Error(fmt::format("{}: {} bytes of static data were planned, and the board has {}",
                            plan.image().name(), plan.memory().static_bytes, result.run.static_bytes));
  if (!hooks.counter.empty()) result.instructions = read_counts(folder.path());
  return result;
}

ReturnedEngine::ReturnedEngine(const PlanView& plan, const BoardResult& result, uint64_t seed)
    : arena_(plan) {
  const Result<Engine> bound = Engine::bind(plan, arena_.bytes(), kernels_ref);
  if (!bound.ok()) throw Error("the board's plan does not bind on the host");
  engine_ = bound.value;
  std::ranges::copy(std::span(result.arena).first(plan.summary.arena_bytes), arena_.bytes().begin());
  engine_.progress() = {.seed = seed, .step = result.run.steps, .calibrated = true};
  if (engine_.state_hash() != result.run.state_hash)
    throw Error(
        fmt::format("what came back from the board has the hash {:016x}, and the board says {:016x}: the "
                    "transfer is damaged, or host and program are of different versions; './dev firmware' "
                    "makes the programs anew",
                    engine_.state_hash(), result.run.state_hash));
}

std::optional<std::string> first_difference(const BoardResult& board, const Engine& board_engine,
                                            const std::vector<EpochResult>& host_epochs,
                                            const Engine& host_engine, const Description& description) {
  for (size_t i = 0; i < board.epochs.size(); ++i) {
    const firmware::EpochSum& of_board = board.epochs[i];
    const EpochResult& of_host = host_epochs.at(i);
    if (of_board.weight != of_host.weight)
      return fmt::format("the samples of epoch {} weigh {} (2^-15) on the board and {} on the host", i + 1,
                         of_board.weight, of_host.weight);
    if (of_board.loss_q24 != of_host.loss_q24 || of_board.correct != of_host.correct)
      return fmt::format(
          "the sums of epoch {} are {} (loss, 2^-24) and {} correct on the board, {} and {} on the host",
          i + 1, of_board.loss_q24, of_board.correct, of_host.loss_q24, of_host.correct);
  }
  if (auto difference = first_difference(board_engine, host_engine, {"the board", "the host"}, description))
    return difference;
  if (board.run.saturated != host_engine.saturated())
    return fmt::format("{} codes did not fit on the board, and {} on the host", board.run.saturated,
                       host_engine.saturated());
  return std::nullopt;
}

}  // namespace mantissa::host
