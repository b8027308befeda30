// A wal::Log in memory for simulations: commits can be made to fail, and the whole log can be put
// back to an earlier state, as a bus that is restored from a snapshot would be.
#pragma once

#include <map>
#include <memory>

#include "core/wal/log.h"
#include "core/wal/merkle.h"

namespace amoskys::module::test {

class MemoryLog final : public wal::Log {
  public:
    struct Record {
        wal::HeaderBytes header{};
        std::string stored;
    };
    struct Content {
        std::vector<Record> records;
        std::map<std::string, std::string, std::less<>> states;
        wal::Frontier tree;
    };

    explicit MemoryLog(const Clock& clock) : clock_(clock) {}

    bool fail_next = false;
    Content content;

    Result<wal::Appended> append(const wal::Group& group) override {
        if (std::exchange(fail_next, false))
            return make_error(ErrorKind::io, "wal_io", "the simulated disk has failed");
        const WalOffset first{content.records.size() + 1};
        for (const wal::Append& each : group.records) {
            wal::RecordHeader header;
            header.kind = each.kind;
            header.flags = each.flags;
            header.stored_bytes = static_cast<std::uint32_t>(each.stored.size());
            header.offset = {content.records.size() + 1};
            header.received_ns = clock_.now_ns();
            header.source_hash = each.source_hash;
            header.digest = each.digest;
            const wal::HeaderBytes raw = wal::encode_header(header);
            content.tree.append(wal::merkle_leaf(raw, each.signature));
            content.records.push_back({raw, to_string(each.stored)});
        }
        for (const wal::StateUpdate& state : group.states)
            if (state.value.empty())
                content.states.erase(state.key);
            else
                content.states[state.key] = state.value;
        return wal::Appended{first, {content.records.size()}};
    }

    Result<WalOffset> read(WalOffset from, std::uint64_t max_records,
                           const std::function<bool(const wal::RecordView&)>& visit) override {
        std::uint64_t at = std::max<std::uint64_t>(from.value, 1);
        for (; at <= content.records.size() && max_records > 0; ++at, --max_records) {
            const Record& record = content.records[at - 1];
            const auto header = wal::decode_header(record.header);
            if (!header)
                return header.error();
            if (!visit({*header, record.header, as_bytes(record.stored)}))
                return WalOffset{at + 1};
        }
        return WalOffset{at};
    }
    Result<WalOffset> read_matching(
        WalOffset from, std::uint64_t max_records, const Skip&,
        const std::function<bool(const wal::RecordView&)>& visit) override {
        return read(from, max_records, visit);
    }
    Result<std::optional<Bytes>> read_stored(WalOffset offset) override {
        if (offset.value == 0 || offset.value > content.records.size())
            return std::optional<Bytes>();
        return std::optional<Bytes>(to_bytes(as_bytes(content.records[offset.value - 1].stored)));
    }
    Result<std::optional<std::string>> state(std::string_view key) override {
        const auto found = content.states.find(key);
        if (found == content.states.end())
            return std::optional<std::string>();
        return std::optional<std::string>(found->second);
    }
    Result<std::vector<wal::StateUpdate>> states(std::string_view prefix) override {
        std::vector<wal::StateUpdate> out;
        for (const auto& [key, value] : content.states)
            if (key.starts_with(prefix))
                out.push_back({key, value});
        return out;
    }
    Result<std::optional<WalOffset>> cursor(std::string_view) override {
        return std::optional<WalOffset>();
    }
    Result<std::optional<wal::DedupHit>> find_dedup(std::string_view) override {
        return std::optional<wal::DedupHit>();
    }
    Result<std::uint64_t> prune(WalOffset) override { return std::uint64_t{0}; }
    wal::LogStats stats() override {
        wal::LogStats out;
        out.records = content.records.size();
        out.oldest.value = content.records.empty() ? 0 : 1;
        out.newest.value = content.records.size();
        return out;
    }
    std::vector<wal::SegmentInfo> segments() override { return {}; }
    std::vector<wal::Damage> damages() override { return {}; }
    Result<TreeHead> tree_head() override {
        return TreeHead{content.tree.size(), content.tree.root()};
    }
    Result<std::optional<Digest>> leaf_hash(WalOffset) override { return std::optional<Digest>(); }
    Result<> read_derived(wal::Derived, WalOffset, WalOffset,
                          const std::function<void(std::uint64_t, ByteView)>&) override {
        return {};
    }
    Result<std::vector<wal::SegmentClaims>> claims() override {
        return std::vector<wal::SegmentClaims>();
    }
    WalOffset states_as_of() override { return {content.records.size()}; }

  private:
    const Clock& clock_;
};

}  // namespace amoskys::module::test
