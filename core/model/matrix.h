// Dense symmetric matrices of some hundred rows, row-major. Pure functions.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace amoskys::model {

// rows x columns with `rows` = values.size() / columns; the sum of x x^T over the rows is added to
// the lower triangle of `out` (columns x columns).
void add_products(std::span<const double> values, std::size_t columns, std::span<double> out);

struct Eigen {
    std::vector<double> values;   // largest first
    std::vector<double> vectors;  // vector k = the n numbers from k * n on, of length 1
};
// Of a symmetric matrix of which the lower triangle is read (Householder to tridiagonal form, then
// implicit QL; Golub and Van Loan, section 8.3).
Eigen eigen(std::vector<double> matrix, std::size_t n);

// Solves A X = B for a positive definite A (lower triangle read; Cholesky). B has n rows of
// `columns` numbers and becomes X. false where A is not positive definite.
bool solve(std::vector<double> matrix, std::size_t n, std::span<double> right, std::size_t columns);

}  // namespace amoskys::model
