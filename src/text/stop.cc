#include "text/stop.h"

#include <algorithm>

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
      out.text = flush();
      return out;
    }
  }
  size_t keep = 0;
  for (const Automaton& automaton : automata_) keep = std::max(keep, automaton.matched);
  const size_t safe = held_.size() - keep;
  out.text = held_.substr(shown_, safe - shown_);
  shown_ = safe;
  if (shown_ > held_.size() / 2) {
    held_.erase(0, shown_);
    shown_ = 0;
  }
  return out;
}

std::string StopMatcher::flush() {
  std::string rest = held_.substr(shown_);
  held_.clear();
  shown_ = 0;
  return rest;
}

}  // namespace tern::text
