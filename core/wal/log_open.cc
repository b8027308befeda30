// Opening a log: claim the folder, look at each segment, set damaged ones aside, open the newest.
#include <sys/stat.h>

#include <algorithm>

#include "core/wal/log_impl.h"

namespace amoskys::wal {

namespace {

constexpr std::size_t damages_max = 10000;
constexpr auto refresh_interval = std::chrono::seconds(1);

bool is_damage(const Error& error) {
    return error.code == "wal_damaged" || error.code == "merkle_frontier";
}

// Names the file, where the error does not.
Error in_file(const std::filesystem::path& file, Error error) {
    if (error.message.find(file.string()) == std::string::npos)
        error.message = file.string() + ": " + error.message;
    return error;
}

Result<> make_first_segment(const std::filesystem::path& folder, std::uint64_t number,
                            UnixNanos now_ns, const Options& options) {
    NewSegment segment;
    segment.start.number = number;
    segment.start.created_ns = now_ns;
    segment.head = head_at_start(segment.start, 0);
    return make_segment(folder, segment, map_bytes_for(options),
                        [](LmdbEnv&, SegmentHead&) -> Result<> { return {}; });
}

void remove_leftovers(const FolderListing& listing) {
    std::error_code ignored;  // what cannot be deleted now is tried again at the next opening
    for (const auto& file : listing.leftovers)
        std::filesystem::remove(file, ignored);
}

}  // namespace

Result<std::unique_ptr<Log>> Log::open(const std::filesystem::path& folder,
                                       const Options& options) {
    if (!options.read_only)
        AMOSKYS_TRY_VOID(make_directories(folder, 0700));
    AMOSKYS_TRY(claim, FolderClaim::take(folder, !options.read_only));
    AMOSKYS_TRY_VOID(refuse_network_disk(folder));
    auto log = std::make_unique<LogImpl>(folder, std::move(claim), options);
    AMOSKYS_TRY_VOID(log->start());
    return std::unique_ptr<Log>(std::move(log));
}

LogImpl::LogImpl(std::filesystem::path folder, FolderClaim claim, const Options& options)
    : folder_(std::move(folder)), claim_(std::move(claim)), options_(options) {}

Result<> LogImpl::start() {
    AMOSKYS_TRY(listing, list_folder(folder_));
    if (!options_.read_only) {
        drop_ballast(folder_);
        remove_leftovers(listing);
    }
    for (const auto& file : listing.damaged)
        note_lost(0, 0, file, "set aside earlier");
    if (listing.segments.empty()) {
        if (options_.read_only)
            return make_error(ErrorKind::no_input, "wal_missing", "no log at " + folder_.string());
        AMOSKYS_TRY_VOID(
            make_first_segment(folder_, listing.highest_number + 1, clock().now_ns(), options_));
    }
    AMOSKYS_TRY_VOID(open_segments());
    if (!options_.read_only)
        take_ballast(folder_, ballast_bytes());
    return {};
}

// Reads the folder anew and opens what is there. The caller holds active_mutex_ exclusively, or is
// alone.
Result<> LogImpl::open_segments() {
    const std::lock_guard hold_files(files_mutex_);
    AMOSKYS_TRY(listing, list_folder(folder_));
    if (listing.segments.empty())
        return make_error(ErrorKind::no_input, "wal_missing", "no log at " + folder_.string());
    const auto known = sealed();
    SealedList list;
    for (std::size_t i = 0; i + 1 < listing.segments.size(); ++i) {
        const std::uint64_t number = listing.segments[i];
        const auto have = std::ranges::find(*known, number, &SealedSegment::number);
        if (have != known->end()) {
            list.push_back(*have);
            continue;
        }
        AMOSKYS_TRY(segment, open_sealed(number, list, listing.segments[i + 1]));
        if (segment)
            list.push_back(std::move(segment));
    }
    AMOSKYS_TRY_VOID(open_active(listing.segments.back(), list));
    if (!list.empty() && list.back()->reader == nullptr) {
        auto last = std::make_shared<SealedSegment>();
        last->number = list.back()->number;
        last->first = list.back()->first;
        last->last = active_start_.first_offset - 1;
        last->first_kept = last->first;
        last->file = list.back()->file;
        note_lost(last->first, last->last, last->file, "the segment cannot be read");
        list.back() = std::move(last);
    }
    set_sealed(std::move(list));
    open_leaf_files(listing.leaves);
    return {};
}

std::optional<std::uint64_t> LogImpl::first_of(std::uint64_t number) const {
    if (const auto reader = SegmentReader::open(segment_path(folder_, number)))
        if (const auto start = read_start(**reader))
            return start->first_offset;
    return std::nullopt;
}

// Null where the file is gone (pruned meanwhile). A file that cannot be read is rebuilt by the
// writer and left out by a reader.
Result<std::shared_ptr<SealedSegment>> LogImpl::open_sealed(std::uint64_t number,
                                                            const SealedList& before,
                                                            std::optional<std::uint64_t> next) {
    auto out = std::make_shared<SealedSegment>();
    out->number = number;
    out->file = segment_path(folder_, number);
    const auto next_first = next ? first_of(*next) : std::nullopt;
    for (int attempt = 0; attempt < 2; ++attempt) {
        auto reader = SegmentReader::open(out->file);
        if (!reader && reader.error().code == "wal_io" &&
            reader.error().kind == ErrorKind::no_input)
            return std::shared_ptr<SealedSegment>();
        auto format = reader ? check_format(**reader) : Result<>(reader.error());
        auto start = format ? read_start(**reader) : Result<SegmentStart>(format.error());
        auto head = start ? read_head(**reader) : Result<SegmentHead>(start.error());
        if (head) {
            out->first = start->first_offset;
            out->bytes_before = start->bytes_before;
            out->last = next_first ? *next_first - 1 : head->last_offset;
            out->first_kept = head->first_kept;
            out->bytes_trimmed = head->bytes_trimmed;
            out->newest_received_ns = head->last_received_ns;
            out->reader = std::move(*reader);
            out->reader->expect_scans();
            if (const auto lost = read_lost(*out->reader))
                for (const auto& [first, last] : *lost)
                    note_lost(first, last, out->file, "lost when the segment was rebuilt");
            return out;
        }
        if (!is_damage(head.error()))
            return in_file(out->file, head.error());
        if (options_.read_only)
            break;
        AMOSKYS_TRY_VOID(rebuild(number, before, next_first, head.error().message));
    }
    out->first = before.empty() ? 1 : before.back()->last + 1;
    out->last = next_first.value_or(out->first) - 1;
    out->first_kept = out->first;
    if (next_first)
        note_lost(out->first, out->last, out->file, "the segment cannot be read");
    return out;
}

Result<> LogImpl::open_active(std::uint64_t number, const SealedList& before) {
    const std::filesystem::path file = segment_path(folder_, number);
    for (int attempt = 0;; ++attempt) {
        auto reader = SegmentReader::open(file);
        auto format = reader ? check_format(**reader) : Result<>(reader.error());
        auto start = format ? read_start(**reader) : Result<SegmentStart>(format.error());
        auto head = start ? read_head(**reader) : Result<SegmentHead>(start.error());
        if (!head && !is_damage(head.error()))
            return in_file(file, head.error());
        const SegmentSoundness soundness = reader ? (*reader)->soundness() : SegmentSoundness();
        if (head && soundness.sound()) {
            active_start_ = std::move(*start);
            if (const auto lost = read_lost(**reader))
                for (const auto& [first, last] : *lost)
                    note_lost(first, last, file, "lost when the segment was rebuilt");
            break;
        }
        const std::string why =
            head ? file.string() + ": " + soundness.what() : head.error().message;
        if (options_.read_only || attempt != 0)
            return make_error(ErrorKind::bad_data, "wal_damaged", why,
                              "start the process that writes this log: it salvages what it can");
        AMOSKYS_TRY_VOID(rebuild(number, before, std::nullopt, why));
    }
    const EnvMode mode = options_.read_only ? EnvMode::read_only : EnvMode::write;
    AMOSKYS_TRY(env, LmdbEnv::open(file, mode, map_bytes_for(options_)));
    active_ = std::move(env);
    active_number_ = number;
    return load_tail();
}

Result<> LogImpl::load_tail() {
    AMOSKYS_TRY(snapshot, active_->snapshot());
    Tail tail;
    AMOSKYS_TRY(head, read_head(*snapshot));
    tail.head = std::move(head);
    const std::uint64_t last = tail.head.last_offset;
    if (last >= active_start_.first_offset && last != 0) {
        AMOSKYS_TRY(zone, tail_zone(*snapshot, last));
        tail.zone = zone;
    }
    active_used_bytes_ = active_->used_bytes();
    const std::lock_guard hold(tail_mutex_);
    tail_ = std::move(tail);
    return {};
}

// The zone that the last record is in; where its entry is gone or damaged it is made anew.
Result<Zone> LogImpl::tail_zone(const Snapshot& snapshot, std::uint64_t last) const {
    const std::uint64_t number = zone_of(last);
    AMOSKYS_TRY(raw, get(snapshot, Table::zone, number_key(number)));
    if (const auto kept = raw ? Zone::decode(as_bytes(*raw)) : std::nullopt)
        return *kept;
    Zone out;
    const auto add = [&](std::uint64_t, ByteView value) {
        if (const auto record = decode_record(value))
            out.add(*record, options_);
        return true;
    };
    AMOSKYS_TRY_VOID(scan_from(snapshot, Table::log,
                               std::max(zone_first_offset(number), active_start_.first_offset),
                               add));
    return out;
}

Result<> LogImpl::rebuild(std::uint64_t number, const SealedList& before,
                          std::optional<std::uint64_t> next_first, std::string why) {
    RebuildRequest request;
    request.folder = folder_;
    request.number = number;
    request.previous = before.empty() ? nullptr : before.back()->reader.get();
    request.next_first = next_first;
    request.why = std::move(why);
    AMOSKYS_TRY(damages, rebuild_segment(request, options_));
    for (const Damage& damage : damages)
        note_lost(damage.first.value, damage.last.value, damage.file, damage.what);
    return {};
}

void LogImpl::open_leaf_files(const std::vector<std::uint64_t>& numbers) {
    std::vector<std::shared_ptr<const LeafFile>> files;
    for (const std::uint64_t number : numbers) {
        const auto file = leaves_path(folder_, number);
        if (auto leaves = LeafFile::open(file))
            files.push_back(std::move(*leaves));
        else
            note_lost(0, 0, file, leaves.error().message);
    }
    const std::lock_guard hold(sealed_mutex_);
    leaf_files_ = std::move(files);
}

// A new segment seals the one that was newest. Pruned ones are noticed once a second.
Result<> LogImpl::refresh() {
    const std::lock_guard hold_refresh(refresh_mutex_);
    const auto now = clock().steady();
    struct stat status {};
    const bool rolled = ::stat(segment_path(folder_, active_number_ + 1).c_str(), &status) == 0;
    if (!rolled && now - refreshed_at_ < refresh_interval)
        return {};
    refreshed_at_ = now;
    const auto known = sealed();
    const bool pruned = !known->empty() && ::stat(known->front()->file.c_str(), &status) != 0;
    if (!rolled && !pruned)
        return {};
    const std::lock_guard hold_gate(gate_);
    const std::unique_lock hold(active_mutex_);
    active_.reset();
    return open_segments();
}

void LogImpl::note_lost(std::uint64_t first, std::uint64_t last, const std::filesystem::path& file,
                        const std::string& what) {
    const std::lock_guard hold(damages_mutex_);
    for (const Damage& known : damages_) {
        const bool inside =
            first != 0 && first <= last && known.first.value <= first && last <= known.last.value;
        const bool same =
            known.first.value == first && known.last.value == last && known.file == file.string();
        if (inside || same)
            return;
    }
    if (damages_.size() < damages_max)
        damages_.push_back({{first}, {last}, file.string(), what});
}

std::shared_ptr<const SealedList> LogImpl::sealed() const {
    const std::lock_guard hold(sealed_mutex_);
    return sealed_;
}

void LogImpl::set_sealed(SealedList list) {
    auto shared = std::make_shared<const SealedList>(std::move(list));
    const std::lock_guard hold(sealed_mutex_);
    sealed_ = std::move(shared);
}

std::vector<std::shared_ptr<const LeafFile>> LogImpl::leaf_files() const {
    const std::lock_guard hold(sealed_mutex_);
    return leaf_files_;
}

Tail LogImpl::tail() const {
    const std::lock_guard hold(tail_mutex_);
    return tail_;
}

}  // namespace amoskys::wal
