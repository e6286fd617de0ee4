#include "tests/analyzer/plot/samples.h"

#include <cmath>
#include <limits>

namespace mallogram::plot {

const char kHostileName[] =
    "evil`touch pwned`\nEND_OF_TEXTS\nsystem('touch pwned')\n\"; !touch pwned #'"
    "$(touch pwned) @pwned \\n %s%n {/Symbol a}_b^c <script>&amp;]]> \x1b[31m "
    "caf\xc3\xa9 \xff\xfe \xef\xbf\xbf \xf0\x9f\x90\x98";

namespace {

using Law = std::function<double(double)>;

// Bytes of a run differ by up to `noise` of the value, the same in every build.
double Noise(double n, int replicate, double noise) {
  return 1 + noise * std::sin(n * 12.9898 + replicate * 78.233);
}

std::vector<Point> Measured(const Law& law, const std::vector<double>& sizes,
                            double noise, size_t replicates = 3) {
  std::vector<Point> points;
  for (double n : sizes) {
    const double value = law(n), sd = 0.6 * noise * std::abs(std::sin(n)) * value;
    Point point{n, value * Noise(n, 1, noise), sd, replicates, {}, {}};
    point.low = point.value - 1.2 * sd;
    point.high = point.value + 1.4 * sd;
    points.push_back(point);
  }
  return points;
}

std::vector<BandPoint> Band(const Law& law, double from, double measured, double to,
                            double width) {
  std::vector<BandPoint> band;
  for (int i = 0; i <= 60; ++i) {
    const double n = from * std::pow(to / from, i / 60.0);
    const double beyond = std::max(0.0, std::log10(n / measured));
    const double factor = 1 + width * (1 + 4 * beyond);
    band.push_back({n, law(n), law(n) / factor, law(n) * factor});
  }
  return band;
}

}  // namespace

ScalingPlot SessionsScaling() {
  const Law law = [](double n) { return 12300 + 7692 * n; };
  return {{"Session routing: heap at the peak by sessions", "sessions",
           "heap bytes at the peak"},
          {{"session", Measured(law, {1, 5, 10, 20, 50, 100}, 0.02),
            Band(law, 1, 100, 1000, 0.02), "linear, 12.3 kB + 7.69 kB·n"}},
          std::nullopt};
}

ScalingPlot EncoderScaling() {
  const Law law = [](double n) { return 42e6 * std::pow(n, 0.018); };
  std::vector<Point> points =
      Measured(law, {10, 100, 1e3, 1e4, 1e5, 1e6, 5e6, 1e7}, 0.04);
  for (size_t i = 6; i < 8; ++i) points[i].replicates = 1;
  return {{"Encoder: peak by input", "bytes of input", "heap bytes at the peak",
           Unit::kBytes, Unit::kBytes},
          {{"encoder", points, Band(law, 10, 1e7, 1e8, 0.08),
            "sublinear, 42 MB·n^0.018"}},
          std::nullopt};
}

ScalingPlot ChunksScaling() {
  const Law memory = [](double n) { return 4000 + 1546.5 * n; };
  const Law sqlite = [](double n) { return 2.1e6 + 36 * n; };
  const std::vector<double> sizes = {1000, 2000, 5000, 10000, 20000, 31600};
  return {
      {"Test 4: memory scaling linearity", "chunks", "heap bytes after storing"},
      {{"memory", Measured(memory, sizes, 0.003),
        Band(memory, 1000, 31600, 1e5, 0.01), "linear, 4 kB + 1.55 kB·n"},
       {"sqlite", Measured(sqlite, sizes, 0.02),
        Band(sqlite, 1000, 31600, 1e5, 0.03), "linear, 2.1 MB + 36 B·n"}},
      100e6};
}

ScalingPlot SitesScaling() {
  const std::vector<double> sizes = {1, 30, 1000, 3e4, 1e6, 1e8};
  const std::vector<std::pair<std::string, Law>> laws = {
      {"constant", [](double) { return 3000.0; }},
      {"logarithmic", [](double n) { return 500 + 1200 * std::log(n); }},
      {"linear", [](double n) { return 90 + 20 * n; }},
      {"linearithmic", [](double n) { return 300 + 12 * n * std::log(n + 1); }},
      {"quadratic", [](double n) { return 40 + 0.01 * n * n; }},
      {"square root", [](double n) { return 40000 * std::sqrt(n); }},
  };
  ScalingPlot plot{{"Six call sites", "n", "bytes live at the peak"}, {}, 1e9};
  for (const auto& [name, law] : laws) {
    plot.curves.push_back(
        {"std::vector<std::pair<int, std::string>, std::allocator<"
         "std::pair<int, std::string> > >::push_back(" +
             name + " const&)",
         Measured(law, sizes, 0.05), Band(law, 1, 1e8, 1e9, 0.05), name});
  }
  return plot;
}

DistributionPlot EncoderDistribution() {
  const ScalingPlot scaling = EncoderScaling();
  DistributionPlot plot{scaling.labels, scaling.curves};
  plot.labels.title = "Encoder: replicates by input";
  return plot;
}

DistributionPlot ChunksDistribution() {
  const ScalingPlot scaling = ChunksScaling();
  DistributionPlot plot{scaling.labels, scaling.curves};
  plot.labels.title = "Chunks: replicates by size";
  return plot;
}

EfficiencyPlot EncoderEfficiency() {
  const std::vector<double> sizes = {10, 100, 1e3, 1e4, 1e5, 1e6, 1e7};
  return {
      {"Encoder: efficiency by input", "bytes of input", "ratio", Unit::kBytes,
       Unit::kPlain},
      {{"peak over input",
        Measured([](double n) { return 42e6 * std::pow(n, 0.018) / n; }, sizes,
                 0.05),
        {},
        ""},
       {"compressed over input",
        Measured([](double n) { return 0.017 + 1.1 / std::sqrt(n); }, sizes, 0.01),
        {},
        ""}}};
}

DecompositionPlot ChunksDecomposition() {
  DecompositionPlot plot{{"Chunks: heap bytes at the peak by call site", "chunks",
                          "heap bytes at the peak"},
                         {1000, 2000, 5000, 10000, 20000, 31600},
                         {}};
  const std::vector<std::pair<std::string, double>> sites = {
      {"chunk_store::MemoryStore::Add(chunk_store::Chunk&&) (memory_store.cc:41)",
       620},
      {"std::vector<chunk_store::Chunk, std::allocator<chunk_store::Chunk> "
       ">::_M_realloc_"
       "insert<chunk_store::Chunk>(__gnu_cxx::__normal_iterator<chunk_store::Chunk*"
       ", "
       "std::vector<chunk_store::Chunk, std::allocator<chunk_store::Chunk> > >)",
       410},
      {"chunk_store::ChunkText::Generate(unsigned long, std::mt19937_64&)", 250},
      {"std::_Hashtable<std::string, std::pair<std::string const, unsigned long> "
       ">::_M_"
       "insert_unique_node(unsigned long, unsigned long)",
       140},
      {"chunk_store::(anonymous namespace)::Tokens::operator()(absl::string_view) "
       "const",
       80},
  };
  for (const auto& [name, bytes] : sites) {
    DecompositionPlot::Layer layer{name, {}};
    for (double n : plot.n) layer.bytes.push_back(bytes * n);
    plot.layers.push_back(layer);
  }
  plot.layers.push_back({"startup tables", std::vector<double>(6, 9e5)});
  plot.layers.push_back({"others", std::vector<double>(6, 3e5), true});
  return plot;
}

ResidualPlot ChunksResidual() {
  const std::vector<double> sizes = {1000, 2000, 5000, 10000, 20000, 31600};
  ResidualPlot plot{
      {"Chunks: what is left after close", "chunks", "heap bytes left"},
      Measured([](double n) { return 9000 + 2.1 * n; }, sizes, 0.05),
      {}};
  for (const Point& point : plot.residual) {
    plot.share.push_back({point.n, point.value / (1546.5 * point.n)});
  }
  return plot;
}

namespace {

ScalingPlot UglyScaling() {
  constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
  constexpr double kInfinite = std::numeric_limits<double>::infinity();
  ScalingPlot plot{{kHostileName, kHostileName, kHostileName}, {}, 5e15};
  plot.curves.push_back(
      {kHostileName,
       {{1, 0}, {10, 0, 0, 3}, {100, 5, 9, 3}, {1000, kNan}, {-1, 5}},
       {{1, 0, 0, 0},
        {50, 2, 0, 40},
        {1e4, 1e7, kNan, kNan},
        {1e5, 1e9, 0, kInfinite}},
       kHostileName});
  plot.curves.push_back({std::string(900, 'x'), {}, {}, "not enough data"});
  return plot;
}

ScalingPlot OnePoint() {
  return {
      {"One point", "n", "bytes"}, {{"one", {{100, 5000}}, {}, "one size"}}, {}};
}

ScalingPlot Zeros() {
  return {{"Nothing but zeros", "n", "bytes"},
          {{"zero", {{1, 0, 0, 3}, {10, 0, 0, 3}}, {}, "zero"}},
          {}};
}

DistributionPlot SixVariants() {
  DistributionPlot plot{{"Six variants", "agents", "heap bytes"}, {}};
  for (int variant = 0; variant < 6; ++variant) {
    const double slope = 1000 * std::pow(3, variant);
    plot.curves.push_back(
        {"variant " + std::to_string(variant),
         Measured([&](double n) { return slope * n; },
                  {1, 2, 3, 5, 8, 10, 20, 30, 50, 80, 100, 200, 500, 1000},
                  0.01 * (variant + 1)),
         {},
         ""});
  }
  plot.curves[2].points[3].value = 0;
  plot.curves[2].points[4].replicates = 1;
  return plot;
}

DecompositionPlot ManyLayers() {
  DecompositionPlot plot{{"Many layers", "input", "bytes", Unit::kBytes}, {}, {}};
  for (double n = 10; n < 2e8; n *= 3) plot.n.push_back(n);
  for (int i = 0; i < 30; ++i) {
    DecompositionPlot::Layer layer{
        i == 3 ? kHostileName : "site " + std::to_string(i), {}};
    for (double n : plot.n) layer.bytes.push_back(n * (i % 7) + 1e5 / (i + 1));
    plot.layers.push_back(layer);
  }
  return plot;
}

ResidualPlot UglyResidual() {
  return {{"Less than nothing", "n", "heap bytes left"},
          {{1, -500, 100, 3}, {10, 0, 0, 3}, {100, 2500, 0, 1}},
          {{1, -0.01, 0, 3}, {10, 0, 0, 3}, {100, 0.002, 0, 1}}};
}

template <typename Plot>
Sample Of(std::string name, Plot plot) {
  return {std::move(name),
          [plot](absl::string_view stem) { return Draw(plot, stem); }};
}

}  // namespace

std::vector<Sample> AllSamples() {
  return {
      Of("sessions-scaling", SessionsScaling()),
      Of("encoder-scaling", EncoderScaling()),
      Of("chunks-scaling", ChunksScaling()),
      Of("sites-scaling", SitesScaling()),
      Of("encoder-distribution", EncoderDistribution()),
      Of("chunks-distribution", ChunksDistribution()),
      Of("encoder-efficiency", EncoderEfficiency()),
      Of("chunks-decomposition", ChunksDecomposition()),
      Of("chunks-residual", ChunksResidual()),
      Of("ugly-scaling", UglyScaling()),
      Of("one-point-scaling", OnePoint()),
      Of("zeros-scaling", Zeros()),
      Of("variants-distribution", SixVariants()),
      Of("layers-decomposition", ManyLayers()),
      Of("ugly-residual", UglyResidual()),
      Of("empty-scaling", ScalingPlot{}),
      Of("empty-distribution", DistributionPlot{}),
      Of("empty-efficiency", EfficiencyPlot{}),
      Of("empty-decomposition", DecompositionPlot{}),
      Of("empty-residual", ResidualPlot{}),
  };
}

}  // namespace mallogram::plot
