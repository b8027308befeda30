#include "core/model/matrix.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace amoskys::model {
namespace {

double dot(const double* a, const double* b, std::size_t n) {
    double s0 = 0, s1 = 0, s2 = 0, s3 = 0;
    std::size_t i = 0;
    for (; i + 4 <= n; i += 4) {
        s0 += a[i] * b[i];
        s1 += a[i + 1] * b[i + 1];
        s2 += a[i + 2] * b[i + 2];
        s3 += a[i + 3] * b[i + 3];
    }
    for (; i < n; ++i)
        s0 += a[i] * b[i];
    return (s0 + s1) + (s2 + s3);
}

void add_scaled(double* to, double factor, const double* from, std::size_t n) {
    for (std::size_t i = 0; i < n; ++i)
        to[i] += factor * from[i];
}

// A = Q T Q^T. `q` holds Q^T (row k = column k of Q) afterwards.
void tridiagonalize(std::vector<double>& a, std::size_t n, std::vector<double>& diagonal,
                    std::vector<double>& beside, std::vector<double>& q) {
    q.assign(n * n, 0);
    for (std::size_t i = 0; i < n; ++i)
        q[i * n + i] = 1;
    std::vector<double> v(n), p(n);
    for (std::size_t k = 0; k + 2 < n; ++k) {
        double norm = 0;
        for (std::size_t i = k + 1; i < n; ++i)
            norm += a[i * n + k] * a[i * n + k];
        norm = std::sqrt(norm);
        if (norm == 0)
            continue;
        const double head = a[(k + 1) * n + k];
        const double alpha = head > 0 ? -norm : norm;
        const double length = 2 * norm * (norm + std::abs(head));  // |v|^2
        std::fill(v.begin(), v.end(), 0);
        for (std::size_t i = k + 1; i < n; ++i)
            v[i] = a[i * n + k];
        v[k + 1] -= alpha;
        const double factor = 2 / length;
        // p = factor A v, then A -= v w^T + w v^T on the lower triangle
        std::fill(p.begin(), p.end(), 0);
        for (std::size_t i = k + 1; i < n; ++i) {
            const double* row = &a[i * n];
            p[i] += dot(row + k + 1, &v[k + 1], i - k);
            add_scaled(&p[k + 1], v[i], row + k + 1, i - k - 1);
        }
        const double half = factor * factor / 2 * dot(&p[k + 1], &v[k + 1], n - k - 1);
        for (std::size_t i = k + 1; i < n; ++i)
            p[i] = factor * p[i] - half * v[i];
        for (std::size_t i = k + 1; i < n; ++i) {
            double* row = &a[i * n];
            add_scaled(row + k + 1, -v[i], &p[k + 1], i - k);
            add_scaled(row + k + 1, -p[i], &v[k + 1], i - k);
        }
        a[(k + 1) * n + k] = alpha;
        for (std::size_t i = k + 2; i < n; ++i)
            a[i * n + k] = 0;
        // Q^T := H Q^T: rows k+1.. are combined
        std::fill(p.begin(), p.end(), 0);
        for (std::size_t i = k + 1; i < n; ++i)
            add_scaled(p.data(), factor * v[i], &q[i * n], n);
        for (std::size_t i = k + 1; i < n; ++i)
            add_scaled(&q[i * n], -v[i], p.data(), n);
    }
    diagonal.resize(n);
    beside.assign(n, 0);
    for (std::size_t i = 0; i < n; ++i)
        diagonal[i] = a[i * n + i];
    for (std::size_t i = 0; i + 1 < n; ++i)
        beside[i] = a[(i + 1) * n + i];
}

// Rotates rows i and i + 1 of q.
void rotate(double* upper, double* lower, double c, double s, std::size_t n) {
    for (std::size_t k = 0; k < n; ++k) {
        const double below = lower[k];
        lower[k] = s * upper[k] + c * below;
        upper[k] = c * upper[k] - s * below;
    }
}

// One implicit QL step on the block first..last.
void ql_step(std::size_t first, std::size_t last, std::vector<double>& d, std::vector<double>& e,
             std::vector<double>& q, std::size_t n) {
    double g = (d[first + 1] - d[first]) / (2 * e[first]);
    double r = std::hypot(g, 1.0);
    g = d[last] - d[first] + e[first] / (g + std::copysign(r, g));
    double s = 1, c = 1, p = 0;
    for (std::size_t i = last; i-- > first;) {
        const double f = s * e[i], b = c * e[i];
        r = std::hypot(f, g);
        e[i + 1] = r;
        if (r == 0) {
            d[i + 1] -= p;
            e[last] = 0;
            return;
        }
        s = f / r;
        c = g / r;
        g = d[i + 1] - p;
        r = (d[i] - g) * s + 2 * c * b;
        p = s * r;
        d[i + 1] = g + p;
        g = c * r - b;
        rotate(&q[i * n], &q[(i + 1) * n], c, s, n);
    }
    d[first] -= p;
    e[first] = g;
    e[last] = 0;
}

}  // namespace

void add_products(std::span<const double> values, std::size_t columns, std::span<double> out) {
    for (std::size_t begin = 0; begin + columns <= values.size(); begin += columns) {
        const double* x = values.data() + begin;
        for (std::size_t i = 0; i < columns; ++i)
            if (x[i] != 0)
                add_scaled(out.data() + i * columns, x[i], x, i + 1);
    }
}

Eigen eigen(std::vector<double> matrix, std::size_t n) {
    std::vector<double> d, e, q;
    tridiagonalize(matrix, n, d, e, q);
    for (std::size_t first = 0; first < n; ++first)
        for (int round = 0; round < 60; ++round) {
            std::size_t last = first;
            for (; last + 1 < n; ++last)
                if (std::abs(e[last]) <= std::numeric_limits<double>::epsilon() *
                                             (std::abs(d[last]) + std::abs(d[last + 1])))
                    break;
            if (last == first)
                break;
            ql_step(first, last, d, e, q, n);
        }
    std::vector<std::size_t> order(n);
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::sort(order.begin(), order.end(),
              [&](std::size_t a, std::size_t b) { return d[a] != d[b] ? d[a] > d[b] : a < b; });
    Eigen out;
    out.vectors.reserve(n * n);
    for (const std::size_t k : order) {
        out.values.push_back(d[k]);
        const auto from = q.begin() + static_cast<std::ptrdiff_t>(k * n);
        out.vectors.insert(out.vectors.end(), from, from + static_cast<std::ptrdiff_t>(n));
    }
    return out;
}

bool solve(std::vector<double> matrix, std::size_t n, std::span<double> right,
           std::size_t columns) {
    for (std::size_t i = 0; i < n; ++i) {
        double* row = &matrix[i * n];
        for (std::size_t j = 0; j < i; ++j)
            row[j] = (row[j] - dot(row, &matrix[j * n], j)) / matrix[j * n + j];
        const double left = row[i] - dot(row, row, i);
        if (!(left > 0))
            return false;
        row[i] = std::sqrt(left);
        double* x = right.data() + i * columns;
        for (std::size_t j = 0; j < i; ++j)
            add_scaled(x, -row[j], right.data() + j * columns, columns);
        for (std::size_t k = 0; k < columns; ++k)
            x[k] /= row[i];
    }
    for (std::size_t i = n; i-- > 0;) {
        double* x = right.data() + i * columns;
        for (std::size_t k = 0; k < columns; ++k)
            x[k] /= matrix[i * n + i];
        for (std::size_t j = 0; j < i; ++j)
            add_scaled(right.data() + j * columns, -matrix[i * n + j], x, columns);
    }
    return true;
}

}  // namespace amoskys::model
