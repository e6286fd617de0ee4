// Stacked bars of call sites, twice: as bytes and as shares, so that a site which
// grows along with the rest is not taken for one that takes over.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "analyzer/plot/scripts.h"
#include "analyzer/plot/text.h"

namespace mallogram::plot {
namespace {

using Layer = DecompositionPlot::Layer;

constexpr double kPanelHeight = 260, kBelow = 48;
constexpr double kLeft = 76, kRight = kWidth - 14, kBetween = 82;
constexpr double kBarWidth = 0.74;
constexpr size_t kMostLayers = 8;
constexpr size_t kNameLetters = 84;

// Neighbours differ in lightness, for readers without colour.
constexpr absl::string_view kLayerColors[kMostLayers] = {
    "#0072b2", "#56b4e9", "#d55e00", "#f0e442",
    "#009e73", "#cc79a7", "#4b3a8c", "#e69f00"};
constexpr absl::string_view kOthersColor = "#b5b5b5";

double BytesAt(const Layer& layer, size_t i) {
  if (i >= layer.bytes.size() || !std::isfinite(layer.bytes[i])) return 0;
  return std::max(0.0, layer.bytes[i]);
}

// At most kMostLayers, then one of all others if there are any.
std::vector<Layer> Shown(const DecompositionPlot& plot) {
  std::vector<const Layer*> named;
  Layer others{
      .name = "", .bytes = std::vector<double>(plot.n.size()), .others = true};
  bool any_others = false;
  const auto put_to_others = [&](const Layer& layer) {
    any_others = true;
    for (size_t i = 0; i < plot.n.size(); ++i) others.bytes[i] += BytesAt(layer, i);
  };
  for (const Layer& layer : plot.layers) {
    if (!layer.others) {
      named.push_back(&layer);
      continue;
    }
    put_to_others(layer);
    if (others.name.empty()) others.name = layer.name;
  }
  if (named.size() > kMostLayers) {
    // Largest share of any size first; in what they were given, otherwise.
    const auto weight = [&](const Layer* layer) {
      double largest = 0;
      for (size_t i = 0; i < plot.n.size(); ++i) {
        double sum = 0;
        for (const Layer& each : plot.layers) sum += BytesAt(each, i);
        if (sum > 0) largest = std::max(largest, BytesAt(*layer, i) / sum);
      }
      return largest;
    };
    std::vector<const Layer*> ranked = named;
    std::stable_sort(
        ranked.begin(), ranked.end(),
        [&](const Layer* a, const Layer* b) { return weight(a) > weight(b); });
    for (size_t i = kMostLayers; i < ranked.size(); ++i) {
      put_to_others(*ranked[i]);
      named.erase(std::find(named.begin(), named.end(), ranked[i]));
    }
    others.name =
        absl::StrCat(others.name.empty() ? "" : absl::StrCat(others.name, ", and "),
                     ranked.size() - kMostLayers, " smaller ones");
  }
  std::vector<Layer> shown;
  for (const Layer* layer : named) shown.push_back(*layer);
  if (any_others) {
    if (others.name.empty()) others.name = "others";
    shown.push_back(std::move(others));
  }
  return shown;
}

absl::string_view ColorOf(const std::vector<Layer>& layers, size_t i) {
  return layers[i].others ? kOthersColor : kLayerColors[i];
}

void AddBars(const std::vector<Layer>& layers, const std::vector<size_t>& order,
             const std::vector<double>& scale, Figure* figure) {
  std::vector<double> from(order.size(), 0);
  for (size_t l = 0; l < layers.size(); ++l) {
    Figure::Rows rows;
    for (size_t slot = 0; slot < order.size(); ++slot) {
      const double height = BytesAt(layers[l], order[slot]) * scale[slot];
      if (!(height > 0)) continue;
      const double at = static_cast<double>(slot);
      rows.push_back({at, at - kBarWidth / 2, at + kBarWidth / 2, from[slot],
                      from[slot] + height});
      from[slot] += height;
    }
    figure->Add(rows, absl::StrFormat(
                          "using 1:4:2:3:4:5 with boxxyerror fillcolor rgb '%s' "
                          "fillstyle solid 1 border linecolor rgb '#ffffff' "
                          "linewidth 0.5",
                          ColorOf(layers, l)));
  }
}

}  // namespace

Figure Draft(const DecompositionPlot& plot) {
  const std::vector<Layer> layers = Shown(plot);
  std::vector<size_t> order;
  for (size_t i = 0; i < plot.n.size(); ++i) {
    if (std::isfinite(plot.n[i]) && plot.n[i] > 0) order.push_back(i);
  }
  std::sort(order.begin(), order.end(),
            [&](size_t a, size_t b) { return plot.n[a] < plot.n[b]; });

  std::vector<double> sizes, sums, as_is, as_share;
  for (size_t i : order) {
    double sum = 0;
    for (const Layer& layer : layers) sum += BytesAt(layer, i);
    sizes.push_back(plot.n[i]);
    sums.push_back(sum);
    as_is.push_back(1);
    as_share.push_back(sum > 0 ? 100 / sum : 0);
  }

  std::vector<LegendEntry> legend;  // in the order of the bars, from the top
  for (size_t i = layers.size(); i-- > 0;) {
    legend.push_back({LegendEntry::Sign::kBox, std::string(ColorOf(layers, i)), 0,
                      NameInLetters(CleanText(layers[i].name), kNameLetters)});
  }

  Figure figure(plot.labels.title, legend, kPanelHeight + kBelow);
  const double width = (kRight - kLeft - kBetween) / 2;
  const double bottom = figure.height() - kBelow;
  const Axis x = SlotAxis(sizes, plot.labels.n_unit, width);
  figure.BeginPanel({kLeft, kLeft + width, figure.top(), bottom});
  figure.XAxis(x, plot.labels.n);
  figure.YAxis(LinearAxis(sums, plot.labels.value_unit, true), plot.labels.value);
  AddBars(layers, order, as_is, &figure);
  figure.EndPanel();

  figure.BeginPanel({kRight - width, kRight, figure.top(), bottom});
  figure.XAxis(x, plot.labels.n);
  Axis share = PercentAxis({100});
  share.high = 100;
  figure.YAxis(share, "share of the size's sum");
  AddBars(layers, order, as_share, &figure);
  figure.EndPanel();
  return figure;
}

}  // namespace mallogram::plot
