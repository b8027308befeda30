// `inspect import`: takes the rows of the earlier system's log over as they are. One pass checks
// all of them, a second one appends: a file with a bad row changes nothing.
#include <algorithm>
#include <unordered_set>

#include "core/crypto/hash.h"
#include "core/link/record_facts.h"
#include "modules/tools/inspect/inspect_verbs.h"
#include "modules/tools/inspect/legacy_row.h"
#include "modules/tools/inspect/log_access.h"

namespace amoskys::modules::inspect {

namespace {

// One transaction up to here: nearly always the whole file.
constexpr std::uint64_t group_bytes_max = 64ULL << 20;
constexpr std::uint64_t group_records_max = 65536;
constexpr std::string_view import_source = "import";

struct DigestHash {
    std::size_t operator()(const Digest& digest) const {
        return static_cast<std::size_t>(load_be64(digest.data()));
    }
};

struct Totals {
    std::uint64_t rows = 0, legacy = 0, universal = 0, events = 0, bytes = 0;
    std::uint64_t blake2b = 0, sha256 = 0, copies = 0;
    std::uint64_t signed_rows = 0, unsigned_rows = 0;
    UnixNanos first_ns = UINT64_MAX, last_ns = 0;
    bool untimed = false;
    std::uint64_t imported = 0, duplicates = 0;
    WalOffset first_offset, last_offset;
};

void add(Totals& totals, const LegacyRow& row, const CheckedRow& checked) {
    ++totals.rows;
    ++(checked.kind == RecordKind::legacy ? totals.legacy : totals.universal);
    ++(checked.checksum == LegacyChecksum::blake2b  ? totals.blake2b
       : checked.checksum == LegacyChecksum::sha256 ? totals.sha256
                                                    : totals.copies);
    ++(checked.signature.empty() ? totals.unsigned_rows : totals.signed_rows);
    totals.events += checked.events;
    totals.bytes += row.bytes.size();
    if (checked.first_ns == 0) {
        totals.untimed = true;
        return;
    }
    totals.first_ns = std::min(totals.first_ns, checked.first_ns);
    totals.last_ns = std::max(totals.last_ns, checked.last_ns);
}

using DigestSet = std::unordered_set<Digest, DigestHash>;

// What an earlier import left in the log, by content: the same file again, a file that grew, an
// import that was cut short.
Result<DigestSet> imported_before(wal::Log& log, const Totals& totals,
                                  module::ToolContext& context) {
    DigestSet out;
    Walk step;
    if (!totals.untimed && totals.rows != 0) {
        step.skip.since_ns = totals.first_ns;
        step.skip.until_ns = totals.last_ns + 1;
    }
    step.visit = [&](const wal::RecordView& record) {
        if ((record.header.flags & wal::flag_imported) != 0)
            out.insert(record.header.digest);
        return Next::go_on;
    };
    module::Progress progress(context.progress, "looking for duplicates", "records",
                              log.stats().records);
    AMOSKYS_TRY_VOID(walk(log, progress, step));
    return out;
}

// The row as a record; what is wrong with it as an error.
Result<CheckedRow> check_row(const LegacyDatabase& database, const LegacyRow& row) {
    CheckedRow out;
    if (const std::string_view wrong = check_legacy_row(row, out); !wrong.empty())
        return make_error(ErrorKind::bad_data, "import_row",
                          database.file().string() + ": row " + std::to_string(row.id) + ": " +
                              std::string(wrong),
                          "nothing was imported");
    return out;
}

// Collects rows and appends them group by group; owns the bytes of the group.
class Appender {
  public:
    Appender(wal::Log& log, Totals& totals) : log_(log), totals_(totals) {}

    Result<> add(const LegacyRow& row, CheckedRow checked) {
        Bytes stored = to_bytes(row.bytes);
        bytes_ += stored.size();
        // The views of `checked` point into the database's row: they are cut again from our copy.
        const std::size_t signature_at =
            checked.signature.empty()
                ? 0
                : static_cast<std::size_t>(checked.signature.data() - row.bytes.data());
        rows_.push_back({std::move(stored), std::move(checked), signature_at});
        return bytes_ >= group_bytes_max || rows_.size() >= group_records_max ? flush()
                                                                              : Result<>();
    }

    Result<> flush() {
        if (rows_.empty())
            return {};
        wal::Group group;
        group.records.reserve(rows_.size());
        const auto source = wal::source_hash("", import_source, "");
        for (const Row& row : rows_) {
            wal::Append append;
            append.kind = row.checked.kind;
            append.flags = row.checked.flags();
            append.stored = row.stored;
            append.digest = row.checked.digest;
            if (!row.checked.signature.empty())
                append.signature =
                    ByteView(row.stored).subspan(row.signature_at, wal::signature_bytes);
            append.source_hash = source;
            append.first_event_ns = row.checked.first_ns;
            append.last_event_ns = row.checked.last_ns;
            append.device_hashes = row.checked.device_hashes;
            group.records.push_back(append);
        }
        AMOSKYS_TRY(appended, log_.append(group));
        if (totals_.imported == 0)
            totals_.first_offset = appended.first;
        totals_.last_offset = appended.last;
        totals_.imported += rows_.size();
        rows_.clear();
        bytes_ = 0;
        return {};
    }

  private:
    struct Row {
        Bytes stored;
        CheckedRow checked;
        std::size_t signature_at = 0;
    };
    wal::Log& log_;
    Totals& totals_;
    std::vector<Row> rows_;
    std::uint64_t bytes_ = 0;
};

Result<> append_rows(const LegacyDatabase& database, Totals& totals, module::ToolContext& context) {
    const auto& options = *static_cast<const ImportOptions*>(context.config.get());
    wal::Options log_options;
    log_options.facts_of = &link::record_facts;
    auto opened = wal::Log::open(log_folder(context, options.log), log_options);
    if (!opened && opened.error().code == "wal_locked")
        return make_error(ErrorKind::unavailable, "wal_locked", opened.error().message,
                          "stop the bus first: import writes to its log");
    AMOSKYS_TRY(log, std::move(opened));
    AMOSKYS_TRY(known, imported_before(*log, totals, context));
    module::Progress progress(context.progress, "importing", "rows", totals.rows);
    Appender appender(*log, totals);
    std::uint64_t done = 0;
    const auto take = [&](const LegacyRow& row) -> Result<bool> {
        progress.update(++done);
        AMOSKYS_TRY(checked, check_row(database, row));
        if (known.insert(checked.digest).second)
            AMOSKYS_TRY_VOID(appender.add(row, std::move(checked)));
        else
            ++totals.duplicates;
        return true;
    };
    AMOSKYS_TRY_VOID(database.for_each(INT64_MIN, take));
    return appender.flush();
}

Json import_json(const Totals& totals, const ImportOptions& options) {
    Json out = Json::object();
    out["file"] = options.database;
    out["rows"] = totals.rows;
    out["imported"] = totals.imported;
    out["duplicates"] = totals.duplicates;
    out["dry_run"] = options.dry_run;
    out["checksums_ok"] = totals.rows;  // one that is not ends the import
    out["checksum_algorithms"] = {
        {"BLAKE2b-256", totals.blake2b}, {"SHA-256", totals.sha256}, {"copy", totals.copies}};
    out["envelopes"] = {{"legacy", totals.legacy}, {"universal", totals.universal}};
    out["events"] = totals.events;
    out["bytes"] = totals.bytes;
    out["signed"] = totals.signed_rows;
    out["unsigned"] = totals.unsigned_rows;
    out["first_event"] = totals.last_ns == 0 ? Json() : json::time(totals.first_ns);
    out["last_event"] = json::time(totals.last_ns);
    out["first_offset"] = totals.imported == 0 ? Json() : Json(totals.first_offset.value);
    out["last_offset"] = totals.imported == 0 ? Json() : Json(totals.last_offset.value);
    out["already_imported"] = totals.rows != 0 && totals.duplicates == totals.rows;
    return out;
}

}  // namespace

Result<> import_log(module::ToolContext& context) {
    const auto& options = *static_cast<const ImportOptions*>(context.config.get());
    AMOSKYS_TRY(database, LegacyDatabase::open(options.database));
    AMOSKYS_TRY(rows, database.count());
    Totals totals;
    {
        module::Progress progress(context.progress, "checking", "rows", rows);
        const auto check = [&](const LegacyRow& row) -> Result<bool> {
            AMOSKYS_TRY(checked, check_row(database, row));
            add(totals, row, checked);
            progress.update(totals.rows);
            return true;
        };
        AMOSKYS_TRY_VOID(database.for_each(INT64_MIN, check));
    }
    if (!options.dry_run)
        AMOSKYS_TRY_VOID(append_rows(database, totals, context));
    return write_object(context.out, context.output, "import", import_json(totals, options));
}

}  // namespace amoskys::modules::inspect
