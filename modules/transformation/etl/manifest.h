// manifest.json of `amoskys etl --incremental`: which files are there, and where the next run goes
// on. incremental.h has the layout of the folder.
//
//   {"schema": "amoskys.etl_manifest/1", "run", "settings": {...}, "devices": {device: end of its
//   last window, ns}, "files": [{"name", "rows"}], "baselines": {...}, "position": {"record":
//   number of the last record that was read, "mark", "filter", "state": file, "sha256": of it}}
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/base/file.h"
#include "core/json/json.h"
#include "modules/transformation/etl/baseline.h"

namespace amoskys::etl {

inline constexpr std::string_view manifest_name = "manifest.json";

// Where the log was read up to, and what the engine held then.
struct Position {
    std::uint64_t record = 0;
    std::string mark;    // EventSource::mark() of the record
    std::string filter;  // which events were read
    std::string state;   // name of the file with Engine::save()
    std::string sha256;  // of that file, in hexadecimal
};

struct Manifest {
    std::uint64_t run = 0;
    Json settings;                                             // of the windows; runs must agree
    std::map<std::string, UnixNanos, std::less<>> until;       // by device
    std::vector<std::pair<std::string, std::uint64_t>> files;  // name below the folder, rows
    Baselines baselines;
    std::optional<Position> position;
};
Json to_json(const Manifest& manifest);
// bad_data where `saved` is not what to_json() makes; `where` names it.
Result<Manifest> manifest_from_json(const Json& saved, const std::string& where);
// An empty one where the file is not there.
Result<Manifest> load_manifest(const fs::path& file);

}  // namespace amoskys::etl
