// Output of every subcommand, in one place: table, json, ndjson, csv, yaml, and --fields.
// A noun names what the rows are; its schema string is "amoskys.<noun>/1". Columns are declared
// once and give the table's and CSV's order, headers and the list that --fields is checked against.
#pragma once

#include <cstdio>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/json/json.h"

namespace amoskys {

enum class OutputFormat { table, json, ndjson, csv, yaml };
Result<OutputFormat> parse_output_format(std::string_view text);

struct Column {
    std::string_view name;        // key of the JSON object; "a.b" reaches into nested objects
    std::string_view title = {};  // table header; "" = name in upper case
    bool in_table = true;         // the table shows it unless --fields asks for others
    bool right = false;           // right-aligned (numbers)
    // Made of the whole object, which has no such key: a text for people. Tables have it, other
    // formats where --fields names it.
    std::string (*text)(const Json& object) = nullptr;
};

struct Noun {
    std::string_view name;  // "event" -> "amoskys.event/1"
    std::span<const Column> columns;
};

struct OutputOptions {
    OutputFormat format = OutputFormat::table;
    std::vector<std::string> fields;  // empty = all
    bool color = false;
};

// Writes bytes to stdout (or to a string in tests). write() returns false once the reader has gone
// (EPIPE): the caller stops quietly.
class ByteSink {
  public:
    virtual ~ByteSink() = default;
    virtual bool write(std::string_view bytes) = 0;
    virtual bool flush() = 0;
};
std::unique_ptr<ByteSink> file_sink(std::FILE* file);
class StringSink final : public ByteSink {
  public:
    bool write(std::string_view bytes) override {
        text += bytes;
        return true;
    }
    bool flush() override { return true; }
    std::string text;
};

// A list of rows. json: one array (also "[]"); ndjson: a line each, flushed; csv: RFC 4180 with a
// header; table: aligned columns (buffers at most 1,000 rows to find the widths, then streams);
// yaml: a sequence. Every object starts with its "schema".
class RowOutput {
  public:
    // usage error where `options.fields` names a column that the noun does not have.
    static Result<std::unique_ptr<RowOutput>> open(ByteSink& sink, const OutputOptions& options,
                                                   const Noun& noun);
    virtual ~RowOutput() = default;
    virtual bool row(const Json& object) = 0;  // false: reader gone
    virtual Result<> finish() = 0;
};

// One object (summary, timeline, version): table = "key: value" lines, nested keys indented.
Result<> write_object(ByteSink& sink, const OutputOptions& options, std::string_view noun,
                      const Json& object);

// A text that is no table (help, man page, YAML): written whole; io error unless the reader has
// gone.
Result<> write_text(ByteSink& sink, std::string_view text);

// A piece of output that goes on: false once the reader has gone.
Result<bool> write_piece(ByteSink& sink, std::string_view text);

// The error object of machine formats, as the last line of stderr.
std::string error_json(const Error& error);

}  // namespace amoskys
