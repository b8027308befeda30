#include "modules/tools/dash/access.h"

#include <catch2/catch.hpp>

#include "core/base/file.h"
#include "core/base/test/temp_folder.h"

using namespace amoskys;
using namespace amoskys::modules::dash;

namespace {

const Steady start = Steady() + std::chrono::hours(1);

Access::Options options_of(bool authentication = false) {
    Access::Options out;
    out.hosts = {"localhost", "127.0.0.1", "[::1]"};
    out.authentication = authentication;
    out.rate = 10;
    return out;
}

Request get(std::string host = "localhost:8787") {
    Request out;
    out.method = "GET";
    out.host = std::move(host);
    out.peer = "127.0.0.1";
    return out;
}

Request post() {
    Request out = get();
    out.method = "POST";
    out.content_type = "application/json";
    return out;
}

unsigned refused(Access& access, const Request& request) {
    const auto out = access.refuse(request, start);
    return out ? out->status : 0;
}

std::string cookie_in(const Response& response) {
    const std::string value = *find(response.headers, "Set-Cookie");
    return value.substr(0, value.find(';'));
}

}  // namespace

TEST_CASE("an address that others reach needs TLS and somebody who may come in") {
    DashConfig config;
    config.listen = "0.0.0.0:8787";
    const auto code = [&](bool tokens) {
        const auto checked = check_exposure(config, "0.0.0.0", tokens);
        return checked ? std::string("ok") : checked.error().code;
    };
    CHECK(code(true) == "dash_needs_tls");
    config.tls = true;
    CHECK(code(false) == "dash_needs_authentication");
    CHECK(code(true) == "ok");
    config.client_ca = "ca.crt";
    CHECK(code(false) == "dash_needs_authentication");
    config.clients = {"alice=viewer"};
    CHECK(code(false) == "ok");
    CHECK(check_exposure(DashConfig(), "127.0.0.1", false).has_value());
    CHECK(check_exposure(DashConfig(), "::1", false).has_value());
}

TEST_CASE("a Host that is not ours is refused, whatever it resolves to") {
    Access access(options_of());
    CHECK(refused(access, get("localhost:8787")) == 0);
    CHECK(refused(access, get("LOCALHOST")) == 0);
    CHECK(refused(access, get("[::1]:8787")) == 0);
    CHECK(refused(access, get("evil.example:8787")) == 421);
    CHECK(refused(access, get("localhost.evil.example")) == 421);
    CHECK(refused(access, get("")) == 421);
    CHECK(refused(access, get("[")) == 421);
}

TEST_CASE("changes come from our own page or from no browser") {
    Access access(options_of());
    CHECK(refused(access, post()) == 0);
    Request request = post();
    request.origin = "http://localhost:8787";
    request.fetch_site = "same-origin";
    CHECK(refused(access, request) == 0);
    request.origin = "http://evil.example";
    CHECK(refused(access, request) == 403);
    request.origin = "http://localhost:8787";
    request.fetch_site = "same-site";
    CHECK(refused(access, request) == 403);
    request = post();
    request.content_type = "application/x-www-form-urlencoded";
    CHECK(refused(access, request) == 415);
}

TEST_CASE("an address is answered so often a second and no more, and others are not hurt") {
    Access access(options_of());
    int answered = 0;
    while (refused(access, get()) == 0)
        ++answered;
    CHECK(answered == 50);
    Request other = get();
    other.peer = "127.0.0.2";
    CHECK(refused(access, other) == 0);
    CHECK_FALSE(access.refuse(get(), start + std::chrono::seconds(1)).has_value());
}

TEST_CASE("where nothing is asked for everybody has the open role") {
    Access access(options_of());
    CHECK(access.who(get(), start).role == Role::viewer);
    access.set_tokens({{"alice", Role::admin, {}}});
    CHECK(access.who(get(), start).role == Role::nobody);
    access.set_tokens({});
    CHECK(access.who(get(), start).role == Role::nobody);
}

TEST_CASE("a token opens a session that ends with its time, its token or its end") {
    const TempFolder folder;
    const auto file = folder / "dash-tokens";
    const auto secret = add_token(file, "alice", Role::analyst);
    REQUIRE(secret.has_value());
    Access access(options_of(true));
    auto tokens = load_tokens(file);
    REQUIRE(tokens.has_value());
    access.set_tokens(*tokens);

    Request bearer = get();
    bearer.authorization = "Bearer " + *secret;
    CHECK(access.who(bearer, start).role == Role::analyst);
    bearer.authorization += "0";
    CHECK(access.who(bearer, start).role == Role::nobody);

    Request login = post();
    login.body = R"({"token":"wrong"})";
    CHECK(access.login(login, start).status == 401);
    login.body = "{}";
    CHECK(access.login(login, start).status == 400);
    login.body = json::dump(Json{{"token", *secret}, {"x", 1}});
    const Response response = access.login(login, start);
    REQUIRE(response.status == 204);
    const std::string whole = *find(response.headers, "Set-Cookie");
    for (const char* part : {"__Host-amoskys=", "Secure", "HttpOnly", "SameSite=Strict", "Path=/"})
        CHECK(whole.find(part) != std::string::npos);
    CHECK(whole.find(*secret) == std::string::npos);

    Request signed_in = get();
    signed_in.cookie = "x=1; " + cookie_in(response);
    CHECK(access.who(signed_in, start).name == "alice");
    CHECK(access.who(signed_in, start + std::chrono::hours(13)).role == Role::nobody);
    access.set_tokens({});
    CHECK(access.who(signed_in, start).role == Role::nobody);
    access.set_tokens(*tokens);
    CHECK(access.who(signed_in, start).role == Role::analyst);
    access.logout(signed_in);
    CHECK(access.who(signed_in, start).role == Role::nobody);
}

TEST_CASE("guessing tokens is slower than asking") {
    Access access(options_of(true));
    Request login = post();
    login.body = R"({"token":"wrong"})";
    int tried = 0;
    while (access.login(login, start).status == 401)
        ++tried;
    CHECK(tried == 5);
}

TEST_CASE("a client certificate has the role that the settings give its name") {
    Access::Options options = options_of(true);
    options.clients = {{"alice", Role::admin}};
    Access access(options);
    Request request = get();
    CHECK(access.who(request, start).role == Role::nobody);
    request.client_cn = "alice";
    CHECK(access.who(request, start).role == Role::admin);
    request.client_cn = "mallory";
    CHECK(access.who(request, start).role == Role::nobody);
}

TEST_CASE("the token file keeps hashes, is private, and names its bad line") {
    const TempFolder folder;
    const auto file = folder / "dash-tokens";
    const auto first = add_token(file, "alice", Role::viewer);
    const auto second = add_token(file, "bob", Role::admin);
    const auto again = add_token(file, "alice", Role::analyst);
    REQUIRE((first && second && again));
    const auto text = read_file(file, 10'000);
    REQUIRE(text.has_value());
    CHECK(text->find(*again) == std::string::npos);
    const auto tokens = load_tokens(file);
    REQUIRE(tokens.has_value());
    CHECK(tokens->size() == 2);
    std::filesystem::permissions(file, std::filesystem::perms(0644));
    CHECK(load_tokens(file).error().kind == ErrorKind::permission);
    CHECK(add_token(file, "a b", Role::viewer).error().code == "bad_token_name");
    CHECK(parse_tokens("# x\nalice owner 00", "f").error().message.starts_with("f:2: "));
    CHECK(parse_tokens("alice viewer " + std::string(64, 'a'), "f").has_value());
    CHECK(load_tokens(folder / "none")->empty());
}
