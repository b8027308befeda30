#include "core/model/matrix.h"

#include <catch2/catch.hpp>
#include <cmath>

#include "core/model/random.h"

using namespace amoskys::model;

namespace {

// Sum of outer products of random rows: symmetric, not negative.
std::vector<double> products_of_rows(std::size_t n, std::size_t rows) {
    Random random(n * 100 + rows);
    std::vector<double> values(rows * n), out(n * n, 0);
    for (double& value : values)
        value = random.uniform() - 0.5;
    add_products(values, n, out);
    for (std::size_t i = 0; i < n; ++i)
        for (std::size_t j = i + 1; j < n; ++j)
            out[i * n + j] = out[j * n + i];
    return out;
}

double product(const std::vector<double>& a, std::size_t n, const double* x, std::size_t row) {
    double sum = 0;
    for (std::size_t i = 0; i < n; ++i)
        sum += a[row * n + i] * x[i];
    return sum;
}

}  // namespace

TEST_CASE("eigenvectors are orthonormal, solve A v = l v, and come largest first") {
    for (const std::size_t n : {1U, 2U, 3U, 17U, 60U})
        for (const std::size_t rows : {n / 2 + 1, 3 * n}) {
            const auto a = products_of_rows(n, rows);
            const Eigen found = eigen(a, n);
            REQUIRE(found.values.size() == n);
            for (std::size_t k = 0; k < n; ++k) {
                const double* v = found.vectors.data() + k * n;
                if (k > 0)
                    CHECK(found.values[k] <= found.values[k - 1]);
                for (std::size_t i = 0; i < n; ++i)
                    CHECK(std::abs(product(a, n, v, i) - found.values[k] * v[i]) < 1e-10);
                for (std::size_t other = 0; other <= k; ++other) {
                    double along = 0;
                    for (std::size_t i = 0; i < n; ++i)
                        along += v[i] * found.vectors[other * n + i];
                    CHECK(std::abs(along - (other == k ? 1 : 0)) < 1e-10);
                }
            }
        }
}

TEST_CASE("a matrix of zeros and a diagonal one have their own axes") {
    const Eigen zero = eigen({0, 0, 0, 0}, 2);
    CHECK(zero.values == std::vector<double>{0, 0});
    const Eigen diagonal = eigen({2, 0, 0, 0, 7, 0, 0, 0, 5}, 3);
    CHECK(diagonal.values == std::vector<double>{7, 5, 2});
    CHECK(std::abs(diagonal.vectors[1]) == 1);
}

TEST_CASE("a positive definite system is solved, another one refused") {
    const std::size_t n = 23;
    auto a = products_of_rows(n, 60);
    std::vector<double> wanted(n * 2), right(n * 2, 0);
    for (std::size_t i = 0; i < wanted.size(); ++i)
        wanted[i] = static_cast<double>(i) - 20;
    for (std::size_t i = 0; i < n; ++i)
        for (std::size_t k = 0; k < n; ++k)
            for (std::size_t c = 0; c < 2; ++c)
                right[i * 2 + c] += a[i * n + k] * wanted[k * 2 + c];
    REQUIRE(solve(a, n, right, 2));
    for (std::size_t i = 0; i < wanted.size(); ++i)
        CHECK(right[i] == Approx(wanted[i]).margin(1e-9));
    std::vector<double> one = {1};
    CHECK_FALSE(solve({-1}, 1, one, 1));
    CHECK_FALSE(solve({std::nan("")}, 1, one, 1));
}
