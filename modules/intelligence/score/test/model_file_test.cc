#include "modules/intelligence/score/model_file.h"

#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "core/base/file.h"
#include "core/base/test/temp_folder.h"
#include "core/crypto/hash.h"
#include "modules/intelligence/score/test/plain_model.h"
#include "proto/model.pb.h"

using namespace amoskys;
using namespace amoskys::score;
using namespace amoskys::score::test;

TEST_CASE("a model file is private and comes back as it was") {
    TempFolder folder;
    REQUIRE(save_model(folder.path, trained()));
    struct stat status {};
    REQUIRE(::stat(model_path(folder.path, "mine").c_str(), &status) == 0);
    CHECK((status.st_mode & 0777U) == 0600U);
    const auto loaded = load_model(known_kinds, folder.path, "mine").value();
    CHECK(loaded.kind == "largest");
    CHECK(loaded.trained == "2024-10-27T03:33:20.000000000Z");
    CHECK(loaded.training["rows"] == 101);
    CHECK(loaded.training["seed"] == 4);
    CHECK(loaded.columns == std::vector<std::string>{"a", "b"});
    CHECK(loaded.threshold.severity == trained().threshold.severity);
    CHECK(encode_model(loaded) == encode_model(trained()));
    CHECK(list_models(folder.path) == std::vector<std::string>{"mine"});
}

TEST_CASE("a model file is the protobuf message ModelFile") {
    amoskys::model::ModelFile file;
    REQUIRE(file.ParseFromString(encode_model(trained("fused"))));
    CHECK(file.version() == 1);
    amoskys::model::TrainedModel model;
    REQUIRE(model.ParseFromString(file.body()));
    CHECK(model.name() == "mine");
    CHECK(model.kind() == "fused");
    REQUIRE(model.columns_size() == 2);
    REQUIRE(model.members_size() == 2);
    CHECK(model.members(0).weight() == .35);
    CHECK(model.members(0).smoothing() == 1);
    CHECK(model.members(1).smoothing() == 10);
    CHECK(model.members(1).model().kind() == "largest");
    CHECK(model.members(0).tail().kind() == "tail");
    CHECK(model.fusion() == "mean");
    CHECK(model.threshold().kind() == "rolling");
    CHECK(model.columns_sha256().size() == 32);
}

TEST_CASE("an absent, foreign, newer, cut or changed model file is one clear error") {
    TempFolder folder;
    const auto absent = load_model(known_kinds, folder.path, "mine");
    REQUIRE(absent.has_error());
    CHECK(absent.error().kind == ErrorKind::no_input);
    CHECK(list_models(folder.path).empty());
    const std::string good = encode_model(trained());
    const auto message = [](const std::string& file) {
        const auto loaded = decode_model(known_kinds, as_bytes(file), "model file x");
        REQUIRE(loaded.has_error());
        CHECK(loaded.error().kind == ErrorKind::bad_data);
        return loaded.error().message;
    };
    for (std::size_t size = 0; size < good.size(); size += 7)
        message(good.substr(0, size));
    std::string changed = good;
    changed[changed.size() / 2] ^= 1;
    CHECK(message(changed) ==
          "model file x: its content does not have its SHA-256: it was changed or cut");
    std::string newer = good;
    newer[1] = 2;
    CHECK(message(newer) ==
          "model file x: version 2 is newer than this program, which reads version 1");
    CHECK(message("{\"schema\": \"amoskys.model/1\"}").starts_with("model file x: "));
    CHECK((load_model(known_kinds, folder.path, "../mine")).has_error());
}

TEST_CASE("columns that are not those of the schema hash are refused") {
    amoskys::model::ModelFile file;
    REQUIRE(file.ParseFromString(encode_model(trained())));
    amoskys::model::TrainedModel body;
    REQUIRE(body.ParseFromString(file.body()));
    body.set_columns(1, "other");
    const std::string text = body.SerializeAsString();
    file.set_body(text);
    const Digest digest = crypto::sha256(as_bytes(text));
    file.set_sha256(digest.data(), digest.size());
    const auto loaded = decode_model(known_kinds, as_bytes(file.SerializeAsString()), "x");
    REQUIRE(loaded.has_error());
    CHECK(loaded.error().message == "x: the model: the columns are not those of its schema hash");
}

TEST_CASE("each training is a version, and an earlier one can be made active again") {
    TempFolder folder;
    for (int i = 0; i < 3; ++i) {
        TrainedModel model = trained();
        model.training["round"] = i;
        REQUIRE(save_model(folder.path, model));
    }
    Versions versions = versions_of(folder.path, "mine");
    CHECK(versions.kept == std::vector<std::uint64_t>{1, 2, 3});
    CHECK(versions.active == 3);
    REQUIRE(activate(known_kinds, folder.path, "mine", 1).has_value());
    CHECK(versions_of(folder.path, "mine").active == 1);
    CHECK(load_model(known_kinds, folder.path, "mine").value().training["round"] == 0);
    const auto unknown = activate(known_kinds, folder.path, "mine", 9);
    REQUIRE(unknown.has_error());
    CHECK(unknown.error().kind == ErrorKind::no_input);
    CHECK(versions_of(folder.path, "mine").active == 1);
    for (int i = 3; i < 14; ++i) {
        TrainedModel model = trained();
        model.training["round"] = i;
        REQUIRE(save_model(folder.path, model));
    }
    versions = versions_of(folder.path, "mine");
    CHECK(versions.kept.size() == 10);
    CHECK(versions.kept.back() == 14);
}

TEST_CASE("an unknown kind names the nearest one and a bad name is refused") {
    TempFolder folder;
    const auto unknown = train(known_kinds, hundred_rows(), {.name = "mine", .kind = "lagrest"});
    REQUIRE(unknown.has_error());
    CHECK(unknown.error().hint == "did you mean largest?");
    TrainedModel model = trained();
    model.name = "a/b";
    const auto name = save_model(folder.path, model);
    REQUIRE(name.has_error());
    CHECK(name.error().kind == ErrorKind::usage);
}
