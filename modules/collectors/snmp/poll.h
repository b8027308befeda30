// One poll of one device as a state machine: it says which request comes next and takes the answer.
// No sockets, no clock. At most one request is outstanding. Used by the session
// thread, the tests and the fuzzer.
//
//   next_request() -> on_response() | on_timeout() -> next_request() ... until it gives nothing;
//   then result().
//
// Guards against faulty agents: an OID that does not increase ends its column; a column ends at
// max_rows; a poll ends at max_requests, max_bytes, or three timeouts in a row; every error answer
// makes the next request smaller. What was read until then is kept.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "modules/collectors/snmp/message.h"
#include "modules/collectors/snmp/oid.h"
#include "modules/collectors/snmp/profile.h"

namespace amoskys::snmp {

struct PollLimits {
    std::uint32_t first_repetitions = 25;  // rows asked for in the first GETBULK of a device
    std::uint32_t max_repetitions = 50;
    std::size_t max_rows = 10'000;  // of one column
    std::size_t max_varbinds = 64;  // asked for in one request: about one unfragmented datagram
    std::size_t max_scalars = 24;   // in one GET
    std::size_t max_requests = 20'000;
    std::size_t max_bytes = 32 * 1024 * 1024;  // of all values of one poll
    unsigned max_timeouts = 3;                 // in a row
};

// What one poll learned for the next one of the same device.
struct PollMemory {
    std::uint32_t repetitions = 0;  // 0 = not yet known; smaller than max_repetitions after trouble
    std::vector<std::optional<std::size_t>> rows;  // of each table, as last read
};

enum class Operation : std::uint8_t { get, get_next, get_bulk };

struct Request {
    Operation operation = Operation::get;
    std::vector<Oid> oids;
    std::uint32_t repetitions = 0;  // get_bulk; non-repeaters are never used
};

// Error status of an answer as in RFC 3416; others count as general_error.
enum class ErrorStatus : std::uint8_t {
    none = 0,
    too_big = 1,
    no_such_name = 2,
    general_error = 5,
    no_access = 16
};

struct Response {
    ErrorStatus status = ErrorStatus::none;
    std::size_t error_index = 0;  // from 1; 0 = none
    std::vector<Varbind> varbinds;
};

enum class Fault : std::uint8_t {
    not_increasing,  // column ended: an OID did not increase
    too_many_rows,   // column ended at max_rows
    error_status,    // the device answered an error for it
    timeout,         // not answered
    malformed,       // an answer that does not fit its request
};
std::string_view fault_name(Fault fault);

struct FaultNote {
    Fault fault;
    std::string metric;
};

using Rows = std::vector<std::pair<Oid, Value>>;  // index (OID below the column), ascending

struct PollResult {
    std::vector<Value> scalars;             // one per profile scalar; null = missing
    std::vector<std::vector<Rows>> tables;  // per profile table, per column
    std::vector<FaultNote> faults;
    bool answered = false;   // the device answered at least once
    bool cut_short = false;  // it stopped answering, or max_requests or max_bytes was reached
    std::size_t requests = 0, responses = 0, varbinds = 0, bytes = 0;
};

class DevicePoll {
  public:
    DevicePoll(std::shared_ptr<const Profile> profile, Version version, const PollLimits& limits,
               PollMemory memory = {});

    // Nothing = the poll is over. Asked for again before an answer it gives the same request again.
    std::optional<Request> next_request();
    void on_response(Response response);
    void on_timeout();
    // The request could not be sent at all: the poll is over.
    void on_send_failure();

    const Profile& profile() const { return *profile_; }
    PollResult& result() { return result_; }
    PollMemory& memory() { return memory_; }

  private:
    struct Cursor {
        std::size_t column = 0;
        Oid last;  // starts as the column's own OID
        bool done = false;
    };

    std::optional<Request> scalar_request() const;
    std::optional<Request> table_request();
    void scalar_response(const Response& response);
    void scalar_trouble(Fault fault, std::size_t error_index);
    void store_scalars(const std::vector<Varbind>& varbinds);
    void table_response(Response& response);
    void table_trouble(Fault fault, ErrorStatus status, std::size_t error_index);
    bool take_cell(Cursor& cursor, Varbind& varbind);
    void start_group();
    void finish_group();
    void end_column(Cursor& cursor, std::optional<Fault> fault);
    void note(Fault fault, const Metric& metric);
    std::size_t rows_wanted() const;

    std::shared_ptr<const Profile> profile_;
    Version version_;
    PollLimits limits_;
    PollMemory memory_;
    PollResult result_;
    unsigned timeouts_in_a_row_ = 0;
    bool over_ = false;
    // Scalars: those not yet asked for, the current request being the first group.
    std::vector<std::vector<std::size_t>> scalar_groups_;  // last = current
    // Tables.
    std::size_t table_ = 0, next_column_ = 0;
    std::vector<Cursor> cursors_;     // of the current group of columns
    std::vector<std::size_t> asked_;  // cursors of the outstanding request, in its order
    std::uint32_t asked_repetitions_ = 0;
    std::size_t max_columns_;  // of a group; shrinks after trouble
};

}  // namespace amoskys::snmp
