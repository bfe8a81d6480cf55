#include "text/stop.h"

#include <algorithm>
#include <utility>

namespace tern::text {

StopMatcher::StopMatcher(std::vector<std::string> stops) : stops_(std::move(stops)), automata_(stops_.size()) {
  for (size_t s = 0; s < stops_.size(); ++s) {
    const std::string& stop = stops_[s];
    std::vector<uint32_t>& border = automata_[s].border;
    border.assign(stop.size(), 0);
    for (size_t i = 1; i < stop.size(); ++i) {
      uint32_t length = border[i - 1];
      while (length > 0 && stop[i] != stop[length]) length = border[length - 1];
      border[i] = stop[i] == stop[length] ? length + 1 : 0;
    }
  }
}

void StopMatcher::step(size_t which, char c) {
  const std::string& stop = stops_[which];
  Automaton& automaton = automata_[which];
  while (automaton.matched > 0 && stop[automaton.matched] != c) {
    automaton.matched = automaton.border[automaton.matched - 1];
  }
  if (stop[automaton.matched] == c) ++automaton.matched;
}

StopMatcher::Output StopMatcher::push(std::string_view text) {
  Output out;
  if (hit_) return out;
  for (const char c : text) {
    held_ += c;
    for (size_t s = 0; s < stops_.size(); ++s) {
      if (stops_[s].empty()) continue;
      step(s, c);
      const bool complete = automata_[s].matched == stops_[s].size();
      if (complete && (!out.stop || stops_[s].size() > stops_[*out.stop].size())) out.stop = s;
    }
    if (out.stop) {
      hit_ = true;
      held_.resize(held_.size() - stops_[*out.stop].size());
      out.text = std::exchange(held_, {});
      return out;
    }
  }
  size_t keep = 0;
  for (const Automaton& automaton : automata_) keep = std::max(keep, automaton.matched);
  out.text = held_.substr(0, held_.size() - keep);
  held_.erase(0, out.text.size());
  return out;
}

std::string StopMatcher::flush() {
  return std::exchange(held_, {});
}

}  // namespace tern::text
