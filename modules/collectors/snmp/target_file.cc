// The two forms of a file of targets: YAML, and CSV (where the name ends so).
#include <yaml-cpp/yaml.h>

#include "core/base/csv.h"
#include "core/base/text.h"
#include "modules/collectors/snmp/target_list.h"

namespace amoskys::snmp {
namespace {

Error malformed(const std::string& place, const std::string& what) {
    return make_error(ErrorKind::config, "snmp_targets_invalid", place + ": " + what);
}

std::string place_of(const std::string& file, const YAML::Mark& mark) {
    return file + ':' + std::to_string(mark.line + 1) + ':' + std::to_string(mark.column + 1);
}

Result<std::vector<TargetRow>> read_rows(const YAML::Node& node, const std::string& file,
                                         std::string_view what) {
    std::vector<TargetRow> rows;
    if (!node || node.IsNull())
        return rows;
    if (!node.IsSequence())
        return malformed(place_of(file, node.Mark()),
                         std::string(what) + ": a list is wanted here");
    for (const auto& item : node) {
        TargetRow row{{}, place_of(file, item.Mark())};
        if (item.IsScalar()) {
            row.fields.emplace_back("target", item.Scalar());
        } else if (item.IsMap()) {
            for (const auto& entry : item) {
                if (!entry.first.IsScalar() || !entry.second.IsScalar())
                    return malformed(place_of(file, entry.first.Mark()), "a text is wanted here");
                row.fields.emplace_back(entry.first.Scalar(), entry.second.Scalar());
            }
        } else {
            return malformed(row.place, "a target (text) or a mapping is wanted here");
        }
        if (rows.size() == max_targets)
            return malformed(row.place, "more than " + std::to_string(max_targets) + " entries");
        rows.push_back(std::move(row));
    }
    return rows;
}

Result<TargetFile> parse_yaml(std::string_view text, const std::string& file) {
    TargetFile out;
    const YAML::Node root = YAML::Load(std::string(text));
    if (!root.IsMap())
        return malformed(place_of(file, root.Mark()), "a mapping is wanted here");
    for (const auto& entry : root) {
        const std::string key = entry.first.IsScalar() ? entry.first.Scalar() : "";
        if (key != "targets" && key != "credentials")
            return malformed(
                place_of(file, entry.first.Mark()),
                "unknown key " + printable(key) + "; allowed are credentials and targets");
        AMOSKYS_TRY(rows, read_rows(entry.second, file, key));
        (key == "targets" ? out.targets : out.credentials) = std::move(rows);
    }
    return out;
}

Result<TargetFile> parse_csv(std::string_view text, const std::string& file) {
    TargetFile out;
    CsvReader reader(text, file);
    std::vector<CsvCell> cells;
    std::vector<std::string> names;
    for (;;) {
        AMOSKYS_TRY(more, reader.next(cells));
        if (!more)
            return out;
        if (names.empty()) {
            for (const CsvCell& cell : cells)
                names.emplace_back(trim(cell.text));
            continue;
        }
        if (out.targets.size() == max_targets)
            return reader.fault(cells.front(), "more than " + std::to_string(max_targets));
        TargetRow row{{}, file + ':' + std::to_string(cells.front().line)};
        for (std::size_t i = 0; i < cells.size(); ++i)
            row.fields.emplace_back(names[i], std::string(cells[i].text));
        out.targets.push_back(std::move(row));
    }
}

}  // namespace

Result<TargetFile> parse_target_file(std::string_view text, const std::string& file_name) {
    if (file_name.ends_with(".csv"))
        return parse_csv(text, file_name);
    try {
        return parse_yaml(text, file_name);
    } catch (const YAML::Exception& e) {
        const YAML::Mark mark = e.mark.is_null() ? YAML::Mark() : e.mark;
        return malformed(place_of(file_name, mark), e.msg);
    }
}

}  // namespace amoskys::snmp
