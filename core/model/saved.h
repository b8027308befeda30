// What a model keeps, as named lists of numbers: message Fitted of proto/model.proto. Each kind
// writes its lists and checks them when it loads; the file around them is the score module's.
// Pure data.
#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/bytes.h"
#include "core/base/result.h"

namespace amoskys::model {

// The same error for every fault of a model file: bad_data, "KIND model: WHAT".
Error damaged(std::string_view kind, const std::string& what);

inline constexpr std::size_t any_size = std::numeric_limits<std::size_t>::max();

class Saved {
  public:
    explicit Saved(std::string kind = {}, std::uint32_t format = 1)
        : kind_(std::move(kind)), format_(format) {}

    const std::string& kind() const { return kind_; }
    void put(std::string_view name, std::vector<double> values);
    void put_floats(std::string_view name, std::vector<float> values);
    void put_whole(std::string_view name, std::vector<std::uint32_t> values);

    // damaged() where the list is absent, of another size (any_size: may be any), or holds a number
    // that is not finite.
    Result<std::vector<double>> numbers(std::string_view name, std::size_t size) const;
    Result<std::vector<float>> floats(std::string_view name, std::size_t size) const;
    Result<std::vector<std::uint32_t>> whole(std::string_view name, std::size_t size) const;
    // A list of one number within the bounds.
    Result<double> number(std::string_view name, double least, double most) const;
    Result<std::size_t> count(std::string_view name, std::size_t least, std::size_t most) const;
    // damaged() where the model was written by a newer version of its kind.
    Result<> check_format(std::uint32_t newest) const;

    std::string encode() const;
    static Result<Saved> decode(ByteView data);

  private:
    struct List {
        std::string name;
        std::vector<double> doubles;
        std::vector<float> floats;
        std::vector<std::uint32_t> whole;
    };
    Result<const List*> find(std::string_view name) const;
    Error wrong_size(std::string_view name, std::size_t size) const;

    std::string kind_;
    std::uint32_t format_ = 1;
    std::vector<List> lists_;
};

}  // namespace amoskys::model
