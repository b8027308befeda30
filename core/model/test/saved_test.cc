#include "core/model/saved.h"

#include <catch2/catch.hpp>
#include <cmath>

#include "core/model/scale.h"
#include "proto/model.pb.h"

using namespace amoskys;
using namespace amoskys::model;

TEST_CASE("a saved model is the protobuf message Fitted and comes back as it was") {
    Saved out("mine", 1);
    out.put("a", {1.5, -2});
    out.put_floats("b", {0.25F});
    out.put_whole("c", {0, 300, UINT32_MAX});
    out.put("nothing", {});
    const std::string bytes = out.encode();
    amoskys::model::Fitted message;
    REQUIRE(message.ParseFromString(bytes));
    CHECK(message.kind() == "mine");
    REQUIRE(message.lists_size() == 4);
    CHECK(message.lists(0).doubles(1) == -2);
    CHECK(message.lists(1).floats(0) == 0.25F);
    CHECK(message.lists(2).whole(2) == UINT32_MAX);
    CHECK(message.SerializeAsString() == bytes);

    const Saved back = Saved::decode(as_bytes(bytes)).value();
    CHECK(back.numbers("a", 2).value() == std::vector<double>{1.5, -2});
    CHECK(back.floats("b", any_size).value() == std::vector<float>{0.25F});
    CHECK(back.whole("c", 3).value() == std::vector<std::uint32_t>{0, 300, UINT32_MAX});
    CHECK(back.numbers("nothing", 0).value().empty());
}

TEST_CASE("lists that are absent, of another size or no numbers are refused with their name") {
    Saved out("mine", 2);
    out.put("a", {1, std::nan("")});
    out.put_whole("n", {7});
    CHECK(out.numbers("b", 2).error().message == "mine model: b is missing");
    CHECK(out.numbers("a", 3).error().message == "mine model: a must be a list of 3 numbers");
    CHECK(out.numbers("a", 2).error().message == "mine model: a holds something that is no number");
    CHECK(out.count("n", 1, 6).error().message ==
          "mine model: n must be a whole number from 1 to 6");
    CHECK(out.check_format(2));
    CHECK(out.check_format(1).error().message ==
          "mine model: format 2 is not known; this version reads up to format 1");
}

TEST_CASE("bytes that are cut off anywhere are refused or lack their last list") {
    Saved out("mine");
    out.put("a", {1, 2, 3});
    const std::string bytes = out.encode();
    for (std::size_t size = 0; size < bytes.size(); ++size) {
        const auto cut = Saved::decode(as_bytes(bytes).first(size));
        CHECK((!cut || !cut->numbers("a", 3)));
    }
}

TEST_CASE("scales: a constant column has a deviation, an empty one never says anything") {
    const double missing = std::nan("");
    const std::vector<double> values = {1, 5, missing, 3, 5, missing};  // two rows
    const auto scales = column_scales(values, 3);
    CHECK(scales[0].mean == 2);
    CHECK(scales[0].deviation == 1);
    CHECK(scales[0].range == 2);
    CHECK(scales[1].deviation == Approx(0.05));
    CHECK(scaled(scales[1], 6) == Approx(20));
    CHECK(scaled(scales[2], 1e9) == Approx(0).margin(1e-9));
    CHECK(scaled(scales[0], missing) == 0);
}

TEST_CASE("scales of numbers far from 0 and of huge numbers stay finite") {
    const auto far = column_scales(std::vector<double>{1e9, 1e9 + 2}, 1);
    CHECK(far[0].deviation == Approx(1));
    const auto huge = column_scales(std::vector<double>{-1.7e308, 1.7e308}, 1);
    CHECK(std::isfinite(huge[0].mean));
    CHECK(std::isfinite(huge[0].deviation));
    CHECK(std::isfinite(huge[0].range));
    CHECK(huge[0].deviation > 0);
}

TEST_CASE("a window that begins before its series repeats the first row") {
    const std::vector<ColumnScale> scales(2);
    const std::vector<double> rows = {1, 2, 3, 4};
    std::vector<double> window(6);
    scaled_window(scales, rows, 1, 3, window);
    CHECK(window == std::vector<double>{1, 2, 1, 2, 3, 4});
}
