#include "modules/transformation/etl/parts.h"

#include <charconv>
#include <map>

#include "core/base/file.h"
#include "core/crypto/hash.h"

namespace amoskys::etl {
namespace {

constexpr std::string_view rows_folder = "canonical_telemetry_full";
constexpr std::string_view date_prefix = "date=", device_prefix = "device=";
constexpr std::string_view no_device = "__HIVE_DEFAULT_PARTITION__";
constexpr std::size_t device_bytes_max = 200;  // of 255 that a name may have
constexpr unsigned folder_mode_of_parts = 0755;
constexpr UnixNanos day_ns = 86'400'000'000'000;

std::string part_name(std::uint64_t run) {
    std::string number = std::to_string(run);
    return "part-" + std::string(number.size() < 6 ? 6 - number.size() : 0, '0') + number;
}

// Of "part-000007.csv", also under its temporary name; nothing for other files.
std::optional<std::uint64_t> run_of(std::string_view name) {
    constexpr std::string_view before = "part-", temporary = ".partial";
    if (name.starts_with('.') && name.ends_with(temporary))
        name = name.substr(1, name.size() - 1 - temporary.size());
    if (!name.starts_with(before))
        return std::nullopt;
    std::uint64_t run = 0;
    const char* end = name.data() + name.size();
    const auto [at, fault] = std::from_chars(name.data() + before.size(), end, run);
    const std::string_view rest(at, static_cast<std::size_t>(end - at));
    return fault == std::errc() && (rest == ".csv" || rest == ".parquet") ? std::optional(run)
                                                                          : std::nullopt;
}

bool is_partition(const fs::path& folder) {
    const std::string name = folder.filename().string();
    return name.starts_with(date_prefix) || name.starts_with(device_prefix);
}

void find_leftovers(const fs::path& folder, std::uint64_t last_run, std::vector<fs::path>& out) {
    std::error_code failed;
    for (const auto& entry : fs::directory_iterator(folder, failed)) {
        if (is_partition(entry.path()) && entry.is_directory(failed))
            find_leftovers(entry.path(), last_run, out);
        else if (const auto run = run_of(entry.path().filename().string());
                 run && *run > last_run && is_partition(folder))
            out.push_back(entry.path());
    }
}

std::string escaped(std::string_view device) {
    if (device.empty())
        return std::string(no_device);
    std::string out;
    for (const char c : device) {
        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
            c == '.' || c == '_' || c == '-') {
            out += c;
        } else {
            constexpr std::string_view digits = "0123456789ABCDEF";
            const auto byte = static_cast<unsigned char>(c);
            out += {'%', digits[byte / 16], digits[byte % 16]};
        }
    }
    if (out.size() <= device_bytes_max)
        return out;
    const Digest hash = crypto::sha256(as_bytes(device));
    return out.substr(0, device_bytes_max - 17) + "~" + to_hex(ByteView(hash).first<8>());
}

}  // namespace

std::string partition_folder(Partition partition, std::string_view device, UnixNanos start_ns) {
    std::string out;
    if (partition.date)
        out.append(date_prefix).append(format_time(start_ns).substr(0, 10));
    if (partition.device)
        out.append(out.empty() ? "" : "/").append(device_prefix).append(escaped(device));
    return out;
}

Result<> remove_leftover_parts(const fs::path& folder, std::uint64_t last_run) {
    std::vector<fs::path> leftovers;
    find_leftovers(folder / rows_folder, last_run, leftovers);
    std::error_code failed;
    for (const fs::path& leftover : leftovers) {
        fs::remove(leftover, failed);
        if (failed)
            return make_error(ErrorKind::cannot_create, "features_folder",
                              "cannot remove " + leftover.string() + ": " + failed.message());
    }
    return {};
}

Result<std::vector<std::pair<std::string, std::uint64_t>>> write_parts(
    const FeatureStore& store, const Layout& layout, const ExportOptions& options,
    Partition partition, std::uint64_t run, const std::function<void(std::uint64_t)>& progress) {
    std::map<std::string, std::vector<Stretch>> folders;
    for (const Slice& slice : store.slices())
        for (std::size_t from = 0; from < slice.rows();) {
            std::size_t to = from + 1;
            while (to < slice.rows() &&
                   (!partition.date || slice.starts[to] / day_ns == slice.starts[from] / day_ns))
                ++to;
            folders[partition_folder(partition, slice.device, slice.starts[from])].push_back(
                {&slice, from, to});
            from = to;
        }
    std::vector<std::pair<std::string, std::uint64_t>> out;
    ExportOptions files = options;
    files.parquet = !files.csv;  // one format, or who reads the folder reads rows twice
    const std::string part = part_name(run);
    for (const auto& [folder, rows] : folders) {
        const std::string below = std::string(rows_folder) + "/" + folder;
        files.folder = options.folder / below;
        AMOSKYS_TRY_VOID(make_directories(files.folder, folder_mode_of_parts));
        AMOSKYS_TRY(count, export_table(rows, layout, files, {.name = part}, progress));
        out.emplace_back(below + "/" + part + (files.csv ? ".csv" : ".parquet"), count);
        fs::path above = options.folder;  // each of them may have been made just now
        for (const fs::path& each : fs::path(below)) {
            AMOSKYS_TRY_VOID(sync_directory(above));
            above /= each;
        }
    }
    return out;
}

}  // namespace amoskys::etl
