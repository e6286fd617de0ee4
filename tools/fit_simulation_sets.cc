#include "tools/fit_simulation_sets.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace simulation {
namespace {

constexpr double kQuantum = 16;

struct Shape {
  std::string name;
  std::vector<Growth> accept;
  double exponent;
  bool stepped;
  std::function<double(double)> g;
};

double DoubledCapacity(double n) {
  return std::exp2(std::ceil(std::log2(n) - 1e-12));
}

double NextPrimeBuckets(double n) {
  constexpr double kPrimes[] = {
      13,       29,        59,        127,       257,       541,         1109,
      2357,     5087,      10273,     20753,     42043,     85229,       172933,
      351061,   712697,    1447153,   2938679,   5967347,   12117689,    24607243,
      49969847, 101473717, 206062531, 418451333, 849745397, 1725587117.0};
  for (double prime : kPrimes) {
    if (prime >= n) return prime;
  }
  return 2.03 * n;
}

std::vector<double> Geometric(double first, double ratio, int count) {
  std::vector<double> sizes;
  for (int i = 0; i < count; ++i) {
    const double n = std::round(first * std::pow(ratio, i));
    if (sizes.empty() || n > sizes.back()) sizes.push_back(n);
  }
  return sizes;
}

struct Design {
  int count;
  double ratio;
};
constexpr Design kDesigns[] = {{5, 2}, {5, 3.1623}, {5, 10}, {8, 2}, {8, 3.1623}};
constexpr double kNoises[] = {0, 0.005, 0.01, 0.02, 0.05};
// Times the growth at n_max. Half of the sets have none.
constexpr double kConstants[] = {0, 0, 0, 0.1, 1, 10};

// bytes = scale·(g(n) + constant·g(n_max)), noisy and rounded.
DataSet MakeSet(const Shape& shape, const std::vector<double>& sizes,
                double constant, double noise, Random* random) {
  // Enough that the smallest size is not all rounding.
  const double scale =
      random->LogUniform(2e3, 2e5) / std::max(shape.g(sizes[0]), 1e-9);
  const double offset = constant * scale * shape.g(sizes.back());
  DataSet set{shape.name,
              shape.accept,
              shape.exponent,
              shape.stepped,
              constant > 0,
              noise,
              {},
              {}};
  const std::function<double(double)> g = shape.g;
  set.truth = [scale, offset, g](double n) { return offset + scale * g(n); };
  for (double n : sizes) {
    const double y = set.truth(n) * std::exp(noise * random->Normal());
    set.points.push_back(
        {n, std::max(kQuantum, kQuantum * std::round(y / kQuantum))});
  }
  return set;
}

Shape Power(std::string name, std::vector<Growth> accept, double c) {
  return {std::move(name), std::move(accept), c, false,
          [c](double n) { return std::pow(n, c); }};
}

// Shapes that depend on the sizes or on chance are made anew for every set.
std::vector<Shape> MainShapes(const std::vector<double>& sizes, Random* random) {
  const double share = random->Uniform(0.25, 0.9), top = sizes.back();
  const double phase = random->Uniform(1, 2);
  const double limit =
      random->LogUniform(sizes[1] * 1.05, sizes[sizes.size() - 2] * 0.95);
  return {
      {"log",
       {Growth::kLogarithmic},
       0,
       false,
       [](double n) { return std::log(n); }},
      Power("n^0.5", {Growth::kSublinear}, 0.5),
      Power("n^0.75", {Growth::kSublinear}, 0.75),
      Power("n", {Growth::kLinear}, 1),
      {"n log n",
       {Growth::kLinearithmic},
       1,
       false,
       [](double n) { return n * std::log(n); }},
      Power("n^1.5", {Growth::kSuperlinear}, 1.5),
      Power("n^2", {Growth::kQuadratic}, 2),
      Power("n^3", {Growth::kSuperquadratic}, 3),
      {"n + n^2",
       {Growth::kQuadratic},
       2,
       false,
       [share, top](double n) {
         return (1 - share) * n / top + share * (n / top) * (n / top);
       }},
      {"doubling",
       {Growth::kLinear},
       1,
       true,
       [phase](double n) { return DoubledCapacity(n / phase); }},
      {"min(n, W)",
       {Growth::kBounded},
       0,
       false,
       [limit](double n) { return std::min(n, limit); }},
  };
}

}  // namespace

uint64_t Random::Next() {
  uint64_t z = (state_ += 0x9e3779b97f4a7c15);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

double Random::Uniform() { return static_cast<double>(Next() >> 11) * 0x1p-53; }

double Random::LogUniform(double low, double high) {
  return low * std::exp(std::log(high / low) * Uniform());
}

double Random::Normal() {
  const double radius = std::sqrt(-2 * std::log(1 - Uniform()));
  return radius * std::cos(2 * std::numbers::pi * Uniform());
}

bool DataSet::Accepts(Growth growth) const {
  return std::find(accept.begin(), accept.end(), growth) != accept.end();
}

std::vector<DataSet> MainSuite(uint64_t seed, int repeats) {
  Random random(seed);
  std::vector<DataSet> sets;
  const Shape flat{
      "constant", {Growth::kConstant}, 0, false, [](double) { return 1.0; }};
  for (int repeat = 0; repeat < repeats; ++repeat) {
    for (double n_min : {10.0, 1000.0}) {
      for (const Design& design : kDesigns) {
        const std::vector<double> sizes =
            Geometric(n_min, design.ratio, design.count);
        for (double noise : kNoises) {
          sets.push_back(MakeSet(flat, sizes, 0, noise, &random));
          for (double constant : kConstants) {
            for (const Shape& shape : MainShapes(sizes, &random)) {
              sets.push_back(MakeSet(shape, sizes, constant, noise, &random));
            }
          }
        }
      }
    }
  }
  return sets;
}

std::vector<DataSet> StressSuite(uint64_t seed, int repeats) {
  Random random(seed);
  std::vector<DataSet> sets;
  for (int repeat = 0; repeat < repeats; ++repeat) {
    for (const Design& design : kDesigns) {
      for (double noise : {0.0, 0.005, 0.02}) {
        const double n_min = random.Uniform() < 0.5 ? 10 : 1000;
        const std::vector<double> sizes =
            Geometric(n_min, design.ratio, design.count);
        const double start = std::sqrt(sizes[1] * sizes[2]) * 1.1;
        const double turn = random.Uniform(0.5, 2);
        const std::vector<Shape> shapes = {
            Power("n^1.2", {Growth::kSuperlinear}, 1.2),
            Power("n^0.9", {Growth::kSublinear}, 0.9),
            Power("n^0.3", {Growth::kSublinear}, 0.3),
            Power("n^2.5", {Growth::kSuperquadratic}, 2.5),
            {"log^2",
             {Growth::kLogarithmic, Growth::kSublinear},
             0,
             false,
             [](double n) { return std::log(n) * std::log(n); }},
            {"x1.5 vector",
             {Growth::kLinear},
             1,
             true,
             [](double n) {
               return std::pow(1.5,
                               std::ceil(std::log(n / 7) / std::log(1.5) - 1e-12));
             }},
            {"buckets", {Growth::kLinear}, 1, true, NextPrimeBuckets},
            {"buckets + nodes",
             {Growth::kLinear},
             1,
             true,
             [](double n) { return 8 * NextPrimeBuckets(n) + 40 * n; }},
            {"two vectors",
             {Growth::kLinear},
             1,
             true,
             [](double n) {
               return 8 * DoubledCapacity(n) + 3 * DoubledCapacity(n / 1.4);
             }},
            {"n(n-1)/2",
             {Growth::kQuadratic},
             2,
             false,
             [](double n) { return n * (n - 1) / 2; }},
            {"n/(n+K)",
             {Growth::kBounded, Growth::kSublinear, Growth::kLogarithmic},
             0,
             false,
             [sizes](double n) { return n / (n + sizes[1]); }},
            {"from n0 on",
             {Growth::kLinear},
             1,
             false,
             [start](double n) { return start / 4 + std::max(0.0, n - start); }},
            {"n log n + n",
             {Growth::kLinearithmic},
             1,
             false,
             [turn](double n) { return n * std::log(n) + turn * n; }},
            {"n + 10 sqrt(n)",
             {Growth::kLinear, Growth::kSublinear},
             1,
             false,
             [](double n) { return n + 10 * std::sqrt(n); }},
            {"20 n + 3000 log n",
             {Growth::kLinear},
             1,
             false,
             [](double n) { return 20 * n + 3000 * std::log(n); }},
            Power("n, outlier at the end", {Growth::kLinear}, 1),
            Power("n, outlier inside", {Growth::kLinear}, 1),
            Power("n, additive noise", {Growth::kLinear}, 1),
        };
        for (const Shape& shape : shapes) {
          DataSet set = MakeSet(shape, sizes, 0, noise, &random);
          const double sign = random.Uniform() < 0.5 ? -1 : 1;
          if (shape.name == "n, outlier at the end") {
            set.points.back().bytes *= 1 + 0.3 * sign;
          } else if (shape.name == "n, outlier inside") {
            set.points[sizes.size() / 2].bytes *= 1 + 0.3 * sign;
          } else if (shape.name == "n, additive noise") {
            const double sd = 0.2 * set.points.front().bytes;
            for (Measurement& point : set.points) {
              point.bytes = std::max(16.0, point.bytes + sd * random.Normal());
            }
          }
          sets.push_back(std::move(set));
        }
      }
    }
  }
  return sets;
}

std::vector<DataSet> Sites(uint64_t seed, int count, int sizes, double ratio,
                           double noise, double constant) {
  Random random(seed);
  std::vector<DataSet> sets;
  const std::vector<double> grid = Geometric(100, ratio, sizes);
  for (int i = 0; i < count; ++i) {
    const std::vector<Shape> shapes = MainShapes(grid, &random);
    const double offset = constant * static_cast<double>(random.Next() % 3) / 2;
    const bool steep = i % 10 == 0;
    std::vector<size_t> choice = {0, 1, 3, 3, 3, 4, 9, 10};
    // n^1.5, n², n³ and a line with a square.
    if (steep) choice = {5, 6, 7, 8};
    const Shape& shape = shapes[choice[random.Next() % choice.size()]];
    sets.push_back(MakeSet(shape, grid, offset, noise, &random));
  }
  return sets;
}

}  // namespace simulation
