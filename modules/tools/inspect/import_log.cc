// `inspect import`: takes the rows of the earlier system's log over as they are. One pass checks
// all of them, a second one appends: a file with a bad row changes nothing.
#include <algorithm>
#include <unordered_set>

#include "core/crypto/hash.h"
#include "core/link/record_facts.h"
#include "core/wire/legacy.h"
#include "core/wire/stored_form.h"
#include "modules/tools/inspect/inspect_verbs.h"
#include "modules/tools/inspect/legacy_db.h"
#include "modules/tools/inspect/log_access.h"
#include "modules/tools/inspect/stored_form.h"

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

enum class Checksum { blake2b, sha256, copy };

struct Totals {
    std::uint64_t rows = 0, legacy = 0, universal = 0, events = 0, bytes = 0;
    std::uint64_t blake2b = 0, sha256 = 0, copies = 0;
    std::uint64_t signed_rows = 0, unsigned_rows = 0;
    UnixNanos first_ns = UINT64_MAX, last_ns = 0;
    bool untimed = false;
    std::uint64_t imported = 0, duplicates = 0;
    WalOffset first_offset, last_offset;
};

// A row that passed all checks; owns nothing but the device hashes.
struct CheckedRow {
    RecordKind kind = RecordKind::legacy;
    Checksum checksum = Checksum::blake2b;
    Digest digest{};
    ByteView signature;
    std::uint64_t events = 0;
    UnixNanos first_ns = 0, last_ns = 0;
    std::vector<std::uint64_t> device_hashes;
};

class RowChecker {
  public:
    explicit RowChecker(std::string file) : file_(std::move(file)) {}

    Result<CheckedRow> check(const LegacyRow& row) const {
        CheckedRow out;
        if (row.bytes.empty())
            return bad(row, "no bytes");
        if (equal(row.checksum, crypto::blake2b_256({row.bytes})))
            out.checksum = Checksum::blake2b;
        else if (equal(row.checksum, crypto::sha256(row.bytes)))
            out.checksum = Checksum::sha256;
        else if (std::ranges::equal(row.checksum, row.bytes))
            out.checksum = Checksum::copy;
        else
            return bad(row, "the checksum is neither BLAKE2b-256 nor SHA-256 of its bytes");
        const auto kind = guess_kind(row.bytes);
        if (!kind)
            return bad(row, "neither a legacy nor a universal envelope");
        out.kind = *kind;
        fill_custody(row.bytes, out);
        if (!fill_events(row.bytes, out))
            return bad(row, "the events in the envelope cannot be read");
        return out;
    }

  private:
    static bool equal(ByteView checksum, const Digest& digest) {
        return std::ranges::equal(checksum, digest);
    }

    Error bad(const LegacyRow& row, std::string_view what) const {
        return make_error(ErrorKind::bad_data, "import_row",
                          file_ + ": row " + std::to_string(row.id) + ": " + std::string(what),
                          "nothing was imported");
    }

    static void fill_custody(ByteView bytes, CheckedRow& out) {
        if (out.kind == RecordKind::legacy) {
            out.digest = wire::legacy_digest(bytes);
            if (const auto cut = wire::cut_legacy(bytes, wal::stored_bytes_max))
                out.signature = cut->signature;
        } else if (const auto parts = wire::universal_parts(bytes)) {
            out.digest = parts->digest;
            out.signature = parts->signature;
        }
    }

    static bool fill_events(ByteView bytes, CheckedRow& out) {
        wire::DecodeCounts counts;
        wal::RecordFacts facts = link::event_facts(out.kind, bytes, &counts);
        out.events = counts.events;
        out.first_ns = facts.first_event_ns;
        out.last_ns = facts.last_event_ns;
        out.device_hashes = std::move(facts.device_hashes);
        return counts.malformed_envelopes + counts.malformed_events == 0;
    }

    std::string file_;
};

void add(Totals& totals, const LegacyRow& row, const CheckedRow& checked) {
    ++totals.rows;
    ++(checked.kind == RecordKind::legacy ? totals.legacy : totals.universal);
    ++(checked.checksum == Checksum::blake2b  ? totals.blake2b
       : checked.checksum == Checksum::sha256 ? totals.sha256
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
            append.flags = wal::flag_imported;
            append.stored = row.stored;
            append.digest = row.checked.digest;
            if (row.checked.signature.empty())
                append.flags = append.flags | wal::flag_unsigned;
            else
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

Result<> append_rows(const LegacyDatabase& database, const RowChecker& checker, Totals& totals,
                     module::ToolContext& context) {
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
    const auto take = [&](const LegacyRow& row) -> Result<> {
        progress.update(++done);
        AMOSKYS_TRY(checked, checker.check(row));
        if (!known.insert(checked.digest).second) {
            ++totals.duplicates;
            return {};
        }
        return appender.add(row, std::move(checked));
    };
    AMOSKYS_TRY_VOID(database.for_each(take));
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
    const RowChecker checker(options.database);
    Totals totals;
    {
        module::Progress progress(context.progress, "checking", "rows", rows);
        const auto check = [&](const LegacyRow& row) -> Result<> {
            AMOSKYS_TRY(checked, checker.check(row));
            add(totals, row, checked);
            progress.update(totals.rows);
            return {};
        };
        AMOSKYS_TRY_VOID(database.for_each(check));
    }
    if (!options.dry_run)
        AMOSKYS_TRY_VOID(append_rows(database, checker, totals, context));
    return write_object(context.out, context.output, "import", import_json(totals, options));
}

}  // namespace amoskys::modules::inspect
