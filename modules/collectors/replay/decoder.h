// Rows of a recorded file: CSV (RFC 4180) or NDJSON, wide or long, told apart by their content.
// Sans-io: fed with pieces of the text, gives rows. Not thread-safe.
//
//   wide CSV   device_id,ts_ns,METRIC,METRIC...     one number per cell; an empty cell is missing
//   long CSV   device,time,metric,value[,unit,type,index]   (the columns of `inspect events -o csv`
//   are accepted) NDJSON     the same names as keys, wide or long; events of schema amoskys.event/1
//
// device: column device_id or device. time: ts_ns or timestamp_ns (Unix nanoseconds), or time or
// timestamp (RFC 3339, or Unix time as digits, its unit told by its size). A TimeUnit says the unit
// of all of them; without one, digits before the year 2000 are a fault. Every fault is one Error of
// kind bad_data "FILE:LINE:COL: what is wrong".
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "core/base/result.h"
#include "modules/collectors/replay/row.h"

namespace amoskys::replay {

enum class Format : std::uint8_t { detect, csv, ndjson };
enum class TimeUnit : std::uint8_t { by_column, s, ms, us, ns };  // of times that are numbers

inline constexpr std::size_t max_line_bytes = 4 << 20;  // one record, quoted newlines included
inline constexpr std::size_t max_columns = 10'000;
inline constexpr std::size_t max_name_bytes = 256;    // device, metric, unit, index
inline constexpr std::size_t max_text_bytes = 16384;  // a text value

// Where a record stands, for messages.
struct Place {
    std::string_view file;
    std::uint64_t line = 1;  // of the record's first character
};
Error bad_row(const Place& place, std::size_t column, std::string what);

// Makes one record (a line without its end) into a row. Without values: nothing to publish (header,
// empty line, an event that is no metric).
class RecordDecoder {
  public:
    virtual ~RecordDecoder() = default;
    virtual Result<> decode(std::string_view record, const Place& place, Row& row) = 0;
    // After the last record: whether there was what there must be.
    virtual Result<> finish(const Place& place) = 0;
    virtual bool quotes() const = 0;  // a record may hold newlines between quotes
    std::uint64_t skipped = 0;        // records that are no metrics
    TimeUnit time_unit = TimeUnit::by_column;
};
std::unique_ptr<RecordDecoder> make_csv_decoder();
std::unique_ptr<RecordDecoder> make_ndjson_decoder();

// Splits the pieces into records.
class FileDecoder {
  public:
    FileDecoder(std::string file, Format format, TimeUnit unit = TimeUnit::by_column)
        : file_(std::move(file)), format_(format), time_unit_(unit) {}
    using Visit = std::function<Result<>(const Row&)>;

    // Room for the next piece; fill it and call take() with what was filled. take(0) = end of the
    // file. Between two calls next() gives the rows of the piece.
    std::pair<char*, std::size_t> room();
    Result<> take(std::size_t size);
    // The next row; false: more input is needed, or the file is at its end.
    Result<bool> next(Row& row);
    std::uint64_t skipped() const { return decoder_ ? decoder_->skipped : 0; }

  private:
    Result<> detect();
    Result<bool> next_record(std::string_view& record);
    std::size_t find_end();

    std::string file_;
    Format format_;
    TimeUnit time_unit_;
    std::unique_ptr<RecordDecoder> decoder_;
    std::vector<char> buffer_;
    std::size_t begin_ = 0, end_ = 0,
                searched_ = 0;  // searched_: in the record at begin_, from begin_
    bool in_quotes_ = false, at_end_ = false, finished_ = false;
    std::uint64_t line_ = 1, record_lines_ = 0;
};

// Checks shared by the formats.
Result<> check_name(const Place& place, std::size_t column, std::string_view what,
                    std::string_view name);
Result<UnixNanos> read_time(const Place& place, std::size_t column, std::string_view text,
                            bool nanoseconds, TimeUnit unit);
// Number as JSON and C write it; nan, inf, hexadecimal and spaces are refused.
Result<> read_number(const Place& place, std::size_t column, std::string_view text, Value& out);
// GAUGE COUNTER HISTOGRAM SUMMARY in any case, "" = GAUGE; TEXT = a gauge whose value is text.
Result<> read_type(const Place& place, std::size_t column, std::string_view text, Value& out);
Result<> read_text(const Place& place, std::size_t column, std::string_view text, Value& out);
bool is_device_column(std::string_view name);
bool is_time_column(std::string_view name, bool& nanoseconds);

}  // namespace amoskys::replay
