// What an engine holds, as bytes: each class names its parts once, in a function transfer(), and
// the archive writes them or reads them. The machine's own byte order: the bytes go on where they
// were made. Reading is bounds-checked; after the first thing that cannot be, everything reads as
// zero and good() is false. Not thread-safe.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "core/base/clock.h"

namespace amoskys::etl {

class StateArchive {
  public:
    StateArchive() = default;  // writes
    explicit StateArchive(std::string_view saved) : rest_(saved), reads_(true) {}

    bool reads() const { return reads_; }
    bool good() const { return good_; }
    void refuse();
    bool at_end() const { return rest_.empty(); }
    std::string take() { return std::move(written_); }

    template <class Number>
    void number(Number& value) {
        static_assert(std::is_arithmetic_v<Number> && !std::is_same_v<Number, bool>);
        raw(&value, sizeof value);
    }
    template <class Number>
    void numbers(std::vector<Number>& values) {
        values.resize(count(values.size(), sizeof(Number)));
        raw(values.data(), values.size() * sizeof(Number));
    }
    // An event time; none is after 2262, so that sums of times do not overflow.
    void time(UnixNanos& value);
    void flag(bool& value);
    void text(std::string& value);
    // The length of a list, whose elements of at least so many bytes each follow.
    std::size_t count(std::size_t size, std::size_t element_bytes = 1);

  private:
    void raw(void* at, std::size_t bytes);

    std::string written_;
    std::string_view rest_;
    bool reads_ = false, good_ = true;
};

// A list of what has a transfer() of its own.
template <class Element>
void transfer(StateArchive& archive, std::vector<Element>& list) {
    list.resize(archive.count(list.size()));
    for (Element& element : list)
        transfer(archive, element);
}

}  // namespace amoskys::etl
