#include "modules/intelligence/score/model_file.h"

#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "core/base/file.h"
#include "core/base/test/temp_folder.h"
#include "modules/intelligence/score/test/plain_model.h"

using namespace amoskys;
using namespace amoskys::score;
using namespace amoskys::score::test;

namespace {

KeyedTable hundred_rows() {
    std::string text = "a,b\n";
    for (int i = 1; i <= 101; ++i)
        text += std::to_string(i) + ",0\n";
    return parse_table(text, "train.csv", {}).value();
}

TrainedModel trained() {
    return train(
               known_kinds, hundred_rows(),
               {.name = "mine", .kind = "largest", .seed = 4, .now_ns = 1'730'000'000'000'000'000})
        .value();
}

}  // namespace

TEST_CASE("the threshold is the quantile of the training scores") {
    CHECK(trained().threshold == 100);
    const auto half =
        train(known_kinds, hundred_rows(), {.name = "mine", .kind = "largest", .quantile = 0.5});
    CHECK(half.value().threshold == 51);
}

TEST_CASE("a model file is private and comes back as it was") {
    TempFolder folder;
    REQUIRE(save_model(folder.path, trained()));
    struct stat status {};
    REQUIRE(::stat(model_path(folder.path, "mine").c_str(), &status) == 0);
    CHECK((status.st_mode & 0777U) == 0600U);
    const auto loaded = load_model(known_kinds, folder.path, "mine").value();
    CHECK(loaded.threshold == 100);
    CHECK(loaded.kind == "largest");
    CHECK(loaded.trained == "2024-10-27T03:33:20.000000000Z");
    CHECK(loaded.training["rows"] == 101);
    CHECK(loaded.training["seed"] == 4);
    CHECK(loaded.model->columns().size() == 2);
    CHECK(list_models(folder.path) == std::vector<std::string>{"mine"});
}

TEST_CASE("an absent, foreign, newer or cut model file is one clear error") {
    TempFolder folder;
    const auto absent = load_model(known_kinds, folder.path, "mine");
    REQUIRE(absent.has_error());
    CHECK(absent.error().kind == ErrorKind::no_input);
    CHECK(list_models(folder.path).empty());
    REQUIRE(save_model(folder.path, trained()));
    const auto path = model_path(folder.path, "mine");
    const std::string text = read_file(path, 1 << 20).value();
    const auto load_kind = [&](std::string changed) {
        REQUIRE(write_file_atomic(path, changed, 0600));
        const auto loaded = load_model(known_kinds, folder.path, "mine");
        REQUIRE(loaded.has_error());
        return loaded.error().kind;
    };
    CHECK(load_kind(text.substr(0, text.size() / 2)) == ErrorKind::bad_data);
    CHECK(load_kind("[]") == ErrorKind::bad_data);
    CHECK(load_kind("{\"schema\": \"amoskys.model/2\"}") == ErrorKind::bad_data);
    CHECK(load_kind("{\"schema\": \"amoskys.model/1\"}") == ErrorKind::bad_data);
    CHECK((load_model(known_kinds, folder.path, "../mine")).has_error());
}

TEST_CASE("an unknown kind names the nearest one and a bad name is refused") {
    const auto unknown = train(known_kinds, hundred_rows(), {.name = "mine", .kind = "lagrest"});
    REQUIRE(unknown.has_error());
    CHECK(unknown.error().hint == "did you mean largest?");
    const auto name = train(known_kinds, hundred_rows(), {.name = "a/b", .kind = "largest"});
    REQUIRE(name.has_error());
    CHECK(name.error().kind == ErrorKind::usage);
}
