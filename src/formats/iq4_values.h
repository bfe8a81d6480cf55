// The 16 values of IQ4_NL and IQ4_XS: an int8 codebook, denser around zero (GGUF; ggml's kvalues_iq4nl).
#pragma once

#include <cmath>
#include <cstdint>

namespace tern::formats {

inline constexpr int8_t kIq4Values[16] = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};

inline constexpr float kIq4Rms = 67.4f;  // of the values above, each equally likely

/// The code whose value is nearest to x; the lower one of two.
inline int nearest_iq4(float x) {
  int best = 0;
  for (int code = 1; code < 16; ++code) {
    if (std::fabs(x - static_cast<float>(kIq4Values[code])) < std::fabs(x - static_cast<float>(kIq4Values[best]))) {
      best = code;
    }
  }
  return best;
}

}  // namespace tern::formats
