#include "modules/transformation/etl/feature_store.h"

#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <limits>
#include <numeric>

#include "modules/transformation/etl/spill_file.h"

namespace amoskys::etl {
namespace {

constexpr double missing = std::numeric_limits<double>::quiet_NaN();

std::size_t filled_up(std::size_t bytes) {
    return (bytes + 7) / 8 * 8;
}

}  // namespace

std::vector<module::ColumnId> column_order(std::span<const module::FeatureColumn> columns) {
    std::vector<module::ColumnId> order(columns.size());
    std::iota(order.begin(), order.end(), 0U);
    std::stable_sort(order.begin(), order.end(), [&](module::ColumnId a, module::ColumnId b) {
        return columns[a].metric < columns[b].metric;
    });
    return order;
}

Result<std::unique_ptr<FeatureStore>> FeatureStore::open(const std::filesystem::path& folder,
                                                         std::size_t gather_bytes) {
    AMOSKYS_TRY(spill, make_unlinked_file(folder));
    return std::unique_ptr<FeatureStore>(new FeatureStore(std::move(spill), gather_bytes));
}

FeatureStore::~FeatureStore() {
    if (map_ != nullptr)
        ::munmap(map_, written_);
}

Result<> FeatureStore::add(const module::Window& window, const module::FeatureRow& row, Part part) {
    auto device = device_numbers_.find(window.device);
    if (device == device_numbers_.end()) {
        const auto number = static_cast<std::uint32_t>(devices_.size());
        device = device_numbers_.emplace(std::string(window.device), number).first;
        devices_.push_back(&device->first);
    }
    const auto values = row.values();
    gathered_.push_back({device->second, static_cast<std::uint32_t>(values.size()), part,
                         window.start_ns, window.end_ns, values_.size()});
    values_.insert(values_.end(), values.begin(), values.end());
    ++rows_;
    const std::size_t held = values_.size() * sizeof(double) + gathered_.size() * sizeof(Row);
    return held < gather_bytes_ ? Result<>() : flush();
}

Result<> FeatureStore::flush() {
    std::vector<const Row*> order;
    order.reserve(gathered_.size());
    for (const Row& row : gathered_)
        order.push_back(&row);
    std::stable_sort(order.begin(), order.end(),
                     [](const Row* a, const Row* b) { return a->device < b->device; });
    for (std::size_t from = 0; from < order.size();) {
        std::size_t to = from + 1;
        while (to < order.size() && order[to]->device == order[from]->device)
            ++to;
        AMOSKYS_TRY_VOID(write_block(std::span(order).subspan(from, to - from)));
        from = to;
    }
    gathered_.clear();
    values_.clear();
    return {};
}

Result<> FeatureStore::write_block(std::span<const Row* const> rows) {
    std::size_t columns = 0;
    for (const Row* row : rows)
        columns = std::max<std::size_t>(columns, row->columns);
    const std::size_t head = rows.size() * 16 + filled_up(rows.size());
    block_.resize(head + columns * rows.size() * sizeof(double));
    for (std::size_t i = 0; i < rows.size(); ++i) {
        std::memcpy(&block_[i * 8], &rows[i]->start_ns, 8);
        std::memcpy(&block_[(rows.size() + i) * 8], &rows[i]->end_ns, 8);
        block_[rows.size() * 16 + i] = static_cast<char>(rows[i]->part);
    }
    // Eight columns at a time: a line of the cache is read once and eight are written along.
    double* const out = reinterpret_cast<double*>(block_.data() + head);
    for (std::size_t first = 0; first < columns; first += 8)
        for (std::size_t i = 0; i < rows.size(); ++i) {
            const double* const in = values_.data() + rows[i]->at;
            for (std::size_t column = first; column < std::min(first + 8, columns); ++column)
                out[column * rows.size() + i] = column < rows[i]->columns ? in[column] : missing;
        }
    AMOSKYS_TRY_VOID(write_spill(spill_, block_));
    blocks_.push_back({rows.front()->device, static_cast<std::uint32_t>(rows.size()),
                       static_cast<std::uint32_t>(columns), written_});
    written_ += block_.size();
    return {};
}

Result<> FeatureStore::seal() {
    AMOSKYS_TRY_VOID(flush());
    values_ = {};
    gathered_ = {};
    block_ = {};
    if (blocks_.empty())
        return {};
    void* const map = ::mmap(nullptr, written_, PROT_READ, MAP_SHARED, spill_.get(), 0);
    if (map == MAP_FAILED)
        return errno_error("features_read", "cannot map the spill file", errno);
    map_ = map;
    std::stable_sort(blocks_.begin(), blocks_.end(), [&](const Block& a, const Block& b) {
        return *devices_[a.device] < *devices_[b.device];
    });
    slices_.reserve(blocks_.size());
    for (const Block& block : blocks_) {
        const char* const at = static_cast<const char*>(map_) + block.offset;
        const auto* const times = reinterpret_cast<const UnixNanos*>(at);
        slices_.push_back(
            {.device = *devices_[block.device],
             .starts = std::span(times, block.rows),
             .ends = std::span(times + block.rows, block.rows),
             .parts = std::span(reinterpret_cast<const Part*>(times + 2 * block.rows), block.rows),
             .values =
                 reinterpret_cast<const double*>(at + block.rows * 16 + filled_up(block.rows)),
             .columns = block.columns});
    }
    return {};
}

void FeatureStore::gather(module::ColumnId column, Part part, std::vector<double>& out) const {
    out.clear();
    for (const Slice& slice : slices_) {
        const std::span<const double> values = slice.column(column);
        for (auto from = slice.parts.begin(); from != slice.parts.end();) {
            const auto is_other = [from](Part other) { return other != *from; };
            const auto to = std::find_if(from, slice.parts.end(), is_other);
            const auto first = static_cast<std::size_t>(from - slice.parts.begin());
            const auto count = static_cast<std::size_t>(to - from);
            if (*from == part && values.empty())
                out.insert(out.end(), count, missing);
            else if (*from == part)
                out.insert(out.end(), values.data() + first, values.data() + first + count);
            from = to;
        }
    }
}

}  // namespace amoskys::etl
