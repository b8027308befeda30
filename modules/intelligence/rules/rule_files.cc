#include "modules/intelligence/rules/rule_files.h"

#include <algorithm>
#include <iterator>

#include "core/base/file.h"
#include "modules/intelligence/rules/embedded.h"

namespace amoskys::rules {
namespace {

constexpr std::size_t max_rule_files = 20'000;
constexpr std::string_view mapping_file = "fields.yaml";

bool is_rule_file(const fs::path& path) {
    return path.extension() == ".yml" || path.extension() == ".yaml";
}

void append(std::vector<ParsedRule>& all, std::vector<ParsedRule> more) {
    std::move(more.begin(), more.end(), std::back_inserter(all));
}

}  // namespace

Result<std::vector<fs::path>> rule_files_below(const fs::path& path) {
    std::error_code error;
    const fs::file_status status = fs::status(path, error);
    if (!fs::exists(status))
        return make_error(ErrorKind::no_input, "no_rules", "there is nothing at " + path.string());
    if (!fs::is_directory(status))
        return std::vector<fs::path>{path};
    std::vector<fs::path> files;
    for (fs::recursive_directory_iterator each(path, error), end; !error && each != end;
         each.increment(error)) {
        if (!is_rule_file(each->path()) || !each->is_regular_file(error))
            continue;
        if (files.size() == max_rule_files)
            return make_error(
                ErrorKind::bad_data, "rules_too_many",
                path.string() + " has more than " + std::to_string(max_rule_files) + " rule files");
        files.push_back(each->path());
    }
    if (error)
        return errno_error("rules_folder", "cannot read " + path.string(), error.value());
    std::sort(files.begin(), files.end());
    return files;
}

std::vector<ParsedRule> rules_of_file(const fs::path& file) {
    const auto text = read_file(file, max_rule_file_bytes);
    if (text)
        return parse_rules(*text, file.string());
    ParsedRule unread;
    unread.rule.file = file.string();
    unread.fault = ParsedRule::Fault::invalid;
    unread.reason = text.error().message;
    return {unread};
}

Result<std::vector<ParsedRule>> rules_below(const fs::path& path) {
    AMOSKYS_TRY(files, rule_files_below(path));
    std::vector<ParsedRule> out;
    for (const fs::path& file : files)
        append(out, rules_of_file(file));
    return out;
}

std::vector<ParsedRule> embedded_rules() {
    std::vector<ParsedRule> out;
    for (const EmbeddedFile& file : embedded_files())
        if (file.name != mapping_file)
            append(out, parse_rules(file.content, "builtin:" + std::string(file.name)));
    return out;
}

Result<std::vector<EventClass>> embedded_mapping() {
    for (const EmbeddedFile& file : embedded_files())
        if (file.name == mapping_file)
            return parse_mapping(file.content, mapping_file);
    return make_error(ErrorKind::internal, "mapping_missing", "the mapping of fields is missing");
}

Result<std::unique_ptr<Engine>> load_engine(const RuleSources& sources) {
    std::vector<ParsedRule> all;
    if (sources.embedded)
        all = embedded_rules();
    if (!sources.state_dir.empty() && fs::exists(sources.state_dir / "rules")) {
        AMOSKYS_TRY(own, rules_below(sources.state_dir / "rules"));
        append(all, std::move(own));
    }
    for (const std::string& path : sources.paths) {
        AMOSKYS_TRY(named, rules_below(path));
        append(all, std::move(named));
    }
    AMOSKYS_TRY(classes, embedded_mapping());
    return Engine::build(std::move(all), std::move(classes));
}

}  // namespace amoskys::rules
