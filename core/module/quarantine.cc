#include "core/module/quarantine.h"

#include <algorithm>
#include <cerrno>

#include "core/base/bytes.h"
#include "core/base/file.h"
#include "core/log/log.h"

namespace amoskys::module {
namespace {

constexpr std::uint64_t file_bytes_max = 1 << 20;

std::string padded(std::uint64_t number, std::size_t digits) {
    std::string out = std::to_string(number);
    return out.size() < digits ? std::string(digits - out.size(), '0') + out : out;
}

Result<std::vector<fs::path>> files_in(const fs::path& folder) {
    std::vector<fs::path> out;
    std::error_code failed;
    fs::directory_iterator at(folder, failed);
    for (; !failed && at != fs::directory_iterator(); at.increment(failed))
        if (at->path().extension() == ".json")
            out.push_back(at->path());
    if (failed && failed.value() != ENOENT)
        return errno_error("quarantine_read", "cannot list " + folder.string(), failed.value());
    std::ranges::sort(out);
    return out;
}

}  // namespace

Result<> quarantine(const fs::path& spool_folder, const Quarantined& what) {
    const fs::path folder = spool_folder / "quarantine";
    AMOSKYS_TRY_VOID(make_directories(folder, 0700));
    AMOSKYS_TRY(files, files_in(folder));
    for (std::size_t i = 0; i + quarantined_max <= files.size(); ++i) {
        std::error_code ignored;
        fs::remove(files[i], ignored);
        log::warning("spool", "quarantine_full", "the oldest quarantined envelope was deleted",
                     {{"file", files[i].string()}});
    }
    const Json object = {{"schema", "amoskys.quarantined/1"},
                         {"agent", what.lane.agent_id},
                         {"lane", what.lane.lane},
                         {"epoch", what.epoch.value},
                         {"sequence", what.sequence.value},
                         {"time", json::time(what.time_ns)},
                         {"reason", what.reason},
                         {"events", what.events},
                         {"bytes", what.envelope.size()},
                         {"envelope", to_base64(as_bytes(what.envelope))}};
    const std::string name =
        padded(what.epoch.value, 14) + "-" + padded(what.sequence.value, 20) + ".json";
    return write_file_atomic(folder / name, json::dump(object) + "\n", 0600);
}

Result<std::vector<QuarantineFile>> quarantined(const fs::path& spool_folder) {
    AMOSKYS_TRY(files, files_in(spool_folder / "quarantine"));
    std::vector<QuarantineFile> out;
    for (const fs::path& file : files) {
        QuarantineFile each{file, Json()};
        if (const auto text = read_file(file, file_bytes_max))
            if (auto content = json::parse(*text, file.string()); content && content->is_object())
                each.content = std::move(*content);
        out.push_back(std::move(each));
    }
    return out;
}

}  // namespace amoskys::module
