// All keys of the given sections, by full key and by environment name. Used by load.cc and
// documents.cc; views into the sections, which must outlive it.
#pragma once

#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/config/config.h"

namespace amoskys::config {

struct KnownKey {
    std::string key;
    const Option* option = nullptr;
    std::size_t section = 0;  // index into the sections
};

class KeyTable {
  public:
    // Two options with one key, or a key that is also a group of keys, are our own bug (check()).
    explicit KeyTable(std::span<const Section> sections);

    const KnownKey* find(std::string_view key) const;
    const KnownKey* find_environment(std::string_view name) const;  // case does not matter
    bool is_group(std::string_view key) const { return groups_.find(key) != groups_.end(); }
    const std::vector<KnownKey>& keys() const { return keys_; }  // in the order of the tables

    // The nearest key that may stand in a file, group names included; "" where none is near.
    std::string nearest_key(std::string_view wrong) const;
    std::string nearest_environment(std::string_view wrong) const;

  private:
    std::vector<KnownKey> keys_;
    std::map<std::string, std::size_t, std::less<>> by_key_;
    std::map<std::string, std::size_t, std::less<>> by_environment_;
    std::set<std::string, std::less<>> groups_;
};

std::string full_key(std::string_view root, std::string_view name);
// "a duration", "a list of texts".
std::string_view type_text(const Option& option);

}  // namespace amoskys::config
