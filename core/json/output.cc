#include "core/json/output.h"

#include <array>
#include <cerrno>
#include <cstring>

#include "core/base/text.h"
#include "core/json/cells.h"
#include "core/json/yaml_text.h"

namespace amoskys {
namespace {

constexpr std::array<std::string_view, 5> format_names{"table", "json", "ndjson", "csv", "yaml"};

class FileSink final : public ByteSink {
  public:
    explicit FileSink(std::FILE* file) : file_(file) {}
    bool write(std::string_view bytes) override {
        return std::fwrite(bytes.data(), 1, bytes.size(), file_) == bytes.size();
    }
    bool flush() override { return std::fflush(file_) == 0; }

  private:
    std::FILE* file_;
};

// "key: value" lines; below a key that holds an object or a list of objects, indented.
void append_lines(std::string& out, const Json& object, std::size_t indent) {
    std::size_t width = 0;
    for (const auto& [key, value] : object.items())
        if (!value.is_object())
            width = std::max(width, printable(key).size());
    for (const auto& [key, value] : object.items()) {
        const std::string name = printable(key) + ":";
        out.append(indent, ' ');
        const bool is_rows = value.is_array() && !value.empty() && value.front().is_object();
        if (value.is_object() && !value.empty()) {
            out += name + "\n";
            append_lines(out, value, indent + 2);
        } else if (is_rows) {
            out += name + "\n";
            for (const auto& row : value)
                out += std::string(indent + 2, ' ') + json::table_cell(row) + "\n";
        } else {
            out += name + std::string(width + 2 - std::min(width + 1, name.size()), ' ') +
                   json::table_cell(value) + "\n";
        }
    }
}

// "a.b" keys of an object, so that it is one CSV row.
void flatten(const Json& value, const std::string& prefix, Json& out) {
    for (const auto& [key, child] : value.items()) {
        if (child.is_object() && !child.empty())
            flatten(child, prefix + key + ".", out);
        else
            out[prefix + key] = child;
    }
}

std::string object_csv(const Json& object) {
    Json flat = Json::object();
    flatten(object, "", flat);
    std::string header;
    std::string row;
    for (const auto& [key, value] : flat.items()) {
        header += (header.empty() ? "" : ",") + json::csv_field(key);
        row += (row.empty() && header.find(',') == std::string::npos ? "" : ",") +
               json::csv_cell(value);
    }
    return header + "\r\n" + row + "\r\n";
}

}  // namespace

Result<OutputFormat> parse_output_format(std::string_view text) {
    for (std::size_t i = 0; i < format_names.size(); ++i)
        if (format_names[i] == text)
            return static_cast<OutputFormat>(i);
    const auto near = nearest(text, format_names);
    return make_error(
        ErrorKind::usage, "output_unknown_format",
        "output format '" + printable(text) + "': allowed are table, json, ndjson, csv, yaml",
        near.empty() ? "" : "did you mean " + std::string(near) + "?");
}

std::unique_ptr<ByteSink> file_sink(std::FILE* file) {
    return std::make_unique<FileSink>(file);
}

Result<> write_object(ByteSink& sink, const OutputOptions& options, std::string_view noun,
                      const Json& object) {
    Json whole = Json::object();
    whole["schema"] = json::schema_name(noun);
    AMOSKYS_TRY(chosen, json::choose_fields(object, options.fields));
    for (const auto& [key, value] : chosen.items())
        whole[key] = value;
    std::string text;
    switch (options.format) {
        case OutputFormat::table:
            append_lines(text, chosen, 0);
            break;
        case OutputFormat::json:
            text = json::dump_pretty(whole) + "\n";
            break;
        case OutputFormat::ndjson:
            text = json::dump(whole) + "\n";
            break;
        case OutputFormat::csv:
            text = object_csv(chosen);
            break;
        case OutputFormat::yaml:
            text = json::to_yaml(whole);
            break;
    }
    return write_text(sink, text);
}

Result<bool> write_piece(ByteSink& sink, std::string_view text) {
    errno = 0;
    if (sink.write(text) && sink.flush())
        return true;
    if (errno == EPIPE)
        return false;
    return errno_error("output_write", "cannot write the output", errno);
}

Result<> write_text(ByteSink& sink, std::string_view text) {
    AMOSKYS_TRY_VOID(write_piece(sink, text));  // a reader that has gone is not our failure
    return {};
}

std::string error_json(const Error& error) {
    Json object = Json::object();
    object["schema"] = json::schema_name("error");
    object["code"] = error.code;
    object["message"] = error.message;
    object["hint"] = error.hint;
    object["exit"] = exit_code(error);
    return json::dump(object);
}

}  // namespace amoskys
